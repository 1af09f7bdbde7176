import { describe, expect, test } from "bun:test";
import { type GossipBridge, GossipHosts } from "../../../tests/support/gossip_hosts.ts";
import type { OnPartition } from "../bridge_agent.ts";

/** Two hosts with a ChatServer each, of which the second has lost its agent, and then its bridge too. */
async function agentless(onPartition: OnPartition = "serve"): Promise<GossipHosts> {
  const all = await GossipHosts.open(["a", "b"], onPartition);
  await all.clock.run(4000);
  all.bridge("a").register("chat-a", "10.0.0.1:7001", "aaaaaa");
  await all.clock.run(200);
  all.bridge("b").register("chat-b", "10.0.0.2:7001", "bbbbbb");
  await all.clock.run(8000);
  expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
  all.agent("b").kill();
  all.bridge("b").kill();
  return all;
}

const sealedGauge = ({ metrics }: GossipBridge): number | undefined =>
  metrics.families().find(({ name }) => name === "toychat_sealed")?.samples[0]?.value;
const connected = ({ host }: GossipBridge): boolean => host.status.connected;

describe("a bridge that starts without its agent", () => {
  test("serves its own host alone: who was there, who is new, and who dies", async () => {
    const all = await agentless();
    const bridge = await all.startBridge("b");
    expect([bridge.list, connected(bridge), bridge.host.sealed]).toEqual([[], false, false]);
    bridge.register("chat-b", "10.0.0.2:7001", "bbbbbb", { slot: 1 });
    bridge.register("proxy-b", "10.0.0.2:8080", "bcbbbb");
    expect(bridge.list).toEqual(["chat-b 1 alive", "proxy-b - alive"]);
    bridge.register("chat-2", "10.0.0.2:7002", "bdbbbb");
    await all.clock.run(1100);
    expect(bridge.list).toEqual(["chat-2 0 alive", "chat-b 1 alive", "proxy-b - alive"]);
    bridge.hangUp("chat-b", "bbbbbb");
    expect(bridge.list).toEqual(["chat-2 0 alive", "proxy-b - alive"]);
    all.end();
  });

  test("joins the rest when its agent comes, and gives way where others hold what it gave out", async () => {
    const all = await agentless();
    const bridge = await all.startBridge("b");
    bridge.register("chat-b", "10.0.0.2:7001", "bbbbbb", { slot: 1 });
    bridge.register("chat-c", "10.0.0.2:7002", "bdbbbb");
    await all.clock.run(10_000);
    expect([all.bridge("a").list, bridge.list]).toEqual([["chat-a 0 alive"], [
      "chat-b 1 alive",
      "chat-c 0 alive",
    ]]);
    all.agent("b").restart();
    expect(await all.clock.until(() => connected(bridge), 2000)).toBe(true);
    await all.clock.run(4000);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "chat-c 2 alive"]);
    expect(bridge.revoked).toEqual([]);
    bridge.hangUp("chat-b", "bbbbbb");
    await all.clock.run(500);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-c 2 alive"]);
    all.end();
  });

  test("publishes nothing before it has met its agent, and counts on from before", async () => {
    const all = await agentless();
    const bridge = await all.startBridge("b");
    bridge.register("chat-b", "10.0.0.2:7001", "cccccc");
    const published = all.agent("b").published.length;
    all.agent("b").restart();
    await all.clock.run(100);
    bridge.register("proxy-b", "10.0.0.2:8080", "bcbbbb");
    await all.clock.run(100);
    expect(all.agent("b").published).toHaveLength(published);
    expect(bridge.metrics.get("toychat_serf_publication_failures_total")).toBe(0);
    await all.clock.run(4000);
    expect(all.agent("b").published.length).toBeGreaterThan(published);
    expect(all.bridge("a").host.view.members.map(({ incarnation }) => incarnation)).toEqual([
      "aaaaaa",
      "cccccc",
      "bcbbbb",
    ]);
    all.end();
  });

  test("withdraws who cannot be published after all, and keeps the others", async () => {
    const all = await agentless();
    const bridge = await all.startBridge("b");
    bridge.register("chat-b", "10.0.0.2:7001", "bbbbbb", { slot: 1 });
    bridge.register("chat-l", "127.0.0.1:7002", "bdbbbb");
    expect(() => bridge.register("chat-n", "a-name:7003", "bebbbb")).toThrow(
      "write an IP address and a port",
    );
    all.agent("b").restart();
    await all.clock.run(4000);
    expect(bridge.revoked).toEqual(["chat-l full"]);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive"]);
    all.end();
  });

  test("looks for its agent no more once it has ended", async () => {
    const all = await agentless();
    const bridge = await all.startBridge("b");
    bridge.kill();
    const published = all.agent("b").published.length;
    all.agent("b").restart();
    await all.clock.run(10_000);
    expect([all.agent("b").published.length, connected(bridge)]).toEqual([published, false]);
    all.end();
  });

  test("with seal lets no ChatServer in before the agent is there and the majority heard", async () => {
    const all = await agentless("seal");
    const bridge = await all.startBridge("b");
    const enter = () => bridge.register("chat-b", "10.0.0.2:7001", "cccccc");
    expect(enter).toThrow("may not serve");
    bridge.register("proxy-b", "10.0.0.2:8080", "bcbbbb");
    expect([bridge.host.sealed, sealedGauge(bridge), bridge.list]).toEqual([true, 1, [
      "proxy-b - alive",
    ]]);
    await all.clock.run(20_000);
    expect(enter).toThrow("may not serve");
    all.agent("b").restart();
    expect(await all.clock.until(() => !bridge.host.sealed, 10_000)).toBe(true);
    expect(bridge.list.join()).toContain("chat-a");
    enter();
    await all.clock.run(2500);
    expect(all.list).toEqual(["chat-a 0 alive", "chat-b 1 alive", "proxy-b - alive"]);
    all.end();
  });
});
