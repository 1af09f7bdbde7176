import { describe, expect, test } from "bun:test";
import { GossipHosts } from "../../../tests/support/gossip_hosts.ts";
import { ToychatError } from "../../lib/errors.ts";

/** The code of what a call throws. */
function codeOf(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return error instanceof ToychatError ? error.code : String(error);
  }
  return undefined;
}

describe("members that join", () => {
  test("are in one and the same view on every host", async () => {
    const all = await GossipHosts.open(["a", "b", "c"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(300);
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    all.bridge("c").register("proxy-c", "10.0.0.3:8080", "cccccc");
    await all.clock.run(2000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "proxy-c - alive"]);
    expect(all.bridge("a").host.view.members.map(({ address }) => address)).toEqual([
      "10.0.0.1:7001",
      "10.0.0.2:7001",
      "10.0.0.3:8080",
    ]);
    all.end();
  });

  test("are placed once nobody has contested their slot for a second, and proxies at once", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    const { host } = all.bridge("a");
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    all.bridge("a").register("proxy-a", "10.0.0.1:8080", "abaaaa");
    let settled = false;
    void host.settled("chat-a", "aaaaaa")?.then(() => settled = true);
    expect(host.settled("proxy-a", "abaaaa")).toBeUndefined();
    await all.clock.run(999);
    expect([settled, all.list]).toEqual([false, ["chat-a 0 joining", "proxy-a - alive"]]);
    await all.clock.run(1);
    expect([settled, all.bridge("a").list]).toEqual([true, ["chat-a 0 alive", "proxy-a - alive"]]);
    all.end();
  });

  test("are on other hosts as soon as the event is there, before the tag is", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.gossip.times.tagsMs = 5000;
    all.bridge("a").register("proxy-a", "10.0.0.1:8080", "aaaaaa");
    await all.clock.run(50);
    expect(all.list).toEqual(["proxy-a - alive"]);
    all.end();
  });

  test("are there though no event ever arrives", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.gossip.times.eventMs = 60_000;
    all.bridge("a").register("proxy-a", "10.0.0.1:8080", "aaaaaa");
    await all.clock.run(400);
    expect(all.list).toEqual(["proxy-a - alive"]);
    all.end();
  });

  test("are refused where another host holds their id, in words that name it", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("a").register("chat-1", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(2000);
    expect(() => all.bridge("b").register("chat-1", "10.0.0.2:7001", "bbbbbb")).toThrow(
      'the id "chat-1" is taken by the chat at 10.0.0.1:7001 on the host "a"',
    );
    expect(all.list).toEqual(["chat-1 0 alive"]);
    all.end();
  });

  test("are refused a slot that another host's ChatServer holds", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(2000);
    const claim = (): unknown => all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb", { slot: 0 });
    expect(codeOf(claim)).toBe("slot_taken");
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(2000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    all.end();
  });

  test("are refused where the tags are full, and those that are there stay as they were", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    const { host } = all.bridge("a");
    let fit = 0;
    const next = (): unknown => all.bridge("a").register(`proxy-${fit}`, `10.0.0.1:${8000 + fit}`, "aaaaaa");
    while (codeOf(next) === undefined) fit++;
    expect(fit).toBeGreaterThanOrEqual(24);
    expect(codeOf(next)).toBe("tags_full");
    await all.clock.run(1000);
    expect(all.list).toHaveLength(fit);
    expect(host.view.members.some(({ id }) => id === `proxy-${fit}`)).toBe(false);
    // One that is known may still change, and gives its place when it goes.
    all.bridge("a").hangUp("proxy-0", "aaaaaa");
    expect(codeOf(next)).toBeUndefined();
    await all.clock.run(1000);
    expect(all.list).toHaveLength(fit);
    expect(all.list).toContain(`proxy-${fit} - alive`);
    all.end();
  });

  test("leave what was there untouched where their new life does not fit", async () => {
    const all = await GossipHosts.open(["a"]);
    const bridge = all.bridge("a");
    bridge.register("proxy-1", "10.0.0.1:8080", "aaaaaa");
    const claim = (): unknown =>
      bridge.host.claim({
        id: "proxy-1",
        role: "proxy",
        address: "10.0.0.1:8081",
        incarnation: "too-long-one",
        replaces: "aaaaaa",
      });
    expect(codeOf(claim)).toBe("invalid_incarnation");
    expect(bridge.host.view.members).toMatchObject([{ incarnation: "aaaaaa", address: "10.0.0.1:8080" }]);
    all.end();
  });
});

describe("members that register again", () => {
  test("in the same life where their new address does not fit: they stay where they were", async () => {
    const all = await GossipHosts.open(["a"]);
    const bridge = all.bridge("a");
    let fit = 0;
    const next = (): unknown =>
      bridge.register(`p-${fit}`, `10.0.0.1:${8000 + fit}`, "aaaaaa", { role: "proxy" });
    while (codeOf(next) === undefined) fit++;
    const before = bridge.list;
    const codes = ["p-0", "p-1", "p-2"].map((id) => {
      const claim = { id, role: "proxy", address: "10.99.0.1:9000", incarnation: "aaaaaa" } as const;
      return codeOf(() => bridge.host.claim(claim));
    });
    expect(codes.at(-1)).toBe("tags_full");
    bridge.register("p-3", "10.0.0.1:8003", "aaaaaa", { role: "proxy" });
    expect(bridge.host.view.members.find(({ id }) => id === "p-2")?.address).toBe("10.0.0.1:8002");
    await all.clock.run(500);
    expect(bridge.list).toEqual(before);
    all.end();
  });
});

describe("members that go", () => {
  test("are gone everywhere by the event, long before the tags say so", async () => {
    const all = await GossipHosts.open(["a", "b", "c"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(2000);
    all.gossip.times.tagsMs = 3000;
    all.bridge("a").hangUp("chat-a", "aaaaaa");
    await all.clock.run(45);
    expect(all.list).toEqual([]);
    // Tags that lag still name it: nobody is fooled.
    await all.clock.run(10_000);
    expect(all.list).toEqual([]);
    expect(all.bridge("b").changes).toBe(3);
    all.end();
  });

  test("come back as another life, and the tag of the former one changes nothing", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(2000);
    all.gossip.times.tagsMs = 4000;
    all.bridge("a").hangUp("chat-a", "aaaaaa");
    await all.clock.run(100);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "zzzzzz");
    await all.clock.run(1500);
    expect(all.list).toEqual(["chat-a 0 alive"]);
    expect(all.bridge("b").host.view.members[0]?.incarnation).toBe("zzzzzz");
    await all.clock.run(10_000);
    expect(all.bridge("b").host.view.members[0]?.incarnation).toBe("zzzzzz");
    all.end();
  });

  test("take no other life of their id with them", async () => {
    const all = await GossipHosts.open(["a"]);
    const bridge = all.bridge("a");
    bridge.register("proxy-a", "10.0.0.1:8080", "aaaaaa");
    bridge.hangUp("proxy-a", "bbbbbb");
    expect(bridge.list).toEqual(["proxy-a - alive"]);
    expect(bridge.host.withdraw("proxy-a", "aaaaaa")).toBe(true);
    expect(bridge.host.withdraw("proxy-a", "aaaaaa")).toBe(false);
    all.end();
  });

  test("end the wait of those who have asked for their claim", async () => {
    const all = await GossipHosts.open(["a"]);
    const bridge = all.bridge("a");
    bridge.register("chat-a", "10.0.0.1:7001", "aaaaaa");
    const settled = bridge.host.settled("chat-a", "aaaaaa");
    bridge.hangUp("chat-a", "aaaaaa");
    expect(await settled?.catch((error) => error.code)).toBe("withdrawn");
    await all.clock.run(2000);
    expect(bridge.list).toEqual([]);
    all.end();
  });

  test("drain first, and everybody sees it", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(2000);
    all.bridge("a").host.setState("chat-a", "aaaaaa", "draining");
    await all.clock.run(45);
    expect(all.list).toEqual(["chat-a 0 draining"]);
    await all.clock.run(2000);
    expect(all.list).toEqual(["chat-a 0 draining"]);
    all.end();
  });
});

describe("members that are asked to drain from another host", () => {
  async function asked(
    change: (all: GossipHosts) => void,
  ): Promise<[told: boolean, drained: string[], ms: number]> {
    const all = await GossipHosts.open(["a", "b", "c"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    all.bridge("b").register("proxy-b", "10.0.0.2:8080", "bbbbbb");
    await all.clock.run(2000);
    const [member] = all.bridge("c").host.view.members;
    change(all);
    const began = all.clock.now();
    let told: boolean | undefined;
    let over = false;
    const call = all.bridge("c").host.drainElsewhere(member as never);
    void call?.answer.then((answer) => told = answer);
    void call?.over.then(() => over = true);
    await all.clock.until(() => told !== undefined, 10_000);
    const ms = all.clock.now() - began;
    await all.clock.until(() => over, 10_000);
    // The agent keeps the query for its whole time, whatever was answered.
    expect(all.clock.now() - began).toBeGreaterThanOrEqual(2000);
    const drained = ["a", "b", "c"].flatMap((host) => all.bridge(host).drained);
    all.end();
    return [told as boolean, drained, ms];
  }

  test("are told so by their own bridge, and nobody else is", async () => {
    const [told, drained, ms] = await asked(() => {});
    expect([told, drained]).toEqual([true, ["chat-a"]]);
    expect(ms).toBeLessThan(200);
  });

  test("and have gone meanwhile are not there, which is said at once", async () => {
    const [told, drained, ms] = await asked((all) => all.bridge("a").held.clear());
    expect([told, drained]).toEqual([false, []]);
    expect(ms).toBeLessThan(200);
  });

  test("by a host that does not hear theirs are not there, which is said in the end", async () => {
    const [told, drained, ms] = await asked((all) => all.gossip.lost.add("c>a"));
    expect([told, drained]).toEqual([false, []]);
    expect(ms).toBeLessThan(3000);
  });
});

describe("claims that meet", () => {
  test("to one slot: the higher id takes another one in the life that it has, and joins for a second anew", async () => {
    const all = await GossipHosts.open(["a", "b", "c"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(100);
    expect(all.list).toEqual(["chat-a 0 joining", "chat-b 1 joining"]);
    await all.clock.run(930);
    expect(all.bridge("a").list).toEqual(["chat-a 0 alive", "chat-b 1 joining"]);
    await all.clock.run(200);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    expect(all.bridge("b").host.view.members.map(({ incarnation }) => incarnation)).toEqual([
      "aaaaaa",
      "bbbbbb",
    ]);
    expect(all.bridge("b").revoked).toEqual([]);
    all.end();
  });

  test("to one slot, which is noticed late: the second begins anew with the other slot", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.gossip.times.eventMs = 600;
    all.gossip.times.tagsMs = 600;
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(1400);
    expect(all.bridge("b").list).toContain("chat-b 1 joining");
    await all.clock.run(1500);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    all.end();
  });

  test("to one slot by those who were placed, after a cut: one of them moves, none is put out", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.gossip.part(["a"], ["b"]);
    await all.clock.run(8000);
    all.bridge("a").register("chat-x", "10.0.0.1:7001", "aaaaaa");
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(3000);
    expect(all.bridge("a").list).toEqual(["chat-x 0 alive"]);
    expect(all.bridge("b").list).toEqual(["chat-b 0 alive"]);
    all.gossip.heal();
    await all.clock.run(1000);
    await all.clock.run(3000);
    expect(all.list).toEqual(["chat-b 0 alive", "chat-x 1 alive"]);
    expect([all.bridge("a").revoked, all.bridge("b").revoked]).toEqual([[], []]);
    all.end();
  });

  test("to one id: the lower life keeps it, the other is put out by its own bridge", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("a").register("chat-1", "10.0.0.1:7001", "zzzzzz");
    all.bridge("b").register("chat-1", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(2000);
    expect(all.list).toEqual(["chat-1 0 alive"]);
    expect(all.bridge("a").host.view.members[0]?.address).toBe("10.0.0.2:7001");
    expect([all.bridge("a").revoked, all.bridge("b").revoked]).toEqual([["chat-1 conflict"], []]);
    await all.clock.run(15_000);
    expect(all.list).toEqual(["chat-1 0 alive"]);
    all.end();
  });
});

describe("a failed host", () => {
  test("is out of the view as soon as the own agent says so, and back with its agent", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(2000);
    all.agent("b").kill();
    await all.clock.run(5900);
    expect(all.bridge("a").list).toEqual(["chat-b 0 alive"]);
    await all.clock.run(300);
    expect(all.bridge("a").list).toEqual([]);
    all.agent("b").restart();
    await all.clock.run(2500);
    expect(all.list).toEqual(["chat-b 0 alive"]);
    all.end();
  });

  test("that leaves in good order is out at once", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(2000);
    all.agent("a").mark("b", "leaving");
    await all.clock.run(200);
    expect(all.bridge("a").list).toEqual(["chat-b 0 alive"]);
    all.agent("a").mark("b", "left");
    await all.clock.run(200);
    expect(all.bridge("a").list).toEqual([]);
    all.end();
  });
});
