/**
 * The membership bridge without its sockets: registers members over JSON-RPC connections, withdraws those that close or
 * fall silent, and tells everyone.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import { randomId } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { Connection, ConnectionHandler } from "../lib/transport.ts";
import { BridgeAuth } from "./bridge_auth.ts";
import { type BridgeLimits, bridgeLimits } from "./bridge_limits.ts";
import { BridgeMembers, type MemberBook } from "./bridge_members.ts";
import { BridgeMethods } from "./bridge_methods.ts";
import { type BridgeRefusal, BridgeSession, type SessionHost } from "./bridge_session.ts";
import { answerMessages, readMessages, type RpcParams } from "./json_rpc.ts";
import { LEASE } from "./lease_times.ts";
import { Registry } from "./registry.ts";
import type { View } from "./view.ts";
import { gaugeView } from "./view_metrics.ts";

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
  /** Where members are entered; default a registry of this host alone. */
  readonly book?: MemberBook;
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
  readonly #book: MemberBook;
  readonly #members: BridgeMembers;
  readonly #methods: BridgeMethods;
  readonly #limits: BridgeLimits;
  readonly #metrics: Metrics;
  readonly #sessions: Set<BridgeSession> = new Set();
  /** Those that have not proven the secret, the oldest first. */
  readonly #unproved: Set<BridgeSession> = new Set();
  #cancelSweep: Cancel = () => {};
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
    this.instance = randomId(options.clock, 12);
    this.auth = options.secret === undefined ? undefined : new BridgeAuth(options.secret);
    const { clock, placementKey } = options;
    const book = this.#book = options.book ?? new Registry(placementKey);
    const { instance } = this;
    const onChange = (): void => this.#changed();
    const { log } = options;
    const members = new BridgeMembers({ clock, log, metrics: this.#metrics, book, instance, onChange });
    this.#members = members;
    this.#methods = new BridgeMethods({ clock, placementKey, book, members });
    gaugeView(this.#metrics, this);
    this.#metrics.gauge("toychat_bridge_connections", () => this.#sessions.size);
  }

  /** The newest view. */
  get view(): View {
    return this.#book.view;
  }

  /** Begins: members may connect from now on. */
  start(): void {
    this.#sweptAt = this.now();
    this.#members.start();
    this.#cancelSweep = this.#clock.every(SWEEP_MS, () => this.#sweep());
  }

  /** Ends all connections. Members stay members: they look for the bridge's next life. */
  stop(): void {
    this.#stopped = true;
    this.#cancelSweep();
    this.#members.stop();
    for (const session of this.#sessions) session.end(1001, "the bridge stops");
    this.#methods.stop();
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
      answerMessages(messages, (method, params) => this.#methods.read(method, params), () => {});
      return Promise.resolve("");
    }
    return new Promise((resolve) =>
      answerMessages(messages, (method, params) => this.#methods.read(method, params), resolve)
    );
  }

  /** Counts and logs that somebody was refused who did not prove to belong here. */
  refused(address: string, reason: BridgeRefusal): void {
    this.#metrics.count("toychat_bridge_refusals_total", 1, { reason });
    this.#log("warn", "bridge_refused", { address, reason });
  }

  /** Carries out a method of an authenticated connection. */
  call(session: BridgeSession, method: string, params: RpcParams): unknown {
    return this.#methods.call(session, method, params);
  }

  /** A connection has ended: its member goes with it. */
  ended(session: BridgeSession): void {
    this.#sessions.delete(session);
    this.#unproved.delete(session);
    if (!this.#stopped) this.#members.withdraw(session, "closed");
  }

  #sweep(): void {
    const now = this.now();
    const slept = now - this.#sweptAt > SLEPT_MS;
    this.#sweptAt = now;
    for (const session of this.#sessions) {
      if (slept) session.heardAt = now;
      const silent = now - session.heardAt;
      if (session.member && silent >= LEASE.expireMs) {
        this.#members.withdraw(session, "silent");
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
    const wire = this.#members.wireView();
    for (const session of this.#sessions) {
      if (session.subscribed && !session.over) session.notify("view.changed", wire);
    }
    this.#methods.wake(wire.view.digest);
  }
}
