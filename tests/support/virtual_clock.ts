/**
 * Virtual time for whole clusters: it jumps from timer to timer, and everything in it follows from a seed.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Cancel, Clock } from "../../src/lib/clock.ts";

/** Numbers from a seed (mulberry32). */
export class Random {
  #state: number;

  /** Two of one seed draw the same numbers. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 inclusive to 1 exclusive. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from 0 to `n`, exclusive. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  /** Whether something of this probability happens. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of them. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

interface Timer {
  readonly at: number;
  readonly order: number;
  fn: (() => void) | undefined;
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** A clock that passes when told to. All that is due at one instant runs in one turn, as in an event loop. */
export class VirtualClock implements Clock {
  readonly #random: Random;
  readonly #heap: Timer[] = [];
  #deferred: (() => void)[] = [];
  #now = 0;
  #order = 0;
  #driven = false;
  #turns: number;

  /**
   * Two clocks of one seed run the same.
   *
   * @param turns After so many turns of the event loop it throws: what it drives would never end.
   */
  constructor(seed = 1, turns = Infinity) {
    this.#random = new Random(seed);
    this.#turns = turns;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return 1_700_000_000_000 + this.#now;
  }

  after(ms: number, fn: () => void): Cancel {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fn };
    this.#push(timer);
    return () => {
      timer.fn = undefined;
    };
  }

  every(ms: number, fn: () => void): Cancel {
    let cancel: Cancel;
    const again = (): void => {
      cancel = this.after(ms, () => {
        again();
        fn();
      });
    };
    again();
    return () => cancel();
  }

  defer(fn: () => void): void {
    this.#deferred.push(fn);
  }

  random(): number {
    return this.#random.next();
  }

  randomBytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#random.below(256));
  }

  /** Lets everything run that needs no time to pass. */
  async settle(): Promise<void> {
    do {
      if (this.#turns-- <= 0) throw new Error(`there is no end to what happens at ${this.#now} ms`);
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const fn of deferred) fn();
      // A turn of the real event loop: every promise that can go on has done so.
      await new Promise((resolve) => setImmediate(resolve));
    } while (this.#deferred.length > 0);
  }

  /** Lets `ms` milliseconds pass. */
  async run(ms: number): Promise<void> {
    await this.until(() => false, ms);
  }

  /** Lets time pass until something is so, at most `ms` milliseconds; says whether it came to be. */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    if (this.#driven) throw new Error("two at once let time pass: await one before the other");
    this.#driven = true;
    try {
      return await this.#drive(condition, this.#now + ms);
    } finally {
      this.#driven = false;
    }
  }

  async #drive(condition: () => boolean, end: number): Promise<boolean> {
    await this.settle();
    while (!condition()) {
      const next = this.#heap[0];
      if (!next || next.at > end) {
        this.#now = end;
        return condition();
      }
      this.#now = Math.max(this.#now, next.at);
      for (let timer = this.#heap[0]; timer && timer.at <= this.#now; timer = this.#heap[0]) {
        this.#pop();
        timer.fn?.();
      }
      await this.settle();
    }
    return true;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let i = heap.push(timer) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(timer, heap[parent] as Timer)) break;
      heap[i] = heap[parent] as Timer;
      i = parent;
    }
    heap[i] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Timer;
    if (heap.length === 0) return;
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer)) child++;
      if (!before(heap[child] as Timer, last)) break;
      heap[i] = heap[child] as Timer;
      i = child;
    }
    heap[i] = last;
  }
}

/** The clock of one process in virtual time, which can freeze and die. */
export class ProcessClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #random: Random | undefined;
  /** Whether the process lives: after its death nothing of it is called any more. */
  alive = true;
  /** What a frozen process will call when it wakes. */
  #frozen: (() => void)[] | undefined;

  /** Runs on `clock`. With `random` it draws from that: what other processes draw makes no difference to it then. */
  constructor(clock: VirtualClock, random?: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  now(): number {
    return this.#clock.now();
  }

  wallTime(): number {
    return this.#clock.wallTime();
  }

  after(ms: number, fn: () => void): Cancel {
    return this.#clock.after(ms, this.#living(fn));
  }

  every(ms: number, fn: () => void): Cancel {
    return this.#clock.every(ms, this.#living(fn));
  }

  defer(fn: () => void): void {
    this.#clock.defer(this.#living(fn));
  }

  random(): number {
    return this.#random?.next() ?? this.#clock.random();
  }

  randomBytes(length: number): Uint8Array {
    const random = this.#random;
    if (!random) return this.#clock.randomBytes(length);
    return Uint8Array.from({ length }, () => random.below(256));
  }

  /** Runs something that comes from outside, as an event of a socket: later where it is frozen, never once it is dead. */
  outside(fn: () => void): void {
    if (!this.alive) return;
    if (this.#frozen) this.#frozen.push(this.#living(fn));
    else fn();
  }

  /** Calls nothing until `thaw`. */
  freeze(): void {
    this.#frozen ??= [];
  }

  /** Calls what fell due meanwhile, and goes on. */
  thaw(): void {
    const due = this.#frozen ?? [];
    this.#frozen = undefined;
    for (const fn of due) this.#clock.defer(fn);
  }

  #living(fn: () => void): () => void {
    const run = (): void => {
      if (!this.alive) return;
      if (this.#frozen) this.#frozen.push(run);
      else fn();
    };
    return run;
  }
}
