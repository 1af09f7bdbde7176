/**
 * What a host of a cluster over Serf is made of, and how it stands.
 *
 * @module
 */
import type { Clock } from "../../lib/clock.ts";
import { ToychatError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import type { OnPartition } from "../bridge_agent.ts";
import { shown } from "../names.ts";
import type { HostInfo } from "./cluster_book.ts";
import type { Probe } from "./probe.ts";
import type { SerfClient } from "./serf_client.ts";

/** What a {@linkcode SerfHost} needs of a client of the agent. */
export type SerfAgent = Pick<
  SerfClient,
  | "connected"
  | "agentName"
  | "start"
  | "stop"
  | "ready"
  | "on"
  | "members"
  | "setTags"
  | "userEvent"
  | "query"
  | "respond"
>;

/** Options of {@linkcode SerfHost}. */
export interface SerfHostOptions {
  /** The host's agent. It is started and stopped with the host. */
  readonly agent: SerfAgent;
  /** Time and chance. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
  /** Name of the cluster; hosts of another one on the same gossip are not looked at. */
  readonly cluster: string;
  /** The cluster's placement key. */
  readonly placementKey: Uint8Array;
  /** What to do when cut off. */
  readonly onPartition: OnPartition;
  /** With `seal`: how many hosts there are to be. A bridge that starts waits for most of them. Default 1: for none. */
  readonly expectHosts?: number | undefined;
  /** Asks a member of another host itself. */
  readonly probe: Probe;
}

/** Hosts that a cluster may be said to have, at most: each has a ChatServer, and there are so many slots. */
export const MAX_EXPECT_HOSTS = 1024;

/**
 * Checks `expectHosts`: with another value no majority could ever be there.
 *
 * @throws {ToychatError} `invalid_expect_hosts`.
 */
export function checkExpectHosts(value: unknown): void {
  if (value === undefined) return;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_EXPECT_HOSTS) return;
  throw new ToychatError(
    "invalid_expect_hosts",
    `expectHosts is ${shown(value)}: give a whole number from 1 to ${MAX_EXPECT_HOSTS}, or leave it out`,
  );
}

/** How a host stands. */
export interface SerfHostStatus {
  /** The name of the own agent; empty before it was reached. */
  readonly agent: string;
  /** Whether the agent can be reached, and was met. */
  readonly connected: boolean;
  /** Whether the ChatServers of this host may accept. */
  readonly sealed: boolean;
  /** What was asked for. */
  readonly onPartition: OnPartition;
  /** All hosts, sorted by name. */
  readonly hosts: readonly HostInfo[];
}
