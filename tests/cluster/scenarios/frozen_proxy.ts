/**
 * A proxy falls asleep and wakes up.
 *
 * @module
 */
import { expect } from "bun:test";
import { until } from "../../support/until.ts";
import type { Cluster } from "../cluster.ts";
import { expectServed, scenario, underLoad } from "../../support/scenario.ts";

const ASLEEP_MS = 5000;

/** Adds the tests. */
export function frozenProxy(cluster: Cluster): void {
  scenario(
    "a proxy frozen for 5 s under load: the others talk on, and its users come back to their rooms",
    cluster,
    async () => {
      const crowd = await underLoad(cluster, cluster.rooms("frozen-proxy", 1), async (crowd) => {
        const asleep = performance.now();
        cluster.proxy(2).signal("SIGSTOP");
        await cluster.sees(["c1", "c2", "c3", "p1"]);
        await until(() => performance.now() - asleep >= ASLEEP_MS, "it has slept long enough");
        cluster.proxy(2).signal("SIGCONT");
        await cluster.sees(["c1", "c2", "c3", "p1", "p2"]);
        await until(
          () =>
            crowd.clients.every(({ name, moved }) =>
              name.endsWith("p1") || moved.length >= crowd.rooms.length
            ),
          () =>
            `its users are told: ${
              crowd.clients.map(({ name, moved }) => `${name} ${JSON.stringify(moved)}`)
            }`,
        );
      });
      for (const { name, heard, moved, end } of crowd.clients) {
        const away = name.endsWith("p2");
        expect({ name, end }).toEqual({ name, end: undefined });
        expect(crowd.problemsOf(name, heard, away ? "nothing" : "acknowledged")).toEqual([]);
        expect(moved.filter(({ lost }) => !lost)).toEqual([]);
        if (!away) expect(moved).toEqual([]);
      }
      await expectServed(cluster, crowd);
      await crowd.disperse();
    },
  );
}
