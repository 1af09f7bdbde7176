/**
 * Noticing that a client has fallen silent.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";

/**
 * Calls back once when nothing was heard for a time. Hearing something only notes when: the timer is set anew when it
 * fires, not for every message.
 */
export class Keepalive {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #silent: () => void;
  #heardAt: number;
  #cancel: Cancel | undefined;

  /** Starts the watch; `silent` is called after `ms` milliseconds without {@linkcode heard}. */
  constructor(clock: Clock, ms: number, silent: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#silent = silent;
    this.#heardAt = clock.now();
    this.#cancel = clock.after(ms, () => this.#check());
  }

  /** Notes that the client said something. */
  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  /** Ends the watch. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #check(): void {
    if (this.#cancel === undefined) return;
    const left = this.#heardAt + this.#ms - this.#clock.now();
    if (left > 0) {
      this.#cancel = this.#clock.after(left, () => this.#check());
      return;
    }
    this.#cancel = undefined;
    this.#silent();
  }
}
