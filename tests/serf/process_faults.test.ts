import { afterAll, describe } from "bun:test";
import { processFaults } from "./process_faults.ts";
import { SerfCluster } from "./serf_cluster.ts";

describe("hosts on Bun", () => {
  const cluster = new SerfCluster({ hosts: [{ proxy: true }, {}, { proxy: true }] });
  afterAll(() => cluster.end());
  processFaults(cluster);
});
