/**
 * The bridge dies and comes back.
 *
 * @module
 */
import { expect } from "bun:test";
import type { Cluster } from "../cluster.ts";
import { expectServed, scenario, underLoad } from "../../support/scenario.ts";

/** So many messages of each line take longer than a lease would last that is not renewed. */
const LONG = 50;

/** Adds the tests. */
export function bridgeDeath(cluster: Cluster): void {
  scenario(
    "the bridge killed and restarted under load: nothing moves, nothing is lost",
    cluster,
    async () => {
      const before = await cluster.listMembers();
      const crowd = await underLoad(cluster, cluster.rooms("bridge", 2), async (crowd) => {
        await cluster.bridge.kill();
        await crowd.progress(LONG);
        await cluster.startBridge();
        await cluster.sees(["c1", "c2", "c3", "p1", "p2"]);
      });
      expect(await cluster.listMembers()).toEqual(before);
      expect(crowd.problems("everything")).toEqual([]);
      expect(crowd.movedProblems([], false)).toEqual([]);
      await expectServed(cluster, crowd);
      await crowd.disperse();
    },
  );
}
