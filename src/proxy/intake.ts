/**
 * Whether a session is read, and how fast.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Connection } from "../lib/transport.ts";
import type { ProxyLimits } from "./options.ts";
import { MessageRate, type RateHost } from "./rate.ts";

/** The reading side of one session: it is read while nobody wants it not to be. */
export class Intake implements RateHost {
  readonly clock: Clock;
  readonly #connection: Connection;
  readonly #metrics: Metrics;
  readonly #end: () => void;
  /** How many want it not to be read: its authentication, its unsent messages, its rate. */
  #pauses = 0;
  /** Undefined before the session is open, and where it may send as fast as it likes. */
  #rate: MessageRate | undefined;

  /** `end` ends the session because it sends far too fast. */
  constructor(connection: Connection, clock: Clock, metrics: Metrics, end: () => void) {
    this.#connection = connection;
    this.clock = clock;
    this.#metrics = metrics;
    this.#end = end;
  }

  /** Whether the connection is not read. */
  get paused(): boolean {
    return this.#pauses > 0;
  }

  /** Stops reading for one reason, or ends that. */
  pause(on: boolean): void {
    this.#pauses += on ? 1 : -1;
    if (on && this.#pauses === 1) this.#connection.pause();
    else if (!on && this.#pauses === 0) this.#connection.resume();
  }

  /** Counts messages from now on. */
  begin({ messageRate, messageBurst }: ProxyLimits): void {
    if (messageRate > 0) this.#rate = new MessageRate(this, messageRate, messageBurst);
  }

  /** Counts one. */
  charge(): void {
    this.#rate?.take(1);
  }

  /** See {@linkcode RateHost.limited}. */
  limited(on: boolean): void {
    if (on) this.#metrics.count("toychat_rate_limited_total");
    this.pause(on);
  }

  /** See {@linkcode RateHost.exceeded}. */
  exceeded(): void {
    this.#rate = undefined;
    this.#metrics.count("toychat_rate_exceeded_total");
    this.#end();
  }

  /** The connection has ended. */
  stop(): void {
    this.#rate?.stop();
    this.#rate = undefined;
  }
}
