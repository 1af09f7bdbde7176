import { cutOff, expectServed } from "./partition_scenario.ts";
import { onFourHosts } from "./partition_tests.ts";

onFourHosts(
  "with serve both sides of a cut network go on, and are one again when it heals",
  "serve",
  (run) => {
    run("one host is cut off", (cluster) => expectServed(cluster, "one", cutOff(cluster, [4])));
    run("one host hears nobody", (cluster) => expectServed(cluster, "deaf", cutOff(cluster, [4], "in")));
    run("nobody hears one host", (cluster) => expectServed(cluster, "mute", cutOff(cluster, [1], "out")));
    run("two hosts are cut off from two", (cluster) => expectServed(cluster, "two", cutOff(cluster, [2, 4])));
  },
);
