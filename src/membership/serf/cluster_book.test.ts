import { describe, expect, test } from "bun:test";
import { placementKey } from "../placement.ts";
import type { Member, MemberState } from "../view.ts";
import { type AgentEntry, ClusterBook } from "./cluster_book.ts";
import { decodeDelta, encodeDelta, type HostDelta } from "./host_delta.ts";
import { clusterTag, encodeHost, hostHash } from "./host_tag.ts";

const TAG = clusterTag("main", placementKey());
const ADDRESSES: Readonly<Record<string, string>> = {
  a: "10.0.0.1",
  b: "10.0.0.2",
  c: "10.0.0.3",
  Z: "10.0.0.9",
};

function book(keepFailed = false): ClusterBook {
  return new ClusterBook({ clusterTag: TAG, self: () => "a", keepFailed });
}

function chat(
  host: string,
  id: string,
  slot: number,
  state: MemberState = "alive",
  incarnation = "aaaaaa",
): Member {
  return { id, role: "chat", incarnation, address: `${ADDRESSES[host]}:7001`, slot, state };
}

function proxy(host: string, id: string, incarnation = "aaaaaa"): Member {
  return { id, role: "proxy", incarnation, address: `${ADDRESSES[host]}:1883`, state: "alive" };
}

function tag(name: string, seq: number, members: Member[], slots = 0): string {
  return encodeHost({ clusterTag: TAG, slots, seq, members, agentAddress: ADDRESSES[name] as string });
}

function agent(name: string, tag?: string, status = "alive"): AgentEntry {
  return { name, address: ADDRESSES[name] as string, status, tag };
}

function delta(name: string, seq: number, changed: Member[], withdrawn: Member[] = []): string {
  const agentAddress = ADDRESSES[name] ?? "10.0.0.2";
  return encodeDelta({
    clusterTag: TAG,
    agentName: name,
    agentAddress,
    seq,
    changed,
    withdrawn,
  })[0] as string;
}

/** Who is in the view, as `id.incarnation`, the incarnation left out where it is `aaaaaa`. */
function ids(book: ClusterBook, now: number): string {
  return book.resolve(now).members.map(({ id, incarnation }) =>
    incarnation === "aaaaaa" ? id : `${id}.${incarnation}`
  ).join(" ");
}

describe("what tags say", () => {
  test("the view has the own members and those of every host that is alive or leaving", () => {
    const it = book();
    it.setOwn([chat("a", "c1", 0)]);
    const away = [agent("c", tag("c", 1, [chat("c", "c3", 2)]), "leaving")];
    it.agents([agent("a"), agent("b", tag("b", 1, [chat("b", "c2", 1), proxy("b", "p1")])), ...away], 0);
    expect(it.resolve(0)).toEqual({
      members: [chat("a", "c1", 0), chat("b", "c2", 1), chat("c", "c3", 2), proxy("b", "p1")],
      slots: 3,
      lost: [],
    });
  });

  test("members of hosts that failed or left are gone at once", () => {
    for (const status of ["failed", "left"]) {
      const it = book();
      it.agents([agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 0);
      it.agents([agent("b", tag("b", 1, [chat("b", "c2", 1)]), status)], 1);
      expect([status, ids(it, 1)]).toEqual([status, ""]);
    }
  });

  test("a host that has answered less than 2 s ago has not failed yet, whatever Serf says", () => {
    const it = book();
    const full = tag("b", 1, [chat("b", "c2", 1)]);
    it.agents([agent("b", full)], 0);
    it.answered("b", 1000);
    it.agents([agent("b", full, "failed")], 2500);
    expect([ids(it, 2999), it.expireAt(2500), it.liveHosts(2500).length, ids(it, 3000)]).toEqual([
      "c2",
      3000,
      1,
      "",
    ]);
    expect([it.liveHosts(3000), it.hosts(3000)[0]]).toMatchObject([[], { counts: false, doubted: false }]);
  });

  test("an answer after the failure was believed brings nobody back before Serf does", () => {
    const it = book();
    const full = tag("b", 1, [chat("b", "c2", 1)]);
    it.agents([agent("b", full)], 0);
    it.answered("b", 1000);
    it.agents([agent("b", full, "failed")], 2500);
    for (const at of [3000, 3100]) {
      it.answered("b", at);
      it.proved("b");
      it.agents([agent("b", full, "failed")], at + 50);
      expect(ids(it, at + 50)).toBe("");
    }
    it.agents([agent("b", full)], 3200);
    expect(ids(it, 3200)).toBe("");
    it.proved("b");
    expect(ids(it, 3200)).toBe("c2");
  });

  test("with seal answers say nothing of who is kept and who is given up", () => {
    const it = book(true);
    const full = tag("b", 1, [chat("b", "c2", 1)]);
    it.agents([agent("b", full)], 0);
    it.answered("b", 1000);
    it.agents([agent("b", full, "failed")], 1100);
    expect([it.kept(), it.hosts(1100)[0]]).toMatchObject([["b"], { counts: true, doubted: false }]);
    expect([it.liveHosts(1100), it.drop("b"), ids(it, 1100)]).toEqual([[], true, ""]);
  });

  test("the own host's tag, which lags, says nothing of the own members", () => {
    const it = book();
    it.setOwn([chat("a", "c1", 0)]);
    it.agents([agent("a", tag("a", 1, [chat("a", "old", 5)], 9))], 0);
    expect(ids(it, 0)).toBe("c1");
    expect(it.host("a", 0)?.value?.members).toEqual([chat("a", "old", 5)]);
  });

  test("the number of slots is the highest that any host knows of, and never falls", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, [], 7)), agent("c", tag("c", 1, [chat("c", "c3", 8)]), "failed")], 0);
    expect(it.resolve(0).slots).toBe(9);
    it.agents([agent("b", tag("b", 2, []))], 1);
    expect(it.resolve(1).slots).toBe(9);
    it.setOwn([chat("a", "c1", 20, "joining")]);
    expect(it.resolve(1).slots).toBe(9);
    it.setOwn([chat("a", "c1", 20)]);
    expect(it.resolve(1).slots).toBe(21);
  });

  test("a host without a tag keeps what was last known of it for 5 s, a host that publishes nobody has none at once", () => {
    const it = book();
    const full = tag("b", 1, [chat("b", "c2", 1)]);
    it.agents([agent("b", full)], 0);
    it.agents([agent("b")], 1000);
    it.agents([agent("b")], 5000);
    it.agents([{ name: "b", address: "10.0.0.77", status: "alive" }], 5500);
    expect(ids(it, 5999)).toBe("c2");
    expect(it.expireAt(1000)).toBe(6000);
    expect(ids(it, 6000)).toBe("");
    it.agents([agent("b", full)], 6001);
    expect(ids(it, 6001)).toBe("c2");
    it.agents([agent("b", tag("b", 2, []))], 6002);
    expect(ids(it, 6002)).toBe("");
  });

  test("a host that comes back from the dead without a tag has nobody", () => {
    const it = book();
    const full = tag("b", 1, [chat("b", "c2", 1)]);
    it.agents([agent("b", full)], 0);
    it.agents([agent("b", full, "failed")], 100);
    it.agents([agent("b")], 200);
    expect(ids(it, 200)).toBe("");
  });

  test("a host that its agent has forgotten, as after a restart of the agent, stays for 5 s", () => {
    const it = book();
    const full = [agent("b", tag("b", 1, [chat("b", "c2", 1)]))];
    it.agents(full, 0);
    it.agents([agent("a")], 1000);
    it.agents([agent("a")], 5999);
    expect([ids(it, 5999), it.host("b", 5999)?.status, it.expireAt(1000)]).toEqual(["c2", "missing", 6000]);
    expect(ids(it, 6000)).toBe("");
    it.agents([agent("a")], 6000);
    expect(it.host("b", 6000)).toBeUndefined();
    it.agents(full, 7000);
    expect(ids(it, 7000)).toBe("c2");
  });

  test("a tag that cannot be read is as none, and its host alone suffers", () => {
    const it = book();
    const good = agent("c", tag("c", 1, [chat("c", "c3", 2)]));
    it.agents([agent("b", tag("b", 1, [chat("b", "c2", 1)])), good], 0);
    it.agents([agent("b", "1garbage"), good], 1000);
    expect([ids(it, 5999), it.host("b", 5999)?.problem]).toEqual(["c2 c3", "malformed"]);
    expect(ids(it, 6000)).toBe("c3");
  });

  test("a host that says that it is of another cluster has nobody at once", () => {
    const it = book();
    const other = clusterTag("other", placementKey());
    it.agents([agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 0);
    it.agents([agent("b", tag("b", 2, [chat("b", "c2", 1)], 50).replace(TAG, other))], 1);
    expect([ids(it, 1), it.slots, it.host("b", 1)?.problem]).toEqual(["", 2, "another_cluster"]);
  });

  test("an agent that gets another address takes its members along", () => {
    const it = book();
    const full = tag("b", 1, [chat("b", "c2", 1)]);
    it.agents([agent("b", full)], 0);
    it.agents([{ name: "b", address: "10.0.0.77", status: "alive", tag: full }], 1);
    expect(it.resolve(1).members[0]?.address).toBe("10.0.0.77:7001");
  });

  test("of more hosts than are looked at, the same ones count for everybody", () => {
    const hosts = Array.from({ length: 1100 }, (_, i) => ({
      name: `h${1000 + i}`,
      address: "10.0.0.1",
      status: "alive",
      tag: encodeHost({
        clusterTag: TAG,
        slots: 0,
        seq: 1,
        members: [{
          id: `p${i}`,
          role: "proxy",
          incarnation: "aaaaaa",
          address: "10.0.0.1:1",
          state: "alive",
        }],
        agentAddress: "10.0.0.1",
      }),
    }));
    const [one, other] = [book(), book()];
    one.agents(hosts, 0);
    other.agents(hosts.toReversed(), 0);
    expect(one.resolve(0).members.length).toBe(1024);
    expect(other.resolve(0)).toEqual(one.resolve(0));
  });

  test("entries that no agent would list are passed over", () => {
    const it = book();
    it.agents([{ name: "", address: "10.0.0.2", status: "alive" }, agent("b", undefined, "none")], 0);
    expect(it.hosts(0)).toEqual([]);
  });
});

describe("what deltas say", () => {
  test("a new member is there before the tag that has it, and goes with a tag that has it not", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, []))], 0);
    it.delta(delta("b", 2, [chat("b", "c2", 1)]), 10);
    expect([ids(it, 10), it.slots]).toEqual(["c2", 2]);
    it.agents([agent("b", tag("b", 2, []))], 20);
    expect(ids(it, 20)).toBe("");
  });

  test("a change counts only while it is newer than the tag", () => {
    const it = book();
    it.agents([agent("b", tag("b", 5, [chat("b", "c2", 1)]))], 0);
    it.delta(delta("b", 5, [chat("b", "c2", 1, "draining")]), 10);
    expect(it.resolve(10).members[0]?.state).toBe("alive");
    it.delta(delta("b", 7, [chat("b", "c2", 1, "draining")]), 11);
    it.delta(delta("b", 6, [chat("b", "c2", 1, "joining")]), 12);
    expect(it.resolve(12).members[0]?.state).toBe("draining");
  });

  test("a delta of a host that is not listed yet counts as soon as it is", () => {
    const it = book();
    it.delta(delta("b", 1, [chat("b", "c2", 1)]), 0);
    expect(ids(it, 0)).toBe("");
    it.agents([agent("b")], 100);
    expect(ids(it, 100)).toBe("c2");
    expect(it.resolve(100).members[0]?.address).toBe("10.0.0.2:7001");
  });

  test("a member that no tag ever has does not stay", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, []))], 0);
    it.delta(delta("b", 2, [chat("b", "c2", 1)]), 10);
    expect(ids(it, 20_009)).toBe("c2");
    expect(ids(it, 20_010)).toBe("");
  });

  test("a withdrawn member is gone at once, and stays gone while the tag still has it", () => {
    const it = book();
    const lagging = agent("b", tag("b", 1, [chat("b", "c2", 1), chat("b", "c4", 3)]));
    it.agents([lagging], 0);
    it.delta(delta("b", 2, [], [chat("b", "c2", 1)]), 10);
    expect(ids(it, 10)).toBe("c4");
    it.agents([lagging], 60_000);
    expect(ids(it, 60_000)).toBe("c4");
    it.agents([agent("b", tag("b", 2, [chat("b", "c4", 3)]))], 60_001);
    it.agents([agent("b", tag("b", 3, [chat("b", "c4", 3), chat("b", "c2", 1)]))], 60_002);
    expect(ids(it, 60_002)).toBe("c2 c4");
  });

  test("a withdrawal that arrives before the tag that first names the member holds against that tag", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, []))], 0);
    it.delta(delta("b", 3, [], [chat("b", "c2", 1)]), 10);
    it.agents([agent("b", tag("b", 2, [chat("b", "c2", 1)]))], 500);
    expect(ids(it, 500)).toBe("");
    it.delta(delta("b", 2, [chat("b", "c2", 1)]), 600);
    expect(ids(it, 600)).toBe("");
    it.agents([agent("b", tag("b", 3, []))], 700);
    expect(ids(it, 20_000)).toBe("");
  });

  test("a withdrawal holds for 10 s whatever the tag's count, then the tag is believed", () => {
    const it = book();
    it.agents([agent("b", tag("b", 70, [chat("b", "c2", 1)]))], 0);
    it.delta(delta("b", 6, [], [chat("b", "c2", 1)]), 10);
    expect(ids(it, 10_009)).toBe("");
    expect(it.expireAt(10)).toBe(10_010);
    expect(ids(it, 10_010)).toBe("c2");
  });

  test("the next life of a member is not touched by the withdrawal of the last one", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 0);
    it.delta(delta("b", 3, [chat("b", "c2", 1, "alive", "bbbbbb")]), 10);
    it.delta(delta("b", 2, [], [chat("b", "c2", 1)]), 20);
    expect(ids(it, 20)).toBe("c2.bbbbbb");
    it.delta(delta("b", 4, [], [chat("b", "c2", 1, "alive", "bbbbbb")]), 30);
    expect(ids(it, 30)).toBe("");
  });

  test("a life that was withdrawn does not bring the life before it back", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 0);
    it.delta(delta("b", 3, [], [chat("b", "c2", 1, "alive", "bbbbbb")]), 10);
    expect(ids(it, 10)).toBe("");
    it.delta(delta("b", 2, [chat("b", "c2", 1, "alive", "cccccc")]), 20);
    expect(ids(it, 20)).toBe("");
  });

  test("a host that announces a withdrawn member anew is believed at once, and an old withdrawal says nothing then", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 0);
    const withdrawal = delta("b", 2, [], [chat("b", "c2", 1)]);
    it.delta(withdrawal, 10);
    it.delta(delta("b", 3, [chat("b", "c2", 1)]), 20);
    expect(ids(it, 20)).toBe("c2");
    it.agents([agent("b", tag("b", 3, [chat("b", "c2", 1)]))], 30);
    it.delta(withdrawal, 40);
    expect(ids(it, 40)).toBe("c2");
  });

  test("what a host has announced before it lost its tag goes with the rest of it", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 0);
    it.delta(delta("b", 2, [chat("b", "c4", 3)]), 10);
    it.agents([agent("b")], 100);
    it.delta(delta("b", 1000, [chat("b", "c5", 4)]), 200);
    expect(ids(it, 5099)).toBe("c2 c4 c5");
    expect(ids(it, 5100)).toBe("c5");
  });

  test("where two agents have one hash their deltas are passed over, and their tags count", () => {
    const it = book();
    const named = (name: string) => ({ ...agent("b", tag("b", 1, [proxy("b", name)])), name });
    it.agents([named("h28708"), named("h54903")], 0);
    const { host: hash } = decodeDelta(delta("h54903", 2, [], [proxy("b", "h54903")]), TAG) as HostDelta;
    expect([it.host("h28708", 0)?.hash, it.host("h54903", 0)?.hash]).toEqual([hash, hash]);
    it.delta(delta("h54903", 2, [], [proxy("b", "h54903"), proxy("b", "h28708")]), 1);
    expect(ids(it, 1)).toBe("h28708 h54903");
  });

  test("what is not a delta of this cluster is passed over", () => {
    const it = book();
    it.agents([agent("b", tag("b", 1, []))], 0);
    for (const payload of ["", "garbage", delta("b", 2, [chat("b", "c2", 1)]).replace(TAG, "AAAAA")]) {
      expect(it.delta(payload, 1)).toBe(false);
    }
    expect(ids(it, 1)).toBe("");
  });

  test("a host that withdraws without end is bounded, and keeps its newest withdrawals", () => {
    const it = book();
    const members = [chat("b", "c2", 1), chat("b", "c4", 3)];
    it.agents([agent("b", tag("b", 1, members))], 0);
    it.delta(delta("b", 2, [], [chat("b", "c2", 1)]), 0);
    for (let i = 0; i < 255; i++) it.delta(delta("b", 2, [], [proxy("b", `x${i}`)]), 1);
    expect(ids(it, 1)).toBe("c4");
    it.delta(delta("b", 2, [], [chat("b", "c4", 3)]), 2);
    expect(it.membersOf("b", 2).map(({ id }) => id)).not.toContain("c4");
  });
});

describe("verdicts, conflicts and slots", () => {
  test("a member found dead is out until it shows life, or its host publishes it no longer", () => {
    const it = book();
    const full = agent("b", tag("b", 1, [chat("b", "c2", 1)]));
    it.agents([full], 0);
    it.verdict("b", "c2", "aaaaaa", true);
    it.agents([full], 100);
    expect([ids(it, 100), it.isDead("b", "c2", "aaaaaa"), it.membersOf("b", 100).length]).toEqual([
      "",
      true,
      1,
    ]);
    it.verdict("b", "c2", "aaaaaa", false);
    expect(ids(it, 100)).toBe("c2");
    it.verdict("b", "c2", "aaaaaa", true);
    it.agents([agent("b", tag("b", 2, [chat("b", "c2", 1, "alive", "bbbbbb")]))], 200);
    expect([ids(it, 200), it.isDead("b", "c2", "aaaaaa")]).toEqual(["c2.bbbbbb", false]);
  });

  test("with seal a failed host's members stay until they are given up, and come back with the host", () => {
    const it = book(true);
    const full = tag("b", 1, [chat("b", "c2", 1)]);
    it.agents([agent("b", full), agent("c", tag("c", 1, [chat("c", "c3", 2)]))], 0);
    expect(it.drop("b")).toBe(false);
    it.agents([agent("b", full, "failed")], 100);
    it.agents([agent("b", full, "failed")], 90_000);
    expect([ids(it, 90_000), it.kept()]).toEqual(["c2 c3", ["b", "c"]]);
    expect([it.drop("b"), it.drop("c"), it.drop("b")]).toEqual([true, true, false]);
    expect([ids(it, 90_000), it.kept(), it.dropped()]).toEqual(["", [], ["b", "c"]]);
    it.agents([agent("b", full, "failed")], 90_100);
    expect(ids(it, 90_100)).toBe("");
    it.agents([agent("b", full)], 90_200);
    expect([ids(it, 90_200), it.dropped()]).toEqual(["c2", []]);
    it.agents([agent("b", full, "left")], 90_300);
    expect([ids(it, 90_300), it.kept()]).toEqual(["", []]);
  });

  test("own members that lost to another host are named, with who holds what they lost", () => {
    const it = book();
    const [mine, twin] = [chat("a", "d", 1), chat("a", "e", 4, "alive", "bbbbbb")];
    it.setOwn([mine, twin]);
    it.agents([agent("b", tag("b", 1, [chat("b", "c", 1), chat("b", "e", 5)]))], 0);
    expect(it.resolve(0).lost).toEqual([
      { what: "id", member: twin, to: { host: "b", member: chat("b", "e", 5) } },
      { what: "slot", member: mine, to: { host: "b", member: chat("b", "c", 1) } },
    ]);
    const { slot: _lost, ...drained } = { ...mine, state: "draining" as const };
    expect(it.resolve(0).members).toEqual([chat("b", "c", 1), drained, chat("b", "e", 5)]);
    expect(it.holder("e", 0)?.host).toBe("b");
    expect(it.holder("d", 0)?.host).toBe("a");
    expect(it.holder("nobody", 0)).toBeUndefined();
  });

  test("an own member that an earlier name of the own agent tells of too has lost nothing", () => {
    const it = book();
    const own = chat("a", "c1", 0);
    it.setOwn([own]);
    it.agents([agent("Z", tag("Z", 1, [own])), agent("b", tag("b", 1, [own]))], 0);
    expect([it.resolve(0).lost, ids(it, 0), it.holder("c1", 0)?.host]).toEqual([[], "c1", "Z"]);
  });

  test("a free slot is one that nobody claims, whoever lost it, was found dead, or is kept", () => {
    const it = book(true);
    it.setOwn([chat("a", "c1", 0)]);
    it.agents([
      agent("b", tag("b", 1, [chat("b", "c2", 0), chat("b", "c3", 1), chat("b", "c4", 3, "joining")])),
      agent("c", tag("c", 1, [chat("c", "c5", 2)]), "failed"),
    ], 0);
    it.verdict("b", "c3", "aaaaaa", true);
    expect(it.freeSlot(0)).toBe(4);
    it.delta(delta("b", 2, [], [chat("b", "c3", 1)]), 0);
    expect(it.freeSlot(0)).toBe(1);
  });

  test("a failed host's slots are given away after 5 minutes, or when there is no other", () => {
    const it = book();
    const full = agent("b", tag("b", 1, [chat("b", "c2", 0)]), "failed");
    it.agents([full], 0);
    expect([it.freeSlot(0), it.freeSlot(299_999), it.freeSlot(300_000)]).toEqual([1, 1, 0]);
    it.setOwn(Array.from({ length: 1023 }, (_, i) => chat("a", `x${i}`, i + 1)));
    expect(it.freeSlot(0)).toBe(0);
    it.setOwn(Array.from({ length: 1024 }, (_, i) => chat("a", `x${i}`, i)));
    expect(() => it.freeSlot(0)).toThrow("all 1024 slots");
  });

  test("nothing is computed anew while nothing has changed", () => {
    const it = book();
    const full = [agent("b", tag("b", 1, [chat("b", "c2", 1)]))];
    it.agents(full, 0);
    const view = it.resolve(0);
    it.agents(full, 100);
    expect(it.resolve(200)).toBe(view);
    expect(it.expireAt(200)).toBeUndefined();
  });
});

describe("the list of hosts", () => {
  test("is the same until something changes, and then another", () => {
    const it = book();
    it.agents([agent("a"), agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 0);
    const before = it.hosts(0);
    expect(before.map(({ name, status, counts }) => [name, status, counts])).toEqual([
      ["a", "alive", true],
      ["b", "alive", true],
    ]);
    it.agents([agent("a"), agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 100);
    expect(it.hosts(100)).toBe(before);
    it.agents([agent("a"), agent("b", tag("b", 1, [chat("b", "c2", 1)]), "failed")], 200);
    expect(it.hosts(200)[1]).toMatchObject({ status: "failed", counts: false });
    it.agents([agent("a")], 300);
    expect(it.hosts(300).map(({ name }) => name)).toEqual(["a"]);
  });

  test("says by itself that a host counts no longer when it has been missing for long", () => {
    const it = book();
    it.agents([agent("a"), agent("b", tag("b", 1, []))], 0);
    it.agents([agent("a")], 100);
    expect(it.hosts(5099)[1]).toMatchObject({ status: "missing", counts: true });
    expect(it.hosts(5100)[1]).toMatchObject({ status: "missing", counts: false });
  });

  test("says nothing any more of a host's members that was given up and came without its tag", () => {
    const it = book();
    it.agents([agent("a"), agent("b", tag("b", 1, [chat("b", "c2", 1)]))], 0);
    it.agents([agent("a"), agent("b", undefined, "failed")], 100);
    expect(it.hosts(100)[1]?.value?.members).toHaveLength(1);
    it.agents([agent("a"), agent("b", undefined, "failed")], 200);
    expect(it.hosts(200)[1]?.value).toBeUndefined();
  });

  test("names a host by its hash, where one alone has it", () => {
    const it = book();
    it.agents([agent("a"), agent("b", tag("b", 1, []))], 0);
    expect([it.nameOf(hostHash("b")), it.nameOf(hostHash("c"))]).toEqual(["b", undefined]);
  });
});
