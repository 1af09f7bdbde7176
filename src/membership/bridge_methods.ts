/**
 * The methods of a bridge's JSON-RPC: which there are, who may call them, and what every answer says besides.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import { printable, ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { AgentCalls } from "./agent_calls.ts";
import type { BridgeAgent } from "./bridge_agent.ts";
import { BridgeEvents } from "./bridge_events.ts";
import type { BridgeLimits } from "./bridge_limits.ts";
import type { BridgeMembers, MemberBook } from "./bridge_members.ts";
import type { BridgeSession } from "./bridge_session.ts";
import { RPC_CODES, RpcError, type RpcParams } from "./json_rpc.ts";
import { agentMethods } from "./methods_agent.ts";
import { clusterMethods } from "./methods_cluster.ts";
import { eventMethods } from "./methods_event.ts";
import { viewMethods } from "./methods_view.ts";
import { covers, forbidden, type Scope } from "./rpc_scope.ts";
import { RpcWaiters } from "./rpc_waiters.ts";

/** Who calls a method. */
export interface Caller {
  /** What they may do. */
  readonly scope: Scope;
  /** Their address, for logs. */
  readonly address: string;
  /** Their connection; undefined for an HTTP POST. */
  readonly session: BridgeSession | undefined;
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal | undefined;
}

/** One method. */
export interface Method {
  /** What it takes to call it. */
  readonly scope: Scope;
  /** Carries it out; may return a promise. The result must be an object. */
  readonly call: (params: RpcParams, caller: Caller) => unknown;
}

/** Methods by their names. */
export type Methods = Readonly<Record<string, Method>>;

/** Options of {@linkcode BridgeMethods}. */
export interface BridgeMethodsOptions {
  /** Time. */
  readonly clock: Clock;
  /** Name of the cluster. */
  readonly cluster: string;
  /** The cluster's placement key. */
  readonly placementKey: Uint8Array;
  /** Where the view comes from. */
  readonly book: MemberBook;
  /** Who registers members. */
  readonly members: BridgeMembers;
  /** The host's Serf agent; undefined without one. */
  readonly agent: BridgeAgent | undefined;
  /** All connections. */
  readonly sessions: Iterable<BridgeSession>;
  /** Limits in force. */
  readonly limits: BridgeLimits;
  /** Where to count. */
  readonly metrics: Metrics;
  /** Where events go. */
  readonly log: Logger;
}

/** What methods work with. */
export interface MethodsHost extends BridgeMethodsOptions {
  /** User events and queries. */
  readonly events: BridgeEvents;
  /** Calls to the agent. */
  readonly calls: AgentCalls;
  /** The requests that wait. */
  readonly waiters: RpcWaiters;
}

/** The connection of a caller of a method that lives by one. */
export function sessionOf({ session }: Caller, method: string): BridgeSession {
  if (session) return session;
  throw new ToychatError(
    "needs_websocket",
    `${method} lives by a connection: open a WebSocket on this path`,
  );
}

/** Throws `forbidden` where a caller has not the scope. */
export function needScope(method: string, needed: Scope, { scope }: Caller): void {
  if (!covers(scope, needed)) throw forbidden(method, needed, scope);
}

/** Refusals that are counted by their reason. */
const COUNTED: readonly unknown[] = [
  "forbidden",
  "too_many_calls",
  "too_many_waiters",
  "too_many_subscriptions",
  "too_many_agent_calls",
];

/** Carries out methods. */
export class BridgeMethods {
  readonly #host: MethodsHost;
  readonly #methods: ReadonlyMap<string, Method>;

  /** Ready at once; knows of events from `start` on. */
  constructor(options: BridgeMethodsOptions) {
    const { clock, agent, limits, metrics } = options;
    const waiters = new RpcWaiters(clock, limits.maxWaiters);
    const calls = new AgentCalls(agent, limits.maxAgentCalls);
    const events = new BridgeEvents({ ...options, waiters, maxEvents: limits.maxEvents });
    const host = this.#host = { ...options, waiters, calls, events };
    const methods = {
      ...viewMethods(host),
      ...clusterMethods(host),
      ...eventMethods(host),
      ...agentMethods(host),
    };
    this.#methods = new Map(Object.entries(methods));
    metrics.gauge("toychat_bridge_waiting_requests", () => waiters.size);
  }

  /** Begins to listen to the agent. */
  start(): void {
    this.#host.events.start();
  }

  /** Listens no more, and lets nobody wait. */
  stop(): void {
    this.#host.events.stop();
    this.#host.waiters.stop();
  }

  /** Answers those who waited for what has changed. */
  changed(): void {
    this.#host.waiters.changed();
  }

  /** Carries out a method. The result also says which life of the bridge answered, the digest of its view and the revision. */
  call(method: string, params: RpcParams, caller: Caller): unknown {
    const known = this.#methods.get(method);
    this.#host.metrics.count("toychat_bridge_requests_total", 1, { method: known ? method : "unknown" });
    try {
      const result = this.#carryOut(known, method, params, caller);
      if (!(result instanceof Promise)) return this.#dated(result);
      return result.then((value) => this.#dated(value), (error) => this.#refused(error));
    } catch (error) {
      return this.#refused(error);
    }
  }

  /** Which life of the bridge, which view. */
  identity(): { bridge: string; digest: string; revision: number } {
    const { bridge, view: { digest, revision } } = this.#host.members.wireView();
    return { bridge, digest, revision };
  }

  #carryOut(known: Method | undefined, method: string, params: RpcParams, caller: Caller): unknown {
    if (!known) {
      throw new RpcError(RPC_CODES.methodNotFound, `there is no method "${printable(method, 40)}"`);
    }
    needScope(method, known.scope, caller);
    const { session } = caller;
    if (session && session.calls >= this.#host.limits.maxCalls) {
      throw new ToychatError(
        "too_many_calls",
        `${session.calls} requests of this connection are under way: wait for an answer`,
      );
    }
    if (known.scope === "admin") {
      this.#host.log("info", "admin_request", { method, address: caller.address });
    }
    const result = known.call(params, caller);
    if (!session || !(result instanceof Promise)) return result;
    session.calls += 1;
    return result.finally(() => session.calls -= 1);
  }

  #dated(result: unknown): object {
    const answer = result as { view?: { digest: string; revision: number } };
    const identity = this.identity();
    // A view in the answer is the one that it is about, whatever has come since.
    const { digest, revision } = answer.view ?? identity;
    return { ...identity, digest, revision, ...answer };
  }

  #refused(error: unknown): never {
    const data = error instanceof RpcError ? error.data as { code?: unknown } | undefined : undefined;
    const code = error instanceof ToychatError ? error.code : data?.code;
    if (COUNTED.includes(code)) {
      this.#host.metrics.count("toychat_bridge_requests_refused_total", 1, { reason: code as string });
    }
    throw error;
  }
}
