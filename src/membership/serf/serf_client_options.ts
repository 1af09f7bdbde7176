/**
 * Options, events and errors of the client.
 *
 * @module
 */
import type { Clock } from "../../lib/clock.ts";
import { ToychatError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import type { Transport } from "../../lib/transport.ts";
import { MAX_TAGS_BYTES } from "./serf_tags.ts";
import type { SerfEvent } from "./serf_types.ts";

/** Options of {@linkcode SerfClient}. */
export interface SerfClientOptions {
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** The agent's RPC, `HOST:PORT`; default `"127.0.0.1:7373"`. */
  readonly address?: string;
  /** The agent's RPC key (`rpc_auth`); default none. */
  readonly authKey?: string;
  /** Time and chance; default the system's. */
  readonly clock?: Clock;
  /** Where events are logged; default nowhere. */
  readonly log?: Logger;
  /** Where to count; default a set of its own. */
  readonly metrics?: Metrics;
  /** Milliseconds in which the agent must answer what it can answer at once; default 5000. */
  readonly timeoutMs?: number;
  /** Milliseconds for what waits for other agents: tags, leaving, keys; more to join. Default 15000. */
  readonly slowTimeoutMs?: number;
  /** Bytes of one reply of the agent; default 16 MiB, enough for some 20,000 agents. */
  readonly maxReplyBytes?: number;
}

/** What a {@linkcode SerfClient} tells, and with which arguments. */
export type SerfClientEvents = {
  /** It is connected: read and set everything again. */
  up: [];
  /** It is not connected any more, or cannot connect for a reason that it has not told since the last `up`. */
  down: [reason: ToychatError];
  /** The agent's stream told something. */
  event: [event: SerfEvent];
};

/** How a call ended, as it is counted. */
export function outcomeOf(error: unknown): string {
  const code = error instanceof ToychatError ? error.code : "";
  if (code === "serf_refused" || code === "serf_auth_refused") return "refused";
  return code === "serf_timeout" ? "timeout" : "lost";
}

/** Nothing was tried. */
export function notReady(ms: number): ToychatError {
  return new ToychatError(
    "serf_unreachable",
    `no connection to a Serf agent within ${ms} ms: call start first`,
  );
}

/** A query that cannot be answered any more. */
export function queryGone(id: number): ToychatError {
  return new ToychatError(
    "serf_query_gone",
    `query ${id} came on a connection that is gone, or never: nobody waits for this answer`,
  );
}

/** Tags that Serf has no room for. */
export function tagsTooLarge(length: number): ToychatError {
  return new ToychatError(
    "serf_tags_too_large",
    `all tags of the agent would take ${length} bytes, Serf has room for ${MAX_TAGS_BYTES}: delete or shorten some`,
  );
}
