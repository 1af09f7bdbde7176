import { afterAll, afterEach, beforeAll, describe, test } from "bun:test";
import { closeClients } from "../support/clients.ts";
import { PartitionCluster } from "./partition_cluster.ts";
import {
  cutOff,
  expectRefusedAlone,
  expectRolled,
  expectSealed,
  expectUntouched,
} from "./partition_scenario.ts";

describe("with seal the side without the majority stops before the other takes its rooms over", () => {
  let cluster: PartitionCluster;
  beforeAll(
    async () => void (cluster = await PartitionCluster.open({ hosts: 4, partition: "seal" })),
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

  run(
    "two hosts are cut off from two, one of which has the lowest name",
    () => expectSealed(cluster, "two", cutOff(cluster, [3, 4])),
  );
  run(
    "a bridge is killed and started again: its ChatServer serves on, and nobody takes over",
    () =>
      expectUntouched(cluster, "bridge", async (talk) => {
        await cluster.role(4, "bridge").kill();
        await talk.heardBy(talk.talkers);
        await cluster.startBridge(4);
      }),
  );
  run(
    "an agent is killed and started again: nobody seals, and nobody takes over",
    () =>
      expectUntouched(cluster, "agent", async () => {
        await cluster.hosts.agent(4).restart();
        await cluster.hosts.whole();
      }),
  );
  run(
    "all hosts are restarted one after another, which costs nobody's rooms anything",
    () => expectRolled(cluster, "rolled"),
  );
  run(
    "a host that is started again while it is cut off does not take itself for the cluster",
    () => expectRefusedAlone(cluster, 4),
  );
  run("a host leaves in good order, and one of three is cut off", async () => {
    await cluster.leave(4);
    await expectSealed(cluster, "one", cutOff(cluster, [3]));
  });
  run("one of three hears nobody", () => expectSealed(cluster, "deaf", cutOff(cluster, [1], "in")));
  run("nobody hears one of three", () => expectSealed(cluster, "mute", cutOff(cluster, [2], "out")));
  run("another host leaves, and the two that are left are cut apart", async () => {
    await cluster.leave(3);
    await expectSealed(cluster, "pair", cutOff(cluster, [2]));
  });
});
