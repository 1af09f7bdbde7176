/**
 * A manual clock whose turns of the event loop are its own too, so that a test of several parties runs the same every
 * time.
 *
 * @module
 */
import { ManualClock } from "./manual_clock.ts";

const MICROTASKS = 8;

/** Runs what is deferred when the test says so, and lets time pass with turns in between. */
export class TurnClock extends ManualClock {
  #deferred: (() => void)[] = [];

  override defer(fn: () => void): void {
    this.#deferred.push(fn);
  }

  /** Runs promises and what was deferred until nothing is left; no time passes. */
  async settle(): Promise<void> {
    do {
      for (let i = 0; i < MICROTASKS; i++) await undefined;
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const fn of deferred) fn();
    } while (this.#deferred.length > 0);
    for (let i = 0; i < MICROTASKS; i++) await undefined;
  }

  /** Lets `ms` milliseconds pass, a turn each. */
  async run(ms: number): Promise<void> {
    await this.settle();
    for (let passed = 0; passed < ms; passed++) {
      this.advance(1);
      await this.settle();
    }
  }

  /** Lets time pass until something is so, at most `ms` milliseconds. */
  async until(condition: () => boolean, ms = 30_000): Promise<void> {
    await this.settle();
    for (let passed = 0; !condition(); passed++) {
      if (passed >= ms) throw new Error(`not so after ${ms} ms of the clock's time: ${condition}`);
      this.advance(1);
      await this.settle();
    }
  }
}
