/**
 * When a connection was last used, either way, and what follows from that.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import type { LinkOptions } from "./options.ts";

/** How often a second's worth of time is looked at: a quarter of the shortest of the times. */
const TICKS = 4;

/** What a heartbeat asks for. */
export interface HeartbeatHost {
  /**
   * Time has passed.
   *
   * @param late Milliseconds for which this process was held up itself; they must not be counted against the peer,
   * because what it sent meanwhile is still to be read.
   * @returns false where the connection is over.
   */
  tick(now: number, late: number): boolean;
  /** Nothing was received for too long. */
  silent(): void;
  /** Nothing was sent for a while. */
  ping(): void;
}

/** The heartbeat of one connection after the other. */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #options: LinkOptions;
  readonly #host: HeartbeatHost;
  #heardAt = 0;
  #spokeAt = 0;
  #tickedAt = 0;
  #cancel: Cancel | undefined;

  /** Does nothing before `start`. */
  constructor(clock: Clock, options: LinkOptions, host: HeartbeatHost) {
    this.#clock = clock;
    this.#options = options;
    this.#host = host;
  }

  /** Begins with a new connection. */
  start(): void {
    this.stop();
    this.#heardAt = this.#spokeAt = this.#tickedAt = this.#clock.now();
    const every = Math.min(this.#options.pingMs, this.#options.silenceMs, this.#options.confirmMs) / TICKS;
    this.#cancel = this.#clock.every(every, () => this.#tick(every));
  }

  /** The connection is over. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Something was received. */
  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  /** Something was sent. */
  spoke(): void {
    this.#spokeAt = this.#clock.now();
  }

  #tick(every: number): void {
    const now = this.#clock.now();
    const behind = now - this.#tickedAt - every;
    const late = behind > every ? behind : 0;
    this.#tickedAt = now;
    this.#heardAt = Math.min(now, this.#heardAt + late);
    if (!this.#host.tick(now, late)) return;
    if (now - this.#heardAt >= this.#options.silenceMs) this.#host.silent();
    else if (now - this.#spokeAt >= this.#options.pingMs) this.#host.ping();
  }
}
