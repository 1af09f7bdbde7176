/**
 * User events and queries of applications: from the host's Serf agent to those who subscribed.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { AgentEvent, BridgeAgent } from "./bridge_agent.ts";
import type { BridgeSession } from "./bridge_session.ts";
import { EventLog } from "./event_log.ts";
import { requestText } from "./json_rpc.ts";
import { isReserved, showPayload } from "./rpc_params.ts";
import type { RpcWaiters } from "./rpc_waiters.ts";

/** What {@linkcode BridgeEvents} needs. */
export interface BridgeEventsOptions {
  /** Time. */
  readonly clock: Clock;
  /** Where to count. */
  readonly metrics: Metrics;
  /** The host's Serf agent; undefined without one. */
  readonly agent: BridgeAgent | undefined;
  /** All connections. */
  readonly sessions: Iterable<BridgeSession>;
  /** The requests that wait. */
  readonly waiters: RpcWaiters;
  /** How many events are kept. */
  readonly maxEvents: number;
}

/** Queries that wait for an answer: more are not shown to anybody. */
const MAX_QUERIES = 256;

function wants(prefixes: ReadonlySet<string>, name: string): boolean {
  for (const prefix of prefixes) if (name.startsWith(prefix)) return true;
  return false;
}

/** Hands user events and queries on, and answers back. */
export class BridgeEvents {
  /** The latest user events. */
  readonly log: EventLog;
  readonly #options: BridgeEventsOptions;
  /** The queries that may be answered, with what ends their time. */
  readonly #queries: Map<number, Cancel> = new Map();
  #end: () => void = () => {};

  /** Does nothing until `start`. */
  constructor(options: BridgeEventsOptions) {
    this.#options = options;
    this.log = new EventLog(options.maxEvents);
  }

  /** Begins to listen to the agent. */
  start(): void {
    this.#end = this.#options.agent?.onEvent((event) => this.#take(event)) ?? this.#end;
  }

  /** Listens no more. */
  stop(): void {
    this.#end();
    for (const cancel of this.#queries.values()) cancel();
    this.#queries.clear();
  }

  /** Answers a query; the first answer counts. Throws `query_over`. */
  async respond(id: number, payload: Uint8Array): Promise<void> {
    const cancel = this.#queries.get(id);
    if (!cancel) {
      throw new ToychatError("query_over", `query ${id} was answered already, or its time is over`);
    }
    cancel();
    this.#queries.delete(id);
    await this.#options.agent?.respond(id, payload);
  }

  #take(event: AgentEvent): void {
    const { metrics, sessions, waiters } = this.#options;
    if (isReserved(event.name)) return;
    if (event.type === "query") return this.#ask(event);
    metrics.count("toychat_bridge_events_total");
    const logged = this.log.add(event.name, event.payload);
    let text: string | undefined;
    for (const session of sessions) {
      if (session.over || !wants(session.events, event.name)) continue;
      session.outbox.event(logged.number, text ??= requestText("event", logged));
    }
    waiters.changed();
  }

  #ask({ id, name, payload, timeoutMs }: Extract<AgentEvent, { type: "query" }>): void {
    const { clock, metrics, sessions } = this.#options;
    const asked = [...sessions].filter((session) => !session.over && wants(session.queries, name));
    if (asked.length === 0 || this.#queries.size >= MAX_QUERIES) return;
    metrics.count("toychat_bridge_queries_total");
    this.#queries.get(id)?.();
    this.#queries.set(id, clock.after(timeoutMs, () => this.#queries.delete(id)));
    const text = requestText("query", { id, name, ...showPayload(payload), timeoutMs });
    for (const session of asked) session.outbox.query(text);
  }
}
