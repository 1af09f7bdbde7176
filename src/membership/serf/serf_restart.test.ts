import { describe, expect, test } from "bun:test";
import { GossipHosts } from "../../../tests/support/gossip_hosts.ts";

/** Two hosts with a ChatServer each. */
async function pair(): Promise<GossipHosts> {
  const all = await GossipHosts.open(["a", "b"]);
  all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
  await all.clock.run(200);
  all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
  await all.clock.run(2000);
  expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
  return all;
}

describe("a bridge that dies", () => {
  test("takes no member out of any view, however long it is gone", async () => {
    const all = await pair();
    all.bridge("b").kill();
    await all.clock.run(60_000);
    expect(all.bridge("a").list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    all.end();
  });

  test("is started again with its members in the view, which nobody else notices", async () => {
    const all = await pair();
    const changes = all.bridge("a").changes;
    all.bridge("b").kill();
    await all.clock.run(1500);
    const bridge = await all.startBridge("b");
    expect(bridge.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    bridge.register("chat-b", "10.0.0.2:7001", "bbbbbb", { slot: 1 });
    expect(bridge.host.settled("chat-b", "bbbbbb")).toBeUndefined();
    await all.clock.run(10_000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    expect(all.bridge("a").changes).toBe(changes);
    all.end();
  });

  test("gives its members four seconds to come back, and withdraws those who do not", async () => {
    const all = await pair();
    all.bridge("b").register("proxy-b", "10.0.0.2:8080", "bcbbbb");
    await all.clock.run(500);
    all.bridge("b").kill();
    const bridge = await all.startBridge("b");
    bridge.register("proxy-b", "10.0.0.2:8080", "bcbbbb");
    await all.clock.run(3990);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "proxy-b - alive"]);
    await all.clock.run(60);
    expect(all.list).toEqual(["chat-a 0 alive", "proxy-b - alive"]);
    expect(bridge.revoked).toEqual(["chat-b absent"]);
    await all.clock.run(20_000);
    expect(all.list).toEqual(["chat-a 0 alive", "proxy-b - alive"]);
    all.end();
  });

  test("takes a new life of a member in the place of the one that died with it", async () => {
    const all = await pair();
    all.bridge("b").kill();
    const bridge = await all.startBridge("b");
    bridge.register("chat-b", "10.0.0.2:7001", "cccccc");
    await all.clock.run(10_000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    expect(all.bridge("a").host.view.members[1]?.incarnation).toBe("cccccc");
    expect(bridge.revoked).toEqual([]);
    all.end();
  });

  test("is believed by the others at once when it is back, though it counts on from before", async () => {
    const all = await pair();
    // Announced, but killed before the tag was written.
    all.agent("b").refusals = 100;
    all.bridge("b").register("proxy-1", "10.0.0.2:8080", "bcbbbb");
    all.bridge("b").register("proxy-2", "10.0.0.2:8081", "bdbbbb");
    await all.clock.run(50);
    expect(all.bridge("a").list).toContain("proxy-2 - alive");
    all.bridge("b").kill();
    all.agent("b").refusals = 0;
    const bridge = await all.startBridge("b");
    await all.clock.run(400);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    bridge.register("chat-b", "10.0.0.2:7001", "bbbbbb", { slot: 1 });
    bridge.register("proxy-3", "10.0.0.2:8082", "bebbbb");
    await all.clock.run(400);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "proxy-3 - alive"]);
    all.end();
  });

  test("places nobody who was joining before he has registered again", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(500);
    all.bridge("a").kill();
    await all.startBridge("a");
    await all.clock.run(3000);
    expect(all.list).toEqual(["chat-a 0 joining"]);
    await all.clock.run(2000);
    expect(all.list).toEqual([]);
    all.end();
  });

  test("goes on joining with who was joining", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
    await all.clock.run(500);
    all.bridge("a").kill();
    const bridge = await all.startBridge("a");
    bridge.register("chat-a", "10.0.0.1:7001", "aaaaaa", { slot: 0 });
    expect(bridge.list).toEqual(["chat-a 0 joining"]);
    await all.clock.run(1200);
    expect(all.list).toEqual(["chat-a 0 alive"]);
    all.end();
  });
});

describe("an agent that dies", () => {
  test("and is back within five seconds, without its tags: no member is lost anywhere, and the tags are set again", async () => {
    const all = await pair();
    const [a, b] = [all.bridge("a").changes, all.bridge("b").changes];
    all.agent("b").kill();
    await all.clock.run(3000);
    const before = all.agent("b").published.length;
    all.agent("b").refusals = 3;
    all.agent("b").restart();
    await all.clock.run(15_000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    expect([all.bridge("a").changes, all.bridge("b").changes]).toEqual([a, b]);
    expect(all.agent("b").published.length).toBe(before + 1);
    all.end();
  });

  test("for longer: its host serves itself alone, until the agent is back", async () => {
    const all = await pair();
    all.agent("b").kill();
    await all.clock.run(4700);
    expect(all.bridge("b").list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    await all.clock.run(500);
    expect(all.bridge("b").list).toEqual(["chat-b 1 alive"]);
    await all.clock.run(2000);
    expect(all.bridge("a").list).toEqual(["chat-a 0 alive"]);
    all.agent("b").restart();
    await all.clock.run(3000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    all.end();
  });

  test("and is back under another address: members are where it is, without a change of their own", async () => {
    const all = await pair();
    all.agent("b").kill();
    await all.clock.run(1000);
    all.agent("b").restart("10.0.0.9");
    await all.clock.run(2000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    // Where a member listens is its own affair: it still says 10.0.0.2.
    expect(all.bridge("a").host.view.members[1]?.address).toBe("10.0.0.2:7001");
    all.end();
  });

  test("and the bridge with it: members come back with their slots", async () => {
    const all = await pair();
    all.bridge("a").kill();
    all.agent("a").kill();
    await all.clock.run(1000);
    all.agent("a").restart();
    const bridge = await all.startBridge("a");
    bridge.register("chat-a", "10.0.0.1:7001", "aaaaaa", { slot: 0 });
    await all.clock.run(3000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    all.end();
  });
});

describe("what is published", () => {
  test("is tried again where the agent did not take it", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    // The event reaches nobody, so that the tag alone counts.
    all.gossip.times.eventMs = 60_000;
    all.agent("a").refusals = 3;
    all.bridge("a").register("proxy-a", "10.0.0.1:8080", "aaaaaa");
    await all.clock.run(1400);
    expect(all.bridge("b").list).toEqual([]);
    await all.clock.run(600);
    expect(all.list).toEqual(["proxy-a - alive"]);
    all.end();
  });

  test("is the newest of what has changed while the agent did not take it", async () => {
    const all = await GossipHosts.open(["a", "b"]);
    const bridge = all.bridge("a");
    const before = all.agent("a").published.length;
    all.agent("a").refusals = 1;
    bridge.register("proxy-a", "10.0.0.1:8080", "aaaaaa");
    await all.clock.run(100);
    bridge.register("proxy-b", "10.0.0.1:8081", "bbbbbb");
    bridge.hangUp("proxy-a", "aaaaaa");
    let flushed = false;
    void bridge.host.flush().then(() => flushed = true);
    await all.clock.run(350);
    expect(flushed).toBe(false);
    await all.clock.run(200);
    expect([flushed, all.agent("a").published.length]).toEqual([true, before + 1]);
    await all.clock.run(500);
    expect(all.list).toEqual(["proxy-b - alive"]);
    all.end();
  });

  test("is written anew where somebody else has changed the tag, before it costs a member", async () => {
    const all = await pair();
    const [a, b] = [all.bridge("a").changes, all.bridge("b").changes];
    const before = all.agent("b").published.length;
    all.agent("b").tag(new Map([["tc", "nonsense"]]));
    await all.clock.run(20_000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    expect([all.bridge("a").changes, all.bridge("b").changes]).toEqual([a, b]);
    expect(all.agent("b").published.length).toBe(before + 1);
    all.end();
  });
});
