/**
 * The membership bridge without its sockets: registers members over JSON-RPC connections, withdraws those that close or
 * fall silent, and tells everyone.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import { randomId } from "../lib/clock.ts";
import { errorMessage, printable, ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { Connection, ConnectionHandler } from "../lib/transport.ts";
import { BridgeAuth } from "./bridge_auth.ts";
import { type BridgeLimits, bridgeLimits } from "./bridge_limits.ts";
import { type BridgeRefusal, BridgeSession, type SessionHost } from "./bridge_session.ts";
import { answerMessages, readMessages, RPC_CODES, RpcError, type RpcParams } from "./json_rpc.ts";
import { LEASE } from "./lease_times.ts";
import { isSlot } from "./names.ts";
import { createPlacement, type Placement } from "./placement.ts";
import { type Claim, Registry } from "./registry.ts";
import type { Member, View } from "./view.ts";
import { gaugeView } from "./view_metrics.ts";
import { MAX_WAIT_MS, ViewWaiters } from "./view_waiters.ts";
import type { WireView } from "./wire_view.ts";

/** For so long after a start views are marked as settling. */
const SETTLE_MS = 2000;
/** For so long after a start a ChatServer without a slot waits, so that those that had one can take theirs again. */
const NEWCOMER_MS = 400;
const SWEEP_MS = 250;
/** A sweep that comes so late shows that this process slept, and has not heard what members sent meanwhile. */
const SLEPT_MS = 1000;
const UNPROVED_MS = 5000;
/** A connection without a member may be silent for so long. */
const IDLE_MS = 60_000;

/** Options of {@linkcode BridgeService}. */
export interface BridgeServiceOptions {
  /** Time and chance. */
  readonly clock: Clock;
  /** Name of the cluster; members of another one are refused. */
  readonly cluster: string;
  /** The cluster's placement key. */
  readonly placementKey: Uint8Array;
  /** The cluster's secret; undefined: no proof is asked for. */
  readonly secret: string | undefined;
  /** Where events go. */
  readonly log: Logger;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<BridgeLimits> | undefined;
  /** Where to count; default nowhere that is looked at. */
  readonly metrics?: Metrics;
}

/** Serves the members of one host. */
export class BridgeService implements SessionHost {
  /** Identifies this life of the bridge. */
  readonly instance: string;
  /** Name of the cluster. */
  readonly cluster: string;
  /** Undefined without a secret. */
  readonly auth: BridgeAuth | undefined;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #key: Uint8Array;
  readonly #registry: Registry;
  readonly #limits: BridgeLimits;
  readonly #metrics: Metrics;
  readonly #sessions: Set<BridgeSession> = new Set();
  /** Those that have not proven the secret, the oldest first. */
  readonly #unproved: Set<BridgeSession> = new Set();
  readonly #holders: Map<string, BridgeSession> = new Map();
  readonly #waiters: ViewWaiters;
  /** While views settle: the ids of members of this life of the bridge that are gone. */
  readonly #gone: Set<string> = new Set();
  readonly #timers: Set<Cancel> = new Set();
  #placement: Placement;
  #settling = true;
  #newcomersWait: Promise<void> | undefined;
  #sweptAt = 0;
  #pushing = false;
  #stopped = false;

  /** Does nothing until `start`. Throws `invalid_secret` where the secret is empty. */
  constructor(options: BridgeServiceOptions) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#limits = bridgeLimits(options.limits);
    this.#metrics = options.metrics ?? new Metrics();
    this.cluster = options.cluster;
    this.#key = options.placementKey;
    this.instance = randomId(options.clock, 12);
    this.#waiters = new ViewWaiters(options.clock);
    this.auth = options.secret === undefined ? undefined : new BridgeAuth(options.secret);
    this.#registry = new Registry(this.#key);
    this.#placement = createPlacement(this.#registry.view, this.#key);
    gaugeView(this.#metrics, this);
    this.#metrics.gauge("toychat_bridge_connections", () => this.#sessions.size);
  }

  /** The newest view. */
  get view(): View {
    return this.#registry.view;
  }

  /** Whether members of an earlier life of the bridge may still be on their way back. */
  get settling(): boolean {
    return this.#settling;
  }

  /** Begins: members may connect from now on. */
  start(): void {
    this.#sweptAt = this.now();
    this.#newcomersWait = new Promise((resolve) => {
      this.#timers.add(this.#clock.after(NEWCOMER_MS, () => {
        this.#newcomersWait = undefined;
        resolve();
      }));
    });
    this.#timers.add(this.#clock.after(SETTLE_MS, () => {
      this.#settling = false;
      this.#gone.clear();
      this.#changed();
    }));
    this.#timers.add(this.#clock.every(SWEEP_MS, () => this.#sweep()));
  }

  /** Ends all connections. Members stay members: they look for the bridge's next life. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#timers) cancel();
    for (const session of this.#sessions) session.end(1001, "the bridge stops");
    this.#waiters.wake();
  }

  /** Milliseconds, monotonic. */
  now(): number {
    return this.#clock.now();
  }

  /** Random bytes. */
  randomBytes(length: number): Uint8Array {
    return this.#clock.randomBytes(length);
  }

  /** Whether one more connection may be taken; where it may not, that is counted. */
  get hasRoom(): boolean {
    const proved = this.#sessions.size - this.#unproved.size;
    if (proved < this.#limits.maxConnections && !this.#stopped) return true;
    this.#metrics.count("toychat_bridge_connections_refused_total");
    return false;
  }

  /** Takes a WebSocket connection. */
  accept(connection: Connection): ConnectionHandler {
    const session = new BridgeSession(this, connection);
    this.#sessions.add(session);
    this.#unproved.add(session);
    const { maxConnections, maxUnproved } = this.#limits;
    if (this.#unproved.size > maxUnproved || this.#sessions.size > maxConnections) this.#evict();
    return session;
  }

  /** Ends the connection that has not proven the secret for longest: it must not keep members out. */
  #evict(): void {
    const [oldest] = this.#unproved;
    if (!oldest) return;
    this.#metrics.count("toychat_bridge_unproved_evicted_total");
    this.#unproved.delete(oldest);
    this.#sessions.delete(oldest);
    oldest.terminate();
  }

  /** A connection has proven the secret, or needs not. */
  proved(session: BridgeSession): void {
    this.#unproved.delete(session);
  }

  /** Answers the body of an HTTP POST, already authorized: the methods that only read. Empty: nothing to answer. */
  answer(body: string): Promise<string> {
    const messages = readMessages(body);
    if (
      !messages.items.some((item) =>
        item.kind === "invalid" || (item.kind === "request" && item.id !== undefined)
      )
    ) {
      answerMessages(messages, (method, params) => this.#read(method, params), () => {});
      return Promise.resolve("");
    }
    return new Promise((resolve) =>
      answerMessages(messages, (method, params) => this.#read(method, params), resolve)
    );
  }

  /** Counts and logs that somebody was refused who did not prove to belong here. */
  refused(address: string, reason: BridgeRefusal): void {
    this.#metrics.count("toychat_bridge_refusals_total", 1, { reason });
    this.#log("warn", "bridge_refused", { address, reason });
  }

  /** Carries out a method of an authenticated connection. */
  call(session: BridgeSession, method: string, params: RpcParams): unknown {
    switch (method) {
      case "cluster.register":
        return this.#register(session, params);
      case "cluster.renew":
        return this.#identity();
      case "cluster.drain":
        return this.#drain(session);
      case "cluster.leave":
        return this.#leave(session);
      case "view.subscribe":
        session.subscribed = true;
        return this.#wireView();
      default:
        return this.#read(method, params);
    }
  }

  /** A connection has ended: its member goes with it. */
  ended(session: BridgeSession): void {
    this.#sessions.delete(session);
    this.#unproved.delete(session);
    if (!this.#stopped) this.#withdraw(session, "closed");
  }

  #read(method: string, params: RpcParams): unknown {
    switch (method) {
      case "view.get":
        return this.#getView(params);
      case "room.owner":
        return this.#owner(params);
      case "cluster.register":
      case "cluster.renew":
      case "cluster.drain":
      case "cluster.leave":
      case "view.subscribe":
        throw new ToychatError(
          "needs_websocket",
          `${method} lives by a connection: open a WebSocket on this path`,
        );
      default:
        throw new RpcError(RPC_CODES.methodNotFound, `there is no method "${printable(method, 40)}"`);
    }
  }

  #wireView(): WireView {
    const { view } = this.#registry;
    return { bridge: this.instance, view, settling: this.#settling, gone: [...this.#gone] };
  }

  #identity(): { digest: string; revision: number } {
    const { digest, revision } = this.#registry.view;
    return { digest, revision };
  }

  #getView({ known, waitMs }: RpcParams): WireView | Promise<WireView> {
    if (known === undefined || waitMs === undefined) return this.#wireView();
    if (typeof known !== "string" || typeof waitMs !== "number" || !(waitMs >= 0 && waitMs <= MAX_WAIT_MS)) {
      throw new RpcError(
        RPC_CODES.invalidParams,
        `known must be a digest and waitMs a number from 0 to ${MAX_WAIT_MS}`,
      );
    }
    if (this.#registry.view.digest !== known || this.#stopped) return this.#wireView();
    return this.#waiters.wait(known, waitMs).then(() => this.#wireView());
  }

  #owner({ room }: RpcParams): unknown {
    if (typeof room !== "string" || room.length === 0 || room.length > 4096) {
      throw new RpcError(RPC_CODES.invalidParams, "room must be a string of 1 to 4096 characters");
    }
    if (this.#placement.view !== this.#registry.view) {
      this.#placement = createPlacement(this.#registry.view, this.#key);
    }
    const owner = this.#placement.owner(room);
    const shown = owner ? { id: owner.id, address: owner.address, slot: owner.slot } : null;
    return { room, owner: shown, ...this.#identity() };
  }

  #register(session: BridgeSession, params: RpcParams): unknown {
    const newcomer = params.role === "chat" && params.slot === undefined && params.replaces === undefined;
    const wait = newcomer ? this.#newcomersWait : undefined;
    return wait ? wait.then(() => this.#enter(session, params)) : this.#enter(session, params);
  }

  #enter(session: BridgeSession, params: RpcParams): unknown {
    if (session.over) {
      throw new ToychatError("connection_ended", "the connection ended before the registration");
    }
    const { slots } = params;
    if (slots !== undefined && slots !== 0 && !(typeof slots === "number" && isSlot(slots - 1))) {
      throw new ToychatError(
        "invalid_slots",
        "slots must be a whole number, the highest that the member has seen",
      );
    }
    if (session.member && session.member.id !== params.id) {
      throw new ToychatError(
        "already_registered",
        `"${session.member.id}" lives by this connection: open another one`,
      );
    }
    const state = params.state === "draining" ? "draining" : "alive";
    const member = this.#registry.claim({ ...(params as unknown as Claim), state });
    if (typeof slots === "number") this.#registry.raiseSlots(slots);
    this.#hold(session, member);
    this.#log("info", "member_registered", { ...member });
    this.#metrics.count("toychat_member_registrations_total", 1, { member_role: member.role });
    this.#changed();
    const slot = member.slot === undefined ? {} : { slot: member.slot };
    return { id: member.id, incarnation: member.incarnation, ...slot, lease: LEASE, ...this.#wireView() };
  }

  /** From now on the member lives by this connection; one that it used before is ended. */
  #hold(session: BridgeSession, { id, incarnation }: Member): void {
    const before = this.#holders.get(id);
    this.#holders.set(id, session);
    this.#gone.delete(id);
    session.member = { id, incarnation };
    if (!before || before === session) return;
    before.member = undefined;
    before.end(1000, "the member has come back on another connection");
  }

  #drain(session: BridgeSession): unknown {
    const { id, incarnation } = this.#memberOf(session);
    this.#registry.setState(id, incarnation, "draining");
    this.#log("info", "member_draining", { id });
    this.#changed();
    return this.#wireView();
  }

  #leave(session: BridgeSession): unknown {
    this.#memberOf(session);
    this.#withdraw(session, "left");
    return this.#wireView();
  }

  #memberOf(session: BridgeSession): { id: string; incarnation: string } {
    if (!session.member) {
      throw new ToychatError("not_registered", "no member lives by this connection: register first");
    }
    return session.member;
  }

  #withdraw(session: BridgeSession, reason: "closed" | "left" | "silent"): void {
    const member = session.member;
    if (!member) return;
    session.member = undefined;
    this.#holders.delete(member.id);
    if (!this.#registry.withdraw(member.id, member.incarnation)) return;
    if (this.#settling) this.#gone.add(member.id);
    this.#log("info", "member_withdrawn", { id: member.id, incarnation: member.incarnation, reason });
    this.#metrics.count("toychat_member_withdrawals_total", 1, { reason });
    this.#changed();
  }

  #sweep(): void {
    const now = this.now();
    const slept = now - this.#sweptAt > SLEPT_MS;
    this.#sweptAt = now;
    for (const session of this.#sessions) {
      if (slept) session.heardAt = now;
      const silent = now - session.heardAt;
      if (session.member && silent >= LEASE.expireMs) {
        this.#withdraw(session, "silent");
        session.terminate();
      } else if (
        silent >= (session.over ? LEASE.expireMs : IDLE_MS) ||
        (!session.proved && now - session.openedAt >= UNPROVED_MS)
      ) {
        if (!session.proved && !session.over) this.refused(session.remoteAddress, "unproved_timeout");
        session.terminate();
      }
    }
  }

  /** Tells subscribers and waiters, once for all changes of this turn. */
  #changed(): void {
    if (this.#pushing) return;
    this.#pushing = true;
    void Promise.resolve().then(() => this.#push()).catch((error) => {
      this.#log("error", "view_push_failed", { message: errorMessage(error) });
    });
  }

  #push(): void {
    this.#pushing = false;
    if (this.#stopped) return;
    const wire = this.#wireView();
    for (const session of this.#sessions) {
      if (session.subscribed && !session.over) session.notify("view.changed", wire);
    }
    this.#waiters.wake(wire.view.digest);
  }
}
