import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { fakeMember, type FakeQuery, FakeSerfAgent } from "../../tests/support/fake_serf_agent.ts";
import { VirtualClock } from "../../tests/support/virtual_clock.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import { ToychatError } from "../lib/errors.ts";
import { BridgeMembership } from "../membership/bridge_client.ts";
import type { Lease } from "../membership/membership.ts";
import { placementKey } from "../membership/placement.ts";
import { clusterTag, encodeHost } from "../membership/serf/host_tag.ts";
import { Bridge, type BridgeSerfOptions } from "./bridge.ts";

let clock: VirtualClock;
let transport: MemoryTransport;
let agent: FakeSerfAgent;
let bridge: Bridge;
let logs: string[];
let sharing: boolean;
const members: BridgeMembership[] = [];

beforeEach(() => {
  clock = new VirtualClock();
  transport = memoryTransport({ clock });
  sharing = false;
  const onQuery = (query: FakeQuery): void => {
    if (sharing && query.filterNodes.length > 0) query.answer("a", new Uint8Array(1));
  };
  agent = new FakeSerfAgent({ transport, clock, name: "a", address: "10.0.0.1", onQuery });
  logs = [];
});
afterEach(async () => {
  await end(Promise.all(members.splice(0).map((member) => member.close())));
  await end(bridge.stop());
  await agent.kill();
});

/** What a promise comes to, in virtual time. */
async function end<T>(work: Promise<T>, ms = 60_000): Promise<T> {
  let over = false;
  const settled = (): boolean => over = true;
  work.then(settled, settled);
  if (!await clock.until(() => over, ms)) throw new Error(`it has not ended within ${ms} ms`);
  return await work;
}

/** Starts the next life of the bridge; resolves with how many milliseconds that took. */
async function start(serf: BridgeSerfOptions = {}): Promise<number> {
  const log = (level: string, event: string): number => logs.push(`${level} ${event}`);
  bridge = new Bridge({ transport, clock, log, serf, listen: { port: 7374 } });
  const from = clock.now();
  await end(bridge.start());
  return clock.now() - from;
}

function join(id: string, port: number): Promise<Lease> {
  const membership = new BridgeMembership({ transport, clock, url: bridge.url });
  members.push(membership);
  return end(membership.join({ id, role: "chat", address: `10.0.0.1:${port}` }));
}

const gauge = (name: string): number | undefined =>
  bridge.metrics.families().find((family) => family.name === name)?.samples[0]?.value;
const ids = (): string => bridge.view.members.map(({ id, state }) => `${id} ${state}`).join();
const reason = (): string | undefined => bridge.readiness.reason;

describe("a bridge whose agent", () => {
  for (
    const [what, prepare] of [
      ["is not there", () => Promise.resolve()],
      ["does not answer", () => (agent.hanging.add("stats"), agent.start())],
    ] as const
  ) {
    test(`${what} listens after 2 s and serves its own host alone until it has it`, async () => {
      await prepare();
      expect(await start()).toBe(2000);
      expect(logs).toContain("warn serf_alone");
      const lease = await join("chat-1", 7001);
      expect([lease.held(), ids()]).toEqual([true, "chat-1 alive"]);
      await clock.run(30_000);
      expect([lease.held(), ids(), reason()]).toEqual([
        true,
        "chat-1 alive",
        "its Serf agent cannot be reached",
      ]);
      expect(gauge("toychat_serf_connected")).toBe(0);
      agent.hanging.clear();
      if (what === "is not there") await agent.start();
      expect(await clock.until(() => bridge.readiness.status === "ready", 8000)).toBe(true);
      await clock.run(500);
      expect([agent.self.tags.get("tc")?.includes("chat-1"), lease.held()]).toEqual([true, true]);
      expect(gauge("toychat_serf_connected")).toBe(1);
    });
  }

  test("comes within 2 s has waited for it, and is alone for no moment", async () => {
    clock.after(1500, () => void agent.start());
    expect(await start()).toBeLessThan(2900);
    expect([logs.includes("warn serf_alone"), reason()]).toEqual([false, "no member has registered"]);
  });

  test("refuses the key does not start, whether it wants one or another", async () => {
    agent = new FakeSerfAgent({ transport, clock, name: "a", address: "10.0.0.1", authKey: "right" });
    await agent.start();
    for (const serf of [{}, { authKey: "wrong" }]) {
      const refused = await start(serf).catch((error) => error);
      expect([refused instanceof ToychatError, refused.code, bridge.address]).toEqual([
        true,
        "agent_refused",
        "",
      ]);
    }
  });

  test("serves another bridge when it comes is left alone, until that one has ended", async () => {
    await start();
    await join("chat-1", 7001);
    sharing = true;
    await agent.start();
    await clock.run(20_000);
    expect(logs).toContain("error agent_shared");
    expect([agent.self.tags.has("tc"), ids(), bridge.readiness.status]).toEqual([
      false,
      "chat-1 alive",
      "waiting",
    ]);
    sharing = false;
    expect(await clock.until(() => agent.self.tags.has("tc"), 6000)).toBe(true);
  });

  test("still has members of before keeps those who come back late, and not who has gone meanwhile", async () => {
    await agent.start();
    await start();
    const leases = [await join("chat-1", 7001), await join("chat-2", 7002), await join("chat-3", 7003)];
    await clock.run(1000);
    await end(bridge.stop());
    await agent.kill();
    const [, second, third] = members;
    const closing = second?.close();
    await start();
    await clock.until(() => ids() === "chat-1 alive,chat-3 alive", 3000);
    await end(third?.close() ?? Promise.resolve());
    expect(ids()).toBe("chat-1 alive");
    await agent.start();
    await clock.until(() => ids() !== "chat-1 alive", 3000);
    expect(ids()).toBe("chat-1 alive,chat-2 alive");
    await clock.run(5000);
    expect(ids()).toBe("chat-1 alive");
    expect(leases[0]?.held()).toBe(true);
    await closing;
  });

  test("has gone leaves members the view of before for as long as one that runs does", async () => {
    const value = encodeHost({
      clusterTag: clusterTag("toychat", placementKey(undefined)),
      slots: 2,
      seq: 1,
      members: [{
        id: "chat-b",
        role: "chat",
        incarnation: "bbbbbb",
        address: "10.0.0.2:7001",
        slot: 1,
        state: "alive",
      }],
      agentAddress: "10.0.0.2",
    });
    agent.members.push(fakeMember("b", { address: "10.0.0.2", tags: new Map([["tc", value]]) }));
    await agent.start();
    await start();
    await join("chat-1", 7001);
    const [member] = members;
    const view = (): string | undefined => member?.view.members.map(({ id }) => id).join();
    expect(view()).toBe("chat-1,chat-b");
    await end(bridge.stop());
    await agent.kill();
    const from = clock.now();
    await start();
    await clock.until(() => view() === "chat-1", 10_000);
    expect(clock.now() - from).toBeGreaterThanOrEqual(4900);
    expect(clock.now() - from).toBeLessThan(5500);
  });
});
