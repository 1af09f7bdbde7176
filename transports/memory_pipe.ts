/**
 * One direction of a connection in memory: an ordered queue whose head is handed over when its time has come.
 *
 * @module
 */

import type { Cancel, Clock } from "../src/lib/clock.ts";

/** What travels: a chunk or message, or the end of a connection. */
export type Parcel =
  | { readonly kind: "data"; readonly chunk: Uint8Array | string; readonly size: number }
  | { readonly kind: "open" }
  | { readonly kind: "ping" }
  | { readonly kind: "pong" }
  | { readonly kind: "end"; readonly code: number; readonly reason: string }
  | { readonly kind: "reset"; readonly message: string };

/** The receiving end of a pipe. */
export interface PipeEnd {
  /** Whether it takes data and an orderly end now; a reset and an opening come through all the same. */
  readonly reading: boolean;
  /** Takes one parcel. */
  receive(parcel: Parcel): void;
}

interface Waiting {
  readonly parcel: Parcel;
  /** Clock time from which it may arrive; `Infinity` while it is held. */
  due: number;
}

/** A queue from one end of a connection to the other. Order is kept whatever the delays are. */
export class Pipe {
  /** Bytes on the way. */
  size = 0;
  readonly #clock: Clock;
  readonly #receiver: PipeEnd;
  readonly #delay: (parcel: Parcel) => number;
  readonly #moved: () => void;
  #queue: Waiting[] = [];
  #cancel: Cancel | undefined = undefined;
  #scheduledFor = Infinity;
  #running = false;

  /**
   * Makes a pipe. `delay` is asked once for each parcel and gives milliseconds, or `Infinity` to hold it; `moved` is
   * called after parcels have arrived.
   */
  constructor(clock: Clock, receiver: PipeEnd, delay: (parcel: Parcel) => number, moved: () => void) {
    this.#clock = clock;
    this.#receiver = receiver;
    this.#delay = delay;
    this.#moved = moved;
  }

  /** Sends a parcel on its way. */
  put(parcel: Parcel): void {
    if (parcel.kind === "data") this.size += parcel.size;
    this.#queue.push({ parcel, due: this.#clock.now() + this.#delay(parcel) });
    if (this.#queue.length === 1) this.schedule();
  }

  /** Drops everything on its way, but the word that the connection stands, which the other side waits for. */
  clear(): void {
    this.#queue = this.#queue.filter((waiting) => waiting.parcel.kind === "open");
    this.size = 0;
    this.#unschedule();
    this.schedule();
  }

  /** Asks again for the delay of everything that is held. */
  retry(): void {
    const now = this.#clock.now();
    for (const waiting of this.#queue) {
      if (waiting.due === Infinity) waiting.due = now + this.#delay(waiting.parcel);
    }
    this.schedule();
  }

  /** Sees to it that the head arrives when it may. */
  schedule(): void {
    const head = this.#queue[0];
    if (!head || this.#running || head.due === Infinity || !this.#passes(head.parcel)) return;
    if (head.due === this.#scheduledFor) return;
    this.#unschedule();
    this.#scheduledFor = head.due;
    const wait = head.due - this.#clock.now();
    let cancelled = false;
    const run = () => {
      if (!cancelled) this.#run();
    };
    if (wait > 0) this.#cancel = this.#clock.after(wait, run);
    else {
      this.#cancel = () => cancelled = true;
      this.#clock.defer(run);
    }
  }

  #unschedule(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#scheduledFor = Infinity;
  }

  #passes(parcel: Parcel): boolean {
    return parcel.kind === "reset" || parcel.kind === "open" || this.#receiver.reading;
  }

  #run(): void {
    this.#unschedule();
    this.#running = true;
    const now = this.#clock.now();
    // What is sent while this goes on waits for the next turn, as it would on a wire.
    for (let left = this.#queue.length; left > 0; left--) {
      const head = this.#queue[0];
      if (!head || head.due > now || !this.#passes(head.parcel)) break;
      this.#queue.shift();
      if (head.parcel.kind === "data") this.size -= head.parcel.size;
      this.#receiver.receive(head.parcel);
    }
    this.#running = false;
    this.#moved();
    this.schedule();
  }
}
