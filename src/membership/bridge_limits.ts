/**
 * How much a bridge takes from its callers.
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
  /** Requests in one batch of JSON-RPC; default 16. */
  readonly maxBatch: number;
  /** Requests of one connection that are under way, as those that wait; default 64. */
  readonly maxCalls: number;
  /** Requests of all callers that wait for a change; default 1024. */
  readonly maxWaiters: number;
  /** Calls to the Serf agent that are under way; default 64. */
  readonly maxAgentCalls: number;
  /** Prefixes of user events, and as many of queries, that one connection subscribes to; default 16. */
  readonly maxSubscriptions: number;
  /** User events kept for who reads them late; default 256. */
  readonly maxEvents: number;
}

/** The default limits. */
export const BRIDGE_LIMITS: BridgeLimits = {
  maxConnections: 2048,
  maxUnproved: 256,
  maxBatch: 16,
  maxCalls: 64,
  maxWaiters: 1024,
  maxAgentCalls: 64,
  maxSubscriptions: 16,
  maxEvents: 256,
};

/** The limits in force; throws `bad_option`. */
export function bridgeLimits(given: Partial<BridgeLimits> | undefined): BridgeLimits {
  return withDefaults(BRIDGE_LIMITS, given, new Set());
}
