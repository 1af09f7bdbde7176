/**
 * The limits and times of links.
 *
 * @module
 */

/** Limits and times of links; each has a default in {@linkcode LINK_OPTIONS}. Both sides should agree on them. */
export interface LinkOptions {
  /** Milliseconds of own silence after which a `ping` is sent. */
  readonly pingMs: number;
  /** Milliseconds in which nothing arrived after which a connection is taken for lost. */
  readonly silenceMs: number;
  /** Milliseconds for which a link waits for a new connection after it lost one. */
  readonly resumeMs: number;
  /** Milliseconds for which a frame may stay unconfirmed while connected. */
  readonly confirmMs: number;
  /** Milliseconds for the handshake, on the dialling side together with the connecting. */
  readonly handshakeMs: number;
  /** Outstanding text from which on `full` is true; it is false again below half of it. */
  readonly highMark: number;
  /** Outstanding text over which a link is reset. */
  readonly maxOutstanding: number;
  /** Connections whose handshake is not complete; with more, the oldest is ended. */
  readonly maxHandshakes: number;
  /** Longest line taken, in bytes, after the handshake. */
  readonly maxLine: number;
  /** Milliseconds before the first attempt to connect again; doubles with each. */
  readonly backoffMs: number;
  /** Most milliseconds between attempts to connect. */
  readonly maxBackoffMs: number;
  /** Most milliseconds between attempts after the peer, or its answer, was refused. */
  readonly maxRefusedMs: number;
}

/**
 * The defaults: 1 s to a ping, 3 s each for silence, resume and confirmation, 5 s for the handshake, 1 MiB high mark,
 * 8 MiB outstanding and in one line, 1024 handshakes, 20 ms to 1 s between attempts (5 s after a refusal).
 *
 * A line may be as long as what may be outstanding: a message of 256 KiB can take 1.5 MiB once its control characters
 * are escaped, and lists of members have no bound of their own. A limit below would let one user end a link.
 */
export const LINK_OPTIONS: LinkOptions = {
  pingMs: 1000,
  silenceMs: 3000,
  resumeMs: 3000,
  confirmMs: 3000,
  handshakeMs: 5000,
  highMark: 1 << 20,
  maxOutstanding: 8 << 20,
  maxHandshakes: 1024,
  maxLine: 8 << 20,
  backoffMs: 20,
  maxBackoffMs: 1000,
  maxRefusedMs: 5000,
};

/** Longest line before the handshake is complete, in bytes. */
export const HANDSHAKE_LINE = 4096;

/** Milliseconds after which a connection is cut that does not end after a `goodbye`. */
export const LINGER_MS = 1000;
