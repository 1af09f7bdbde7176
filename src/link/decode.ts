/**
 * One line of a link to one frame, checked in every field, or the reason why it is none.
 *
 * @module
 */
import { isBase64 } from "../lib/body.ts";
import { JSON_GROWTH, jsonBytes, MAX_JSON_BYTES } from "../lib/body_size.ts";
import { printable } from "../lib/errors.ts";
import { nestsDeeper } from "../lib/json_depth.ts";
import {
  type Field,
  FIELDS,
  isCause,
  isNumber,
  isRisingCause,
  isRoom,
  isSeq,
  isSession,
  isSessions,
  isUser,
  optional,
} from "./check.ts";
import {
  type ControlFrame,
  type DeliverFrame,
  type Frame,
  LINK_VERSION,
  type MessageFrame,
} from "./frames.ts";
import { type LinkEndCode, MAX_FRAME_DEPTH } from "./link.ts";

/** Any frame as it stands on a line: numbered, or one of the link's own. */
export type Incoming = ControlFrame | (Frame & { n: number });

/** What is wrong with a line. */
export class BadLine {
  /** The code for the `goodbye`. */
  readonly code: LinkEndCode;
  /** What was wrong, for people. Holds text from outside, made printable. */
  readonly message: string;

  /** Names a fault. */
  constructor(code: LinkEndCode, message: string) {
    this.code = code;
    this.message = message;
  }
}

type AnyFrame = ControlFrame | Frame;
type FieldsOf<F> = { readonly [K in Exclude<keyof F, "type">]-?: Field };
type Shapes = { readonly [T in AnyFrame["type"]]: FieldsOf<Extract<AnyFrame, { type: T }>> };

const { room, session, digest, count, number, text, base64, body, user, yes, cause } = FIELDS;
const sender = { room, session, seq: FIELDS.seq };
const payload = { body, encoding: optional(base64) };
const term = { room, epoch: FIELDS.token, term: count };

/** Every frame and its fields; the types of the frames hold it complete. */
const SHAPES: Shapes = {
  hello: {
    version: FIELDS.version,
    role: FIELDS.role,
    id: FIELDS.id,
    incarnation: FIELDS.incarnation,
    cluster: FIELDS.cluster,
    nonce: FIELDS.nonce,
    lapsed: optional(FIELDS.yes),
    mac: optional(FIELDS.mac),
    resume: optional(FIELDS.resume),
  },
  welcome: { link: FIELDS.token, received: count, mac: optional(FIELDS.mac) },
  ping: {},
  confirm: { n: number },
  goodbye: { code: FIELDS.code, message: text },
  digest: { digest },
  announce: { room, members: FIELDS.members, attach: count, epoch: optional(FIELDS.token) },
  announced: { digest },
  yield: { room },
  join: { room, member: FIELDS.member },
  leave: { room, session, reason: text },
  gone: { session, reason: text },
  message: {
    ...sender,
    ...payload,
    user: optional(user),
    ack: optional(yes),
    redelivered: optional(yes),
    head: optional(yes),
    cause: optional(FIELDS.risingCause),
  },
  opened: { room, epoch: FIELDS.token, offset: count, reason: FIELDS.opening, term: optional(count) },
  joined: { room, session },
  kicked: { room, session, reason: text },
  deliver: {
    room,
    ...payload,
    offset: count,
    from: optional(user),
    only: optional(FIELDS.sessions),
    except: optional(FIELDS.sessions),
    cause: optional(cause),
  },
  direct: { user, ...payload },
  refused: { ...sender, frame: number, digest },
  held: sender,
  accepted: sender,
  ack: { ...sender, error: optional(FIELDS.failure) },
  released: { room, attach: count, full: optional(yes) },
  handing: { digest, rooms: FIELDS.rooms },
  handoff: {
    ...term,
    offset: count,
    senders: FIELDS.senders,
    proxies: FIELDS.proxies,
    members: optional(FIELDS.members),
  },
  holding: { digest, rooms: FIELDS.holdings },
  taken: { ...term, refused: optional(yes) },
};

// A map: a type from outside must not reach what a plain object inherits.
const FIELDS_BY_TYPE: ReadonlyMap<unknown, readonly (readonly [string, Field])[]> = new Map(
  Object.entries(SHAPES).map(([type, fields]) => [type, Object.entries(fields) as [string, Field][]]),
);

const BASE64_TEXT: Field = {
  check: isBase64Text,
  what: 'base64 beside encoding "base64": A-Z, a-z, 0-9, "+" and "/", padded with "=" to a multiple of four',
};

type Fields = Record<string, unknown>;

/** Reads one line, without its newline. */
export function decodeLine(line: string): Incoming | BadLine {
  const frame = parseLine(line);
  if (frame instanceof BadLine) return frame;
  const long = line.length * JSON_GROWTH > MAX_JSON_BYTES;
  return checkFrame(frame) ?? (long ? checkLength(frame) : undefined) ?? asFrame(frame);
}

/** Whoever sends a body on writes it anew, longer than it came where it has numbers such as `1e20`. */
function checkLength(frame: Fields): BadLine | undefined {
  const { type, body } = frame;
  if (type !== "message" && type !== "deliver" && type !== "direct") return undefined;
  const bytes = jsonBytes(body);
  if (bytes <= MAX_JSON_BYTES) return undefined;
  const why = `takes ${bytes} bytes of JSON: it must take at most ${MAX_JSON_BYTES}`;
  return new BadLine("bad_frame", `"body" in frame "${type}" ${why}`);
}

/** What has passed all checks. */
function asFrame(frame: Fields): Incoming {
  return frame as unknown as Incoming;
}

function parseLine(line: string): Fields | BadLine {
  let frame: unknown;
  try {
    frame = JSON.parse(line);
  } catch {
    return new BadLine("not_json", `a line is not JSON: "${printable(line, 60)}"`);
  }
  if (typeof frame !== "object" || frame === null || Array.isArray(frame)) {
    return new BadLine("not_json", `a line is not a JSON object: "${printable(line, 60)}"`);
  }
  const plain = typeof (frame as Fields).body === "string";
  if (!plain && line.length > 2 * MAX_FRAME_DEPTH && nestsDeeper(frame, MAX_FRAME_DEPTH)) {
    return new BadLine("bad_frame", `a line nests deeper than ${MAX_FRAME_DEPTH} levels`);
  }
  return frame as Fields;
}

/** Reads one line of a peer that has proved nothing yet: a frame of any other type than those of the handshake is not looked at. */
export function decodeHandshake(line: string): Incoming | BadLine {
  const frame = parseLine(line);
  if (frame instanceof BadLine) return frame;
  const { type } = frame;
  if (type === "hello" || type === "welcome" || type === "goodbye") return examine(frame) ?? asFrame(frame);
  const what = typeof type === "string" ? `a ${printable(type, 40)} frame` : "a frame without a type";
  return new BadLine("out_of_order", `${what} came before the handshake was complete`);
}

/** The frames that make up the load are checked by hand; whatever they do not pass is looked at field by field. */
function checkFrame(frame: Fields): BadLine | undefined {
  switch (frame.type) {
    case "message":
      if (isNumber(frame.n) && isGoodMessage(frame as Partial<MessageFrame>)) return undefined;
      break;
    case "deliver":
      if (isNumber(frame.n) && isGoodDeliver(frame as Partial<DeliverFrame>)) return undefined;
      break;
    case "confirm":
      if (isNumber(frame.n)) return undefined;
      break;
    case "ping":
      return undefined;
  }
  return examine(frame);
}

function isGoodPayload(frame: { body?: unknown; encoding?: unknown }): boolean {
  return frame.encoding === undefined
    ? frame.body !== undefined
    : frame.encoding === "base64" && isBase64Text(frame.body);
}

/** Whoever delivers the body decodes it: what it cannot decode must not come that far. */
function isBase64Text(body: unknown): boolean {
  return typeof body === "string" && isBase64(body);
}

function isGoodMessage(frame: Partial<MessageFrame>): boolean {
  return isRoom(frame.room) && isSession(frame.session) && isSeq(frame.seq) && isGoodPayload(frame) &&
    (frame.cause === undefined || isRisingCause(frame.cause)) &&
    (frame.user === undefined || isUser(frame.user)) &&
    (frame.ack === undefined || frame.ack === true) &&
    (frame.redelivered === undefined || frame.redelivered === true) &&
    (frame.head === undefined || frame.head === true);
}

function isGoodDeliver(frame: Partial<DeliverFrame>): boolean {
  return isRoom(frame.room) && typeof frame.offset === "number" && frame.offset >= 0 &&
    Number.isSafeInteger(frame.offset) && isGoodPayload(frame) &&
    (frame.cause === undefined || isCause(frame.cause)) &&
    (frame.from === undefined || isUser(frame.from)) &&
    (frame.only === undefined || isSessions(frame.only)) &&
    (frame.except === undefined || isSessions(frame.except));
}

function isControl(type: unknown): boolean {
  return type === "hello" || type === "welcome" || type === "ping" || type === "confirm" ||
    type === "goodbye";
}

/** A value from outside as it may stand in a message. Objects are named, not printed: they may be of any depth. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "string" ? `"${printable(value, 60)}"` : JSON.stringify(value);
}

/** Checks any frame field by field. */
function examine(frame: Fields): BadLine | undefined {
  const fields = FIELDS_BY_TYPE.get(frame.type);
  if (!fields) return new BadLine("unknown_frame", `there is no frame of type ${shown(frame.type)}`);
  if (!isControl(frame.type) && !isNumber(frame.n)) return badField(frame, "n", FIELDS.number);
  for (const [name, field] of fields) {
    const value = frame[name];
    if (value === undefined ? !field.optional : !field.check(value)) return badField(frame, name, field);
  }
  if (frame.encoding !== undefined && fields.some(([name]) => name === "encoding")) {
    if (!isBase64Text(frame.body)) return badField(frame, "body", BASE64_TEXT);
  }
  return undefined;
}

function badField(frame: Fields, name: string, field: Field): BadLine {
  if (frame.type === "hello" && name === "version" && isNumber(frame.version)) {
    return new BadLine(
      "wrong_version",
      `the peer speaks version ${frame.version} of the link, this one ${LINK_VERSION}`,
    );
  }
  const where = `"${name}" in frame "${String(frame.type)}"`;
  return new BadLine("bad_frame", `${where} is ${shown(frame[name])}: it must be ${field.what}`);
}
