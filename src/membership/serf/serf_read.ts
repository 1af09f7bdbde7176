/**
 * Reads the bodies of an agent's replies. Everything that is kept is copied; what makes no sense throws `serf_bad_reply`.
 *
 * @module
 */
import { printable } from "../../lib/errors.ts";
import { entriesOf, fieldOf, type Fields, isFields } from "./serf_codec.ts";
import { badReply } from "./serf_scan.ts";
import type {
  SerfCoordinate,
  SerfEvent,
  SerfKeyResult,
  SerfMember,
  SerfMemberEventType,
  SerfStats,
  SerfStatus,
} from "./serf_types.ts";

const STATUSES: ReadonlySet<unknown> = new Set<SerfStatus>(["none", "alive", "leaving", "left", "failed"]);
const MEMBER_EVENTS: ReadonlySet<unknown> = new Set<SerfMemberEventType>([
  "member-join",
  "member-leave",
  "member-failed",
  "member-update",
  "member-reap",
]);
const EMPTY = new Uint8Array(0);

/** What a bad value is called in errors. */
function shown(value: unknown): string {
  return typeof value === "string"
    ? `"${printable(value, 40)}"`
    : `a ${value === null ? "nil" : typeof value}`;
}

/** A field that is text. */
export function textField(value: unknown, key: string): string {
  const text = fieldOf(value, key);
  if (typeof text !== "string") throw badReply(`${key} is ${shown(text)}, not text`);
  return text;
}

/** A field that is an integer of 0 or more. */
export function countField(value: unknown, key: string): number {
  const count = fieldOf(value, key);
  if (typeof count !== "number" || !Number.isInteger(count) || count < 0) {
    throw badReply(`${key} is ${shown(count)}, not a count`);
  }
  return count;
}

/** A field that is bytes, copied; nil is none. */
function bytesField(value: unknown, key: string): Uint8Array {
  const bytes = fieldOf(value, key);
  if (bytes === null || bytes === undefined) return EMPTY;
  if (!(bytes instanceof Uint8Array)) throw badReply(`${key} is ${shown(bytes)}, not bytes`);
  return Uint8Array.from(bytes);
}

function numberField(value: unknown, key: string): number {
  const number = fieldOf(value, key);
  if (typeof number !== "number") throw badReply(`${key} is ${shown(number)}, not a number`);
  return number;
}

function listField(value: unknown, key: string): unknown[] {
  const list = fieldOf(value, key);
  if (list === null) return [];
  if (!Array.isArray(list)) throw badReply(`${key} is ${shown(list)}, not a list`);
  return list;
}

/** A map whose values are all of one kind; nil is an empty one. */
function mapOf<T>(value: unknown, what: string, isKind: (value: unknown) => value is T): Map<string, T> {
  const map = new Map<string, T>();
  if (value === null || value === undefined) return map;
  if (!isFields(value)) throw badReply(`${what} is ${shown(value)}, not a map`);
  for (const [key, each] of entriesOf(value)) {
    if (!isKind(each)) throw badReply(`${what} holds ${shown(each)}`);
    map.set(key, each);
  }
  return map;
}

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => typeof value === "number";

/** An address as text: 4 bytes are IPv4, 16 IPv6, where one that is IPv4 in IPv6's clothes is IPv4. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 0) return "";
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw badReply(`an address of ${bytes.length} bytes`);
  const groups = Array.from(
    { length: 8 },
    (_, i) => (bytes[i * 2] as number) * 256 + (bytes[i * 2 + 1] as number),
  );
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return mapped ? bytes.slice(12).join(".") : groupsText(groups);
}

/** RFC 5952: lower case, and `::` for the longest run of two zeros or more, the first of those. */
function groupsText(groups: readonly number[]): string {
  let [from, length] = [0, 1];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (groups[end] === 0) end++;
    if (end - i > length) [from, length] = [i, end - i];
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, from))}::${text(groups.slice(from + length))}`;
}

/** One agent of a list. */
function readMember(value: unknown): SerfMember {
  const status = textField(value, "Status");
  if (!STATUSES.has(status)) throw badReply(`Status is ${shown(status)}`);
  const address = fieldOf(value, "Addr");
  if (address !== null && !(address instanceof Uint8Array)) throw badReply(`Addr is ${shown(address)}`);
  return {
    name: textField(value, "Name"),
    address: addressText(address ?? EMPTY),
    port: countField(value, "Port"),
    tags: mapOf(fieldOf(value, "Tags"), "Tags", isText),
    status: status as SerfStatus,
    protocol: countField(value, "ProtocolCur"),
  };
}

/** The body of `members`, and of events about members. */
export function readMembers(body: unknown): SerfMember[] {
  return listField(body, "Members").map(readMember);
}

/** One record of a stream. */
export function readEvent(body: unknown): SerfEvent {
  const type = textField(body, "Event");
  if (MEMBER_EVENTS.has(type)) return { type: type as SerfMemberEventType, members: readMembers(body) };
  const common = (): { name: string; payload: Uint8Array; ltime: number } => ({
    name: textField(body, "Name"),
    payload: bytesField(body, "Payload"),
    ltime: countField(body, "LTime"),
  });
  if (type === "query") return { type, id: countField(body, "ID"), ...common() };
  if (type === "user") return { type, ...common(), coalesce: fieldOf(body, "Coalesce") === true };
  throw badReply(`an event of the type ${shown(type)}`);
}

/** One record of a query: an agent got it, an agent answered, or that was all. */
export type QueryRecord = { type: "ack" | "response"; from: string; payload: Uint8Array } | { type: "done" };

/** Reads one record of a query. */
export function readQueryRecord(body: unknown): QueryRecord {
  const type = textField(body, "Type");
  if (type === "done") return { type };
  if (type !== "ack" && type !== "response") throw badReply(`a record of the type ${shown(type)}`);
  return { type, from: textField(body, "From"), payload: bytesField(body, "Payload") };
}

/** The body of the commands about keys. */
export function readKeys(body: unknown): SerfKeyResult {
  return {
    nodes: countField(body, "NumNodes"),
    responses: countField(body, "NumResp"),
    errors: countField(body, "NumErr"),
    messages: mapOf(fieldOf(body, "Messages"), "Messages", isText),
    keys: mapOf(fieldOf(body, "Keys"), "Keys", isNumber),
  };
}

/** The body of `get-coordinate`; undefined where the agent has none of that name. */
export function readCoordinate(body: unknown): SerfCoordinate | undefined {
  if (fieldOf(body, "Ok") !== true) return undefined;
  const coordinate = fieldOf(body, "Coord");
  const vector = listField(coordinate, "Vec");
  if (!vector.every(isNumber)) throw badReply("a coordinate without numbers");
  return {
    vector: vector as number[],
    error: numberField(coordinate, "Error"),
    adjustment: numberField(coordinate, "Adjustment"),
    height: numberField(coordinate, "Height"),
  };
}

/** The body of `stats`. */
export function readStats(body: unknown): SerfStats {
  const groups = mapOf(body, "stats", isFields as (value: unknown) => value is Fields);
  return new Map([...groups].map(([name, group]) => [name, mapOf(group, "stats", isText)]));
}
