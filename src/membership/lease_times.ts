/**
 * The times of a lease. A member stops before its bridge gives its place away: the difference is what a slow network and
 * two clocks may cost.
 *
 * @module
 */

/** The times of a lease in milliseconds, as `cluster.register` tells them. */
export const LEASE = {
  /** A member renews this often. */
  renewMs: 500,
  /** A member stops accepting this long after it sent the last renewal that was answered. */
  acceptMs: 2000,
  /** The bridge withdraws a member that was silent for this long. */
  expireMs: 3000,
} as const;

/**
 * With `onPartition: "seal"` a member whose bridge is not there accepts for so long after the bridge answered last. A bridge
 * dies at most 4 s after others heard it, or it would have sealed, and nobody takes over before they have not heard it
 * for 8 s. Milliseconds.
 */
export const ALONE_MS = 3500;
