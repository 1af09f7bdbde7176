/**
 * How much of a process's messages may be under way.
 *
 * @module
 */

/** Limits of a router. */
export interface RouterLimits {
  /** Milliseconds after which a message that nobody accepted fails with `unavailable`. */
  readonly acceptMs: number;
  /** Bytes that one sender may have under way before it is pushed back. */
  readonly senderBytes: number;
  /** Bytes that may be under way to one ChatServer before whoever adds to them is pushed back. */
  readonly ownerBytes: number;
  /** Bytes that all senders may have under way before whoever adds to them is pushed back. */
  readonly totalBytes: number;
}

/** The defaults of {@linkcode RouterLimits}: 10 s, 64 KiB, 32 MiB, 64 MiB. */
export const ROUTER_LIMITS: RouterLimits = {
  acceptMs: 10_000,
  senderBytes: 64 << 10,
  ownerBytes: 32 << 20,
  totalBytes: 64 << 20,
};
