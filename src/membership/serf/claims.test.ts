import { describe, expect, test } from "bun:test";
import { BRIDGE_HOST, BridgeCluster } from "../../../tests/support/bridge_cluster.ts";
import { fakeMember, type FakeQuery, FakeSerfAgent } from "../../../tests/support/fake_serf_agent.ts";
import { GossipHosts } from "../../../tests/support/gossip_hosts.ts";
import { ToychatError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { placementKey } from "../placement.ts";
import type { Member } from "../view.ts";
import { clusterTag, encodeHost, HOST_TAG, hostHash } from "./host_tag.ts";
import { encodeAnswer } from "./live_query.ts";

/** The tag of a host without a bridge that says this of its members. */
function tagOf(members: readonly Member[], agentAddress: string, secret?: string): Map<string, string> {
  const tag = clusterTag("toychat", placementKey(secret));
  return new Map([[HOST_TAG, encodeHost({ clusterTag: tag, slots: 1, seq: 1, members, agentAddress })]]);
}

/** A placed ChatServer of the host at 10.0.0.2, whose claim to its id beats no other placed one. */
const RIVAL: Member = {
  id: "chat-z",
  role: "chat",
  address: "10.0.0.2:7001",
  incarnation: "zzzzzz",
  slot: 5,
  state: "alive",
};

/** What a call throws, as `code: message`. */
function refusal(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return error instanceof ToychatError ? `${error.code}: ${error.message}` : String(error);
  }
  return undefined;
}

/** Host a with a bridge, and host b, whose bridge is dead, with a rival. */
async function besideRival(): Promise<GossipHosts> {
  const all = await GossipHosts.open(["a"]);
  all.bridge("a").register("chat-z", "10.0.0.1:7001", "aaaaaa");
  await all.clock.run(2000);
  all.gossip.agent("b", "10.0.0.2").tag(tagOf([RIVAL], "10.0.0.2"));
  await all.clock.run(1000);
  return all;
}

describe("a claim that makes no sense", () => {
  test.each(
    [
      [{ slot: null }, "invalid_slot: slot is null: give a whole number from 0 to 1023, or leave it out"],
      [{ slot: 1024 }, "invalid_slot: slot is 1024"],
      [{ slot: [0] }, "invalid_slot: slot is an object or a list"],
      [{ replaces: null }, "invalid_incarnation: replaces is null"],
      [{ replaces: "" }, 'invalid_incarnation: replaces is ""'],
      [{ slot: null, replaces: "aaaaaa" }, "invalid_slot"],
    ] as const,
  )("as by %j is refused before anything becomes of it", async (given, words) => {
    const all = await GossipHosts.open(["a"]);
    const { host } = all.bridge("a");
    all.bridge("a").register("chat-1", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(2000);
    // Nobody holds it any more: a sound claim would take its place.
    all.bridge("a").held.clear();
    const { view } = host;
    for (const id of ["chat-1", "chat-2"]) {
      const claim = { id, role: "chat", address: "10.0.0.1:7002", incarnation: "bbbbbb", ...given };
      expect(refusal(() => host.claim(claim as never))).toStartWith(words);
    }
    await all.clock.run(2000);
    expect(host.view).toBe(view);
    all.end();
  });
});

describe("a new life that another host's claim beats at once", () => {
  test("is refused in words that name the host, and is not there", async () => {
    const all = await besideRival();
    const { host, list } = all.bridge("a");
    expect(list).toEqual(["chat-z 0 alive"]);
    const claim = { id: "chat-z", role: "chat", address: "10.0.0.1:7001", incarnation: "bbbbbb" } as const;
    expect(refusal(() => host.claim({ ...claim, replaces: "aaaaaa" }))).toStartWith(
      'duplicate_member_id: the id "chat-z" is taken by the chat at 10.0.0.2:7001 on the host "b"',
    );
    expect(host.settled("chat-z", "bbbbbb")).toBeUndefined();
    expect(host.withdraw("chat-z", "bbbbbb")).toBe(false);
    expect(host.view.members).toMatchObject([{ incarnation: "zzzzzz" }]);
    all.end();
  });

  test("gives its process no lease, which it gets when the other one is gone", async () => {
    const cluster = new BridgeCluster();
    const { clock } = cluster;
    const tag = clusterTag("toychat", placementKey("s3cret"));
    const says = { host: hostHash("b"), seq: 1, lost: false, silent: [], out: [] };
    const words = encodeAnswer(tag, says, { host: hostHash("a"), ltime: 1 });
    const onQuery = ({ filterNodes, answer }: FakeQuery): void => {
      if (filterNodes.length === 0) answer("b", new TextEncoder().encode(words));
    };
    const transport = cluster.at(BRIDGE_HOST);
    const agent = new FakeSerfAgent({ transport, clock, name: "a", address: BRIDGE_HOST, onQuery });
    const other = (members: readonly Member[]) =>
      fakeMember("b", { address: "10.0.0.2", tags: tagOf(members, "10.0.0.2", "s3cret") });
    const { self } = agent;
    await agent.start();
    await cluster.finish(cluster.startBridge({ serf: {} }));
    const logged: unknown[] = [];
    const log: Logger = (_level, event, { code } = {}) => logged.push(code ?? event);
    const member = await cluster.join("chat-z", "chat", { log });
    agent.members = [self, other([RIVAL])];
    await clock.run(1000);
    expect(member.lease.held()).toBe(true);
    cluster.freeze(member.host, member.clock);
    await clock.run(2300);
    logged.length = 0;
    cluster.thaw(member.host, member.clock);
    for (let i = 0; i < 50; i++) {
      await clock.run(100);
      expect(member.lease.held()).toBe(false);
    }
    expect(cluster.bridge.view.members).toEqual([RIVAL]);
    // It is told so on the connection that it has, each time that it tries.
    expect(new Set(logged)).toEqual(new Set(["duplicate_member_id"]));
    agent.members = [self, other([])];
    await clock.run(3000);
    expect([member.lease.held(), member.rejoins, cluster.ids()]).toEqual([true, 1, ["chat-z"]]);
    cluster.cut(member.host);
    await cluster.finish(Promise.all([member.membership.close(), cluster.bridge.stop(), agent.kill()]));
  });
});

describe("a slot that is lost while none is free", () => {
  /** Host a with a ChatServer in slot 0, and others whose ChatServers, of lower ids, hold all slots. */
  async function full(): Promise<GossipHosts> {
    const all = await GossipHosts.open(["a"]);
    all.bridge("a").register("z", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(2000);
    for (let first = 0, host = 2; first < 1024; first += 24, host++) {
      const address = `10.0.0.${host}`;
      const slots = Array.from({ length: Math.min(24, 1024 - first) }, (_, i) => first + i);
      const members = slots.map((slot): Member => {
        const incarnation = slot.toString(36).padStart(6, "0");
        const place = { address: `${address}:${7000 + slot}`, slot };
        return { id: `c${slot}`, role: "chat", incarnation, ...place, state: "alive" };
      });
      all.gossip.agent(`h${host}`, address).tag(tagOf(members, address));
    }
    await all.clock.run(1000);
    return all;
  }

  test("costs the ChatServer its place: the view goes on, and it is in again once there is one", async () => {
    const all = await full();
    const bridge = all.bridge("a");
    expect(bridge.revoked).toEqual(["z conflict"]);
    expect(bridge.host.view.members).toHaveLength(1024);
    const join = (): unknown => bridge.register("z", "10.0.0.1:7001", "bbbbbb");
    expect(refusal(join)).toStartWith("no_free_slot");
    all.agent("h2").tag(tagOf([], "10.0.0.2"));
    await all.clock.run(1000);
    expect(bridge.host.view.members).toHaveLength(1000);
    expect(refusal(join)).toBeUndefined();
    await all.clock.run(2000);
    expect(bridge.list).toContain("z 0 alive");
    all.end();
  });
});
