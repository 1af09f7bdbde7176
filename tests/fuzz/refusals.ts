/**
 * Whether clients were told what became of what they sent.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { DirectConnection } from "./connection.ts";
import type { Chunk } from "./input.ts";

interface Fields {
  readonly type?: unknown;
  readonly id?: unknown;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a text from a client needs an answer: all but a message without an id, which may go wrong all the same. */
function wantsAnswer(chunk: Chunk): boolean {
  if (typeof chunk !== "string") return true;
  const fields = parse(chunk) as Fields | null | undefined;
  return typeof fields !== "object" || fields === null || fields.type !== "message" ||
    fields.id !== undefined;
}

/** Each request over WebSocket is answered, or the connection ended with a code and a reason. */
export function socketProblem(connection: DirectConnection, chunks: readonly Chunk[]): string | undefined {
  const { ending } = connection;
  if (ending) {
    const told = ending.how === "closed" && ending.code !== undefined && ending.reason;
    return told ? undefined : `ended without a reason: ${JSON.stringify(ending)}`;
  }
  let answers = 0;
  for (const chunk of connection.received) {
    if (typeof chunk !== "string") return "a binary message was sent";
    const { type } = JSON.parse(chunk) as { type: string };
    if (type !== "message" && type !== "moved" && type !== "welcome") answers++;
  }
  const wanted = chunks.filter(wantsAnswer).length;
  return answers >= wanted ? undefined : `${wanted} requests got ${answers} answers`;
}

/** MQTT 5 ends a session by DISCONNECT or a CONNACK that refuses; an empty client can only be cut off. */
export function mqttProblem(connection: DirectConnection, chunks: readonly Chunk[]): string | undefined {
  const { ending, received } = connection;
  if (received.some((chunk) => typeof chunk === "string")) return "MQTT was sent as text";
  if (!ending) return undefined;
  if (ending.how === "terminated") return "an MQTT client was cut off without a word";
  if (connection.kind === "messages" && ending.code === undefined) {
    return "a WebSocket was closed without a code";
  }
  const all = Buffer.concat(received.map((chunk) => Buffer.from(chunk)));
  const accepted = all.length > 5 && all[0] === 0x20 && all[3] === 0;
  const version5 = accepted && all[1] !== 2;
  if (!version5 || saidGoodbye(chunks) || clientTakesLittle(chunks)) return undefined;
  return lastPacketType(all) === 14
    ? undefined
    : `MQTT 5 ended without DISCONNECT: ${all.toString("hex").slice(-200)}`;
}

/** Whether DISCONNECT may have been among what was sent: its two bytes are somewhere. */
function saidGoodbye(chunks: readonly Chunk[]): boolean {
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string))).includes(0xe0);
}

/** Whether CONNECT names a Maximum Packet Size (0x27): then even DISCONNECT may be too long. */
function clientTakesLittle(chunks: readonly Chunk[]): boolean {
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string))).includes(0x27);
}

function lastPacketType(bytes: Uint8Array): number {
  let type = 0;
  for (let at = 0; at < bytes.length;) {
    type = (bytes[at] as number) >> 4;
    let length = 0;
    let shift = 0;
    for (at++; at < bytes.length; at++) {
      length += ((bytes[at] as number) & 0x7f) << shift;
      shift += 7;
      if ((bytes[at] as number) < 0x80) break;
    }
    at += 1 + length;
  }
  return type;
}

/** A POST is answered by a status and JSON; a WebSocket gets an answer for each text, or is closed with a reason. */
export function rpcProblem(
  connection: DirectConnection | undefined,
  chunks: readonly Chunk[],
  answer: Response | undefined,
): string | undefined {
  const waits = chunks.some((chunk) => WAITING.some((method) => String(chunk).includes(method)));
  if (!answer) return waits ? undefined : "the bridge did not answer";
  if (answer.status >= 500) return `the bridge answered ${answer.status}`;
  if (!connection) return undefined;
  const { ending, received } = connection;
  if (ending) {
    return ending.how === "closed" && ending.reason ? undefined : "a caller was cut off without a word";
  }
  // Notifications are no answers.
  const answers = received.filter((chunk) => !String(chunk).startsWith('{"jsonrpc":"2.0","method":')).length;
  const wanted = chunks.filter((chunk) => typeof chunk === "string" && wantsRpcAnswer(chunk)).length;
  return answers >= wanted ? undefined : `${wanted} texts got ${answers} answers`;
}

/** Methods that may still wait when a round ends. */
const WAITING: readonly string[] = ["view.get", "event.get", "query.send"];

/** Whether a text of JSON-RPC surely needs an answer: it is none, or a request with an id of its own. */
function wantsRpcAnswer(text: string): boolean {
  const value = parse(text);
  if (value === undefined) return true;
  if (typeof value !== "object" || value === null) return true;
  const { id, method } = value as { id?: unknown; method?: unknown };
  return typeof method === "string" && Number.isSafeInteger(id) && !WAITING.includes(method);
}
