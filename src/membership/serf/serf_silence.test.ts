import { describe, expect, test } from "bun:test";
import { GossipHosts } from "../../../tests/support/gossip_hosts.ts";

/** Three hosts; the last has two ChatServers and a proxy, and its bridge is gone. */
async function silenced(): Promise<GossipHosts> {
  const all = await GossipHosts.open(["a", "b", "c"]);
  all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
  await all.clock.run(200);
  all.bridge("c").register("chat-1", "10.0.0.3:7001", "cccccc");
  all.bridge("c").register("chat-2", "10.0.0.3:7002", "cdcccc");
  all.bridge("c").register("proxy-c", "10.0.0.3:8080", "cecccc");
  await all.clock.run(3000);
  expect(all.list).toEqual(["chat-1 1 alive", "chat-2 2 alive", "chat-a 0 alive", "proxy-c - alive"]);
  all.probed.length = 0;
  all.bridge("c").kill();
  return all;
}

describe("a host whose bridge is silent", () => {
  test("is left alone while its bridge answers, and for three seconds after", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(10_000);
    all.bridge("b").kill();
    await all.clock.run(1900);
    expect(all.probed).toEqual([]);
    await all.clock.run(2100);
    expect(all.probed).toContain("10.0.0.2:7001");
    all.end();
  });

  test("keeps its members as long as they give a sign of life", async () => {
    const all = await silenced();
    const changes = all.bridge("a").changes;
    await all.clock.run(30_000);
    expect(all.probed).toContain("10.0.0.3:7002");
    expect(all.bridge("a").list).toHaveLength(4);
    expect(all.bridge("a").changes).toBe(changes);
    all.end();
  });

  test("loses the members that give none, within five seconds, and no others", async () => {
    const all = await silenced();
    all.silent.add("10.0.0.3:7002");
    await all.clock.run(5000);
    const left = ["chat-1 1 alive", "chat-a 0 alive", "proxy-c - alive"];
    expect([all.bridge("a").list, all.bridge("b").list]).toEqual([left, left]);
    await all.clock.run(20_000);
    expect([all.bridge("a").list, all.bridge("b").list]).toEqual([left, left]);
    expect(all.probed).not.toContain("10.0.0.3:8080");
    all.end();
  });

  test("loses one that says itself that it may not accept any more, within four seconds", async () => {
    const all = await silenced();
    all.lapsed.add("10.0.0.3:7001");
    await all.clock.run(4000);
    const left = ["chat-2 2 alive", "chat-a 0 alive", "proxy-c - alive"];
    expect([all.bridge("a").list, all.bridge("b").list]).toEqual([left, left]);
    all.end();
  });

  test("loses all of them where nothing on it lives but the agent, its proxies a moment later", async () => {
    const all = await silenced();
    for (const port of [7001, 7002, 8080]) all.silent.add(`10.0.0.3:${port}`);
    await all.clock.run(5000);
    expect([all.bridge("a").list, all.bridge("b").list]).toEqual([["chat-a 0 alive"], ["chat-a 0 alive"]]);
    all.end();
  });

  test("has its members back when they give a sign of life again", async () => {
    const all = await silenced();
    all.silent.add("10.0.0.3:7002");
    await all.clock.run(6000);
    expect(all.bridge("a").list).not.toContain("chat-2 2 alive");
    all.silent.clear();
    await all.clock.run(1100);
    expect(all.bridge("a").list).toContain("chat-2 2 alive");
    expect(all.bridge("b").list).toContain("chat-2 2 alive");
    all.end();
  });

  test("has its proxies back with its ChatServers, and one that can be asked when it answers itself", async () => {
    const all = await GossipHosts.open(["a", "b", "c"]);
    const bridge = all.bridge("c");
    bridge.register("chat-1", "10.0.0.3:7001", "cccccc");
    bridge.register("proxy-1", "10.0.0.3:8080", "cdcccc");
    bridge.register("proxy-2", "10.0.0.3:0", "cecccc");
    await all.clock.run(3000);
    bridge.kill();
    all.silent.add("10.0.0.3:7001").add("10.0.0.3:8080");
    await all.clock.run(6000);
    expect([all.bridge("a").list, all.bridge("b").list]).toEqual([[], []]);
    all.silent.delete("10.0.0.3:7001");
    await all.clock.run(2000);
    const some = ["chat-1 0 alive", "proxy-2 - alive"];
    expect([all.bridge("a").list, all.bridge("b").list]).toEqual([some, some]);
    all.silent.clear();
    await all.clock.run(2000);
    const every = ["chat-1 0 alive", "proxy-1 - alive", "proxy-2 - alive"];
    expect([all.bridge("a").list, all.bridge("b").list]).toEqual([every, every]);
    all.probed.length = 0;
    await all.clock.run(20_000);
    expect([all.bridge("a").list, all.bridge("b").list]).toEqual([every, every]);
    expect(all.probed).not.toContain("10.0.0.3:8080");
    all.end();
  });

  test("has its dead no more while Serf calls its agent failed and alive again, until they give a sign of life", async () => {
    const all = await silenced();
    all.silent.add("10.0.0.3:7002");
    await all.clock.run(6000);
    for (const other of "ab") all.agent(other).mark("c", "failed");
    await all.clock.run(3000);
    expect(all.bridge("a").list).toEqual(["chat-a 0 alive"]);
    for (const other of "ab") all.agent(other).mark("c", "alive");
    await all.clock.run(10_000);
    expect(all.bridge("a").list).toEqual(["chat-1 1 alive", "chat-a 0 alive", "proxy-c - alive"]);
    all.silent.clear();
    await all.clock.run(2000);
    expect(all.bridge("a").list).toContain("chat-2 2 alive");
    all.end();
  });

  test("has its members back when its bridge answers again, which knows best", async () => {
    const all = await silenced();
    all.silent.add("10.0.0.3:7002");
    await all.clock.run(6000);
    const bridge = await all.startBridge("c");
    bridge.register("chat-1", "10.0.0.3:7001", "cccccc", { slot: 1 });
    bridge.register("chat-2", "10.0.0.3:7002", "cdcccc", { slot: 2 });
    bridge.register("proxy-c", "10.0.0.3:8080", "cecccc");
    await all.clock.run(1600);
    expect(all.list).toEqual(["chat-1 1 alive", "chat-2 2 alive", "chat-a 0 alive", "proxy-c - alive"]);
    await all.clock.run(20_000);
    expect(all.list).toEqual(["chat-1 1 alive", "chat-2 2 alive", "chat-a 0 alive", "proxy-c - alive"]);
    all.end();
  });

  test("has its dead no more when its bridge answers again, though that finds them in its agent's tag", async () => {
    const all = await silenced();
    all.silent.add("10.0.0.3:7002").add("10.0.0.3:8080");
    await all.clock.run(6000);
    const left = ["chat-1 1 alive", "chat-a 0 alive", "proxy-c - alive"];
    expect(all.bridge("a").list).toEqual(left);
    const changes = all.bridge("a").changes;
    const bridge = await all.startBridge("c");
    bridge.register("chat-1", "10.0.0.3:7001", "cccccc", { slot: 1 });
    bridge.register("proxy-c", "10.0.0.3:8080", "cecccc");
    await all.clock.run(20_000);
    expect(all.list).toEqual(left);
    expect(all.bridge("a").changes).toBe(changes);
    all.end();
  });

  test("gives the slots of its dead to nobody while it still names them", async () => {
    const all = await silenced();
    for (const port of [7001, 7002, 8080]) all.silent.add(`10.0.0.3:${port}`);
    await all.clock.run(6000);
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(2000);
    expect(all.bridge("a").list).toEqual(["chat-a 0 alive", "chat-b 3 alive"]);
    all.end();
  });

  test("is not probed by one that has just got its agent back and could hear nobody meanwhile", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
    await all.clock.run(3000);
    all.silent.add("10.0.0.2:7001");
    all.agent("a").kill();
    await all.clock.run(4500);
    all.agent("a").restart();
    await all.clock.run(5000);
    expect(all.probed).toEqual([]);
    expect(all.list).toEqual(["chat-b 0 alive"]);
    all.end();
  });
});

describe("a host that may not accept yet", () => {
  test("refuses ChatServers and takes proxies, and takes both once it hears the majority", async () => {
    const all = await GossipHosts.open(["a", "b", "c"], "seal");
    await all.clock.run(4000);
    for (const [i, name] of ["a", "b", "c"].entries()) {
      all.bridge(name).register(`chat-${name}`, `10.0.0.${i + 1}:7001`, `${name}aaaaa`);
      await all.clock.run(200);
    }
    await all.clock.run(3000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "chat-c 2 alive"]);
    all.gossip.part(["a", "b"], ["c"]);
    await all.clock.run(5000);
    const { host, revoked } = all.bridge("c");
    expect([host.sealed, revoked]).toEqual([true, ["chat-c sealed"]]);
    expect(() => all.bridge("c").register("chat-c", "10.0.0.3:7001", "czzzzz")).toThrow(
      "hears less than the majority",
    );
    all.bridge("c").register("proxy-c", "10.0.0.3:8080", "cyyyyy");
    expect([all.bridge("a").host.sealed, all.bridge("b").host.sealed]).toEqual([false, false]);
    all.gossip.heal();
    await all.clock.run(8000);
    all.bridge("c").register("chat-c", "10.0.0.3:7001", "czzzzz");
    await all.clock.run(3000);
    expect(all.list.filter((text) => text.startsWith("chat"))).toHaveLength(3);
    expect(all.list).toContain("proxy-c - alive");
    all.end();
  });
});
