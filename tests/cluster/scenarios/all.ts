/**
 * Every scenario that a cluster goes through.
 *
 * @module
 */
import { afterAll, describe } from "bun:test";
import { Cluster } from "../cluster.ts";
import type { Lineup } from "../lineups.ts";
import { applications } from "./application.ts";
import { bridgeDeath } from "./bridge_death.ts";
import { chatDeath } from "./chat_death.ts";
import { frozen } from "./frozen.ts";
import { frozenProxy } from "./frozen_proxy.ts";
import { plannedMoves } from "./planned_moves.ts";
import { proxyEnd } from "./proxy_end.ts";
import { relaying } from "./relay.ts";
import { talking } from "./talk.ts";

/** Adds all tests of a cluster with an application; they share one cluster. */
export function everyScenario(lineup: Lineup): void {
  describe(lineup.name, () => {
    const cluster = new Cluster(lineup, { application: true });
    afterAll(() => cluster.end());
    talking(cluster);
    applications(cluster);
    chatDeath(cluster);
    plannedMoves(cluster);
    proxyEnd(cluster);
    bridgeDeath(cluster);
    frozen(cluster);
    if (lineup.thorough) frozenProxy(cluster);
  });
}

/** Adds all tests of a cluster without an application; they share one cluster. */
export function everyRelayScenario(lineup: Lineup): void {
  describe(`without an application: ${lineup.name}`, () => {
    const cluster = new Cluster(lineup, { application: false });
    afterAll(() => cluster.end());
    relaying(cluster);
  });
}
