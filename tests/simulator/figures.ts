/**
 * What a run came to, in numbers.
 *
 * @module
 */
import type { Metrics } from "../../src/lib/metrics.ts";
import type { Model } from "./model.ts";

/** Sums over runs. */
export interface Figures {
  /** Messages that clients sent. */
  messages: number;
  /** Those of them that were acknowledged. */
  acknowledged: number;
  /** Those that were answered with a failure, or with nothing where MQTT 3.1.1 has no word for it. */
  failed: number;
  /** Messages that clients got. */
  deliveries: number;
  /** Messages that were given up because an owner or a link was lost. */
  lost: number;
  /** Users who were told that a room may have lost something. */
  told: number;
  /** Messages that went out again after an owner was lost. */
  redelivered: number;
  /** Repeats that were recognised. */
  repeats: number;
  /** Messages that an owner refused, to be sent again. */
  refused: number;
  /** Users who were told that a room has moved. */
  moves: number;
  /** Rooms that opened without a hand-off though they had been open elsewhere. */
  failovers: number;
  /** Rooms that opened with a hand-off. */
  handoffs: number;
}

/** Nothing yet. */
export function noFigures(): Figures {
  return {
    messages: 0,
    acknowledged: 0,
    failed: 0,
    deliveries: 0,
    lost: 0,
    told: 0,
    redelivered: 0,
    repeats: 0,
    refused: 0,
    moves: 0,
    failovers: 0,
    handoffs: 0,
  };
}

/** The figures of one run. */
export function figuresOf(model: Model): Figures {
  const { clients, chats, proxies } = model.cluster;
  const count = (name: string, servers: readonly { server: { metrics: Metrics } }[]): number =>
    servers.reduce((sum, { server }) => sum + server.metrics.get(name), 0);
  const published = clients.flatMap((client) => client.published).filter((one) => one.acknowledged);
  const arrivals = clients.flatMap((client) => client.arrivals);
  const moved = arrivals.filter((arrival) => "lost" in arrival);
  return {
    messages: clients.reduce((sum, client) => sum + client.published.length, 0),
    acknowledged: published.filter((one) => one.doneAt !== undefined && !one.failure).length,
    failed: published.filter((one) => one.doneAt === undefined || one.failure).length,
    deliveries: arrivals.length - moved.length,
    lost: count("toychat_messages_lost_total", proxies),
    told: moved.filter((arrival) => "lost" in arrival && arrival.lost).length,
    redelivered: count("toychat_messages_redelivered_total", proxies),
    repeats: count("toychat_duplicates_dropped_total", [...chats, ...proxies]),
    refused: count("toychat_messages_refused_total", chats),
    moves: moved.length,
    failovers: model.application.opened.get("failover") ?? 0,
    handoffs: model.application.opened.get("hand-off") ?? 0,
  };
}

/** Adds the figures of one run to the sums. */
export function addFigures(sums: Figures, more: Figures): void {
  for (const key of Object.keys(sums) as (keyof Figures)[]) sums[key] += more[key];
}

/** One line for people. */
export function figuresText(figures: Figures): string {
  return Object.entries(figures).map(([name, value]) => `${value} ${name}`).join(", ");
}
