/**
 * What waits to be written to one client, and how much of it may.
 *
 * @module
 */
import { utf8Bytes } from "../lib/body_size.ts";
import type { Connection } from "../lib/transport.ts";
import type { Chunk } from "../protocols/protocol.ts";

/** Bytes of answers that may wait for a client beside what waits of deliveries. */
const ANSWER_BYTES = 64 << 10;
/** Characters from which on a text's bytes are counted. */
const LONG_TEXT = 64 << 10;

/** The same text goes to client after client. */
let counted = { text: "", bytes: 0 };

function bytesOf(chunk: Chunk): number {
  if (typeof chunk !== "string" || chunk.length < LONG_TEXT) return chunk.length;
  if (counted.text !== chunk) counted = { text: chunk, bytes: utf8Bytes(chunk) };
  return counted.bytes;
}

/** Bytes in chunks; a short text counts its characters. */
export function totalBytes(chunks: readonly Chunk[]): number {
  let bytes = 0;
  for (const chunk of chunks) bytes += bytesOf(chunk);
  return bytes;
}

/**
 * The chunks of this turn, and how much waits with them and in the connection. Its bound is for clients that do not read:
 * what alone is longer than may wait is let through where no more than may waits before it.
 */
export class Outgoing {
  readonly #connection: Connection;
  readonly #most: number;
  #chunks: Chunk[] = [];
  #bytes = 0;
  /** Bytes of something longer than may wait, until no more waits than may. */
  #large = 0;

  /** `most`: bytes that may wait. */
  constructor(connection: Connection, most: number) {
    this.#connection = connection;
    this.#most = most;
  }

  /** Whether nothing is to be written. */
  get empty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Adds deliveries; `false`, and nothing is added, where too much waits already. */
  deliver(chunks: readonly Chunk[], bytes: number): boolean {
    if (this.#connection.bufferedAmount + this.#bytes + bytes > this.#most && !this.#letsBy(bytes, 0)) {
      return false;
    }
    for (const chunk of chunks) if (chunk.length > 0) this.#chunks.push(chunk);
    this.#bytes += bytes;
    return true;
  }

  #letsBy(bytes: number, beside: number): boolean {
    // What has not been offered to the connection does not wait for the client.
    this.#write();
    const waiting = this.#connection.bufferedAmount;
    if (waiting <= this.#most) this.#large = bytes > this.#most ? bytes : 0;
    return waiting + bytes <= this.#most + beside + this.#large;
  }

  /** Adds an answer; `false` where that is too much. */
  answer(chunk: Chunk): boolean {
    const bytes = bytesOf(chunk);
    const most = this.#most + ANSWER_BYTES + this.#large;
    if (this.#bytes + bytes > most && !this.#letsBy(bytes, ANSWER_BYTES)) return false;
    this.#chunks.push(chunk);
    this.#bytes += bytes;
    return true;
  }

  /** Writes what was added; `false` where too much waits in the connection then. */
  flush(): boolean {
    return this.#write() || this.#connection.bufferedAmount <= this.#most + ANSWER_BYTES + this.#large;
  }

  #write(): boolean {
    const chunks = this.#chunks;
    if (chunks.length === 0) return true;
    this.#chunks = [];
    this.#bytes = 0;
    return chunks.length === 1 ? this.#connection.send(chunks[0] as Chunk) : this.#connection.sendAll(chunks);
  }

  /** Drops what was not written. */
  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }
}
