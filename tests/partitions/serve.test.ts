import { afterAll, afterEach, beforeAll, describe, test } from "bun:test";
import { closeClients } from "../support/clients.ts";
import { PartitionCluster } from "./partition_cluster.ts";
import { cutOff, expectServed } from "./partition_scenario.ts";

describe("with serve both sides of a cut network go on, and are one again when it heals", () => {
  let cluster: PartitionCluster;
  beforeAll(
    async () => void (cluster = await PartitionCluster.open({ hosts: 4, partition: "serve" })),
    120_000,
  );
  afterEach(closeClients);
  afterAll(() => cluster.end());
  const run = (name: string, work: () => Promise<void>): void =>
    test(name, async () => {
      try {
        await work();
      } catch (error) {
        console.error(cluster.logs());
        throw error;
      }
    }, 110_000);

  run("one host is cut off", () => expectServed(cluster, "one", cutOff(cluster, [4])));
  run("one host hears nobody", () => expectServed(cluster, "deaf", cutOff(cluster, [4], "in")));
  run("nobody hears one host", () => expectServed(cluster, "mute", cutOff(cluster, [1], "out")));
  run("two hosts are cut off from two", () => expectServed(cluster, "two", cutOff(cluster, [2, 4])));
});
