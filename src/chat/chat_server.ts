/**
 * The ChatServer: owns rooms and runs the application's listeners for them.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import { buildInfo } from "../lib/build_info.ts";
import { type Cancel, type Clock, randomId, systemClock } from "../lib/clock.ts";
import type { Listener } from "../lib/emitter.ts";
import { ToychatError } from "../lib/errors.ts";
import { advertised, requireSecret } from "../lib/hosts.ts";
import { type Logger, noLog } from "../lib/log.ts";
import { limitLog } from "../lib/log_limit.ts";
import { Metrics } from "../lib/metrics.ts";
import { DRAINING, type Readiness } from "../lib/readiness.ts";
import type { Connection, ConnectionHandler, ListenSocket, TlsOptions } from "../lib/transport.ts";
import type { Link, LinkHandler, LinkIdentity } from "../link/link.ts";
import { LinkListener } from "../link/listener.ts";
import { loopback } from "../link/loopback.ts";
import { Peers } from "../link/peers.ts";
import { Router } from "../link/router.ts";
import { Sender } from "../link/sender.ts";
import type { Lease, Membership } from "../membership/membership.ts";
import { gaugeView } from "../membership/view_metrics.ts";
import type { ChatUser, RoomInfo } from "./chat_user.ts";
import { Confirms } from "./confirms.ts";
import { Departures } from "./departures.ts";
import { drain, isWithdrawn } from "./draining.ts";
import { type AnyTypes, type ChatEvents, type ClusterTypes, Listeners } from "./events.ts";
import { dialledHandler, ownerHandler } from "./link_handlers.ts";
import { follow } from "./following.ts";
import { chatReadiness, gaugeChat } from "./observed.ts";
import { type ChatLimits, chatLimits, type ChatServerOptions } from "./options.ts";
import type { Cause, Recipients, Room } from "./room.ts";
import { Rooms } from "./rooms.ts";
import { Sending, sessionsOf } from "./sending.ts";

const SWEEP_MS = 1000;
/** Longest reason that a client is told. */
const REASON_LENGTH = 1024;

/**
 * Owns the rooms that the placement gives to it, in memory, and runs the application's listeners for them. Where the
 * list of members changes, rooms move; listeners read as if one server did it all.
 *
 * @typeParam Types What messages carry; see {@linkcode ClusterTypes}.
 *
 * @example
 * ```ts
 * import { ChatServer, LocalMembership } from "toychat";
 * import { systemTransport } from "toychat/system";
 *
 * await using chat = new ChatServer({ membership: new LocalMembership(), transport: await systemTransport() });
 * chat.on("message", (user, room, body) => {
 *   chat.broadcast(room, body, { except: user });
 * });
 * await chat.start();
 * ```
 */
export class ChatServer<Types extends ClusterTypes = AnyTypes> {
  /** The server's id in the cluster. */
  readonly id: string;
  /** What it counts. */
  readonly metrics: Metrics = new Metrics("chat");
  readonly #options: ChatServerOptions;
  readonly #membership: Membership;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #limits: ChatLimits;
  readonly #listeners: Listeners<Types>;
  readonly #confirms: Confirms = new Confirms();
  readonly #rooms: Rooms<Types>;
  readonly #peers: Peers;
  readonly #router: Router;
  readonly #owner: LinkHandler;
  readonly #dialled: LinkHandler;
  readonly #inbound: LinkListener;
  readonly #sending: Sending;
  readonly #departures: Departures;
  #sender: Sender | undefined;
  #self: Link | undefined;
  #socket: ListenSocket | undefined;
  #lease: Lease | undefined;
  #cancel: Cancel[] = [];
  #state: "new" | "running" | "stopping" | "stopped" = "new";

  /** Makes a server; `start` lets it join the cluster. Add listeners before. */
  constructor(options: ChatServerOptions) {
    this.#options = options;
    this.#membership = options.membership;
    this.#clock = options.clock ?? systemClock;
    this.#log = limitLog(options.log ?? noLog, { clock: this.#clock, metrics: this.metrics });
    this.#limits = chatLimits(options.limits);
    this.id = options.id ?? `c${randomId(this.#clock, 5)}`;
    const { transport, secret, cluster = "toychat" } = options;
    const context = transport.createContext<Cause | undefined>();
    this.#listeners = new Listeners(this.#clock, this.metrics, this.#log, context, this.#limits.listenerMs);
    this.#rooms = this.#makeRooms();
    const shared = { clock: this.#clock, cluster, secret, log: this.#log, metrics: this.metrics };
    const self = (): LinkIdentity => this.#identity();
    this.#owner = ownerHandler({
      rooms: this.#rooms,
      confirms: this.#confirms,
      log: this.#log,
      metrics: this.metrics,
      digest: () => this.#membership.view.digest,
    });
    this.#dialled = dialledHandler(this.id, this.#rooms, () => this.#router, (link) => {
      if (link === this.#self) this.#linkSelf();
    });
    this.#inbound = new LinkListener({
      ...shared,
      self,
      lapsed: () => !this.#lease?.held(),
      handler: this.#owner,
      options: { maxHandshakes: this.#limits.maxHandshakes },
    });
    this.#departures = new Departures(this.#clock, () => this.#inbound.links);
    this.#peers = new Peers({ ...shared, transport, tls: options.linkTls, self, handler: this.#dialled });
    this.#router = new Router({
      clock: this.#clock,
      metrics: this.metrics,
      placement: () => this.#membership.placement,
      link: (id) => this.#link(id),
      members: () => [],
      occupied: () => false,
    });
    this.#sending = new Sending(this.metrics, this.#router);
    this.metrics.gauge("toychat_build_info", () => 1, buildInfo(transport, this.id));
    gaugeView(this.metrics, this.#membership);
    gaugeChat(this.metrics, this.#rooms, this.#inbound, this.#peers, () => this.#lease);
  }

  #makeRooms(): Rooms<Types> {
    return new Rooms({
      id: this.id,
      clock: this.#clock,
      metrics: this.metrics,
      log: this.#log,
      limits: this.#limits,
      listeners: this.#listeners,
      confirms: this.#confirms,
      held: () => this.#lease?.held() ?? false,
      placement: () => this.#membership.placement,
      link: (id) => this.#peers.link(id),
      links: () => this.#peers.links(),
      agrees: (link) => this.#router.agrees(link),
    });
  }

  #identity(): LinkIdentity {
    return { role: "chat", id: this.id, incarnation: this.#lease?.incarnation ?? "starting" };
  }

  #link(id: string): Link | undefined {
    return id === this.id ? this.#self : this.#peers.link(id);
  }

  /** `host:port` at which it takes links; empty before `start`. */
  get address(): string {
    const { address } = this.#options;
    return this.#socket ? advertised(address, this.#socket) : address ?? "";
  }

  /**
   * Shows another certificate to links that come from now on, where it listens with TLS.
   *
   * @returns `false` where it does not, or the runtime cannot (Bun): it must be started anew then.
   * @throws {ToychatError} `bad_certificate`; it goes on with the old one.
   */
  setCertificate(tls: TlsOptions): boolean {
    if (!this.#socket?.setCertificate) return false;
    this.#socket.setCertificate(tls);
    return true;
  }

  /** Its slot in the placement; undefined before `start`. */
  get slot(): number | undefined {
    return this.#lease?.slot;
  }

  /** Whether the server runs, and its lease lets it accept messages. */
  get readiness(): Readiness {
    const stopping = this.#state === "stopping" || this.#state === "stopped";
    return stopping ? DRAINING : chatReadiness(this.#lease, this.#membership.view);
  }

  /** The names of the rooms that are open here. */
  get rooms(): readonly string[] {
    return [...this.#rooms.names()];
  }

  /** Adds a listener; returns a function that removes it. */
  on<K extends keyof ChatEvents<Types>>(event: K, listener: Listener<ChatEvents<Types>[K]>): () => void {
    return this.#listeners.emitter.on(event, listener);
  }

  /** Adds a listener for one call. */
  once<K extends keyof ChatEvents<Types>>(event: K, listener: Listener<ChatEvents<Types>[K]>): () => void {
    return this.#listeners.emitter.once(event, listener);
  }

  /** Removes a listener. */
  off<K extends keyof ChatEvents<Types>>(event: K, listener: Listener<ChatEvents<Types>[K]>): void {
    this.#listeners.emitter.off(event, listener);
  }

  /**
   * Listens for links, takes a slot, and takes over the rooms that the placement gives to it.
   *
   * @throws {ToychatError} `secret_required` where it would listen beyond loopback without a secret; else as
   * `Transport.listen` and `Membership.join` do, and `stopped` where `stop` was called meanwhile.
   */
  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "running";
    try {
      await this.#enter();
    } catch (error) {
      this.#state = "stopped";
      await this.#leave();
      throw error;
    }
    this.#begin();
    this.#router.start();
    this.#cancel.push(
      this.#membership.onView(() => this.#viewChanged()),
      (this.#lease as Lease).onRejoin(() => this.#rejoined()),
      this.#clock.every(SWEEP_MS, () => this.#rooms.sweep(this.#clock.now())),
    );
    this.#viewChanged();
  }

  async #enter(): Promise<void> {
    const { transport, secret, listen = { port: 0 } } = this.#options;
    requireSecret("a ChatServer", listen.host ?? "127.0.0.1", secret);
    this.#socket = await transport.listen(this.#inbound.bounded(listen), (dialled) => this.#accept(dialled));
    this.#notStopped();
    this.#lease = await this.#membership.join({ id: this.id, role: "chat", address: this.address });
    this.#notStopped();
  }

  #notStopped(): void {
    if (this.#state === "running") return;
    throw new ToychatError("stopped", `the ChatServer "${this.id}" was stopped while it was starting`);
  }

  #accept(connection: Connection): ConnectionHandler {
    // Before it has its incarnation it cannot say who it is: whoever dials tries again soon.
    if (!this.#lease) connection.terminate();
    return this.#inbound.accept(connection);
  }

  /** Begins one life under the present incarnation. */
  #begin(): void {
    const { id, incarnation } = this.#identity();
    this.#sender = new Sender(`${id}.${incarnation}`, undefined, () => {});
    this.#linkSelf();
  }

  #linkSelf(): void {
    this.#self = loopback(this.#identity(), this.#clock, this.#dialled, this.#owner);
  }

  /** The lease was lost and taken again: others own the rooms meanwhile, so everything begins anew. */
  #rejoined(): void {
    this.#log("warn", "rejoined", { id: this.id });
    this.metrics.count("toychat_leases_lost_total");
    this.#end("rejoined", "this ChatServer lost its lease and has joined again");
    this.#begin();
    this.#viewChanged();
  }

  #end(code: string, message: string): void {
    this.#rooms.clear(code === "rejoined" ? "lease-lost" : "stopped");
    this.#self?.close(code, message);
    this.#self = undefined;
    for (const link of this.#inbound.links) link.close(code, message);
    this.#peers.close();
  }

  #viewChanged(): void {
    if (this.#state !== "running" && this.#state !== "stopping") return;
    const { view } = this.#membership;
    this.#log("info", "view", { digest: view.digest, members: view.members.length });
    this.metrics.count("toychat_view_changes_total");
    if (isWithdrawn(this.#lease, view, this.#sender?.id)) this.#rooms.clear("lease-lost");
    const [peers, departures, inbound] = [this.#peers, this.#departures, this.#inbound];
    follow(view, { peers, departures, inbound, rooms: this.#rooms, router: this.#router }, this.#self);
  }

  /**
   * Sends a message to some members of a room that is open here. Users who are not in the room are passed over.
   *
   * @returns `false` where the room is not open here, as after it has moved.
   * @throws {RangeError} where the body takes more than 6 MiB as JSON, or nests more than 1023 levels deep.
   * @throws {TypeError} where JSON has no form for it.
   */
  send(users: Iterable<ChatUser>, room: string, body: Types["message"]): boolean {
    return this.#deliver(room, body, { kind: "only", sessions: sessionsOf(users) });
  }

  /**
   * Sends a message to every member of a room that is open here.
   *
   * @param options `except`: users to leave out.
   * @returns `false` where the room is not open here, as after it has moved, or is open anew since the listener began.
   * @throws {RangeError} and `TypeError` as `send` does; so do the others.
   */
  broadcast(
    room: string,
    body: Types["message"],
    options: { except?: ChatUser | Iterable<ChatUser> } = {},
  ): boolean {
    const { except } = options;
    if (except === undefined) return this.#deliver(room, body, { kind: "all" });
    const sessions = sessionsOf(Symbol.iterator in except ? except : [except]);
    return this.#deliver(room, body, { kind: "except", sessions });
  }

  #deliver(name: string, body: Types["message"], to: Recipients): boolean {
    return this.#sending.toMembers(this.#rooms.find(name), body as Body, to, this.#listeners.cause);
  }

  /**
   * Sends a message to every member of any room, whoever owns it. Inside a listener of an acknowledged message it is
   * acknowledged with it; outside it is sent at most once.
   *
   * @returns `false` where the message was dropped: so much is on its way to other servers, or no room can have the name.
   */
  sendToRoom(room: string, body: Types["message"]): boolean {
    return this.#sending.toRoom(this.#sender, room, body as Body, this.#listeners.cause);
  }

  /**
   * Sends a message to all sessions of a user, on whichever proxies they are. It arrives as a message of the room
   * `user/<userId>`, which nobody needs to join for it. At most once; a user who is not connected misses it.
   */
  sendToUser(userId: string, body: Types["message"]): void {
    this.#sending.toUser(this.#inbound.links, userId, body as Body);
  }

  /** A room that is open here; undefined where it is not. A snapshot: ask again for later. */
  room(name: string): RoomInfo | undefined {
    const room: Room | undefined = this.#rooms.find(name);
    return room && { name, users: room.users, epoch: room.epoch, offset: room.offset };
  }

  /** Puts a user out of a room that is open here; `false` where the user is not in it. The client is told `reason`. */
  kick(user: ChatUser, room: string, reason = "kicked"): boolean {
    const open = this.#rooms.find(room);
    return open !== undefined && this.#rooms.kick(open, user.sessionId, reason.slice(0, REASON_LENGTH));
  }

  /**
   * Leaves the cluster.
   *
   * @param options `drain`: hand every room to its next owner first (default true), for at most the limit `drainMs`.
   */
  async stop(options: { drain?: boolean } = {}): Promise<void> {
    if (this.#state === "stopping" || this.#state === "stopped") return;
    const running = this.#state === "running";
    this.#state = "stopping";
    if (running && this.#lease && options.drain !== false) await this.#drain(this.#lease);
    this.#state = "stopped";
    for (const cancel of this.#cancel) cancel();
    this.#router.stop();
    await this.#leave();
  }

  async #leave(): Promise<void> {
    await this.#lease?.leave();
    this.#end("stopped", "this ChatServer has stopped");
    this.#inbound.close("stopped", "this ChatServer has stopped");
    await this.#socket?.close();
  }

  async #drain(lease: Lease): Promise<void> {
    const drained = await drain(lease, {
      id: this.id,
      clock: this.#clock,
      membership: this.#membership,
      drainMs: this.#limits.drainMs,
      empty: () => this.#rooms.empty && this.#router.pending === 0 && this.#quiet(),
    });
    if (!drained) this.#log("warn", "drain_incomplete", { rooms: this.#rooms.open });
  }

  /** Whether all others know, so that nothing more is sent here, and have taken what was refused to them. */
  #quiet(): boolean {
    return this.#rooms.settlement.settled && this.#inbound.links.every((link) => link.outstanding === 0);
  }

  /** Stops; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
