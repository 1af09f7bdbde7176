/**
 * What a link has sent and the peer has not confirmed.
 *
 * @module
 */
import { Deque } from "../lib/deque.ts";
import type { EncodedFrame } from "./link.ts";

/** Frames in the order of their numbers, from the first that is not confirmed. */
export class Unconfirmed {
  readonly #frames: Deque<EncodedFrame> = new Deque();
  #confirmed = 0;
  #size = 0;
  /** Frames up to `last` were sent by `at`: looked at now and then, so it tells the age of the oldest roughly. */
  readonly #marks: Deque<{ last: number; at: number }> = new Deque();
  #marked = 0;

  /** Number of the last frame that was added. */
  get last(): number {
    return this.#confirmed + this.#frames.length;
  }

  /** Number of the last frame that was confirmed. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** Length of the text of all frames, in UTF-16 code units. */
  get size(): number {
    return this.#size;
  }

  /** Adds a frame; returns its number. */
  add(frame: EncodedFrame): number {
    this.#frames.push(frame);
    this.#size += frame.length;
    return this.last;
  }

  /** Forgets the frames up to `n`. */
  confirm(n: number): void {
    while (this.#confirmed < n) {
      const frame = this.#frames.shift();
      if (frame === undefined) return;
      this.#size -= frame.length;
      this.#confirmed++;
    }
  }

  /** The frames after number `n` as lines, each with its number. */
  linesAfter(n: number): string {
    let lines = "";
    const { length } = this.#frames;
    for (let i = n - this.#confirmed; i < length; i++) {
      const frame = this.#frames.at(i) as EncodedFrame;
      lines += `{"n":${this.#confirmed + i + 1},${frame}\n`;
    }
    return lines;
  }

  /** Notes the time; returns for how long, at least, the oldest frame has waited. */
  age(now: number): number {
    for (let mark = this.#marks.peek(); mark && mark.last <= this.#confirmed; mark = this.#marks.peek()) {
      this.#marks.shift();
    }
    const { last } = this;
    if (last > this.#marked && last > this.#confirmed) {
      this.#marks.push({ last, at: now });
      this.#marked = last;
    }
    return now - (this.#marks.peek()?.at ?? now);
  }

  /** Lets `ms` milliseconds not count for the age: this side was not there to take confirmations. */
  excuse(ms: number): void {
    for (const mark of this.#marks) mark.at += ms;
  }

  /** Counts the age of every frame from now on: the peer gets a new connection. */
  rejuvenate(): void {
    while (this.#marks.shift());
    this.#marked = 0;
  }

  /** Forgets everything. */
  clear(): void {
    this.confirm(this.last);
    this.rejuvenate();
  }
}
