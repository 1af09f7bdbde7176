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
import type { Connection, ConnectionHandler, HandshakeOptions } from "../lib/transport.ts";
import type { BridgeAgent } from "./bridge_agent.ts";
import { BridgeAuth } from "./bridge_auth.ts";
import { type BridgeLimits, bridgeLimits } from "./bridge_limits.ts";
import { BridgeMembers, type MemberBook } from "./bridge_members.ts";
import { BridgeMethods } from "./bridge_methods.ts";
import type { Lost } from "./bridge_outbox.ts";
import { type BridgeRefusal, BridgeSession, type SessionHost } from "./bridge_session.ts";
import { type BridgeTokenOptions, BridgeTokens } from "./bridge_tokens.ts";
import {
  answerMessages,
  readMessages,
  requestText,
  type RpcErrorObject,
  type RpcParams,
} from "./json_rpc.ts";
import { LEASE } from "./lease_times.ts";
import { Registry } from "./registry.ts";
import type { Scope } from "./rpc_scope.ts";
import type { View } from "./view.ts";
import { gaugeView } from "./view_metrics.ts";

const SWEEP_MS = 250;
/** A sweep that comes so late shows that this process slept, and has not heard what members sent meanwhile. */
const SLEPT_MS = 1000;
const UNPROVED_MS = 5000;
/** A connection without a member may be silent for so long. */
const IDLE_MS = 60_000;
/** The close code for who was silent for too long, as on users' WebSockets. */
const SILENT_CODE = 4408;
/** Who was silent has so long to answer the close frame: it may be dead. */
const SILENT_CLOSE_MS = 1000;

/** Options of {@linkcode BridgeService}. */
export interface BridgeServiceOptions {
  /** Time and chance. */
  readonly clock: Clock;
  /** Name of the cluster; members of another one are refused. */
  readonly cluster: string;
  /** The cluster's placement key. */
  readonly placementKey: Uint8Array;
  /** The cluster's secret. Where there is none, and no tokens either, no proof is asked for. */
  readonly secret: string | undefined;
  /** Tokens that count beside those of the secret. */
  readonly tokens?: BridgeTokenOptions | undefined;
  /** The host's Serf agent; default none. */
  readonly agent?: BridgeAgent | undefined;
  /** Where events go. */
  readonly log: Logger;
  /** Where members are entered; default a registry of this host alone. */
  readonly book?: MemberBook;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<BridgeLimits> | undefined;
  /** Where to count; default nowhere that is looked at. */
  readonly metrics?: Metrics;
}

/** Who posts a body. */
export interface Poster {
  /** What they may do. */
  readonly scope: Scope;
  /** Their address, for logs. */
  readonly address: string;
  /** Aborted when they wait no more. */
  readonly gone: AbortSignal | undefined;
}

/** The answer to a body that was posted. */
export interface Posted {
  /** JSON; empty where nothing is to be answered. */
  readonly text: string;
  /** Where the body was no batch and its answer is an error, that. */
  readonly error: RpcErrorObject | undefined;
}

/** Serves the members of one host. */
export class BridgeService implements SessionHost {
  /** Identifies this life of the bridge. */
  readonly instance: string;
  /** Name of the cluster. */
  readonly cluster: string;
  /** Undefined without a secret. */
  readonly auth: BridgeAuth | undefined;
  /** Undefined where nobody needs to show anything. */
  readonly tokens: BridgeTokens | undefined;
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
  /** The notification of the newest view, where it was made. */
  #viewText: string | undefined;
  #stopped = false;

  /** Does nothing until `start`. Throws `invalid_secret` where the secret is empty, and `bad_option`. */
  constructor(options: BridgeServiceOptions) {
    const { clock, cluster, placementKey, secret, log, agent } = options;
    this.#clock = clock;
    this.#log = log;
    const limits = this.#limits = bridgeLimits(options.limits);
    const metrics = this.#metrics = options.metrics ?? new Metrics();
    this.cluster = cluster;
    const instance = this.instance = randomId(clock, 12);
    this.auth = secret === undefined ? undefined : new BridgeAuth(secret);
    const tokens = new BridgeTokens(secret, options.tokens);
    this.tokens = tokens.none ? undefined : tokens;
    const book = this.#book = options.book ?? new Registry(placementKey);
    const onChange = (): void => this.#changed();
    const members = this.#members = new BridgeMembers({ clock, log, metrics, book, instance, onChange });
    const sessions = this.#sessions;
    const host = { clock, log, metrics, cluster, placementKey, book, members, agent, sessions, limits };
    this.#methods = new BridgeMethods(host);
    gaugeView(metrics, this);
    metrics.gauge("toychat_bridge_connections", () => sessions.size);
  }

  /** The newest view. */
  get view(): View {
    return this.#book.view;
  }

  /** Begins: members may connect from now on. */
  start(): void {
    this.#sweptAt = this.now();
    this.#members.start();
    this.#methods.start();
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

  /** What to do with connections that are in their TLS handshake: they have not proven the secret either. */
  get handshake(): HandshakeOptions {
    return {
      most: this.#limits.maxUnproved,
      cut: (why) => {
        if (why === "evicted") this.#metrics.count("toychat_bridge_unproved_evicted_total");
      },
    };
  }

  /** Requests in one batch. */
  get maxBatch(): number {
    return this.#limits.maxBatch;
  }

  /**
   * What a request may do, by its `Authorization` header: everything where the bridge has neither secret nor tokens; undefined
   * where it has, and the header names no token of it.
   */
  scopeOf(header: string | undefined): Scope | undefined {
    return this.tokens ? this.tokens.scopeOfHeader(header) : "admin";
  }

  /** Takes a WebSocket connection; `scope` where its request has shown a token. */
  accept(connection: Connection, scope?: Scope): ConnectionHandler {
    const session = new BridgeSession(this, connection, scope);
    this.#sessions.add(session);
    if (!scope) this.#unproved.add(session);
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

  /** Answers the body of an HTTP POST. */
  answer(body: string, poster: Poster): Promise<Posted> {
    const messages = readMessages(body, this.maxBatch);
    const caller = { ...poster, session: undefined };
    const call = (method: string, params: RpcParams): unknown => this.#methods.call(method, params, caller);
    const speaks = messages.items.some((item) =>
      item.kind === "invalid" || (item.kind === "request" && item.id !== undefined)
    );
    return new Promise((resolve) => {
      answerMessages(messages, call, (text, error) => resolve({ text, error }));
      if (!speaks) resolve({ text: "", error: undefined });
    });
  }

  /** Counts and logs that somebody was refused who did not prove to belong here. */
  refused(address: string, reason: BridgeRefusal): void {
    this.#metrics.count("toychat_bridge_refusals_total", 1, { reason });
    this.#log("warn", "bridge_refused", { address, reason });
  }

  /** Carries out a method of an authenticated connection. */
  call(session: BridgeSession, method: string, params: RpcParams): unknown {
    const { scope = "read", remoteAddress: address, gone } = session;
    return this.#methods.call(method, params, { scope, address, session, gone });
  }

  /** The notification of the newest view. */
  viewText(): string {
    return this.#viewText ??= requestText("view.changed", {
      ...this.#methods.identity(),
      ...this.#members.wireView(),
    });
  }

  /** The notification of what was lost. */
  overflowText(lost: Readonly<Lost>): string {
    return requestText("overflow", { ...this.#methods.identity(), ...lost });
  }

  /** Counts what a slow reader was not sent. */
  leftOut(what: "view" | "event"): void {
    this.#metrics.count("toychat_bridge_notifications_left_out_total", 1, { what });
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
      else this.#endSilent(session, now);
    }
  }

  /** Ends a connection that says too little; one that was ended before is cut off where its peer does not answer. */
  #endSilent(session: BridgeSession, now: number): void {
    const silent = now - session.heardAt;
    const expired = session.member !== undefined && silent >= LEASE.expireMs;
    if (expired) this.#members.withdraw(session, "silent");
    if (session.over) {
      if (expired || now >= session.cutAt) session.terminate();
    } else if (expired) {
      session.end(SILENT_CODE, "nothing came of the member: register again", SILENT_CLOSE_MS);
    } else if (!session.scope && now - session.openedAt >= UNPROVED_MS) {
      this.refused(session.remoteAddress, "unproved_timeout");
      session.end(1008, "nothing was proved in time", SILENT_CLOSE_MS);
    } else if (silent >= IDLE_MS) {
      session.end(SILENT_CODE, "nothing came for too long", SILENT_CLOSE_MS);
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
    this.#viewText = undefined;
    for (const session of this.#sessions) {
      if (session.subscribed && !session.over) session.outbox.view(this.viewText());
    }
    this.#methods.changed();
  }
}
