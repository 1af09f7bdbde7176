/**
 * What a method of the bridge's JSON-RPC is, and what it works with.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { AgentCalls } from "./agent_calls.ts";
import type { BridgeAgent } from "./bridge_agent.ts";
import type { BridgeEvents } from "./bridge_events.ts";
import type { BridgeLimits } from "./bridge_limits.ts";
import type { BridgeMembers, MemberBook } from "./bridge_members.ts";
import type { BridgeSession } from "./bridge_session.ts";
import type { RpcParams } from "./json_rpc.ts";
import { covers, forbidden, type Scope } from "./rpc_scope.ts";
import type { RpcWaiters } from "./rpc_waiters.ts";

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
  /** What it is instead for who names a member by the parameter `id`; default the same. */
  readonly withId?: Pick<Method, "scope" | "call">;
}

/** Methods by their names. */
export type Methods = Readonly<Record<string, Method>>;

/** Options of `BridgeMethods`. */
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
