/**
 * What clients say in JSON over WebSocket, checked.
 *
 * @module
 */
import { type Body, decodeBody } from "../lib/body.ts";
import { bodyBytes, JSON_GROWTH } from "../lib/body_size.ts";
import { errorMessage, printable } from "../lib/errors.ts";
import { parseJson } from "./json_text.ts";
import type { ClientLimits, Refusal } from "./protocol.ts";
import { roomNameProblem } from "./room_name.ts";

/** What went wrong, for programs. */
export type WebSocketErrorCode =
  | Refusal
  /** The user or token was not accepted. */
  | "not_authenticated"
  /** The text is not JSON. */
  | "bad_json"
  /** A field is missing or of the wrong type, or the message is binary. */
  | "bad_message"
  /** There is no such `type`. */
  | "unknown_type";

/** An answer to something that cannot be done. */
export interface Complaint {
  /** Kind, apart from those of good requests. */
  readonly type: "error";
  /** What was wrong. */
  readonly code: WebSocketErrorCode;
  /** What was wrong, and what to write instead. */
  readonly message: string;
  /** The request's id, where it had a good one. */
  readonly id: number | undefined;
}

/** A request that can be read, but not be done. */
export interface RefusedRequest {
  /** Kind, apart from those of good requests. */
  readonly type: "refused";
  /** What was asked for. */
  readonly request: "join" | "leave" | "message";
  /** Where. */
  readonly room: string;
  /** Why not. */
  readonly reason: Refusal;
  /** What to say. */
  readonly answer: Complaint;
}

/** A client wants to be in a room, or out of it. */
export interface RoomRequest {
  /** Which of the two. */
  readonly type: "join" | "leave";
  /** The room. */
  readonly room: string;
  /** Echoed in the answer. */
  readonly id: number | undefined;
}

/** A client sends a message. */
export interface MessageRequest {
  /** Kind of request. */
  readonly type: "message";
  /** The room. */
  readonly room: string;
  /** What it carries. */
  readonly body: Body;
  /** Asks for an acknowledgement, which echoes it. */
  readonly id: number | undefined;
}

/** A client says that it is there. */
export interface PingRequest {
  /** Kind of request. */
  readonly type: "ping";
}

/** A request that is in order. */
export type WebSocketRequest = RoomRequest | MessageRequest | PingRequest;

type Fields = Record<string, unknown>;

/** Reads one text message. */
export function readRequest(
  text: string,
  limits: ClientLimits,
): WebSocketRequest | RefusedRequest | Complaint {
  let fields: unknown;
  try {
    fields = parseJson(text);
  } catch (error) {
    return complain(
      "bad_json",
      `the message is not JSON that is read here: ${printable(errorMessage(error))}`,
    );
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    return complain("bad_message", 'send an object, for example {"type":"join","room":"plaza"}');
  }
  return readFields(fields as Fields, text, limits);
}

function readFields(
  fields: Fields,
  text: string,
  limits: ClientLimits,
): WebSocketRequest | RefusedRequest | Complaint {
  const { type, id } = fields;
  if (type === "ping") return { type };
  if (type !== "join" && type !== "leave" && type !== "message") {
    return complain(
      "unknown_type",
      `type is ${show(type)}: use "join", "leave", "message" or "ping"`,
      integer(id),
    );
  }
  if (id !== undefined && integer(id) === undefined) {
    return complain("bad_message", `id is ${show(id)}: use an integer, or leave it out`);
  }
  const { room } = fields;
  if (typeof room !== "string") {
    return complain("bad_message", `room is ${show(room)}: use the room's name, a string`, integer(id));
  }
  const problem = roomNameProblem(room, limits.maxRoomBytes);
  if (problem !== undefined) return refuse(type, room, "invalid_room", problem, integer(id));
  if (type !== "message") return { type, room, id: integer(id) };
  return readMessage(fields, room, text, limits);
}

function readMessage(
  fields: Fields,
  room: string,
  text: string,
  limits: ClientLimits,
): MessageRequest | RefusedRequest | Complaint {
  const id = integer(fields.id);
  let body: Body;
  try {
    body = decodeBody(fields);
  } catch (error) {
    const hint = 'use "body": any JSON value, or base64 text beside "encoding":"base64"';
    return complain("bad_message", `${errorMessage(error)}: ${hint}`, id);
  }
  // A body comes of the text around it, so most need no counting.
  if (text.length * JSON_GROWTH > limits.maxMessageBytes) {
    const bytes = bodyBytes(body);
    if (bytes > limits.maxMessageBytes) {
      const problem = `the body takes ${bytes} bytes: use at most ${limits.maxMessageBytes}`;
      return refuse("message", room, "too_large", problem, id);
    }
  }
  return { type: "message", room, body, id };
}

function integer(id: unknown): number | undefined {
  return Number.isSafeInteger(id) ? id as number : undefined;
}

function show(value: unknown): string {
  if (typeof value === "string") return `"${printable(value, 60)}"`;
  return value === undefined ? "missing" : printable(JSON.stringify(value), 60);
}

function refuse(
  request: RefusedRequest["request"],
  room: string,
  reason: Refusal,
  problem: string,
  id: number | undefined,
): RefusedRequest {
  return { type: "refused", request, room, reason, answer: complain(reason, problem, id) };
}

/** Makes an error message. */
export function complain(code: WebSocketErrorCode, message: string, id?: number): Complaint {
  return { type: "error", code, message, id };
}
