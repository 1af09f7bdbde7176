import { beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { BRIDGE_HOST, BridgeCluster, type TestMember } from "../../tests/support/bridge_cluster.ts";
import type { FetchHandler } from "../lib/transport.ts";

let cluster: BridgeCluster;

beforeEach(() => {
  cluster = new BridgeCluster();
});

const incarnations = (): string[] => cluster.bridge.view.members.map((member) => member.incarnation);
const equalViews = (members: readonly TestMember[]): boolean =>
  members.every((member) => member.membership.view.digest === cluster.bridge.view.digest);

describe("joining", () => {
  test("members get slots and all see one view", async () => {
    await cluster.startBridge();
    const members = [
      await cluster.join("chat-1"),
      await cluster.join("chat-2"),
      await cluster.join("p", "proxy"),
    ];
    await cluster.clock.until(() => equalViews(members));
    expect(members.map(({ lease }) => [lease.slot, lease.held()])).toEqual([[0, true], [1, true], [
      undefined,
      true,
    ]]);
    expect(cluster.ids(members[0]?.membership.view)).toEqual(["chat-1", "chat-2", "p"]);
    const owners = members.map(({ membership }) => membership.placement.owner("lobby")?.id);
    expect(new Set(owners).size).toBe(1);
  });

  test("a member is in its own view when join resolves", async () => {
    await cluster.startBridge();
    const { membership } = await cluster.join("chat-1");
    expect(membership.placement.owner("lobby")?.id).toBe("chat-1");
  });

  test("a member that starts before its bridge joins when the bridge comes", async () => {
    const joining = cluster.join("chat-1");
    await cluster.clock.run(3000);
    await cluster.startBridge();
    expect((await joining).lease.held()).toBe(true);
  });

  test("an id that is taken is refused and its holder stays", async () => {
    await cluster.startBridge();
    const { lease } = await cluster.join("chat-1");
    await expect(cluster.join("chat-1")).rejects.toMatchObject({ code: "duplicate_member_id" });
    await cluster.clock.run(1000);
    expect(incarnations()).toEqual([lease.incarnation]);
    expect(lease.held()).toBe(true);
  });

  test("bad members are refused before anything is asked", async () => {
    await expect(cluster.membership().join({ id: "Bad Id", role: "chat", address: "h:1" }))
      .rejects.toMatchObject({ code: "invalid_member_id" });
  });

  test("one membership takes one member, and another after the first has left", async () => {
    await cluster.startBridge();
    const { membership, lease } = await cluster.join("chat-1");
    const other = { id: "chat-2", role: "chat", address: "h:1" } as const;
    await expect(membership.join(other)).rejects.toMatchObject({ code: "already_joined" });
    await cluster.finish(lease.leave());
    expect((await cluster.finish(membership.join(other))).slot).toBe(0);
  });

  test("without a bridge it gives up after the time that it was given, and says where it looked", async () => {
    const membership = cluster.membership({ timeoutMs: 5000 });
    const joining = membership.join({ id: "chat-1", role: "chat", address: "h:1" });
    const before = cluster.clock.now();
    await expect(cluster.finish(joining)).rejects.toMatchObject({
      code: "bridge_unreachable",
      message: expect.stringContaining(`no bridge at ${cluster.url} within 5 s (connection refused)`),
    });
    expect(cluster.clock.now() - before).toBeLessThan(5100);
    await cluster.clock.run(1000);
    expect(cluster.clock.pending).toBe(0);
  });

  test("a bridge that comes too late to let it in is not said to be missing", async () => {
    const joining = cluster.membership({ timeoutMs: 5000 }).join({
      id: "chat-1",
      role: "chat",
      address: "h:1",
    });
    await cluster.clock.run(4700);
    await cluster.startBridge();
    await expect(cluster.finish(joining)).rejects.toMatchObject({
      code: "bridge_unreachable",
      message: expect.stringContaining(
        `the bridge at ${cluster.url} has not let this process in within 5 s`,
      ),
    });
    await cluster.clock.run(1000);
    expect(incarnations()).toEqual([]);
  });

  test("open follows the views without joining", async () => {
    await cluster.startBridge();
    const membership = cluster.membership();
    expect((await cluster.finish(membership.open())).members).toEqual([]);
    await cluster.join("chat-1");
    await cluster.clock.until(() => membership.view.members.length === 1);
    await cluster.finish(membership.close());
    await expect(membership.open()).resolves.toBeDefined();
    await expect(membership.join({ id: "x", role: "chat", address: "h:1" }))
      .rejects.toMatchObject({ code: "membership_closed" });
  });
});

describe("leaving", () => {
  test("a draining member owns nothing and keeps its slot, until it leaves", async () => {
    await cluster.startBridge();
    const [first, second] = [await cluster.join("chat-1"), await cluster.join("chat-2")];
    await cluster.finish(first.lease.drain());
    expect(first.membership.view.members[0]?.state).toBe("draining");
    expect(first.membership.placement.owner("lobby")?.id).toBe("chat-2");
    expect((await cluster.join("chat-3")).lease.slot).toBe(2);
    await cluster.finish(first.lease.leave());
    await cluster.clock.until(() => second.membership.view.members.length === 2);
    expect(first.lease.held()).toBe(false);
  });

  test("a process that dies is withdrawn in the moment in which its connection closes", async () => {
    await cluster.startBridge();
    const [first, second] = [await cluster.join("chat-1"), await cluster.join("chat-2")];
    await cluster.clock.run(1000);
    cluster.freeze(first.host, first.clock);
    cluster.cut(first.host);
    await cluster.clock.until(() => second.membership.view.members.length === 1, 10);
  });

  test("closing leaves, and nothing is left running", async () => {
    await cluster.startBridge();
    const { membership } = await cluster.join("chat-1");
    await cluster.finish(membership.close());
    expect(cluster.ids()).toEqual([]);
    await cluster.clock.run(50);
    await cluster.bridge.stop();
    await cluster.clock.run(1100);
    expect(cluster.clock.pending).toBe(0);
  });

  test("closing does not wait for a bridge that is frozen", async () => {
    await cluster.startBridge();
    const { membership } = await cluster.join("chat-1");
    cluster.freeze(BRIDGE_HOST, cluster.bridgeClock);
    await cluster.finish(membership.close(), 1100);
  });
});

describe("a frozen member", () => {
  test("is withdrawn after 3 s of silence, when it has long stopped accepting", async () => {
    await cluster.startBridge();
    const member = await cluster.join("chat-1");
    await cluster.clock.run(1000);
    cluster.freeze(member.host, member.clock);
    const before = cluster.clock.now();
    await cluster.clock.until(() => !member.lease.held());
    const stopped = cluster.clock.now();
    await cluster.clock.until(() => cluster.ids().length === 0);
    const withdrawn = cluster.clock.now();
    expect(stopped - before).toBeLessThanOrEqual(2000);
    expect(withdrawn - before).toBeGreaterThanOrEqual(2400);
    expect(withdrawn - before).toBeLessThanOrEqual(3300);
    // It was sent a close frame, which it does not answer, and is cut off soon after.
    const connections = (): unknown =>
      cluster.bridge.metrics.list().find(([name]) => name === "toychat_bridge_connections")?.[2];
    expect(connections()).toBe(1);
    await cluster.clock.until(() => connections() === 0, 1300);
  });

  test("finds its lease lost when it wakes, whatever it does first, and comes back as a new incarnation", async () => {
    await cluster.startBridge();
    const member = await cluster.join("chat-1");
    const { incarnation } = member.lease;
    await cluster.clock.run(1000);
    cluster.freeze(member.host, member.clock);
    await cluster.clock.run(10_000);
    expect(member.lease.held()).toBe(false);
    cluster.thaw(member.host, member.clock);
    expect(member.lease.held()).toBe(false);
    await cluster.clock.until(() => member.rejoins === 1, 1000);
    expect([member.lease.held(), member.lease.slot]).toEqual([true, 0]);
    expect(member.lease.incarnation).not.toBe(incarnation);
    expect(incarnations()).toEqual([member.lease.incarnation]);
    expect(member.membership.view.digest).toBe(cluster.bridge.view.digest);
  });

  test("stays lost if nobody looked at the lease while it was frozen", async () => {
    await cluster.startBridge();
    const member = await cluster.join("chat-1");
    await cluster.clock.run(1000);
    cluster.freeze(member.host, member.clock);
    await cluster.clock.run(2500);
    cluster.thaw(member.host, member.clock);
    expect(member.lease.held()).toBe(false);
    // The bridge had not withdrawn it yet; it must come back as a new incarnation all the same.
    await cluster.clock.until(() => member.rejoins === 1, 1000);
    expect(incarnations()).toEqual([member.lease.incarnation]);
  });

  test("takes a free slot where another got its own meanwhile", async () => {
    await cluster.startBridge();
    const member = await cluster.join("chat-1");
    cluster.freeze(member.host, member.clock);
    await cluster.clock.until(() => cluster.ids().length === 0);
    expect((await cluster.join("chat-2")).lease.slot).toBe(0);
    cluster.thaw(member.host, member.clock);
    await cluster.clock.until(() => member.rejoins === 1, 1000);
    expect(member.lease.slot).toBe(1);
  });

  test("a short nap costs nothing", async () => {
    await cluster.startBridge();
    const member = await cluster.join("chat-1");
    await cluster.clock.run(1000);
    cluster.freeze(member.host, member.clock);
    await cluster.clock.run(1200);
    cluster.thaw(member.host, member.clock);
    await cluster.clock.run(5000);
    expect([member.lease.held(), member.rejoins, member.views.length]).toEqual([true, 0, 1]);
  });
});

describe("a connection that breaks while the bridge lives", () => {
  test("costs the lease: the member comes back as a new incarnation in its slot", async () => {
    await cluster.startBridge();
    const [member, other] = [await cluster.join("chat-1"), await cluster.join("chat-2")];
    const { incarnation } = member.lease;
    await cluster.clock.run(2500);
    cluster.cut(member.host);
    await cluster.clock.until(() => !member.lease.held(), 100);
    await cluster.clock.until(() => member.rejoins === 1, 500);
    expect(member.lease.incarnation).not.toBe(incarnation);
    expect(member.lease.slot).toBe(0);
    await cluster.clock.until(() => equalViews([member, other]), 100);
  });

  test("costs it as soon where that connection was new, and the bridge had been away", async () => {
    await cluster.startBridge();
    const member = await cluster.join("chat-1");
    await cluster.clock.run(2500);
    await cluster.bridge.stop();
    // So many attempts that the next one would come late.
    await cluster.clock.run(5000);
    await cluster.startBridge();
    await cluster.clock.until(() => cluster.ids().length === 1, 500);
    cluster.cut(member.host);
    await cluster.clock.until(() => !member.lease.held(), 10);
    await cluster.clock.until(() => member.rejoins === 1, 10);
  });

  test("does not forget that the member drains", async () => {
    await cluster.startBridge();
    const member = await cluster.join("chat-1");
    await cluster.finish(member.lease.drain());
    cluster.cut(member.host);
    await cluster.clock.until(() => member.rejoins === 1, 500);
    expect(cluster.bridge.view.members[0]?.state).toBe("draining");
  });
});

describe("the death of a bridge", () => {
  async function three(): Promise<TestMember[]> {
    await cluster.startBridge();
    const members = [
      await cluster.join("chat-1"),
      await cluster.join("chat-2"),
      await cluster.join("p", "proxy"),
    ];
    await cluster.clock.run(2500);
    for (const member of members) member.views.length = 0;
    return members;
  }

  test("alone moves nothing: members serve on, and come back as they were", async () => {
    const members = await three();
    const before = incarnations();
    await cluster.bridge.stop();
    for (let i = 0; i < 100; i++) {
      await cluster.clock.run(100);
      expect(members.map(({ lease }) => lease.held())).toEqual([true, true, true]);
    }
    await cluster.startBridge();
    await cluster.clock.until(() => cluster.ids().length === 3, 1000);
    await cluster.clock.run(4000);
    expect(incarnations()).toEqual(before);
    expect(members.map(({ lease, rejoins, views }) => [lease.held(), lease.slot, rejoins, views.length]))
      .toEqual([
        [true, 0, 0, 0],
        [true, 1, 0, 0],
        [true, undefined, 0, 0],
      ]);
  });

  test("a bridge that comes back remembers how many slots there were", async () => {
    const members = await three();
    const gone = await cluster.join("chat-3");
    await cluster.finish(gone.membership.close());
    await cluster.clock.until(() => equalViews(members));
    const { digest } = cluster.bridge.view;
    await cluster.bridge.stop();
    await cluster.clock.run(1000);
    await cluster.startBridge();
    await cluster.clock.until(() => cluster.bridge.view.digest === digest, 1000);
    expect(cluster.bridge.view.slots).toBe(3);
  });

  test("a member that died with the bridge leaves the views when the others had time to come back", async () => {
    const [first, second] = await three() as [TestMember, TestMember];
    await cluster.bridge.stop();
    cluster.freeze(second.host, second.clock);
    await cluster.clock.run(500);
    await cluster.startBridge();
    await cluster.clock.run(1800);
    expect(cluster.ids(first.membership.view)).toEqual(["chat-1", "chat-2", "p"]);
    await cluster.clock.until(() => cluster.ids(first.membership.view).join() === "chat-1,p", 500);
    expect(first.lease.held()).toBe(true);
  });

  test("a member that dies soon after the bridge started leaves the views at once", async () => {
    await cluster.startBridge();
    const [first, second] = [await cluster.join("chat-1"), await cluster.join("chat-2")];
    await cluster.clock.until(() => equalViews([first, second]));
    cluster.freeze(second.host, second.clock);
    cluster.cut(second.host);
    await cluster.clock.until(() => cluster.ids(first.membership.view).join() === "chat-1", 10);
  });

  test("a newcomer at that moment does not get the slot of one that is on its way back", async () => {
    const [first] = await three() as [TestMember];
    await cluster.bridge.stop();
    await cluster.clock.run(3000);
    const joining = cluster.join("new");
    await cluster.startBridge();
    const { lease } = await joining;
    expect(lease.slot).toBe(2);
    expect([first.lease.slot, first.rejoins]).toEqual([0, 0]);
  });

  test("a member that drains while there is no bridge says so to the next one", async () => {
    const [first] = await three() as [TestMember];
    await cluster.bridge.stop();
    await cluster.clock.run(500);
    await cluster.finish(first.lease.drain());
    await cluster.startBridge();
    await cluster.clock.until(() => cluster.bridge.view.members[0]?.state === "draining", 1000);
    expect(first.rejoins).toBe(0);
  });

  test("a member that was frozen while the bridge restarted wakes without its lease", async () => {
    const [first] = await three() as [TestMember];
    await cluster.bridge.stop();
    await cluster.clock.run(500);
    cluster.freeze(first.host, first.clock);
    await cluster.startBridge();
    await cluster.clock.until(() => !cluster.bridge.view.members.some((m) => m.id === "chat-1"));
    await cluster.clock.run(5000);
    expect(first.lease.held()).toBe(false);
    cluster.thaw(first.host, first.clock);
    expect(first.lease.held()).toBe(false);
    await cluster.clock.until(() => first.rejoins === 1, 1000);
  });
});

describe("a frozen bridge", () => {
  test("costs every member its lease after 2 s; all come back when it wakes", async () => {
    await cluster.startBridge();
    const members = [await cluster.join("chat-1"), await cluster.join("chat-2")];
    await cluster.clock.run(2500);
    cluster.freeze(BRIDGE_HOST, cluster.bridgeClock);
    await cluster.clock.run(2600);
    expect(members.map(({ lease }) => lease.held())).toEqual([false, false]);
    await cluster.clock.run(5000);
    cluster.thaw(BRIDGE_HOST, cluster.bridgeClock);
    await cluster.clock.until(() => members.every(({ lease }) => lease.held()), 3000);
    expect(members.map(({ rejoins, lease }) => [rejoins, lease.slot])).toEqual([[1, 0], [1, 1]]);
    await cluster.clock.until(() => equalViews(members), 500);
  });

  test("hears what was sent meanwhile before it gives anyone up", async () => {
    await cluster.startBridge();
    const members = [await cluster.join("chat-1"), await cluster.join("chat-2")];
    await cluster.clock.run(2500);
    for (const { views } of members) views.length = 0;
    cluster.freeze(BRIDGE_HOST, cluster.bridgeClock);
    await cluster.clock.run(2800);
    cluster.thaw(BRIDGE_HOST, cluster.bridgeClock);
    await cluster.clock.until(() => members.every(({ lease }) => lease.held()), 500);
    await cluster.clock.until(() => equalViews(members), 500);
    for (const { views } of members) {
      for (const view of views) expect(cluster.ids(view)).toEqual(["chat-1", "chat-2"]);
    }
  });

  test("that wakes soon enough withdraws nobody", async () => {
    await cluster.startBridge();
    const members = [await cluster.join("chat-1"), await cluster.join("chat-2")];
    await cluster.clock.run(2500);
    const before = incarnations();
    cluster.freeze(BRIDGE_HOST, cluster.bridgeClock);
    await cluster.clock.run(1400);
    cluster.thaw(BRIDGE_HOST, cluster.bridgeClock);
    await cluster.clock.run(5000);
    expect(incarnations()).toEqual(before);
    expect(members.map(({ lease }) => lease.held())).toEqual([true, true]);
  });
});

describe("trust", () => {
  const refusals: readonly (readonly [string, object, object, string])[] = [
    ["another secret", {}, { secret: "other" }, "the caller's secret is not this bridge's"],
    ["no secret where the bridge has one", {}, { secret: undefined }, "demands the cluster secret"],
    [
      "another cluster",
      { cluster: "one" },
      { cluster: "two" },
      'serves the cluster "one", the caller belongs to "two"',
    ],
    ["another placement key", {}, { placementKey: new Uint8Array(32) }, "same placement key"],
  ];
  test.each(refusals)(
    "a member with %s is refused and told why",
    async (_: string, bridge: object, member: object, message: string) => {
      await cluster.startBridge(bridge);
      const error = { code: "bridge_refused", message: expect.stringContaining(message) };
      const info = { id: "a", role: "chat", address: "h:1" } as const;
      await expect(cluster.finish(cluster.membership(member).join(info))).rejects.toMatchObject(error);
      await expect(cluster.finish(cluster.membership(member).open())).rejects.toMatchObject(error);
      await cluster.clock.run(100);
      expect(cluster.ids()).toEqual([]);
    },
  );

  test("a bridge without the secret is refused by a member that has it", async () => {
    await cluster.startBridge({ listen: { host: "127.0.0.1", port: 7374 }, secret: undefined } as object);
    const membership = cluster.membership({ url: "ws://127.0.0.1:7374/rpc" }, "127.0.0.1");
    await expect(cluster.finish(membership.open())).rejects.toMatchObject({
      code: "bridge_refused",
      message: expect.stringContaining("it has no secret"),
    });
  });

  test("a bridge that does not say what it takes is taken for one with a secret", async () => {
    const result = { nonce: "0".repeat(32), bridge: "b0b0b0b0b0b0", cluster: "toychat", required: true };
    const fetch: FetchHandler = (_, { upgrade }) =>
      upgrade((connection) => ({
        data: (text) => {
          const { id } = JSON.parse(text as string);
          connection.send(JSON.stringify({ jsonrpc: "2.0", id, result }));
        },
        drain: () => {},
        close: () => {},
      }));
    await cluster.at(BRIDGE_HOST).serve({ host: BRIDGE_HOST, port: 7374, fetch });
    await expect(cluster.finish(cluster.membership({ secret: undefined }).open())).rejects.toMatchObject({
      code: "bridge_refused",
      message: expect.stringContaining(
        "demands the cluster secret: give it by --secret-file or TOYCHAT_SECRET",
      ),
    });
    await expect(cluster.finish(cluster.membership().open())).rejects.toMatchObject({
      code: "bridge_refused",
      message: expect.stringContaining("it does not know the cluster secret"),
    });
  });

  test("something else that answers there is refused", async () => {
    const fetch = () => new Response("hello");
    await cluster.at(BRIDGE_HOST).serve({ host: BRIDGE_HOST, port: 7374, fetch });
    await expect(cluster.finish(cluster.membership().open())).rejects.toMatchObject({
      code: "bridge_refused",
      message: expect.stringContaining("not as a toychat bridge"),
    });
  });
});

test("whatever freezes, breaks or restarts: nobody accepts whom the bridge has given up, and all come back", async () => {
  const step = fc.record({
    what: fc.constantFrom("freeze", "thaw", "cut", "stop", "start", "wait"),
    who: fc.nat(2),
    ms: fc.integer({ min: 1, max: 4000 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12, size: "max" }), fc.nat(1000), async (steps, seed) => {
      cluster = new BridgeCluster(seed);
      await cluster.startBridge();
      let running = true;
      let startedAt = cluster.clock.now();
      const members = [await cluster.join("a"), await cluster.join("b"), await cluster.join("c")];
      await cluster.clock.run(2100);
      const check = (): void => {
        const held = members.filter(({ clock, lease }) => !clock.frozen && lease.held()).map(({ lease }) =>
          lease.slot
        );
        expect(new Set(held).size).toBe(held.length);
        // While a bridge is new it may not have heard of everyone, and everyone's views wait for it.
        if (!running || cluster.clock.now() - startedAt < 2000) return;
        for (const { lease, clock } of members) {
          if (!clock.frozen && lease.held()) expect(incarnations()).toContain(lease.incarnation);
        }
      };
      for (const { what, who, ms } of steps) {
        const member = members[who] as TestMember;
        if (what === "freeze") cluster.freeze(member.host, member.clock);
        else if (what === "thaw") cluster.thaw(member.host, member.clock);
        else if (what === "cut") cluster.cut(member.host);
        else if (what === "stop" && running) await cluster.bridge.stop();
        else if (what === "start" && !running) {
          startedAt = cluster.clock.now();
          await cluster.startBridge();
        }
        running = what === "stop" ? false : what === "start" ? true : running;
        for (let passed = 0; passed < ms; passed += 50) {
          await cluster.clock.run(50);
          check();
        }
      }
      if (!running) await cluster.startBridge();
      for (const member of members) cluster.thaw(member.host, member.clock);
      await cluster.clock.until(
        () => members.every(({ lease }) => lease.held()) && equalViews(members),
        10_000,
      );
      expect(incarnations()).toEqual(members.map(({ lease }) => lease.incarnation));
      check();
    }),
    { numRuns: 40 },
  );
});
