/**
 * Requests that wait for something to change: how a runtime that can only fetch follows the members.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";

interface Waiter {
  readonly unchanged: () => boolean;
  readonly wake: () => void;
}

/** Milliseconds that a request may wait. */
export const MAX_WAIT_MS = 25_000;

/** The requests that wait. */
export class RpcWaiters {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #waiters: Set<Waiter> = new Set();
  #stopped = false;

  /** None at first, and never more than `most`. */
  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
  }

  /** How many there are. */
  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Resolves when `unchanged` gives false after a change, after `waitMs`, or when the caller has gone; at once where there is
   * nothing to wait for.
   *
   * @throws {ToychatError} `too_many_waiters`.
   */
  wait(unchanged: () => boolean, waitMs: number, gone?: AbortSignal): Promise<void> {
    if (waitMs === 0 || this.#stopped || gone?.aborted || !unchanged()) return Promise.resolve();
    if (this.#waiters.size >= this.#most) {
      throw new ToychatError(
        "too_many_waiters",
        `${this.#most} requests wait already: ask again without waitMs`,
      );
    }
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        gone?.removeEventListener("abort", wake);
        this.#waiters.delete(waiter);
        resolve();
      };
      const waiter: Waiter = { unchanged, wake };
      const cancel = this.#clock.after(waitMs, wake);
      gone?.addEventListener("abort", wake);
      this.#waiters.add(waiter);
    });
  }

  /** Something has changed: wakes those who waited for that. */
  changed(): void {
    for (const waiter of this.#waiters) if (!waiter.unchanged()) waiter.wake();
  }

  /** Wakes all, and lets nobody wait any more. */
  stop(): void {
    this.#stopped = true;
    for (const waiter of this.#waiters) waiter.wake();
  }
}
