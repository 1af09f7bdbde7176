/**
 * A ChatServer falls asleep and wakes up.
 *
 * @module
 */
import { expect } from "bun:test";
import { until } from "../../support/until.ts";
import type { Cluster } from "../cluster.ts";
import { expectServed, scenario, underLoad } from "../../support/scenario.ts";

const ASLEEP_MS = 5000;
/** A lease is held for 2 s after a renewal, of which there is one every half second. */
const NAP_MS = 900;

/** Adds the tests. */
export function frozen(cluster: Cluster): void {
  scenario(
    "a ChatServer frozen for 5 s under load: its rooms move, and it comes back as a new one",
    cluster,
    async () => {
      const incarnation = () => cluster.members.find(({ id }) => id === "c1")?.incarnation;
      const before = incarnation();
      const crowd = await underLoad(cluster, cluster.rooms("frozen", 2), async (crowd) => {
        const rooms = cluster.ownedBy("c1", crowd.rooms);
        const asleep = performance.now();
        cluster.chat("c1").signal("SIGSTOP");
        await crowd.toldOf(rooms);
        await crowd.progress(4);
        await until(() => performance.now() - asleep >= ASLEEP_MS, "it has slept long enough");
        cluster.chat("c1").signal("SIGCONT");
        await until(() => incarnation() !== undefined && incarnation() !== before, "it has joined again");
        await cluster.sees(["c1", "c2", "c3", "p1", "p2"]);
        await until(
          () => crowd.clients.every(({ moved }) => moved.length === 2 * rooms.length),
          () =>
            `all are told of two moves of ${rooms}: ${
              crowd.clients.map(({ moved }) => JSON.stringify(moved))
            }`,
        );
      });
      expect(crowd.problems("acknowledged")).toEqual([]);
      const rooms = cluster.ownedBy("c1", crowd.rooms);
      for (const { moved } of crowd.clients) {
        for (const room of rooms) {
          // Away from it by a failover, and back to it in order.
          expect(moved.filter((word) => word.room === room).map(({ lost }) => lost)).toEqual([true, false]);
        }
      }
      await expectServed(cluster, crowd);
      await crowd.disperse();
    },
  );

  scenario(
    "a ChatServer frozen for less than its lease: nothing moves, nothing is lost",
    cluster,
    async () => {
      const crowd = await underLoad(cluster, cluster.rooms("napping", 2), async () => {
        const asleep = performance.now();
        cluster.chat("c2").signal("SIGSTOP");
        await until(() => performance.now() - asleep >= NAP_MS, "it has slept long enough");
        cluster.chat("c2").signal("SIGCONT");
      });
      expect(crowd.problems("everything")).toEqual([]);
      expect(crowd.movedProblems([], false)).toEqual([]);
      await expectServed(cluster, crowd);
      await crowd.disperse();
    },
  );
}
