/**
 * What users must find after a fault.
 *
 * @module
 */
import { expect } from "bun:test";
import type { Crowd } from "../support/crowd.ts";
import { expectServed } from "../support/scenario.ts";
import type { SerfCluster } from "./serf_cluster.ts";

/** Rooms moved away by failover, and nobody else's: everybody was told so, and nothing acknowledged is missing. */
export async function expectFailedOver(
  cluster: SerfCluster,
  crowd: Crowd,
  rooms: readonly string[],
): Promise<void> {
  expect(crowd.problems("acknowledged")).toEqual([]);
  expect(crowd.movedProblems(rooms, true)).toEqual([]);
  await expectServed(cluster, crowd);
}

/** Nothing has happened as far as users can tell. */
export async function expectUntouched(cluster: SerfCluster, crowd: Crowd): Promise<void> {
  expect(crowd.problems("everything")).toEqual([]);
  expect(crowd.movedProblems([], false)).toEqual([]);
  await expectServed(cluster, crowd);
}

/** What of the members must be the same before and after something that moves no room. */
export function lives(cluster: SerfCluster): string[] {
  return cluster.members.map(({ id, incarnation, slot, address }) =>
    `${id} ${incarnation} ${slot} ${address}`
  );
}
