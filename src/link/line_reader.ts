/**
 * Bytes to lines.
 *
 * @module
 */

const NEWLINE = 10;
const NOTHING = new Uint8Array(0);
const FIRST_CAPACITY = 64;

const encoder = new TextEncoder();
// ignoreBOM keeps a byte order mark in the text, where JSON refuses it.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Why a line reader stops: bytes that are not UTF-8, or a line over the limit. */
export type LineFault = "not_utf8" | "line_too_long";

/** Splits a stream of bytes, in any chunks, into lines of UTF-8 that end with a newline. */
export class LineReader {
  /** Longest line, in bytes without its newline; may change between lines. */
  limit: number;
  /** The start of a line whose end has not arrived: `#heldBytes` of it. A copy: a chunk's memory is its transport's. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;

  /** Makes a reader that takes lines of up to `limit` bytes. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /**
   * Takes a chunk and hands over each line that it completes, in order, without its newline.
   *
   * @param line Returns `false` to have the rest dropped.
   * @returns what is wrong with the bytes; the reader is of no use any more then.
   */
  push(chunk: Uint8Array, line: (text: string) => boolean): LineFault | undefined {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end < 0) return this.#hold(chunk);
    const bytes = this.#complete(chunk.subarray(0, end));
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch {
      return "not_utf8";
    }
    let from = 0;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
      const one = text.slice(from, at);
      if (this.#tooLong(one)) return "line_too_long";
      if (!line(one)) return undefined;
      from = at + 1;
    }
    const last = text.slice(from);
    if (this.#tooLong(last)) return "line_too_long";
    if (!line(last)) return undefined;
    return this.#hold(chunk.subarray(end + 1));
  }

  #hold(rest: Uint8Array): LineFault | undefined {
    if (rest.length === 0) return undefined;
    const bytes = this.#heldBytes + rest.length;
    if (bytes > this.limit) return "line_too_long";
    if (bytes > this.#held.length) {
      // Doubles, so that a line that comes byte by byte is not copied for each of them.
      const grown = new Uint8Array(Math.max(bytes, FIRST_CAPACITY, this.#held.length * 2));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(rest, this.#heldBytes);
    this.#heldBytes = bytes;
    return undefined;
  }

  /** What was held, with `rest` behind it. */
  #complete(rest: Uint8Array): Uint8Array {
    if (this.#heldBytes === 0) return rest;
    const all = new Uint8Array(this.#heldBytes + rest.length);
    all.set(this.#held.subarray(0, this.#heldBytes));
    all.set(rest, this.#heldBytes);
    this.#held = NOTHING;
    this.#heldBytes = 0;
    return all;
  }

  #tooLong(line: string): boolean {
    // One UTF-16 code unit is one to three bytes of UTF-8: most lines need no counting.
    if (line.length * 3 <= this.limit) return false;
    return line.length > this.limit || encoder.encode(line).length > this.limit;
  }
}
