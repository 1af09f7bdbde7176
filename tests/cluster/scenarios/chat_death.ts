/**
 * A ChatServer dies.
 *
 * @module
 */
import { expect } from "bun:test";
import type { Crowd } from "../../support/crowd.ts";
import { until } from "../../support/until.ts";
import type { Cluster } from "../cluster.ts";
import { expectServed, scenario, underLoad } from "../../support/scenario.ts";

async function expectSurvived(cluster: Cluster, crowd: Crowd, rooms: readonly string[]): Promise<void> {
  expect(crowd.problems("acknowledged")).toEqual([]);
  expect(crowd.movedProblems(rooms, true)).toEqual([]);
  await expectServed(cluster, crowd);
  await crowd.disperse();
}

/** Adds the tests. */
export function chatDeath(cluster: Cluster): void {
  scenario(
    "a ChatServer killed under load: others own its rooms, nobody is cut off, nothing acknowledged is lost",
    cluster,
    async () => {
      let rooms: string[] = [];
      const crowd = await underLoad(cluster, cluster.rooms("killed", 2), async (crowd) => {
        rooms = cluster.ownedBy("c2", crowd.rooms);
        await cluster.chat("c2").kill();
        await crowd.toldOf(rooms);
      });
      expect(rooms.length).toBe(2);
      expect(rooms.map((room) => cluster.owner(room))).not.toContain("c2");
      await expectSurvived(cluster, crowd, rooms);
    },
  );

  scenario(
    "messages that a dead ChatServer did not acknowledge are sent again, and come once",
    cluster,
    async () => {
      let rooms: string[] = [];
      const before = await redelivered(cluster);
      const crowd = await underLoad(cluster, cluster.rooms("unacknowledged", 2), async (crowd) => {
        rooms = cluster.ownedBy("c1", crowd.rooms);
        const chat = cluster.chat("c1");
        chat.signal("SIGSTOP");
        await until(() => rooms.every((room) => crowd.pending(room) > 5), "messages without acknowledgement");
        await chat.kill();
        await crowd.toldOf(rooms);
      });
      expect(await redelivered(cluster)).toBeGreaterThan(before);
      await expectSurvived(cluster, crowd, rooms);
    },
  );

  scenario(
    "messages that were heard and not acknowledged when their ChatServer died come once",
    cluster,
    async () => {
      let rooms: string[] = [];
      const dropped = "toychat_duplicates_dropped_total";
      const before = await cluster.metric(1, dropped);
      const crowd = await underLoad(cluster, cluster.rooms("heard", 2), async (crowd) => {
        rooms = cluster.ownedBy("c3", crowd.rooms);
        // A proxy that takes nothing keeps what the other one has delivered from being acknowledged.
        cluster.proxy(2).signal("SIGSTOP");
        // Of what was sent before, acknowledgements may be on their way.
        const mark = crowd.mark();
        await until(
          () => rooms.every((room) => crowd.pendingThoughHeard(room, mark) > 0),
          "messages that were only heard",
        );
        const gone = cluster.chat("c3").kill();
        // A proxy that sleeps for as long as a busy machine takes to bury a process loses its place in the cluster.
        cluster.proxy(2).signal("SIGCONT");
        await gone;
        await crowd.toldOf(rooms);
      });
      expect(await cluster.metric(1, dropped)).toBeGreaterThan(before);
      await expectSurvived(cluster, crowd, rooms);
    },
  );

  scenario("two ChatServers killed at the same moment: the third owns everything", cluster, async () => {
    let rooms: string[] = [];
    const crowd = await underLoad(cluster, cluster.rooms("two-killed", 2), async (crowd) => {
      rooms = [...cluster.ownedBy("c1", crowd.rooms), ...cluster.ownedBy("c3", crowd.rooms)];
      await Promise.all([cluster.chat("c1").kill(), cluster.chat("c3").kill()]);
      await cluster.sees(["c2", "p1", "p2"]);
      await crowd.toldOf(rooms);
    });
    expect(rooms.length).toBe(4);
    // A room may have gone from one of them to the other on its way.
    expect(crowd.problems("acknowledged")).toEqual([]);
    expect(new Set(crowd.clients.flatMap(({ moved }) => moved.map(({ room }) => room)))).toEqual(
      new Set(rooms),
    );
    expect(crowd.clients.flatMap(({ moved }) => moved).filter(({ lost }) => !lost)).toEqual([]);
    await expectServed(cluster, crowd);
    await crowd.disperse();
  });
}

async function redelivered(cluster: Cluster): Promise<number> {
  const name = "toychat_messages_redelivered_total";
  return await cluster.metric(1, name) + await cluster.metric(2, name);
}
