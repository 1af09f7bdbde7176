/**
 * Whether a session is read, and how fast.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import { Deque } from "../lib/deque.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Connection } from "../lib/transport.ts";
import type { Chunk } from "../protocols/protocol.ts";
import type { ProxyLimits } from "./options.ts";
import { MessageRate, MOST_OWED_SECONDS, type RateHost } from "./rate.ts";

/** Bytes of chunks that a connection may bring although it is not read, beside the last one. */
const MOST_WAITING_BYTES = 1 << 20;

/** The session whose reading side this is. */
export interface IntakeHost {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Takes a chunk that waited. */
  take(chunk: Chunk): void;
  /** The protocol may read on. */
  resume(): void;
  /** Messages that the protocol has and has not read. */
  waiting(): number;
  /** Ends the session: it sends far too fast. */
  end(): void;
}

/**
 * The reading side of one session: it is read while nobody wants it not to be.
 *
 * Where it is over its rate, what has come already waits: in the protocol what is left of the chunk that it reads, and
 * here the chunks that a connection brings although it is not read. All of it is taken in order, as the rate allows.
 */
export class Intake implements RateHost {
  readonly clock: Clock;
  readonly #connection: Connection;
  readonly #host: IntakeHost;
  /** How many want it not to be read: its authentication, its unsent messages, its rate. */
  #pauses = 0;
  /** Undefined before the session is open, and where it may send as fast as it likes. */
  #rate: MessageRate | undefined;
  /** Messages that may wait. */
  #mostWaiting = Infinity;
  #held = false;
  /** Whether it is not read for its rate: it is held, or something waits. */
  #holding = false;
  readonly #chunks: Deque<Chunk> = new Deque();
  #bytes = 0;

  /** Everything is read at first. */
  constructor(connection: Connection, host: IntakeHost) {
    this.#connection = connection;
    this.#host = host;
    this.clock = host.clock;
  }

  /** Whether the connection is not read. */
  get paused(): boolean {
    return this.#pauses > 0;
  }

  /** Whether it has sent as much as it may: nothing more is to be taken now. */
  get held(): boolean {
    return this.#held;
  }

  /** Stops reading for one reason, or ends that. */
  pause(on: boolean): void {
    this.#pauses += on ? 1 : -1;
    if (on && this.#pauses === 1) this.#connection.pause();
    if (on || this.#pauses > 0) return;
    this.#connection.resume();
    this.#host.resume();
  }

  /** Counts messages from now on. */
  begin({ messageRate, messageBurst }: ProxyLimits): void {
    if (messageRate <= 0) return;
    this.#mostWaiting = messageRate * MOST_OWED_SECONDS;
    this.#rate = new MessageRate(this, messageRate, messageBurst);
  }

  /** Counts one. */
  charge(): void {
    this.#rate?.take(1);
  }

  /** Keeps a chunk whose turn has not come; `false` where it is to be taken now. */
  keep(chunk: Chunk): boolean {
    if (!this.#holding) return false;
    const most = this.#bytes > MOST_WAITING_BYTES;
    // The memory of bytes is their transport's.
    this.#chunks.push(typeof chunk === "string" ? chunk : new Uint8Array(chunk));
    this.#bytes += chunk.length;
    if (most) this.exceeded();
    else this.#bound();
    return true;
  }

  #bound(): void {
    const waiting = this.#chunks.length + this.#host.waiting();
    if (waiting > this.#mostWaiting) this.exceeded();
  }

  /** See {@linkcode RateHost.limited}. */
  limited(on: boolean): void {
    this.#held = on;
    if (!on) return this.#goOn();
    if (this.#holding) return;
    this.#holding = true;
    this.#host.metrics.count("toychat_rate_limited_total");
    this.pause(true);
    this.#bound();
  }

  #goOn(): void {
    this.#takeWaiting();
    if (this.#held || !this.#holding) return;
    this.#holding = false;
    this.pause(false);
  }

  /** Takes what waits, in order, until the session is over its rate again. */
  #takeWaiting(): void {
    if (!this.#held) this.#host.resume();
    while (!this.#held) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) return;
      this.#bytes -= chunk.length;
      this.#host.take(chunk);
    }
  }

  /** See {@linkcode RateHost.exceeded}. */
  exceeded(): void {
    if (!this.#rate) return;
    this.stop();
    this.#host.metrics.count("toychat_rate_exceeded_total");
    this.#host.end();
  }

  /** Takes everything that waits: what came before the end counts, and nothing comes after it. */
  finish(): void {
    this.#rate?.stop();
    this.#rate = undefined;
    this.#held = false;
    if (this.#holding) this.#takeWaiting();
  }

  /** The connection has ended. */
  stop(): void {
    this.#rate?.stop();
    this.#rate = undefined;
    while (this.#chunks.shift());
    this.#bytes = 0;
  }
}
