/**
 * Many small chunks as one: a system call costs more than copying a few kilobytes. A room's members get the same
 * chunks one after another, so the last result is kept and given again when the next call has the same chunks.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** One thing to send. */
export type Chunk = Uint8Array | string;

/** Results larger than this are not kept, so that a big message does not stay in memory after its last reader. */
const KEEP_LIMIT = 1 << 20;

/**
 * Remembers the last result for a list of chunks. Chunks are compared one by one, arrays by identity and strings by
 * content; that is sound because a chunk must not change after it was sent.
 */
export class Memo {
  #chunks: readonly Chunk[] = [];
  #result: Buffer | undefined = undefined;
  readonly #make: (chunks: readonly Chunk[]) => Buffer;

  /** Makes a memo for one way of joining. */
  constructor(make: (chunks: readonly Chunk[]) => Buffer) {
    this.#make = make;
  }

  /** The joined chunks. The buffer is shared: it must not be written to. */
  get(chunks: readonly Chunk[]): Buffer {
    if (this.#result && same(this.#chunks, chunks)) return this.#result;
    const result = this.#make(chunks);
    if (result.length <= KEEP_LIMIT) {
      this.#chunks = chunks.slice();
      this.#result = result;
    }
    return result;
  }
}

function same(a: readonly Chunk[], b: readonly Chunk[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Length of a chunk in bytes, a string counted as UTF-8. */
export function sizeOf(chunk: Chunk): number {
  return typeof chunk === "string" ? Buffer.byteLength(chunk) : chunk.byteLength;
}

/** Length of many chunks in bytes. */
export function totalSize(chunks: readonly Chunk[]): number {
  let total = 0;
  for (const chunk of chunks) total += sizeOf(chunk);
  return total;
}

/** The bytes of a chunk. */
export function bytesOf(chunk: Chunk): Uint8Array {
  return typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}

/** All chunks in one new buffer. */
export function concat(chunks: readonly Chunk[]): Buffer {
  // One conversion of a long string costs far less than one of each part.
  if (chunks.every((chunk) => typeof chunk === "string")) return Buffer.from(chunks.join(""));
  const target = Buffer.allocUnsafe(totalSize(chunks));
  let offset = 0;
  for (const chunk of chunks) {
    if (typeof chunk === "string") offset += target.write(chunk, offset);
    else {
      target.set(chunk, offset);
      offset += chunk.byteLength;
    }
  }
  return target;
}

const joined = new Memo(concat);

/** All chunks in one buffer, remembered for the next connection that gets the same. Do not write to it. */
export function join(chunks: readonly Chunk[]): Buffer {
  return joined.get(chunks);
}
