/**
 * Requests that wait for the view to change: how a runtime that can only fetch follows the members.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";

interface Waiter {
  readonly known: string;
  readonly wake: () => void;
}

const MAX_WAITERS = 1024;
/** Milliseconds that a request may wait. */
export const MAX_WAIT_MS = 25_000;

/** The requests that wait. */
export class ViewWaiters {
  readonly #clock: Clock;
  readonly #waiters: Set<Waiter> = new Set();

  /** None at first. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Resolves when the view has another digest than `known`, or after `waitMs`.
   *
   * @throws {ToychatError} `too_many_waiters`.
   */
  wait(known: string, waitMs: number): Promise<void> {
    if (this.#waiters.size >= MAX_WAITERS) {
      throw new ToychatError(
        "too_many_waiters",
        `${MAX_WAITERS} requests wait already: ask again without waitMs`,
      );
    }
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#waiters.delete(waiter);
        resolve();
      };
      const waiter: Waiter = { known, wake };
      const cancel = this.#clock.after(waitMs, wake);
      this.#waiters.add(waiter);
    });
  }

  /** Wakes those that know another view than this; without a digest, all. */
  wake(digest?: string): void {
    for (const waiter of this.#waiters) if (waiter.known !== digest) waiter.wake();
  }
}
