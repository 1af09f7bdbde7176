import { expect, test } from "bun:test";
import { placementKey } from "../placement.ts";
import type { Member } from "../view.ts";
import { clusterTag, encodeHost, readHost } from "./host_tag.ts";

const TAG = clusterTag("main", placementKey());

test("24 members with ids of 8 characters fit into what an agent publishes, and are read back", () => {
  const members = Array.from({ length: 24 }, (_, i): Member => ({
    id: `member${i + 10}`,
    role: "chat",
    incarnation: "zzzzzz",
    address: `10.0.0.1:${65000 + i}`,
    slot: 1000 + i,
    state: "alive",
  }));
  const value = encodeHost({
    clusterTag: TAG,
    slots: 1024,
    seq: 2 ** 24 - 1,
    members,
    agentAddress: "10.0.0.1",
  });
  expect(value.length).toBeLessThanOrEqual(500);
  expect(readHost(value, TAG, "10.0.0.1").value).toEqual({ slots: 1024, seq: 2 ** 24 - 1, members });
});
