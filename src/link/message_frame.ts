/**
 * What is sent into a room, and what it costs to keep it until it has been accepted.
 *
 * @module
 */
import { type Body, encodeBody, requireBody } from "../lib/body.ts";
import { checkJsonBytes, MAX_JSON_BYTES } from "../lib/body_size.ts";
import type { MessageFrame } from "./frames.ts";
import { checkDepth } from "./link.ts";
import type { Sender } from "./sender.ts";

/** The frame of a message. Written out field by field: a spread costs as much as the rest of it. */
export function messageFrame(
  { id, user }: Sender,
  room: string,
  seq: number,
  body: Body,
  acknowledged: boolean,
  cause: MessageFrame["cause"],
): MessageFrame {
  const ack = acknowledged ? true : undefined;
  const bytes = body instanceof Uint8Array;
  return {
    type: "message",
    room,
    session: id,
    seq,
    user,
    ack,
    cause,
    encoding: bytes ? "base64" : undefined,
    body: bytes ? encodeBody(body).body : body,
  } as MessageFrame;
}

/**
 * What a body costs in memory, roughly: enough to bound queues by. Throws where it cannot be sent, while whoever sends it can
 * still hear of it: a `RangeError` where it nests too deeply or is too long, a `TypeError` where JSON has no form for it.
 */
export function sizeOf(body: Body): number {
  if (typeof body === "string" || body instanceof Uint8Array) {
    if (body.length * 6 > MAX_JSON_BYTES) checkLong(body);
    return body.length + 128;
  }
  requireBody(body);
  if (body === null || typeof body !== "object") return 136;
  const text = JSON.stringify(body);
  checkDepth(text, body);
  checkJsonBytes(text, body);
  return text.length + 128;
}

function checkLong(body: string | Uint8Array): void {
  const json = encodeBody(body).body;
  checkJsonBytes(JSON.stringify(json), json);
}
