import {
  cutOff,
  expectRefusedAlone,
  expectRolled,
  expectSealed,
  expectUntouched,
} from "./partition_scenario.ts";
import { onFourHosts } from "./partition_tests.ts";

onFourHosts(
  "with seal the side without the majority stops before the other takes its rooms over",
  "seal",
  (run) => {
    run(
      "two hosts are cut off from two, one of which has the lowest name",
      (cluster) => expectSealed(cluster, "two", cutOff(cluster, [3, 4])),
    );
    run(
      "a bridge is killed and started again: its ChatServer serves on, and nobody takes over",
      (cluster) =>
        expectUntouched(cluster, "bridge", async (talk) => {
          await cluster.role(4, "bridge").kill();
          await Promise.all([talk.heardBy(talk.talkers), cluster.startBridge(4)]);
        }),
    );
    run(
      "an agent is killed and started again: nobody seals, and nobody takes over",
      (cluster) => expectUntouched(cluster, "agent", () => cluster.hosts.agent(4).restart()),
    );
    run(
      "all hosts are restarted one after another, which costs nobody's rooms anything",
      (cluster) => expectRolled(cluster, "rolled"),
    );
    run(
      "a host that is started again while it is cut off does not take itself for the cluster",
      (cluster) => expectRefusedAlone(cluster, 4),
    );
    run("a host leaves in good order, and one of three is cut off", async (cluster) => {
      await cluster.leave(4);
      await expectSealed(cluster, "one", cutOff(cluster, [3]));
    });
    run("one of three hears nobody", (cluster) => expectSealed(cluster, "deaf", cutOff(cluster, [1], "in")));
    run("nobody hears one of three", (cluster) => expectSealed(cluster, "mute", cutOff(cluster, [2], "out")));
    run("another host leaves, and the two that are left are cut apart", async (cluster) => {
      await cluster.leave(3);
      await expectSealed(cluster, "pair", cutOff(cluster, [2]));
    });
  },
);
