/**
 * Noticing that a client has fallen silent.
 *
 * @module
 */
import type { Cancel } from "../lib/clock.ts";
import type { ClientChannel } from "./protocol.ts";

/**
 * A look that comes so late shows that this process was held up itself, and has not read what the client said meanwhile.
 * In milliseconds; an eighth of the whole time where that is less.
 */
const LATE_MS = 1000;
/** In a process that is always late a client that says nothing is silent all the same, if later. */
const MOST_LATE = 2;

/**
 * Calls back once when nothing was heard for a time. Hearing something only notes when: the timer is set anew when it
 * fires, not for every message. While the proxy itself does not read the client, because it does not want to or was held
 * up, the client is not silent.
 */
export class Keepalive {
  readonly #channel: ClientChannel;
  readonly #ms: number;
  readonly #askMs: number;
  readonly #silent: () => void;
  #heardAt: number;
  #dueAt = 0;
  #late = 0;
  #asked = false;
  #cancel: Cancel | undefined;

  /**
   * Starts the watch; `silent` is called after `ms` milliseconds without {@linkcode heard}.
   *
   * @param asks Whether the client is asked by a ping when half of the time has gone by.
   */
  constructor(channel: ClientChannel, ms: number, silent: () => void, asks = false) {
    this.#channel = channel;
    this.#ms = ms;
    this.#askMs = asks ? ms / 2 : ms;
    this.#silent = silent;
    this.#heardAt = channel.clock.now();
    this.#wait(this.#askMs);
  }

  /** Notes that the client said something. */
  heard(): void {
    this.#heardAt = this.#channel.clock.now();
    this.#asked = false;
    this.#late = 0;
  }

  /** Ends the watch. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(ms: number): void {
    this.#dueAt = this.#channel.clock.now() + ms;
    this.#cancel = this.#channel.clock.after(ms, () => this.#check());
  }

  #check(): void {
    if (this.#cancel === undefined) return;
    if (this.#channel.paused) this.heard();
    const now = this.#channel.clock.now();
    if (now - this.#dueAt >= Math.min(LATE_MS, this.#ms / 8) && this.#late++ < MOST_LATE) {
      this.#heardAt = Math.max(this.#heardAt, now - this.#ms / 2);
    }
    const silence = now - this.#heardAt;
    if (silence >= this.#ms) {
      this.#cancel = undefined;
      return this.#silent();
    }
    if (silence >= this.#askMs && !this.#asked) {
      this.#asked = true;
      this.#channel.ping();
    }
    this.#wait((this.#asked ? this.#ms : this.#askMs) - silence);
  }
}
