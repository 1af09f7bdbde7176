/**
 * Finds where a msgpack object ends, byte by byte and without decoding it, so that a stream cut anywhere can be taken
 * apart into whole objects. Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 *
 * @module
 */
import { ToychatError } from "../../lib/errors.ts";

/** Bounds on one object. */
export interface ScanLimits {
  /** Bytes of one object. */
  readonly maxBytes: number;
  /** Arrays and maps within each other. */
  readonly maxDepth: number;
}

/** What `step` says when the header of the next value is not all there. */
const CUT = -1;

/** How the values that begin with bytes from 0xc4 on are built: bytes of their length, or bytes that follow. */
const FIXED: ReadonlyMap<number, number> = new Map([
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
]);
const SIZED: ReadonlyMap<number, number> = new Map([
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
]);

/** The error for bytes that are no reply of an agent. */
export function badReply(what: string): ToychatError {
  return new ToychatError(
    "serf_bad_reply",
    `what answers is no Serf agent, or its reply is damaged: ${what}; give the address of the agent's RPC`,
  );
}

/** Finds the end of one object after the other. */
export class ObjectScanner {
  readonly #limits: ScanLimits;
  /** Values still to come on each level, the outermost first. */
  readonly #left: number[] = [];
  /** Offset of the next value within the object. */
  #at = 0;

  /** Waits for the first byte of an object. */
  constructor(limits: ScanLimits) {
    this.#limits = limits;
  }

  /**
   * Goes on with an object that begins at `start` of `bytes`; it is at the same place of the stream as in the calls before.
   *
   * @param end Where the bytes end that are there.
   * @returns The object's length once it is whole, else 0.
   * @throws {ToychatError} `serf_bad_reply` where it breaks a limit or is no msgpack.
   */
  scan(bytes: Uint8Array, start: number, end: number): number {
    if (this.#at > 0 && this.#left.length === 0) return this.#whole(start, end);
    while (start + this.#at < end) {
      const children = this.#step(bytes, start + this.#at, end);
      if (this.#at > this.#limits.maxBytes) throw badReply(`an object over ${this.#limits.maxBytes} bytes`);
      if (children === CUT) return 0;
      if (children > 0) this.#open(children);
      else this.#close();
      if (this.#left.length === 0) return this.#whole(start, end);
    }
    return 0;
  }

  /** The object is known to its end; the bytes of its last value may still be on their way. */
  #whole(start: number, end: number): number {
    if (start + this.#at > end) return 0;
    const length = this.#at;
    this.#at = 0;
    return length;
  }

  #open(children: number): void {
    // Each takes a byte at least: an object with more of them could never be whole.
    if (children > this.#limits.maxBytes) throw badReply(`a list of ${children} values`);
    if (this.#left.length >= this.#limits.maxDepth) {
      throw badReply(`more than ${this.#limits.maxDepth} levels of lists and maps`);
    }
    this.#left.push(children);
  }

  #close(): void {
    const left = this.#left;
    while (left.length > 0) {
      const last = left.length - 1;
      left[last] = (left[last] as number) - 1;
      if (left[last] !== 0) return;
      left.pop();
    }
  }

  /** Passes one value, and says how many values are within it. */
  #step(bytes: Uint8Array, at: number, end: number): number {
    const head = bytes[at] as number;
    if (head < 0x80 || head >= 0xe0 || head === 0xc0 || head === 0xc2 || head === 0xc3) return this.#pass(1);
    if (head < 0x90) return this.#pass(1, (head - 0x80) * 2);
    if (head < 0xa0) return this.#pass(1, head - 0x90);
    if (head < 0xc0) return this.#pass(1 + head - 0xa0);
    const fixed = FIXED.get(head);
    if (fixed !== undefined) return this.#pass(1 + fixed);
    const bytesOfLength = SIZED.get(head) ?? (head === 0xdc || head === 0xde ? 2 : 4);
    if (!SIZED.has(head) && head < 0xdc) {
      throw badReply(`a value that begins with the byte 0x${head.toString(16)}`);
    }
    if (end - at < 1 + bytesOfLength) return CUT;
    const length = bigEndian(bytes, at + 1, bytesOfLength);
    if (SIZED.has(head)) return this.#pass(1 + bytesOfLength + length);
    return this.#pass(1 + bytesOfLength, head >= 0xde ? length * 2 : length);
  }

  #pass(size: number, children = 0): number {
    this.#at += size;
    return children;
  }
}

function bigEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] as number);
  return value;
}
