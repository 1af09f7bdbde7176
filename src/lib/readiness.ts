/**
 * Whether a server should get work.
 *
 * @module
 */

/** What `/readyz` says of a server. */
export interface Readiness {
  /** `ready`: it does its work. `waiting`: not yet, or not now. `draining`: not any more. */
  readonly status: "ready" | "waiting" | "draining";
  /** Why it is not ready, for people. */
  readonly reason?: string;
}

/** It does its work. */
export const READY: Readiness = { status: "ready" };

/** It has been told to stop. */
export const DRAINING: Readiness = { status: "draining", reason: "it has been told to stop" };

/** It cannot do its work now. */
export function waiting(reason: string): Readiness {
  return { status: "waiting", reason };
}
