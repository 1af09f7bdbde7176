/**
 * ChatServers come and go in order: nothing is lost, whatever its quality of service.
 *
 * @module
 */
import { expect } from "bun:test";
import type { Cluster } from "../cluster.ts";
import { expectServed, scenario, underLoad } from "../../support/scenario.ts";

/** Everything that moved while `happen` did was told to everyone as moved without loss, and nothing is missing. */
async function expectNothingLost(
  cluster: Cluster,
  rooms: readonly string[],
  happen: () => Promise<void>,
): Promise<void> {
  let moved: string[] = [];
  const crowd = await underLoad(cluster, rooms, async (crowd) => {
    const owners = new Map(rooms.map((room) => [room, cluster.owner(room)]));
    await happen();
    moved = rooms.filter((room) => cluster.owner(room) !== owners.get(room));
    await crowd.toldOf(moved);
  });
  expect(moved).not.toEqual([]);
  expect(crowd.problems("everything")).toEqual([]);
  expect(crowd.movedProblems(moved, false)).toEqual([]);
  await expectServed(cluster, crowd);
  await crowd.disperse();
}

/** Adds the tests. */
export function plannedMoves(cluster: Cluster): void {
  scenario(
    "a ChatServer that drains under load hands its rooms over and loses nothing",
    cluster,
    async () => {
      await expectNothingLost(cluster, cluster.rooms("drained", 2), async () => {
        expect(await cluster.chat("c3").stop("SIGTERM")).toEqual({ code: 0, signal: null });
        await cluster.sees(["c1", "c2", "p1", "p2"]);
      });
    },
  );

  scenario("a ChatServer that returns under load gets its rooms, and nothing is lost", cluster, async () => {
    const rooms = cluster.rooms("returned", 2);
    const own = cluster.ownedBy("c1", rooms);
    await cluster.chat("c1").kill();
    await cluster.sees(["c2", "c3", "p1", "p2"]);
    await expectNothingLost(cluster, rooms, async () => {
      await cluster.startChat("c1");
      await cluster.sees(["c1", "c2", "c3", "p1", "p2"]);
    });
    expect(cluster.ownedBy("c1", rooms)).toEqual(own);
  });

  scenario("a ChatServer that joins under load gets rooms, and nothing is lost", cluster, async () => {
    await expectNothingLost(cluster, cluster.rooms("joined", 4), async () => {
      await cluster.startChat("c4");
      await cluster.sees(["c1", "c2", "c3", "c4", "p1", "p2"]);
    });
    expect(await cluster.chat("c4").stop("SIGTERM")).toEqual({ code: 0, signal: null });
    await cluster.sees(["c1", "c2", "c3", "p1", "p2"]);
  });
}
