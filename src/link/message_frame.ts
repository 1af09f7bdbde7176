/**
 * What is sent into a room, and what it costs to keep it until it has been accepted.
 *
 * @module
 */
import { type Body, encodeBody } from "../lib/body.ts";
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
 * What a body costs in memory, roughly: enough to bound queues by. Throws a `RangeError` where it nests too deeply, while
 * whoever sends it can still hear of it.
 */
export function sizeOf(body: Body): number {
  if (typeof body === "string") return body.length + 128;
  if (body instanceof Uint8Array) return body.length + 128;
  if (body === null || typeof body !== "object") return 136;
  const text = JSON.stringify(body);
  checkDepth(text, body);
  return text.length + 128;
}
