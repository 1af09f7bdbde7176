/**
 * Checks of single fields of frames. Each takes any value and says whether it may stand there.
 *
 * @module
 */
import { isIncarnation, isMemberId, isRole } from "../membership/names.ts";
import { LINK_VERSION } from "./frames.ts";

/** Longest room name, in UTF-16 code units. */
export const MAX_ROOM_LENGTH = 1024;

/**
 * Longest user id, in UTF-16 code units. An owner writes it into each delivery of a message, which may be a few bytes itself:
 * with names of any length little that comes on one link would be more than another one holds.
 */
export const MAX_USER_LENGTH = 512;

/** Longest reason and longest origin, in UTF-16 code units: what an MQTT string can hold. */
export const MAX_TEXT_LENGTH = 65_535;

/** Deliveries that one message can lead to, for all that is counted on from a number of a peer. */
const MAX_CONSEQUENCES = 2 ** 20;

/** What a field must be: the check, and the words for it in an error. */
export interface Field {
  readonly check: (value: unknown) => boolean;
  readonly what: string;
  /** The field may be absent. */
  readonly optional?: true;
}

const SESSION = /^[a-z0-9-]{1,8}\.[a-z0-9-]{1,32}(?:\.[0-9]{1,16})?$/;
const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;
const NONCE = /^[A-Za-z0-9_-]{16,64}$/;
const MAC = /^[A-Za-z0-9_-]{43}$/;
const CODE = /^[a-z0-9_]{1,64}$/;

/** Whether a value is the name of a room: 1 to 1024 UTF-16 code units. */
export function isRoom(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_ROOM_LENGTH;
}

/** Whether a value names a sender: `<id>.<incarnation>` or `<id>.<incarnation>.<number>`. */
export function isSession(value: unknown): value is string {
  return typeof value === "string" && SESSION.test(value);
}

/** Whether a value is a user's id: 1 to 512 UTF-16 code units. */
export function isUser(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_USER_LENGTH;
}

/** Whether a value is a whole number from 0 that a double holds exactly. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && Number.isSafeInteger(value);
}

/** Whether a value is a whole number from 1 that a double holds exactly. */
export function isNumber(value: unknown): value is number {
  return typeof value === "number" && value >= 1 && Number.isSafeInteger(value);
}

/**
 * Highest number of a sender's message. An owner numbers what a message leads to from 65,536 times its number on, and
 * what it sends must be numbers that its peers take.
 */
export const MAX_SEQ: number = 2 ** 36;

/** Whether a value is the number of a sender's message: 1 to {@linkcode MAX_SEQ}. */
export function isSeq(value: unknown): value is number {
  return isNumber(value) && value <= MAX_SEQ;
}

/** Whether a value is what the `cause` of a `message` is: the owner counts on from it. */
export function isRisingCause(value: unknown): boolean {
  return isPair(
    value,
    isOrigin,
    (number) => isCount(number) && number <= Number.MAX_SAFE_INTEGER - MAX_CONSEQUENCES,
  );
}

/** Whether a value is a code such as a `goodbye` carries: `[a-z0-9_]{1,64}`. */
export function isCode(value: unknown): value is string {
  return typeof value === "string" && CODE.test(value);
}

/** Whether a value names an origin of messages: a sender, with the room that it spoke in where that is another one. */
export function isOrigin(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_TEXT_LENGTH;
}

/** Whether a value is what `cause` is: an origin and a number from 0. */
export function isCause(value: unknown): boolean {
  return isPair(value, isOrigin, isCount);
}

/** Whether a value is a list of senders. */
export function isSessions(value: unknown): boolean {
  return isList(value, isSession);
}

/** Whether a value is the name of a cluster: 1 to 64 UTF-16 code units, none of them a control character. */
export function isCluster(value: unknown): value is string {
  if (typeof value !== "string" || value.length === 0 || value.length > 64) return false;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  }
  return true;
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.length <= MAX_TEXT_LENGTH;
}

function isDigest(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= 128;
}

function isToken(value: unknown): boolean {
  return typeof value === "string" && TOKEN.test(value);
}

function isList(value: unknown, item: (value: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(item);
}

function isPair(value: unknown, a: (value: unknown) => boolean, b: (value: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length === 2 && a(value[0]) && b(value[1]);
}

function isAnnounced(value: unknown): boolean {
  return Array.isArray(value) && (value.length === 2 || (value.length === 3 && value[2] === 0)) &&
    isSession(value[0]) && isUser(value[1]);
}

function isResume(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { link, received } = value as { link?: unknown; received?: unknown };
  return isToken(link) && isCount(received);
}

function oneOf(...values: readonly string[]): Field {
  return {
    check: (value) => typeof value === "string" && values.includes(value),
    what: values.map((value) => JSON.stringify(value)).join(" or "),
  };
}

/** The same field, which may be absent. */
export function optional(field: Field): Field {
  return { ...field, optional: true };
}

const SAFE = "up to 9007199254740991";

/** The kinds of fields there are. */
export const FIELDS = {
  room: { check: isRoom, what: "a string of 1 to 1024 characters" },
  rooms: { check: (value) => isList(value, isRoom), what: "a list of room names" },
  session: { check: isSession, what: '"<id>.<incarnation>" or "<id>.<incarnation>.<number>"' },
  sessions: { check: isSessions, what: "a list of sessions" },
  user: { check: isUser, what: `a string of 1 to ${MAX_USER_LENGTH} characters` },
  text: { check: isText, what: "a string of up to 65535 characters" },
  count: { check: isCount, what: `a whole number from 0 ${SAFE}` },
  number: { check: isNumber, what: `a whole number from 1 ${SAFE}` },
  seq: { check: isSeq, what: `a whole number from 1 up to ${MAX_SEQ}` },
  digest: { check: isDigest, what: "a string of 1 to 128 characters" },
  token: { check: isToken, what: '1 to 64 characters of A-Z, a-z, 0-9, "-" and "_"' },
  nonce: {
    check: (value) => typeof value === "string" && NONCE.test(value),
    what: "16 to 64 characters of base64url",
  },
  mac: { check: (value) => typeof value === "string" && MAC.test(value), what: "43 characters of base64url" },
  code: { check: isCode, what: '1 to 64 characters of a-z, 0-9 and "_"' },
  version: { check: (value) => value === LINK_VERSION, what: String(LINK_VERSION) },
  role: { check: isRole, what: '"chat" or "proxy"' },
  id: { check: isMemberId, what: '1 to 8 characters of a-z, 0-9 and "-"' },
  incarnation: { check: isIncarnation, what: '1 to 32 characters of a-z, 0-9 and "-"' },
  cluster: { check: isCluster, what: "1 to 64 characters, no control characters" },
  resume: { check: isResume, what: "{ link, received }" },
  member: {
    check: isAnnounced,
    what: "[session, user] or [session, user, 0], the user of 1 to 512 characters",
  },
  members: {
    check: (value) => isList(value, isAnnounced),
    what: "a list of [session, user] or [session, user, 0], the user of 1 to 512 characters",
  },
  cause: { check: isCause, what: "[origin, number]" },
  risingCause: { check: isRisingCause, what: "[origin, number]" },
  senders: {
    check: (value) => isList(value, (item) => isPair(item, isOrigin, isCount)),
    what: "a list of [origin, number]",
  },
  proxies: {
    check: (value) => isList(value, (item) => isPair(item, isMemberId, isIncarnation)),
    what: "a list of [id, incarnation]",
  },
  holdings: {
    check: (value) => isList(value, (item) => isPair(item, isRoom, isToken)),
    what: "a list of [room, epoch]",
  },
  body: { check: (value) => value !== undefined, what: "present" },
  base64: { check: (value) => value === "base64", what: '"base64", or absent' },
  yes: { check: (value) => value === true, what: "true, or absent" },
  opening: oneOf("first-join", "failover", "hand-off", "open", "merged"),
  failure: oneOf(
    "listener_failed",
    "listener_timeout",
    "unavailable",
    "not_authorized",
    "server_full",
    "too_large",
    "gone",
  ),
} satisfies Record<string, Field>;
