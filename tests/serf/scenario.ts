/**
 * What tests of faults share: a cluster that is whole at first, and a crowd that talks throughout.
 *
 * @module
 */
import { expect, test } from "bun:test";
import { closeClients } from "../support/clients.ts";
import { Crowd } from "../support/crowd.ts";
import { who } from "../cluster/scenarios/scenario.ts";
import type { SerfCluster } from "./serf_cluster.ts";

const TEST_MS = 110_000;
/** Messages of each line before and after what happens. */
const BEFORE = 3;
const AFTER = 5;

/** A test that begins with every process of the cluster running, and shows their logs where it fails. */
export function scenario(name: string, cluster: SerfCluster, run: () => Promise<void>): void {
  test(name, async () => {
    try {
      await cluster.whole();
      await run();
    } catch (error) {
      console.error(cluster.logs());
      throw error;
    } finally {
      await closeClients();
    }
  }, TEST_MS);
}

/** A crowd on all proxies talks while `happen` happens, and for a while after that. */
export async function underLoad(
  cluster: SerfCluster,
  rooms: readonly string[],
  happen: (crowd: Crowd) => Promise<void>,
): Promise<Crowd> {
  const crowd = await Crowd.gather(cluster.ports, rooms);
  crowd.talk();
  await crowd.progress(BEFORE);
  await happen(crowd);
  await crowd.progress(AFTER);
  await crowd.hush();
  return crowd;
}

/** In each room its owner by the placement serves, and knows exactly the crowd as its members. Ends the crowd. */
export async function expectServed(cluster: SerfCluster, crowd: Crowd): Promise<void> {
  const [client] = crowd.clients;
  if (!client) throw new Error("a crowd has clients");
  for (const room of crowd.rooms) {
    expect({ room, ...await who(client, room) })
      .toEqual({ room, server: cluster.owner(room), seen: crowd.names, users: crowd.names });
  }
  await crowd.disperse();
}

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
