/**
 * Tests of one cluster over four hosts, one after another.
 *
 * @module
 */
import { afterAll, beforeAll, describe } from "bun:test";
import { shown } from "../support/scenario.ts";
import { PartitionCluster } from "./partition_cluster.ts";

/** Declares a test by its name; a failure shows the logs of all hosts. */
export type Declare = (name: string, run: (cluster: PartitionCluster) => Promise<void>) => void;

/** A row of tests of a cluster of four hosts that is made for them. */
export function onFourHosts(
  name: string,
  partition: "serve" | "seal",
  tests: (declare: Declare) => void,
): void {
  describe(name, () => {
    let cluster: PartitionCluster;
    beforeAll(async () => void (cluster = await PartitionCluster.open({ hosts: 4, partition })), 120_000);
    afterAll(() => cluster.end());
    tests((title, run) =>
      shown(title, () => cluster.logs(), async () => {
        // A test that failed has left the network cut.
        await cluster.hosts.heal();
        await cluster.agree();
        await run(cluster);
      })
    );
  });
}
