/**
 * WebSocket frames of a server (RFC 6455, 5.2): unmasked, so a frame is a short header before the message, and the same
 * bytes go to every member of a room.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type Chunk, Memo, sizeOf } from "./join.ts";

const TEXT = 0x81;
const BINARY = 0x82;

function headerSize(size: number): number {
  return size < 126 ? 2 : size < 65536 ? 4 : 10;
}

function putHeader(target: Buffer, offset: number, first: number, size: number): number {
  target[offset] = first;
  if (size < 126) {
    target[offset + 1] = size;
    return offset + 2;
  }
  if (size < 65536) {
    target[offset + 1] = 126;
    return target.writeUInt16BE(size, offset + 2);
  }
  target[offset + 1] = 127;
  target.writeUInt32BE(Math.floor(size / 2 ** 32), offset + 2);
  return target.writeUInt32BE(size >>> 0, offset + 6);
}

function firstByte(message: Chunk): number {
  return typeof message === "string" ? TEXT : BINARY;
}

/** The header of one message, to be written before the message itself. */
export function frameHeader(message: Chunk): Buffer {
  const size = sizeOf(message);
  const target = Buffer.allocUnsafe(headerSize(size));
  putHeader(target, 0, firstByte(message), size);
  return target;
}

/** Where frames are put together while their length is not known; the result is a copy. */
let scratch = Buffer.allocUnsafeSlow(65536);
/** What needs more gets a buffer of its own. */
const SCRATCH_LIMIT = 1 << 20;

/** The most bytes that a message and its header can take: UTF-8 has at most three for a UTF-16 unit. */
function mostSize(message: Chunk): number {
  return 10 + (typeof message === "string" ? message.length * 3 : message.byteLength);
}

function room(size: number): Buffer {
  if (size <= scratch.length) return scratch;
  if (size > SCRATCH_LIMIT) return Buffer.allocUnsafeSlow(size);
  return scratch = Buffer.allocUnsafeSlow(Math.min(SCRATCH_LIMIT, 2 * size));
}

/** Puts a frame at an offset and returns the offset after it. */
function putFrame(target: Buffer, offset: number, message: Chunk): number {
  if (typeof message !== "string") {
    const start = putHeader(target, offset, BINARY, message.byteLength);
    target.set(message, start);
    return start + message.byteLength;
  }
  // Encoding tells the length, so the text goes behind the header that it most likely needs.
  const guess = headerSize(message.length);
  const size = target.write(message, offset + guess);
  const head = headerSize(size);
  if (head !== guess) target.copyWithin(offset + head, offset + guess, offset + guess + size);
  return putHeader(target, offset, TEXT, size) + size;
}

function frameAll(messages: readonly Chunk[]): Buffer {
  let most = 0;
  for (const message of messages) most += mostSize(message);
  const target = room(most);
  let end = 0;
  for (const message of messages) end = putFrame(target, end, message);
  return Buffer.from(target.subarray(0, end));
}

const many = new Memo(frameAll);
const one = new Memo(frameAll);

/** Messages as frames, one after another in one buffer, remembered for the next connection that gets the same. */
export function frames(messages: readonly Chunk[]): Buffer {
  return messages.length === 1 ? one.get(messages) : many.get(messages);
}
