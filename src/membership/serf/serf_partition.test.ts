import { describe, expect, test } from "bun:test";
import { GossipHosts } from "../../../tests/support/gossip_hosts.ts";
import { ToychatError } from "../../lib/errors.ts";

type Mode = "serve" | "seal";

const address = (all: GossipHosts, host: string): string => `${all.agent(host).self.address}:7001`;

/** Lets a ChatServer of a host register as a new life, as soon as it may; `inc` is six letters. */
async function enter(all: GossipHosts, host: string, inc = host.repeat(6)): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      all.bridge(host).register(`chat-${host}`, address(all, host), inc);
      return await all.clock.run(200);
    } catch (error) {
      if (!(error instanceof ToychatError) || error.code !== "sealed") throw error;
      await all.clock.run(200);
    }
  }
  throw new Error(`chat-${host} was not let in`);
}

/** Hosts with a ChatServer each, which have known each other for long. */
async function hosts(names: string, mode: Mode): Promise<GossipHosts> {
  const all = await GossipHosts.open([...names], mode);
  for (const name of names) await enter(all, name);
  await all.clock.run(8000);
  expect(all.list).toEqual([...names].map((name, slot) => `chat-${name} ${slot} alive`));
  return all;
}

const chats = (all: GossipHosts, host: string): string =>
  all.bridge(host).host.view.members.map(({ id }) => id.slice("chat-".length)).join("");
const sealed = (all: GossipHosts, names: string): string =>
  [...names].filter((name) => all.bridge(name).host.sealed).join("");
/** Milliseconds until something is so. */
async function after(all: GossipHosts, condition: () => boolean, ms = 30_000): Promise<number> {
  const from = all.clock.now();
  expect(await all.clock.until(condition, ms)).toBe(true);
  return all.clock.now() - from;
}

describe("with seal", () => {
  test("hosts that start at the same time let their ChatServers in within seconds", async () => {
    const all = await GossipHosts.open(["a", "b", "c"], "seal");
    const from = all.clock.now();
    for (const name of "abc") await enter(all, name);
    await after(all, () => all.digests.length === 1 && all.list.join().match(/alive/g)?.length === 3);
    expect(all.clock.now() - from).toBeLessThan(4000);
    all.end();
  });

  test("a host by itself lets its ChatServers in, once it has waited for others", async () => {
    const all = await GossipHosts.open(["a"], "seal");
    const from = all.clock.now();
    await enter(all, "a");
    expect(all.clock.now() - from).toBeLessThan(4000);
    await all.clock.run(60_000);
    expect(all.list).toEqual(["chat-a 0 alive"]);
    all.end();
  });

  test("the side without the majority seals within 5 s, the other one takes over 8 s after the cut at the soonest", async () => {
    const all = await hosts("abc", "seal");
    all.gossip.part(["a", "b"], ["c"]);
    expect(await after(all, () => sealed(all, "abc") === "c")).toBeLessThan(5000);
    expect(all.bridge("c").revoked).toEqual(["chat-c sealed"]);
    const left = await after(all, () => chats(all, "a") === "ab" && chats(all, "b") === "ab");
    expect(all.clock.now()).toBeGreaterThan(8000);
    expect(left).toBeLessThan(8000);
    await all.clock.run(60_000);
    expect([sealed(all, "abc"), chats(all, "a"), chats(all, "b")]).toEqual(["c", "ab", "ab"]);
    all.gossip.heal();
    await enter(all, "c", "dddddd");
    await all.clock.run(2000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "chat-c 2 alive"]);
    all.end();
  });

  test("nobody is dropped for silence before that, though nothing of its host gives a sign of life", async () => {
    const all = await hosts("abc", "seal");
    all.gossip.times.failedMs = 3_600_000;
    const cut = all.clock.now();
    all.gossip.part(["a", "b"], ["c"]);
    await after(all, () => chats(all, "a") === "ab");
    expect(all.clock.now() - cut).toBeGreaterThanOrEqual(7000);
    expect(all.clock.now() - cut).toBeLessThan(11_000);
    all.end();
  });

  test("a host that one of four cannot hear, but the others can, keeps its rooms", async () => {
    const all = await hosts("abcd", "seal");
    for (const pair of ["a>d", "d>a"]) all.gossip.lost.add(pair);
    await all.clock.run(30_000);
    expect([sealed(all, "abcd"), chats(all, "a"), all.bridge("d").revoked]).toEqual(["", "abcd", []]);
    all.end();
  });

  test("processes that are gone while their agent lives are dropped at once, where nobody listens any more", async () => {
    const all = await hosts("abc", "seal");
    all.bridge("c").kill();
    all.refusing.add(address(all, "c"));
    expect(await after(all, () => chats(all, "a") === "ab" && chats(all, "b") === "ab")).toBeLessThan(5500);
    all.end();
  });

  test("a bridge that is started again has its members, and nobody notices", async () => {
    const all = await hosts("abc", "seal");
    const changes = ["a", "b"].map((name) => all.bridge(name).changes);
    all.bridge("c").kill();
    await all.clock.run(1500);
    const bridge = await all.startBridge("c");
    await after(all, () => !bridge.host.sealed, 1000);
    bridge.register("chat-c", address(all, "c"), "cccccc", { slot: 2 });
    await all.clock.run(10_000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "chat-c 2 alive"]);
    expect([bridge.revoked, ["a", "b"].map((name) => all.bridge(name).changes)]).toEqual([[], changes]);
    all.end();
  });

  test("a bridge that is started again while another host is dead does not take that one for living", async () => {
    const all = await hosts("abc", "seal");
    all.agent("c").kill();
    all.bridge("c").kill();
    await after(all, () => chats(all, "a") === "ab" && chats(all, "b") === "ab");
    all.bridge("b").kill();
    await all.clock.run(500);
    const bridge = await all.startBridge("b");
    bridge.register("chat-b", address(all, "b"), "bbbbbb", { slot: 1 });
    expect(bridge.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    await all.clock.run(30_000);
    expect([all.bridge("a").list, bridge.list, bridge.revoked]).toEqual([
      ["chat-a 0 alive", "chat-b 1 alive"],
      ["chat-a 0 alive", "chat-b 1 alive"],
      [],
    ]);
    all.end();
  });

  test("a bridge that is started again on a host that is cut off lets nobody in", async () => {
    const all = await hosts("abc", "seal");
    all.gossip.part(["a", "b"], ["c"]);
    await all.clock.run(1000);
    all.bridge("c").kill();
    const bridge = await all.startBridge("c");
    await all.clock.run(20_000);
    expect([bridge.host.sealed, bridge.revoked, bridge.list.join().includes("chat-c")]).toEqual([
      true,
      ["chat-c absent"],
      false,
    ]);
    all.end();
  });

  test("an agent that is restarted at once seals nobody", async () => {
    const all = await hosts("abc", "seal");
    all.agent("b").kill();
    await all.clock.run(1500);
    all.agent("b").restart();
    await all.clock.run(20_000);
    expect([sealed(all, "abc"), all.bridge("b").revoked]).toEqual(["", []]);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "chat-c 2 alive"]);
    all.end();
  });

  test("all hosts are restarted one after another, and the others go on throughout", async () => {
    const all = await hosts("abc", "seal");
    for (const name of "abc") {
      const others = [..."abc"].filter((other) => other !== name).join("");
      const inc = name.repeat(6);
      all.bridge(name).host.setState(`chat-${name}`, inc, "draining");
      await all.clock.run(1000);
      all.bridge(name).hangUp(`chat-${name}`, inc);
      await all.clock.run(500);
      all.bridge(name).kill();
      all.agent(name).kill();
      await all.clock.run(3000);
      all.agent(name).restart();
      await all.clock.run(500);
      expect(sealed(all, others)).toBe("");
      await all.startBridge(name);
      await enter(all, name, `${name}${name}${name}${name}${name}2`);
      await all.clock.run(3000);
      expect([sealed(all, "abc"), chats(all, "a")]).toEqual(["", "abc"]);
    }
    await all.clock.run(10_000);
    expect(all.list.map((line) => line.split(" ")[2])).toEqual(["alive", "alive", "alive"]);
    all.end();
  });

  test("a host whose agent leaves gives up its ChatServers before the others take over", async () => {
    const all = await hosts("abc", "seal");
    all.agent("c").mark("c", "leaving");
    await all.clock.run(300);
    expect([all.bridge("c").revoked, sealed(all, "abc")]).toEqual([["chat-c sealed"], "c"]);
    for (const other of "abc") all.agent(other).mark("c", "left");
    await all.clock.run(2000);
    expect([chats(all, "a"), sealed(all, "abc")]).toEqual(["ab", "c"]);
    all.end();
  });

  test("a host that leaves counts no more, and neither does one that an operator removes", async () => {
    const all = await hosts("abc", "seal");
    for (const other of ["a", "b"]) all.agent(other).mark("c", "left");
    all.bridge("c").kill();
    await all.clock.run(1000);
    expect([sealed(all, "ab"), chats(all, "a")]).toEqual(["", "ab"]);
    all.agent("a").kill();
    all.bridge("a").kill();
    await after(all, () => sealed(all, "b") === "b");
    await all.clock.run(20_000);
    expect(sealed(all, "b")).toBe("b");
    all.agent("b").mark("a", "left");
    await after(all, () => sealed(all, "b") === "", 4000);
    await enter(all, "b", "eeeeee");
    await all.clock.run(1500);
    expect(chats(all, "b")).toBe("b");
    all.end();
  });

  test("of three hosts that sealed alone, two that meet again go on without the third", async () => {
    const all = await hosts("abc", "seal");
    all.gossip.part(["a"], ["b"], ["c"]);
    await after(all, () => sealed(all, "abc") === "abc");
    await all.clock.run(20_000);
    expect(["a", "b", "c"].map((name) => all.bridge(name).revoked)).toEqual([
      ["chat-a sealed"],
      ["chat-b sealed"],
      ["chat-c sealed"],
    ]);
    all.gossip.heal();
    all.gossip.part(["b", "c"], ["a"]);
    await after(all, () => sealed(all, "abc") === "a", 5000);
    await enter(all, "b", "bbbbb2");
    await enter(all, "c", "ccccc2");
    await after(all, () => chats(all, "b") === "bc" && chats(all, "c") === "bc", 15_000);
    expect(sealed(all, "abc")).toBe("a");
    all.end();
  });

  test("the side with the majority takes over on all of its hosts at the same time, whenever each of them asks", async () => {
    for (let apart = 100; apart < 1000; apart += 100) {
      const all = await hosts("abc", "seal");
      all.bridge("b").kill();
      await all.clock.run(apart);
      await all.startBridge("b");
      await after(all, () => sealed(all, "b") === "");
      all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb", { slot: 1 });
      await all.clock.run(10_000);
      expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "chat-c 2 alive"]);
      all.gossip.part(["a", "b"], ["c"]);
      await after(all, () => chats(all, "a") === "ab" || chats(all, "b") === "ab");
      expect([apart, await all.clock.until(() => chats(all, "a") === chats(all, "b"), 300)]).toEqual([
        apart,
        true,
      ]);
      all.end();
    }
  });

  test("hosts that have sealed count on while their ChatServers are still to come back", async () => {
    const all = await hosts("abc", "seal");
    all.gossip.part(["a"], ["b"], ["c"]);
    await after(all, () => sealed(all, "abc") === "abc");
    all.gossip.heal();
    await after(all, () => sealed(all, "abc") === "");
    await all.clock.run(1000);
    all.gossip.part(["a"], ["b", "c"]);
    expect(await after(all, () => sealed(all, "abc") === "a")).toBeLessThan(5000);
    all.end();
  });

  test("a ChatServer that is drained while another host is dead stops nobody, and comes back", async () => {
    const all = await hosts("abc", "seal");
    all.agent("a").kill();
    all.bridge("a").kill();
    await after(all, () => chats(all, "b") === "bc");
    all.bridge("c").hangUp("chat-c", "cccccc");
    await all.clock.run(20_000);
    expect([sealed(all, "bc"), chats(all, "b")]).toEqual(["", "b"]);
    await enter(all, "c", "ccccc2");
    await all.clock.run(5000);
    expect([sealed(all, "bc"), chats(all, "b")]).toEqual(["", "bc"]);
    all.end();
  });

  test("a ChatServer that was withdrawn behind the cut does not come back with its host's old tag", async () => {
    const all = await hosts("abc", "seal");
    all.gossip.times.failedMs = 3_600_000;
    all.gossip.part(["a", "b"], ["c"]);
    await after(all, () => chats(all, "a") === "ab");
    const seen = new Set<string>();
    all.gossip.lost.clear();
    await after(all, () => seen.add(chats(all, "a")).size > 0 && sealed(all, "abc") === "", 10_000);
    expect([...seen]).toEqual(["ab"]);
    all.end();
  });
});

describe("with serve", () => {
  test("each side goes on alone and has the others back when they meet again", async () => {
    const all = await hosts("abc", "serve");
    all.gossip.part(["a", "b"], ["c"]);
    const changes = await after(all, () => chats(all, "a") === "ab" && chats(all, "c") === "c");
    expect(changes).toBeLessThan(7000);
    await all.clock.run(30_000);
    expect([chats(all, "a"), chats(all, "b"), chats(all, "c")]).toEqual(["ab", "ab", "c"]);
    all.gossip.heal();
    await all.clock.run(1000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "chat-c 2 alive"]);
    all.end();
  });

  test("a host that Serf calls alive and failed by turns counts when it answers, and not before", async () => {
    const all = await hosts("abc", "serve");
    for (const other of "ab") all.gossip.lost.add(`${other}>c`);
    await all.clock.run(2500);
    for (const other of "ab") all.agent(other).mark("c", "failed");
    await all.clock.run(300);
    expect([chats(all, "a"), chats(all, "b")]).toEqual(["ab", "ab"]);
    for (const other of "ab") all.agent(other).mark("c", "alive");
    const seen = new Set<string>();
    await all.clock.until(() => seen.add(chats(all, "a")).size === 0, 15_000);
    expect([...seen]).toEqual(["ab"]);
    all.gossip.lost.clear();
    expect(await after(all, () => chats(all, "a") === "abc")).toBeLessThan(1500);
    all.end();
  });

  test("a host that answers stays, though the agent of another one calls it failed for a moment", async () => {
    const all = await hosts("abc", "serve");
    const seen = new Set<string>();
    const look = (): boolean => seen.add(["a", "b", "c"].map((name) => chats(all, name)).join()).size === 0;
    const changes = (): number[] => ["a", "b", "c"].map((name) => all.bridge(name).changes);
    const [before, digests] = [changes(), all.digests];
    for (let moment = 0; moment < 10; moment++) {
      all.agent("a").mark("b", "failed");
      await all.clock.until(look, 300);
      all.agent("a").mark("b", "alive");
      await all.clock.until(look, 770);
    }
    expect([[...seen], changes(), all.digests]).toEqual([["abc,abc,abc"], before, digests]);
    all.end();
  });

  test("a host that answers stays for as long as another's agent calls it failed, and goes 2 s after its last answer", async () => {
    const all = await hosts("abc", "serve");
    all.agent("a").mark("b", "failed");
    await all.clock.run(20_000);
    expect(chats(all, "a")).toBe("abc");
    all.agent("b").kill();
    const silence = await after(all, () => chats(all, "a") === "ac");
    expect(silence).toBeGreaterThan(900);
    expect(silence).toBeLessThan(2300);
    all.agent("b").restart();
    expect(await after(all, () => chats(all, "a") === "abc")).toBeLessThan(1500);
    all.end();
  });

  test("a host that dies is dropped with its agent's verdict", async () => {
    const all = await hosts("abc", "serve");
    all.bridge("c").kill();
    all.agent("c").kill();
    await after(all, () => all.agent("a").list.get("c")?.status === "failed");
    expect(await after(all, () => chats(all, "a") === "ab" && chats(all, "b") === "ab")).toBeLessThan(300);
    all.end();
  });

  test("a host whose agent dies is dropped with the verdict, though its bridge and its ChatServer live", async () => {
    const all = await hosts("abc", "serve");
    all.agent("c").kill();
    await after(all, () => all.agent("a").list.get("c")?.status === "failed");
    expect(await after(all, () => chats(all, "a") === "ab" && chats(all, "b") === "ab")).toBeLessThan(300);
    all.end();
  });

  test("a host that leaves, or is removed by an operator, goes at once, though it answers", async () => {
    const all = await hosts("abc", "serve");
    all.agent("a").mark("c", "failed");
    await all.clock.run(1000);
    expect(chats(all, "a")).toBe("abc");
    all.agent("a").mark("c", "left");
    expect(await after(all, () => chats(all, "a") === "ab")).toBeLessThan(300);
    all.agent("a").mark("b", "failed");
    await all.clock.run(1000);
    all.agent("a").list.delete("b");
    expect(await after(all, () => chats(all, "a") === "a")).toBeLessThan(300);
    all.end();
  });

  test("a host that is heard but does not hear is left alone no longer than one that is silent", async () => {
    const all = await hosts("abc", "serve");
    for (const other of "ab") all.gossip.lost.add(`${other}>c`);
    expect(await after(all, () => chats(all, "a") === "ab" && chats(all, "b") === "ab")).toBeLessThan(5500);
    all.end();
  });

  test("what was published while a host was cut off for a moment is asked for", async () => {
    const all = await hosts("ab", "serve");
    for (const pair of ["a>b", "b>a"]) all.gossip.lost.add(pair);
    all.bridge("b").register("proxy-b", "10.0.0.2:8080", "bcbbbb");
    await all.clock.run(1500);
    all.gossip.lost.clear();
    expect(await after(all, () => all.digests.length === 1)).toBeLessThan(3500);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "proxy-b - alive"]);
    all.end();
  });
});
