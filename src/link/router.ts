/**
 * Routing: what a process sends into rooms that ChatServers own, in order, whoever owns them at the moment.
 *
 * A {@linkcode Route} is attached to one owner at a time (it has announced its members there), keeps what was not
 * accepted yet, and sends it again, in order, to whoever owns the room next. Proxies route their users' messages, and
 * ChatServers the messages of their applications to rooms of others.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import type { Cancel, Clock } from "../lib/clock.ts";
import { Deque } from "../lib/deque.ts";
import type { Histogram, Metrics } from "../lib/metrics.ts";
import type { Placement } from "../membership/placement.ts";
import type { AckFrame, AnnouncedMember, Frame, MessageFrame, RefusedFrame } from "./frames.ts";
import type { Link } from "./link.ts";
import { messageFrame, sizeOf } from "./message_frame.ts";
import { Pools } from "./pools.ts";
import { Route } from "./route.ts";
import { ROUTER_LIMITS, type RouterLimits } from "./router_limits.ts";
import type { Sender } from "./sender.ts";

/** Why a routed message failed. */
export type RouteFailure = NonNullable<AckFrame["error"]>;

/** A message under way. */
export interface Entry {
  readonly sender: Sender;
  readonly route: Route;
  readonly seq: number;
  readonly frame: MessageFrame;
  readonly bytes: number;
  /** When it was handed in. */
  readonly since: number;
  readonly done: ((failure: RouteFailure | undefined) => void) | undefined;
  /**
   * `queued`: to be sent. `sent`: on its link, not confirmed. `held`: the owner keeps it unaccepted. `accepted`: its
   * acknowledgement is awaited. `over`: nothing more to do.
   */
  state: "queued" | "sent" | "held" | "accepted" | "over";
  /** Where it was sent, and under which frame number. */
  link: Link | undefined;
  number: number;
}

/** What a router needs from the role that it works for. */
export interface RouterHost {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Who owns what in the role's view. */
  placement(): Placement;
  /** The open link to a ChatServer, by its id. */
  link(id: string): Link | undefined;
  /** The role's members of a room, to be announced. */
  members(room: string): AnnouncedMember[];
  /** Whether the role has members of a room. */
  occupied(room: string): boolean;
  /** A room's members have been announced to a new owner. */
  attached?(route: Route): void;
  /** Messages that an earlier owner of an open room had been sent are lost. */
  lost?(route: Route): void;
  /** The owner has no place for a room: whoever waits for it there waits in vain. */
  refused?(room: string): void;
  /** A route was dropped: the role has nothing in that room any more. */
  dropped?(room: string): void;
  readonly limits?: RouterLimits;
}

/** One transmission; a message that is sent again has several. */
interface Sent {
  readonly entry: Entry;
  readonly number: number;
}

const SWEEP_MS = 1000;

/** All routes of one process. */
export class Router {
  readonly host: RouterHost;
  readonly limits: RouterLimits;
  readonly pools: Pools;
  readonly #routes: Map<string, Route> = new Map();
  /** Messages that were sent on a link, in the order of their frame numbers. */
  readonly #sent: Map<Link, Deque<Sent>> = new Map();
  /** Messages that await an acknowledgement, by sender and number. */
  readonly #acknowledged: Map<string, Entry> = new Map();
  /** The digest of the view that each owner said last. */
  readonly #digests: Map<Link, string> = new Map();
  /** Links on which the round of announcements has not ended: routes that are still on their way there. */
  readonly #coming: Map<Link, Set<Route>> = new Map();
  readonly #pushed: Set<Sender> = new Set();
  readonly #latency: Histogram;
  /** Whether all senders together had too much under way since those pushed back were last looked through. */
  #crowded = false;
  #bytes = 0;
  #sweep: Cancel | undefined;
  #stopped = false;

  /** Makes a router; `start` lets it look after its deadlines. */
  constructor(host: RouterHost) {
    this.host = host;
    this.limits = host.limits ?? ROUTER_LIMITS;
    this.#latency = host.metrics.histogram("toychat_acknowledgement_seconds");
    this.pools = new Pools(() => host.placement());
  }

  /** Starts the clockwork of deadlines. */
  start(): void {
    this.#sweep ??= this.host.clock.every(SWEEP_MS, () => this.#expire());
  }

  /** Stops, and fails what is under way. */
  stop(): void {
    this.#sweep?.();
    this.#sweep = undefined;
    this.#stopped = true;
    for (const route of this.#routes.values()) {
      for (const entry of [...route.entries]) this.finish(entry, "unavailable");
    }
  }

  /** Whether it was stopped: nothing is sent any more. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Senders that are pushed back. */
  get pushed(): number {
    return this.#pushed.size;
  }

  /** Bytes under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages under way. */
  get pending(): number {
    let count = 0;
    for (const route of this.#routes.values()) count += route.live;
    return count;
  }

  /** The route of a room, made where there is none. */
  route(room: string): Route {
    let route = this.#routes.get(room);
    if (!route) {
      route = new Route(this, room);
      this.#routes.set(room, route);
    }
    return route;
  }

  /** The route of a room, where there is one. */
  find(room: string): Route | undefined {
    return this.#routes.get(room);
  }

  /** All routes. */
  routes(): IterableIterator<Route> {
    return this.#routes.values();
  }

  /** Forgets a route that has let go of its owner. */
  drop(route: Route): void {
    this.#routes.delete(route.room);
    this.host.dropped?.(route.room);
  }

  /**
   * Sends a message into a room. With `done` it is an acknowledged one; `done` is called exactly once.
   *
   * @param cause What it is numbered under, so that a repeat of its cause does not repeat it.
   */
  publish(
    sender: Sender,
    room: string,
    body: Body,
    done?: (failure: RouteFailure | undefined) => void,
    cause?: [origin: string, number: number],
  ): void {
    const bytes = sizeOf(body);
    const route = this.route(room);
    const seq = ++sender.seq;
    const frame = messageFrame(sender, room, seq, body, done !== undefined, cause);
    const entry: Entry = {
      sender,
      route,
      seq,
      frame,
      bytes,
      since: this.host.clock.now(),
      done,
      state: "queued",
      link: undefined,
      number: 0,
    };
    if (done) this.#acknowledged.set(`${sender.id} ${seq}`, entry);
    this.#charge(entry);
    route.push(entry);
    if (this.#stopped) this.finish(entry, "unavailable");
  }

  #charge(entry: Entry): void {
    const { sender, route: { pool } } = entry;
    sender.bytes += entry.bytes;
    pool.bytes += entry.bytes;
    this.#bytes += entry.bytes;
    const crowded = this.#bytes > this.limits.totalBytes;
    if (crowded) this.#crowded = true;
    if (crowded || pool.bytes > this.limits.ownerBytes || sender.bytes > this.limits.senderBytes) {
      if (sender.pushed) return;
      this.host.metrics.count("toychat_senders_pushed_back_total");
      this.#pushed.add(sender);
      sender.push(true);
    }
  }

  /** Ends a message: accepted for good, acknowledged, or failed. */
  finish(entry: Entry, failure?: RouteFailure): void {
    if (entry.state === "over") return;
    entry.state = "over";
    const { sender } = entry;
    sender.bytes -= entry.bytes;
    entry.route.pool.bytes -= entry.bytes;
    this.#bytes -= entry.bytes;
    if (failure) this.host.metrics.count("toychat_messages_failed_total", 1, { reason: failure });
    if (entry.done) {
      if (!failure) this.#latency.observe((this.host.clock.now() - entry.since) / 1000);
      this.#acknowledged.delete(`${sender.id} ${entry.seq}`);
      entry.done(failure);
    }
    entry.route.finished(entry);
    this.#relieve(sender);
  }

  /** Lets senders go on: one that has its own share again, and all that have once there is room for everybody. */
  #relieve(sender: Sender): void {
    if (this.#bytes > this.limits.totalBytes) return;
    if (sender.pushed) this.#release(sender);
    if (!this.#crowded || this.#bytes * 2 > this.limits.totalBytes) return;
    this.#crowded = false;
    for (const other of [...this.#pushed]) this.#release(other);
  }

  #release(sender: Sender): void {
    if (sender.bytes * 2 > this.limits.senderBytes) return;
    this.#pushed.delete(sender);
    sender.push(false);
  }

  /** Sends one message on a link. */
  transmit(entry: Entry, link: Link): void {
    entry.state = "sent";
    entry.link = link;
    entry.number = link.send(entry.frame);
    let sent = this.#sent.get(link);
    if (!sent) this.#sent.set(link, sent = new Deque());
    sent.push({ entry, number: entry.number });
    entry.route.unresolved++;
  }

  /** A new link is up: announces what its owner should have, then sends what waits for it. */
  linkOpened(link: Link): void {
    const { digest } = this.host.placement().view;
    link.send({ type: "digest", digest });
    for (const route of this.#routes.values()) route.settle();
    this.#endRound([link]);
    for (const route of this.#routes.values()) route.pump();
  }

  /** The view has changed: announces what has moved, ends the round on each link, then sends what waits. */
  viewChanged(links: Iterable<Link>): void {
    const { digest } = this.host.placement().view;
    const open = [...links];
    this.#coming.clear();
    for (const link of open) link.send({ type: "digest", digest });
    for (const route of [...this.#routes.values()]) route.viewChanged();
    this.#endRound(open);
    for (const route of this.#routes.values()) route.pump();
  }

  /** Says on links that everything has been announced there, or waits for the routes that are on their way there. */
  #endRound(links: Iterable<Link>): void {
    const coming = new Map<string, Set<Route>>();
    for (const route of this.#routes.values()) {
      const id = route.wanted;
      if (id === undefined) continue;
      const routes = coming.get(id);
      if (routes) routes.add(route);
      else coming.set(id, new Set([route]));
    }
    for (const link of links) {
      const routes = coming.get(link.peer.id);
      if (routes) this.#coming.set(link, routes);
      else this.#announced(link);
    }
  }

  #announced(link: Link): void {
    this.#coming.delete(link);
    link.send({ type: "announced", digest: this.host.placement().view.digest });
  }

  /** A route has been let go by the owner that it was to leave, and has been announced to the next one if it can be. */
  arrived(route: Route): void {
    for (const [link, routes] of this.#coming) {
      if (routes.delete(route) && routes.size === 0) this.#announced(link);
    }
  }

  /** The owner has dealt with every frame up to `n`: what it neither refused nor held is accepted. */
  confirmed(link: Link, n: number): void {
    const sent = this.#sent.get(link);
    if (!sent) return;
    for (let next = sent.peek(); next && next.number <= n; next = sent.peek()) {
      sent.shift();
      const { entry, number } = next;
      if (entry.state === "sent" && entry.number === number && entry.link === link) this.accept(entry);
      entry.route.resolved(link);
    }
  }

  /** The owner has accepted a message. */
  accept(entry: Entry): void {
    if (!entry.done) return this.finish(entry);
    entry.state = "accepted";
    entry.route.accepted(entry);
  }

  /** Whether the owner at the other end of a link has the same view as this process. */
  agrees(link: Link): boolean {
    return this.#digests.get(link) === this.host.placement().view.digest;
  }

  /** The link has ended for good. */
  linkReset(link: Link): void {
    const sent = this.#sent.get(link);
    this.#sent.delete(link);
    this.#digests.delete(link);
    this.#coming.delete(link);
    for (const { entry } of sent ?? []) entry.route.discount(link);
    for (const route of [...this.#routes.values()]) route.linkReset(link);
  }

  /** The link takes messages again. */
  drain(link: Link): void {
    for (const route of this.#routes.values()) if (route.source === link) route.pump();
  }

  /** Handles a frame from an owner; `false` where the frame is not the router's. */
  frame(link: Link, frame: Frame): boolean {
    switch (frame.type) {
      case "digest":
        this.#digests.set(link, frame.digest);
        for (const route of [...this.#routes.values()]) route.peerChanged(link);
        return true;
      case "released":
        this.#routes.get(frame.room)?.released(link, frame.attach, frame.full);
        return true;
      case "refused":
        this.#refused(link, frame);
        return true;
      case "held":
      case "accepted":
        this.#routes.get(frame.room)?.held(link, frame);
        return true;
      case "ack":
        this.#acked(link, frame);
        return true;
      default:
        return false;
    }
  }

  #refused(link: Link, frame: RefusedFrame): void {
    this.host.metrics.count("toychat_messages_refused_total");
    this.#routes.get(frame.room)?.refused(link, frame);
  }

  /** Only where the message was sent last is known what became of it. */
  #acked(link: Link, frame: AckFrame): void {
    const entry = this.#acknowledged.get(`${frame.session} ${frame.seq}`);
    if (entry?.link === link) this.finish(entry, frame.error);
  }

  #expire(): void {
    const before = this.host.clock.now() - this.limits.acceptMs;
    for (const route of [...this.#routes.values()]) route.expire(before);
  }
}
