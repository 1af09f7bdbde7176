import { afterAll, describe } from "bun:test";
import { runtime } from "../support/runtimes.ts";
import { processFaults } from "./process_faults.ts";
import { SerfCluster } from "./serf_cluster.ts";

describe("hosts on Bun, Deno and Node", () => {
  const cluster = new SerfCluster({
    hosts: [{ proxy: true }, { on: runtime("deno") }, { proxy: true, on: runtime("node") }],
  });
  afterAll(() => cluster.end());
  processFaults(cluster);
});
