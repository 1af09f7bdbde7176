/**
 * What a Serf agent tells of its cluster, as the client gives it.
 *
 * @module
 */

/** What Serf thinks of an agent. */
export type SerfStatus = "none" | "alive" | "leaving" | "left" | "failed";

/** One agent of the cluster. */
export interface SerfMember {
  /** Its name; unique in the cluster. */
  readonly name: string;
  /** The address that it gossips on: IPv4 or IPv6 as text, without brackets; `""` where Serf knows none. */
  readonly address: string;
  /** The port that it gossips on. */
  readonly port: number;
  /** Its tags. The names of tags are text from outside. */
  readonly tags: ReadonlyMap<string, string>;
  /** What the asked agent thinks of it. */
  readonly status: SerfStatus;
  /** The version of Serf's protocol that it speaks. */
  readonly protocol: number;
}

/** Kinds of {@linkcode SerfMemberEvent}. */
export type SerfMemberEventType =
  | "member-join"
  | "member-leave"
  | "member-failed"
  | "member-update"
  | "member-reap";

/**
 * Agents came, went or changed. Serf gathers these for a second or more, tells them in any order, leaves some out and
 * repeats others: take one as a hint to read the members again, never as the truth.
 */
export interface SerfMemberEvent {
  /** What happened to them. */
  readonly type: SerfMemberEventType;
  /** The agents concerned. */
  readonly members: readonly SerfMember[];
}

/** A user event that some agent sent, this one included. */
export interface SerfUserEvent {
  /** `"user"`. */
  readonly type: "user";
  /** The name it was sent with. */
  readonly name: string;
  /** Its bytes; empty where there are none. */
  readonly payload: Uint8Array;
  /** Lamport time of the event. */
  readonly ltime: number;
  /** Whether only the last of several of this name counts. */
  readonly coalesce: boolean;
}

/** A query that some agent sent, this one included; answer it by `respond`. */
export interface SerfQueryEvent {
  /** `"query"`. */
  readonly type: "query";
  /** Names it for `respond`; unique in the life of a client, also over reconnects. */
  readonly id: number;
  /** The name it was sent with. */
  readonly name: string;
  /** Its bytes; empty where there are none. */
  readonly payload: Uint8Array;
  /** Lamport time of the query. */
  readonly ltime: number;
}

/** What the stream of an agent tells. */
export type SerfEvent = SerfMemberEvent | SerfUserEvent | SerfQueryEvent;

/** Which agents are asked for; each is a regular expression of Go (RE2), from the first to the last character. */
export interface SerfFilter {
  /** The values that tags must have, by their names; a tag that an agent lacks counts as `""`. */
  readonly tags?: ReadonlyMap<string, string>;
  /** The status, as `"alive|failed"`. */
  readonly status?: string;
  /** The name. */
  readonly name?: string;
}

/** How a query is sent. */
export interface SerfQueryOptions {
  /** Asks each agent that gets the query to say so; default false. */
  readonly acks?: boolean;
  /** Milliseconds in which answers are taken; default what the agent finds right for the size of its cluster. */
  readonly timeoutMs?: number;
  /** Names of the agents that get it; default all. */
  readonly filterNodes?: readonly string[];
  /** Regular expressions of Go for tags of the agents that get it, by the tags' names. One that is malformed fits none. */
  readonly filterTags?: ReadonlyMap<string, string>;
  /** By how many other agents answers are sent in addition, 0 to 255; default 0. */
  readonly relayFactor?: number;
  /** An agent has got the query. */
  readonly onAck?: (from: string) => void;
  /** An agent has answered it. */
  readonly onResponse?: (from: string, payload: Uint8Array) => void;
}

/** What came of a query. */
export interface SerfQueryResult {
  /** Names of the agents that said that they got it. */
  readonly acks: readonly string[];
  /** The answers. */
  readonly responses: readonly SerfQueryResponse[];
}

/** One answer to a query. */
export interface SerfQueryResponse {
  /** Name of the agent. */
  readonly from: string;
  /** Its bytes; empty where there are none. */
  readonly payload: Uint8Array;
}

/** What came of an operation on the gossip's keys, in which every agent takes part. */
export interface SerfKeyResult {
  /** How many agents there are. */
  readonly nodes: number;
  /** How many of them answered. */
  readonly responses: number;
  /** How many of those answered with an error. */
  readonly errors: number;
  /** What agents said, by their names. */
  readonly messages: ReadonlyMap<string, string>;
  /** Of `listKeys`: how many agents have each key. */
  readonly keys: ReadonlyMap<string, number>;
}

/** A network coordinate: how far apart two agents are can be computed from theirs. */
export interface SerfCoordinate {
  /** Position; seconds. */
  readonly vector: readonly number[];
  /** Confidence: the lower, the better. */
  readonly error: number;
  /** Correction, learnt from measurements; seconds. */
  readonly adjustment: number;
  /** Distance from the core of the network; seconds. */
  readonly height: number;
}

/** Groups of numbers and facts by their names, as `serf info` prints them. */
export type SerfStats = ReadonlyMap<string, ReadonlyMap<string, string>>;
