/**
 * What processes do to a cluster of hosts when they die, fall asleep or come back.
 *
 * @module
 */
import { expect } from "bun:test";
import { until } from "../support/until.ts";
import { events } from "../cluster/cluster.ts";
import { expectServed, scenario, underLoad } from "../support/scenario.ts";
import { expectFailedOver, expectUntouched, lives } from "./expect.ts";
import type { SerfCluster } from "./serf_cluster.ts";

/** So many messages of each line take longer than a lease would last that is not renewed. */
const LONG = 50;
/** Longer than a lease, and than the bridge waits for a member. */
const ASLEEP_MS = 5000;

/** Adds the tests. The cluster has ChatServers on three hosts, and proxies on the first and the third. */
export function processFaults(cluster: SerfCluster): void {
  scenario(
    "a ChatServer is killed: its rooms go to other hosts, users keep their connections and are told",
    cluster,
    async () => {
      let rooms: string[] = [];
      const crowd = await underLoad(cluster, cluster.rooms("killed", 2), async (crowd) => {
        rooms = cluster.ownedBy("c2", crowd.rooms);
        await cluster.host(2).chat.kill();
        await crowd.toldOf(rooms);
        await cluster.agree(["c1", "c3", "p1", "p3"]);
      });
      expect(rooms.length).toBe(2);
      expect(rooms.map((room) => cluster.owner(room))).not.toContain("c2");
      await expectFailedOver(cluster, crowd, rooms);
    },
  );

  scenario(
    "a ChatServer falls asleep and wakes: it owns nothing before it has registered as a new one",
    cluster,
    async () => {
      const { chat } = cluster.host(2);
      const incarnation = (): string | undefined => cluster.host(1).member("c2")?.incarnation;
      const before = incarnation();
      let rooms: string[] = [];
      const crowd = await underLoad(cluster, cluster.rooms("frozen", 2), async (crowd) => {
        rooms = cluster.ownedBy("c2", crowd.rooms);
        const asleep = performance.now();
        chat.signal("SIGSTOP");
        await crowd.toldOf(rooms);
        await cluster.agree(["c1", "c3", "p1", "p3"]);
        await crowd.progress(4);
        await until(() => performance.now() - asleep >= ASLEEP_MS, "it has slept long enough");
        chat.signal("SIGCONT");
        await until(() => incarnation() !== undefined && incarnation() !== before, "it has joined again");
        await cluster.agree(cluster.ids);
        await until(
          () => crowd.clients.every(({ moved }) => moved.length === 2 * rooms.length),
          () => `two moves of ${rooms}: ${crowd.clients.map(({ moved }) => JSON.stringify(moved))}`,
        );
      });
      // Away from it by a failover; back to it, as a new one, in good order. What it held when it fell asleep was
      // refused: had it been taken, something would have come twice or in another order.
      for (const { moved } of crowd.clients) {
        for (const room of rooms) {
          expect(moved.filter((word) => word.room === room).map(({ lost }) => lost)).toEqual([true, false]);
        }
      }
      expect(cluster.host(1).member("c2")?.slot).toBe(chat.ready.slot);
      for (const room of rooms) {
        const reasons = events(chat, "close").filter((event) => event["room"] === room);
        expect(reasons.map(({ reason }) => reason)).toEqual(["lease-lost"]);
      }
      expect(crowd.problems("acknowledged")).toEqual([]);
      await expectServed(cluster, crowd);
    },
  );

  scenario(
    "a bridge falls asleep: its ChatServer may not accept and says so, and its rooms go to other hosts",
    cluster,
    async () => {
      const host = cluster.host(2);
      const others = [cluster.host(1), cluster.host(3)];
      let rooms: string[] = [];
      const crowd = await underLoad(cluster, cluster.rooms("asleep", 2), async (crowd) => {
        rooms = cluster.ownedBy("c2", crowd.rooms);
        host.bridge.signal("SIGSTOP");
        await cluster.agree(["c1", "c3", "p1", "p3"], others);
        await crowd.toldOf(rooms);
      });
      await expectFailedOver(cluster, crowd, rooms);
      host.bridge.signal("SIGCONT");
      await cluster.agree(cluster.ids);
    },
  );

  scenario(
    "a bridge is killed and started again: no room moves, nobody is withdrawn",
    cluster,
    async () => {
      const before = lives(cluster);
      const host = cluster.host(2);
      const seen = new Set<string>();
      const ends = cluster.hosts.map(({ membership }) => membership.onView(({ digest }) => seen.add(digest)));
      const crowd = await underLoad(cluster, cluster.rooms("bridge", 2), async (crowd) => {
        await host.bridge.kill();
        await crowd.progress(LONG);
        await host.startBridge();
        // The bridge of before would have been followed; of this one nothing is known yet.
        await until(() => host.bridge.stderr.includes("members_restored"), "what the agent still says");
        await crowd.progress(LONG);
      });
      for (const end of ends) end();
      expect([...seen]).toEqual([]);
      expect(lives(cluster)).toEqual(before);
      await cluster.agree(cluster.ids);
      await expectUntouched(cluster, crowd);
    },
  );

  scenario(
    "a ChatServer is killed while its host has no bridge: the other hosts notice by themselves",
    cluster,
    async () => {
      const host = cluster.host(2);
      const others = [cluster.host(1), cluster.host(3)];
      let rooms: string[] = [];
      const crowd = await underLoad(cluster, cluster.rooms("alone", 2), async (crowd) => {
        rooms = cluster.ownedBy("c2", crowd.rooms);
        await host.bridge.kill();
        await host.chat.kill();
        await cluster.agree(["c1", "c3", "p1", "p3"], others);
        await crowd.toldOf(rooms);
      });
      await expectFailedOver(cluster, crowd, rooms);
      // A bridge that comes back knows what its agent still says, and that nobody of that is there only after a while.
      const seen = new Set<string>();
      const ends = others.map(({ membership }) => membership.onView(({ digest }) => seen.add(digest)));
      await host.startBridge();
      await cluster.agree(["c1", "c3", "p1", "p3"]);
      for (const end of ends) end();
      expect([...seen]).toEqual([]);
    },
  );

  scenario(
    "everything but the agent of a host is killed: it is gone from all views, its rooms are elsewhere",
    cluster,
    async () => {
      const others = [cluster.host(1), cluster.host(2)];
      const rooms = cluster.rooms("host", 2);
      const lost = cluster.ownedBy("c3", rooms);
      await cluster.host(3).killProcesses();
      await cluster.agree(["c1", "c2", "p1"], others);
      expect(lost.map((room) => cluster.owner(room))).not.toContain("c3");
      expect(await cluster.statuses(1)).toEqual({ "host-1": "alive", "host-2": "alive", "host-3": "alive" });
    },
  );

  scenario(
    "a ChatServer that is told to end hands its rooms to other hosts, and nothing is lost",
    cluster,
    async () => {
      const host = cluster.host(2);
      await expectHandedOver(cluster, "c2", "ended", async () => {
        expect(await host.chat.stop("SIGTERM")).toEqual({ code: 0, signal: null });
        await cluster.agree(["c1", "c3", "p1", "p3"]);
      });
      await expectHandedOver(cluster, undefined, "returned", async () => {
        await host.startChat();
        await cluster.agree(cluster.ids);
      });
    },
  );

  scenario(
    "toychat drain has a ChatServer end in good order, by the bridge of any host",
    cluster,
    async () => {
      const [first, third] = [cluster.host(1), cluster.host(3)];
      await expectHandedOver(cluster, "c3", "drained", async () => {
        expect(await first.spawn("drain", ["drain", "c3", "--bridge", first.url]).exit).toEqual({
          code: 0,
          signal: null,
        });
        expect(await third.chat.exit).toEqual({ code: 0, signal: null });
        await cluster.agree(["c1", "c2", "p1", "p3"]);
      });
    },
  );
}

/** Rooms, those of a ChatServer or whichever change their owner, move while a crowd talks: told without loss, and without any. */
async function expectHandedOver(
  cluster: SerfCluster,
  from: string | undefined,
  prefix: string,
  happen: () => Promise<void>,
): Promise<void> {
  let moved: string[] = [];
  const crowd = await underLoad(cluster, cluster.rooms(prefix, 3), async (crowd) => {
    const owners = new Map(crowd.rooms.map((room) => [room, cluster.owner(room)]));
    await happen();
    moved = crowd.rooms.filter((room) => cluster.owner(room) !== owners.get(room));
    if (from !== undefined) expect(moved).toEqual(crowd.rooms.filter((room) => owners.get(room) === from));
    await crowd.toldOf(moved);
  });
  expect(moved).not.toEqual([]);
  expect(crowd.problems("everything")).toEqual([]);
  expect(crowd.movedProblems(moved, false)).toEqual([]);
  await expectServed(cluster, crowd);
}
