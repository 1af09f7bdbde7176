/**
 * The methods of a bridge's JSON-RPC: which there are, who may call them, and what every answer says besides.
 *
 * @module
 */
import { printable, ToychatError } from "../lib/errors.ts";
import { AgentCalls } from "./agent_calls.ts";
import { BridgeEvents } from "./bridge_events.ts";
import { RPC_CODES, RpcError, type RpcParams } from "./json_rpc.ts";
import { agentMethods } from "./methods_agent.ts";
import { clusterMethods } from "./methods_cluster.ts";
import { eventMethods } from "./methods_event.ts";
import { viewMethods } from "./methods_view.ts";
import {
  type BridgeMethodsOptions,
  type Caller,
  type Method,
  type MethodsHost,
  needScope,
} from "./rpc_method.ts";
import { RpcWaiters } from "./rpc_waiters.ts";

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
    const withId = params.id === undefined ? undefined : known.withId;
    const { scope, call } = withId ?? known;
    needScope(withId ? `${method} {id}` : method, scope, caller);
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
    const result = call(params, caller);
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
