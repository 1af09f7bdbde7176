/**
 * How many connections a bridge takes.
 *
 * @module
 */
import { withDefaults } from "../lib/limits.ts";

/** Limits of a bridge. */
export interface BridgeLimits {
  /** WebSocket connections, those of members and those of others; default 2048. */
  readonly maxConnections: number;
  /** Those among them that have not proven the secret; with more, the oldest is ended. Default 256. */
  readonly maxUnproved: number;
}

/** The default limits. */
export const BRIDGE_LIMITS: BridgeLimits = { maxConnections: 2048, maxUnproved: 256 };

/** The limits in force; throws `bad_option`. */
export function bridgeLimits(given: Partial<BridgeLimits> | undefined): BridgeLimits {
  return withDefaults(BRIDGE_LIMITS, given, new Set());
}
