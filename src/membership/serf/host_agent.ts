/**
 * The Serf agent of a host as the bridge's JSON-RPC sees it: without its key, and with errors that callers may be told.
 *
 * @module
 */
import { type Clock, delay } from "../../lib/clock.ts";
import { ToychatError } from "../../lib/errors.ts";
import type {
  AgentAnswers,
  AgentEvent,
  AgentMember,
  AgentQuery,
  AgentStatus,
  BridgeAgent,
} from "../bridge_agent.ts";
import type { SerfClient } from "./serf_client.ts";
import type { SerfHost } from "./serf_host.ts";

/** Milliseconds for which a query can be answered; agents do not tell how long it was asked for. */
const ANSWER_MS = 5000;
/** All bridges have read by then that an agent left: its gossip takes up to 0.5 s, and they read every 0.2 s. */
const KNOWN_MS = 2000;

/** What callers are told of a client's error, by its code; of others they are told nothing. */
const CODES: ReadonlyMap<string, string> = new Map([
  ["serf_refused", "agent_refused"],
  ["serf_tags_too_large", "agent_refused"],
  ["serf_query_gone", "agent_refused"],
  ["serf_timeout", "agent_timeout"],
]);

function translated(error: unknown): ToychatError {
  const code = error instanceof ToychatError ? CODES.get(error.code) : undefined;
  if (code !== undefined) return new ToychatError(code, (error as ToychatError).message, { cause: error });
  return new ToychatError("agent_unreachable", "the bridge's Serf agent cannot be reached: start it", {
    cause: error,
  });
}

async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw translated(error);
  }
}

/** One host's agent. */
export class HostAgent implements BridgeAgent {
  readonly #client: SerfClient;
  readonly #host: SerfHost;
  readonly #clock: Clock;

  /** Of a host and the client that it uses. */
  constructor(client: SerfClient, host: SerfHost, clock: Clock) {
    this.#client = client;
    this.#host = host;
    this.#clock = clock;
  }

  /** How it stands. */
  get status(): AgentStatus {
    const { agent, connected, sealed, onPartition } = this.#host.status;
    return { connected, name: agent === "" ? undefined : agent, sealed, onPartition };
  }

  /** All agents that it knows. */
  async members(): Promise<readonly AgentMember[]> {
    const members = await told(this.#client.members());
    return members.map(({ name, address, port, status, tags }) => {
      const host = address.includes(":") ? `[${address}]` : address;
      return { name, address: `${host}:${port}`, status, tags };
    });
  }

  /** Sends a user event to all agents, uncoalesced. */
  userEvent(name: string, payload: Uint8Array): Promise<void> {
    return told(this.#client.userEvent(name, payload, { coalesce: false }));
  }

  /** Asks, and resolves with the answers after the query's time. */
  async query({ name, payload, timeoutMs, agents }: AgentQuery): Promise<AgentAnswers> {
    const filter = agents === undefined ? {} : { filterNodes: agents };
    const result = await told(this.#client.query(name, payload, { acks: true, timeoutMs, ...filter }));
    return { acks: result.acks, answers: result.responses };
  }

  /** Answers a query. */
  respond(id: number, payload: Uint8Array): Promise<void> {
    return told(this.#client.respond(id, payload));
  }

  /** Has the agent join others; resolves with how many it has reached. */
  join(addresses: readonly string[]): Promise<number> {
    return told(this.#client.join(addresses));
  }

  /**
   * Has the agents give up one that failed; `prune` also forgets it. With `seal` that takes 2 s longer: a host that vanishes
   * still counts in the majority, one that left does not, and pruning alone never shows it as left. One that has vanished
   * already no longer counts on this host.
   */
  async forceLeave(name: string, prune: boolean): Promise<void> {
    if (prune && this.#host.status.onPartition === "seal") {
      await told(this.#client.forceLeave(name));
      await delay(this.#clock, KNOWN_MS);
    }
    await told(this.#client.forceLeave(name, { prune }));
    this.#host.dismiss(name);
  }

  /** Calls `listener` with each user event and query. Returns a function that ends it. */
  onEvent(listener: (event: AgentEvent) => void): () => void {
    return this.#client.on("event", (event) => {
      if (event.type === "user") listener({ type: "event", name: event.name, payload: event.payload });
      else if (event.type === "query") {
        const { id, name, payload } = event;
        listener({ type: "query", id, name, payload, timeoutMs: ANSWER_MS });
      }
    });
  }
}
