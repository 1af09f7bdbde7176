/**
 * The commands of an agent's RPC: what goes into each, and how its answer is read.
 *
 * @module
 */
import { ToychatError } from "../../lib/errors.ts";
import { encodable } from "./serf_codec.ts";
import type { SerfCall } from "./serf_exchange.ts";
import {
  countField,
  readCoordinate,
  readKeys,
  readMembers,
  readQueryRecord,
  readStats,
} from "./serf_read.ts";
import type {
  SerfCoordinate,
  SerfFilter,
  SerfKeyResult,
  SerfMember,
  SerfQueryOptions,
  SerfQueryResponse,
  SerfQueryResult,
  SerfStats,
} from "./serf_types.ts";

/** `members`. */
export function membersCall(timeoutMs: number): SerfCall<SerfMember[]> {
  return { command: "members", read: readMembers, timeoutMs };
}

/** `members-filtered`. */
export function filterCall(filter: SerfFilter, timeoutMs: number): SerfCall<SerfMember[]> {
  const body = {
    Tags: encodable(filter.tags ?? new Map()),
    Status: filter.status ?? "",
    Name: filter.name ?? "",
  };
  return { command: "members-filtered", body, read: readMembers, timeoutMs };
}

/** `tags`. */
export function tagsCall(
  tags: ReadonlyMap<string, string>,
  deleteTags: readonly string[],
  timeoutMs: number,
): SerfCall<void> {
  return { command: "tags", body: { Tags: encodable(tags), DeleteTags: [...deleteTags] }, timeoutMs };
}

/** `event`. */
export function eventCall(
  name: string,
  payload: Uint8Array,
  coalesce: boolean,
  timeoutMs: number,
): SerfCall<void> {
  return { command: "event", body: { Name: name, Payload: payload, Coalesce: coalesce }, timeoutMs };
}

/** `respond`. */
export function respondCall(id: number, payload: Uint8Array, timeoutMs: number): SerfCall<void> {
  return { command: "respond", body: { ID: id, Payload: payload }, timeoutMs };
}

/** Nanoseconds of a millisecond. */
const NANOSECONDS = 1e6;
/** A query's time where the agent decides it: more than it gives a million agents. */
const AGENTS_OWN_MS = 30_000;
/** The longest time of a query: a day. */
const LONGEST_MS = 86_400_000;

/**
 * `query`, and where its records gather. The call ends with the last record.
 *
 * @param slackMs How much later than its time the end of the query may come.
 * @throws {ToychatError} `invalid_query`.
 */
export function queryCall(
  name: string,
  payload: Uint8Array,
  options: SerfQueryOptions,
  slackMs: number,
): { call: SerfCall<void>; result: SerfQueryResult } {
  const { timeoutMs = 0, relayFactor = 0, onAck, onResponse } = options;
  checkRange("timeoutMs", timeoutMs, LONGEST_MS);
  checkRange("relayFactor", relayFactor, 255);
  const acks: string[] = [];
  const responses: SerfQueryResponse[] = [];
  const body = {
    Name: name,
    Payload: payload,
    RequestAck: options.acks ?? false,
    RelayFactor: Math.round(relayFactor),
    // An integer: the agent hangs up on a float.
    Timeout: Math.round(timeoutMs * NANOSECONDS),
    FilterNodes: [...options.filterNodes ?? []],
    FilterTags: encodable(options.filterTags ?? new Map()),
  };
  const record = (value: unknown): boolean => {
    const each = readQueryRecord(value);
    if (each.type === "done") return true;
    // Nobody's: in the moment of a query's end an agent may read its closed channels, and sends what it reads, until its
    // own timer ends it. https://github.com/hashicorp/serf/blob/master/cmd/serf/command/agent/ipc_query_response_stream.go
    if (each.from === "") return false;
    if (each.type === "ack") {
      acks.push(each.from);
      onAck?.(each.from);
    } else {
      responses.push({ from: each.from, payload: each.payload });
      onResponse?.(each.from, each.payload);
    }
    return false;
  };
  const wholeMs = (timeoutMs || AGENTS_OWN_MS) + slackMs;
  return { call: { command: "query", body, record, timeoutMs: wholeMs }, result: { acks, responses } };
}

function checkRange(what: string, value: number, most: number): void {
  if (value >= 0 && value <= most) return;
  throw new ToychatError("invalid_query", `${what} of a query is ${value}: give a number from 0 to ${most}`);
}

/** `join`. */
export function joinCall(addresses: readonly string[], replay: boolean, timeoutMs: number): SerfCall<number> {
  const read = (body: unknown): number => countField(body, "Num");
  return { command: "join", body: { Existing: [...addresses], Replay: replay }, read, timeoutMs };
}

/** `force-leave`. Agents newer than 0.9 send a body with the answer. */
export function forceLeaveCall(name: string, prune: boolean, timeoutMs: number): SerfCall<void> {
  return { command: "force-leave", body: { Node: name, Prune: prune }, bodyMayFollow: true, timeoutMs };
}

/** `leave`. */
export function leaveCall(timeoutMs: number): SerfCall<void> {
  return { command: "leave", timeoutMs };
}

/** `stats`. */
export function statsCall(timeoutMs: number): SerfCall<SerfStats> {
  return { command: "stats", read: readStats, timeoutMs };
}

/** `get-coordinate`. */
export function coordinateCall(name: string, timeoutMs: number): SerfCall<SerfCoordinate | undefined> {
  return { command: "get-coordinate", body: { Node: name }, read: readCoordinate, timeoutMs };
}

/** The commands about the gossip's keys. */
export type KeyCommand = "install-key" | "use-key" | "remove-key" | "list-keys";

/** One of the commands about keys; its body comes on errors too, and says which agents had which. */
export function keyCall(
  command: KeyCommand,
  key: string | undefined,
  timeoutMs: number,
): SerfCall<SerfKeyResult> {
  const body = key === undefined ? undefined : { Key: key };
  const explain = ({ messages }: SerfKeyResult): string =>
    [...messages].map(([name, text]) => `; ${name}: ${text}`).join("");
  return { command, body, read: readKeys, explain, timeoutMs };
}
