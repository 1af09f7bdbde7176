import { describe, expect, test } from "bun:test";
import { GossipHosts } from "../../../tests/support/gossip_hosts.ts";
import { ToychatError } from "../../lib/errors.ts";
import { ALONE_MS, LEASE } from "../lease_times.ts";
import { createPlacement, placementKey } from "../placement.ts";
import { HostAgent } from "./host_agent.ts";
import type { SerfClient } from "./serf_client.ts";

const KEY = placementKey(undefined);
const ROOMS = Array.from({ length: 32 }, (_, i) => `room-${i}`);

const address = (all: GossipHosts, host: string): string => `${all.agent(host).self.address}:7001`;

/** Registers a ChatServer of a host, where it is let in. */
function enters(all: GossipHosts, host: string, incarnation: string): boolean {
  try {
    all.bridge(host).register(`chat-${host}`, address(all, host), incarnation);
    return true;
  } catch (error) {
    if (!(error instanceof ToychatError) || error.code !== "sealed") throw error;
    return false;
  }
}

/** Hosts with a ChatServer each, which have known each other for long. */
async function hosts(names: string): Promise<GossipHosts> {
  const all = await GossipHosts.open([...names], "seal");
  for (const name of names) {
    expect(await all.clock.until(() => enters(all, name, name.repeat(6)), 10_000)).toBe(true);
    await all.clock.run(200);
  }
  await all.clock.run(8000);
  expect(all.list).toEqual([...names].map((name, slot) => `chat-${name} ${slot} alive`));
  return all;
}

/** Rooms that ChatServers of several hosts take for their own. */
function disputed(all: GossipHosts, names: string): string[] {
  const placements = [...names].map((name) => createPlacement(all.bridge(name).host.view, KEY));
  return ROOMS.filter((room) =>
    [...names].filter((name, i) => placements[i]?.owner(room)?.id === `chat-${name}`).length > 1
  );
}

const listed = (all: GossipHosts, host: string): string =>
  all.bridge(host).host.view.members.map(({ id }) => id.slice("chat-".length)).join("");

describe("a bridge that is started again while its host is cut off, with seal", () => {
  /** Hosts of which `c` was given up, and has met the others again who do not list it as alive yet. */
  async function healed(restart: boolean): Promise<GossipHosts> {
    const all = await hosts("abc");
    all.gossip.times.tagsMs = 2500;
    all.gossip.part(["a", "b"], ["c"]);
    await all.clock.run(10_500);
    expect([listed(all, "a"), listed(all, "b")]).toEqual(["ab", "ab"]);
    if (restart) {
      all.bridge("c").kill();
      await all.startBridge("c");
    }
    await all.clock.run(1500);
    all.gossip.heal();
    return all;
  }

  for (const restart of [true, false]) {
    test(`no room has two owners when the host is back, ${restart ? "with" : "or without"} that restart`, async () => {
      const all = await healed(restart);
      const from = all.clock.now();
      let enteredAt = Infinity;
      let disputedMs = 0;
      let before = from;
      await all.clock.until(() => {
        if (enteredAt === Infinity && enters(all, "c", "dddddd")) enteredAt = all.clock.now();
        const now = all.clock.now();
        if (disputed(all, "abc").length > 0) disputedMs += now - before;
        before = now;
        return all.clock.now() >= from + 20_000;
      }, 30_000);
      // An event that says who is there has to arrive.
      expect(disputedMs).toBeLessThanOrEqual(all.gossip.times.eventMs);
      expect(enteredAt - from).toBeGreaterThan(3000);
      expect(enteredAt - from).toBeLessThan(7000);
      expect(all.list.map((line) => line.split(" ")[2])).toEqual(["alive", "alive", "alive"]);
      all.end();
    });
  }
});

describe("a bridge that is started again where its agent lists no other host, with seal", () => {
  /** The bridge of `a` dies and is back after a second; returns whether and how soon its ChatServer was let in. */
  async function restarted(all: GossipHosts): Promise<{ readonly soon: boolean; readonly ms: number }> {
    const diedAt = all.clock.now();
    all.bridge("a").kill();
    await all.clock.run(1000);
    await all.startBridge("a");
    const soon = await all.clock.until(() => enters(all, "a", "aaaaaa"), 10_000);
    return { soon, ms: all.clock.now() - diedAt };
  }

  test("lets its ChatServers in before their leases are over, where it always was the whole cluster", async () => {
    const all = await hosts("a");
    const { soon, ms } = await restarted(all);
    expect([soon, ms < ALONE_MS - LEASE.renewMs]).toEqual([true, true]);
    await all.clock.run(10_000);
    expect([all.list, all.bridge("a").revoked]).toEqual([["chat-a 0 alive"], []]);
    all.end();
  });

  test("waits for others where it had some: its agent may be new, and have the tag from the bridge before", async () => {
    const all = await hosts("ab");
    for (const pair of ["a>b", "b>a"]) all.gossip.lost.add(pair);
    all.agent("a").list.delete("b");
    const { ms } = await restarted(all);
    expect(ms).toBeGreaterThan(1000 + 3000);
    all.end();
  });

  test("stays sealed where the agent lists others that cannot be heard", async () => {
    const all = await hosts("abc");
    for (const pair of ["a>b", "a>c", "b>a", "c>a"]) all.gossip.lost.add(pair);
    expect(await restarted(all)).toMatchObject({ soon: false });
    all.end();
  });
});

describe("a host that died for good, with seal", () => {
  /** What agents do when told: those that are there call the host `left`, or forget it in the same instant. */
  function operator(all: GossipHosts, host: string): HostAgent {
    const forceLeave = (name: string, { prune = false } = {}): Promise<void> => {
      all.clock.after(all.gossip.times.tagsMs, () => {
        for (const { list } of all.gossip.agents.values()) {
          const known = list.get(name);
          if (known) list.set(name, { ...known, status: "left" });
          if (prune) list.delete(name);
        }
      });
      return Promise.resolve();
    };
    return new HostAgent(
      { forceLeave } as Partial<SerfClient> as SerfClient,
      all.bridge(host).host,
      all.clock,
    );
  }

  /** Of two hosts the one whose name is lower has died, and the other one has sealed. */
  async function widowed(): Promise<GossipHosts> {
    const all = await hosts("ab");
    all.bridge("a").kill();
    all.agent("a").kill();
    await all.clock.run(15_000);
    expect(all.bridge("b").host.sealed).toBe(true);
    return all;
  }

  const known = (all: GossipHosts): string =>
    all.bridge("b").host.status.hosts.map(({ name }) => name).join("");

  for (const prune of [false, true]) {
    test(`counts no more when an operator gives it up, ${prune ? "with" : "without"} prune`, async () => {
      const all = await widowed();
      const told = operator(all, "b").forceLeave("a", prune);
      expect(await all.clock.until(() => enters(all, "b", "bbbbb2"), 4000)).toBe(true);
      await told;
      await all.clock.run(2000);
      expect([all.bridge("b").list, known(all)]).toEqual([["chat-b 0 alive"], prune ? "b" : "ab"]);
      all.end();
    });
  }

  test("counts on when the agent has forgotten it, until an operator gives it up", async () => {
    const all = await widowed();
    all.agent("b").list.delete("a");
    await all.clock.run(600_000);
    expect(all.bridge("b").host.sealed).toBe(true);
    await operator(all, "b").forceLeave("a", false);
    expect(await all.clock.until(() => enters(all, "b", "bbbbb2"), 4000)).toBe(true);
    await all.clock.run(2000);
    expect([all.bridge("b").list, known(all)]).toEqual([["chat-b 0 alive"], "b"]);
    all.end();
  });

  test("is not dismissed by one bridge alone while its agent lists it", async () => {
    const all = await widowed();
    all.bridge("b").host.dismiss("a");
    expect(await all.clock.until(() => !all.bridge("b").host.sealed, 10_000)).toBe(false);
    all.end();
  });
});
