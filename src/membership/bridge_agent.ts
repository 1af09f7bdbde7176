/**
 * What a bridge's JSON-RPC needs of the host's Serf agent. Whoever implements it keeps the agent's RPC key to itself: nothing
 * here gives it, and an error that may name it must not be a `ToychatError`, whose message callers are told.
 *
 * @module
 */

/**
 * What becomes of a side of a network that was cut in two. `serve`: both sides go on. `seal`: the side without the majority
 * of the hosts that carry ChatServers stops accepting.
 */
export type OnPartition = "serve" | "seal";

/** How the agent and the partition stand. */
export interface AgentStatus {
  /** Whether the agent answers. */
  readonly connected: boolean;
  /** The agent's name; undefined before it was ever reached. */
  readonly name: string | undefined;
  /** Whether this side has stopped accepting, as it is cut off from most of the cluster. */
  readonly sealed: boolean;
  /** What is done about partitions. */
  readonly onPartition: OnPartition;
}

/** One agent of the cluster, as the host's own agent knows it. */
export interface AgentMember {
  /** Its name. */
  readonly name: string;
  /** `ip:port` of its gossip. */
  readonly address: string;
  /** Serf's word for how it stands: `alive`, `leaving`, `left` or `failed`. */
  readonly status: string;
  /** Its tags. */
  readonly tags: ReadonlyMap<string, string>;
}

/** A query to all agents, or to some. */
export interface AgentQuery {
  /** Its name. */
  readonly name: string;
  /** What it says. */
  readonly payload: Uint8Array;
  /** Milliseconds in which answers count. */
  readonly timeoutMs: number;
  /** The names of the agents that are asked; undefined: all. */
  readonly agents: readonly string[] | undefined;
}

/** What came of a query, after its time. */
export interface AgentAnswers {
  /** The names of the agents that have it. */
  readonly acks: readonly string[];
  /** What programs behind agents answered. */
  readonly answers: readonly { readonly from: string; readonly payload: Uint8Array }[];
}

/** What the agent tells: a user event, or a query to be answered by its `id` within `timeoutMs`. */
export type AgentEvent =
  | { readonly type: "event"; readonly name: string; readonly payload: Uint8Array }
  | {
    readonly type: "query";
    readonly id: number;
    readonly name: string;
    readonly payload: Uint8Array;
    readonly timeoutMs: number;
  };

/**
 * The host's Serf agent. Calls reject with a `ToychatError` that callers of the bridge are told: `agent_unreachable` where the
 * agent is not there, `agent_refused` with Serf's own words, `agent_timeout`.
 */
export interface BridgeAgent {
  /** How it stands. */
  readonly status: AgentStatus;
  /** All agents that it knows. */
  members(): Promise<readonly AgentMember[]>;
  /** Sends a user event to all agents, uncoalesced. */
  userEvent(name: string, payload: Uint8Array): Promise<void>;
  /** Asks, and resolves with the answers after the query's time. */
  query(query: AgentQuery): Promise<AgentAnswers>;
  /** Answers a query. */
  respond(id: number, payload: Uint8Array): Promise<void>;
  /** Has the agent join others; resolves with how many it has reached. */
  join(addresses: readonly string[]): Promise<number>;
  /** Has the agents give up one that failed; `prune` also forgets it, once all bridges know. */
  forceLeave(name: string, prune: boolean): Promise<void>;
  /** Calls `listener` with each user event and query, those of toychat itself included. Returns a function that ends it. */
  onEvent(listener: (event: AgentEvent) => void): () => void;
}
