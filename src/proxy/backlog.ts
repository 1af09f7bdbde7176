/**
 * How much may wait for a client that does not read.
 *
 * @module
 */
import type { Chunk } from "../protocols/protocol.ts";

/** Bytes of answers that may wait for a client beside what waits of deliveries. */
const ANSWER_BYTES = 64 << 10;

/** The bound of one session: the limit, and one message that is longer than that by itself. */
export class Backlog {
  readonly #limit: number;
  /** Length of the long message that waits, or has waited last. */
  #long = 0;

  /** Bounds what waits by `limit` bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that may wait. */
  get most(): number {
    return this.#limit + this.#long;
  }

  /** The same with answers, which are not left out. */
  get mostWithAnswers(): number {
    return this.most + ANSWER_BYTES;
  }

  /** Whether `bytes` more may wait, in these chunks: who keeps up is not slow because one message is long. */
  takes(waiting: number, bytes: number, chunks: readonly Chunk[]): boolean {
    if (waiting + bytes <= this.#limit) return true;
    if (waiting <= this.#limit) {
      this.#long = 0;
      for (const { length } of chunks) if (length > this.#limit) this.#long = Math.max(this.#long, length);
    }
    return waiting + bytes <= this.most;
  }
}
