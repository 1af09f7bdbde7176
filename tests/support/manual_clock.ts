/**
 * A clock that stands still until a test moves it.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Cancel, Clock } from "../../src/lib/clock.ts";

interface Timer {
  at: number;
  readonly order: number;
  readonly every: number | undefined;
  readonly fn: () => void;
}

/** Time moves by `advance` alone; chance comes from a seed. */
export class ManualClock implements Clock {
  readonly #timers: Set<Timer> = new Set();
  #now = 1_000_000;
  #order = 0;
  #state: number;

  /** Two clocks of one seed draw the same numbers. */
  constructor(seed = 1) {
    this.#state = seed >>> 0;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return 1_700_000_000_000 + this.#now;
  }

  after(ms: number, fn: () => void): Cancel {
    return this.#add(ms, undefined, fn);
  }

  every(ms: number, fn: () => void): Cancel {
    return this.#add(ms, ms, fn);
  }

  defer(fn: () => void): void {
    setImmediate(fn);
  }

  random(): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  randomBytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.random() * 256));
  }

  /** Moves time on by `ms` and calls what falls due on the way, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#now = Math.max(this.#now, timer.at);
      if (timer.every === undefined) this.#timers.delete(timer);
      else timer.at += timer.every;
      timer.fn();
    }
    this.#now = end;
  }

  /** Moves time on without calling anything, as for a process that is frozen; what fell due is called by `advance`. */
  freeze(ms: number): void {
    this.#now += ms;
  }

  #add(ms: number, every: number | undefined, fn: () => void): Cancel {
    const timer: Timer = { at: this.#now + ms, order: this.#order++, every, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}
