/**
 * How fast one session may send.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";

/** Shortest time for which reading stops: a session at its limit is not switched on and off for each message. */
const LEAST_PAUSE_MS = 20;
/** A session that is ahead by more than what it may send in so many seconds is ended. */
export const MOST_OWED_SECONDS = 60;

/** What {@linkcode MessageRate} does to its session. */
export interface RateHost {
  readonly clock: Clock;
  /** The session is over its rate: nothing more of it is to be taken; or it has its tokens again. */
  limited(on: boolean): void;
  /** The session's messages go on being taken. Nothing is counted any more. */
  exceeded(): void;
}

/**
 * A token bucket that is filled only when it is found empty: a message costs one subtraction, and the clock is read once
 * in a burst. So a session that was quiet may send two bursts at once, and never more.
 *
 * Of one that has spent its tokens nothing is taken until it has them again: nothing is lost, and TCP pushes the client
 * back.
 */
export class MessageRate {
  readonly #host: RateHost;
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;
  #resume: Cancel | undefined;

  /** A full bucket of `burst` messages, filled at `rate` messages a second. */
  constructor(host: RateHost, rate: number, burst: number) {
    this.#host = host;
    this.#perMs = rate / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledAt = host.clock.now();
  }

  /** Takes tokens for messages that have come. */
  take(count: number): void {
    this.#tokens -= count;
    if (this.#tokens < 0) this.#spent();
  }

  /** Adds what has come in since the last time, at most so much. */
  #fill(most: number): void {
    const now = this.#host.clock.now();
    const more = Math.min(most, (now - this.#filledAt) * this.#perMs);
    this.#tokens = Math.min(this.#burst, this.#tokens + more);
    this.#filledAt = now;
  }

  #spent(): void {
    if (!this.#resume) this.#fill(this.#burst);
    if (this.#tokens >= 0) return;
    if (-this.#tokens > this.#perMs * 1000 * MOST_OWED_SECONDS) return this.#host.exceeded();
    if (this.#resume) return;
    this.#wait();
    this.#host.limited(true);
  }

  #wait(): void {
    const ms = Math.max(LEAST_PAUSE_MS, Math.ceil(-this.#tokens / this.#perMs));
    this.#resume = this.#host.clock.after(ms, () => this.#refilled());
  }

  #refilled(): void {
    this.#fill(Infinity);
    if (this.#tokens < 0) return this.#wait();
    this.#resume = undefined;
    this.#host.limited(false);
  }

  /** The session has ended. */
  stop(): void {
    this.#resume?.();
    this.#resume = undefined;
  }
}
