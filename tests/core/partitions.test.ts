/**
 * A cluster that is cut in two and whole again, story by story: each sentence of "Partitions and merging" in
 * docs/protocol.md.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import type { ChatServer } from "../../src/chat/chat_server.ts";
import { delay } from "../../src/lib/clock.ts";
import type { Split } from "../simulator/lists.ts";
import type { Chat } from "../simulator/cluster.ts";
import type { Speech } from "../simulator/schedule.ts";
import { got, moves, type Program, Stage } from "./stage.ts";

/** What a server's application heard, a line each. */
class Story {
  readonly lines: string[] = [];

  constructor(server: ChatServer) {
    server.on("open", (room, reason) => void this.lines.push(`open ${room} ${reason}`));
    server.on("close", (room, reason) => void this.lines.push(`close ${room} ${reason}`));
    server.on("handoff", (room) => void this.lines.push(`handoff ${room}`));
    server.on("join", (user, room) => void this.lines.push(`join ${room} ${user.userId}`));
    server.on("leave", (user, room) => void this.lines.push(`leave ${room} ${user.userId}`));
    server.on("merge", (room, { from, offset, users }) => {
      const names = users.map(({ userId }) => userId).join();
      this.lines.push(`merge ${room} of ${from} after ${offset}: ${names}`);
    });
  }

  /** What it heard of a room since the last call. */
  take(room: string): string[] {
    const taken = this.lines.filter((line) => line.split(" ")[1] === room);
    this.lines.length = 0;
    return taken;
  }
}

const HEAL_MS = 10_000;
const DROP_MS = 4000;

/** `c1`, `p1` and, with `ada`, one side; `c2`, `p2` and, with `bob`, the other. */
async function set(program?: Program, chats = 2): Promise<{ stage: Stage; stories: Story[] }> {
  const stage = await Stage.set(chats, program, { membership: "sides" });
  return { stage, stories: stage.chats.map(({ server }) => new Story(server)) };
}

/** Cuts the network in two and waits until both sides have given each other up. */
async function cut(stage: Stage, fields: Partial<Split> = {}): Promise<void> {
  const drops = { a: DROP_MS, b: DROP_MS };
  const split = { b: ["c2", "p2"], broken: false, drops, merge: 0, ms: HEAL_MS };
  stage.cluster.split({ do: "split", ...split, ...fields });
  await stage.run(DROP_MS + 1000);
}

/** Waits until the network is whole and all views agree; returns when that was. */
async function heal(stage: Stage): Promise<number> {
  const processes = [...stage.chats, ...stage.proxies];
  await stage.until(() => !stage.cluster.disturbed, 60_000);
  await stage.until(() => new Set(processes.map(({ membership }) => membership.view.digest)).size === 1);
  return stage.now;
}

function owners(stage: Stage, room: string): string[] {
  return stage.chats.filter(({ server }) => server.rooms.includes(room)).map(({ id }) => id);
}

const [ONE, TWO] = [0, 1];

describe("while the network is cut in two", () => {
  test("each side owns every room, keeps its users, and says that something may be lost", async () => {
    const { stage } = await set();
    const [c1, c2] = stage.chats as [Chat, Chat];
    const [mine, theirs] = [stage.room(c1), stage.room(c2)];
    const ada = await stage.user("ada", ONE, mine, theirs);
    const bob = await stage.user("bob", TWO, mine, theirs);
    await cut(stage);
    const sent = [ada.publish(mine, true), ada.publish(theirs, true), bob.publish(mine, true)];
    await stage.until(() => sent.every((one) => one.doneAt !== undefined), 1000);
    expect(sent.map((one) => one.failure)).toEqual([undefined, undefined, undefined]);
    expect([got(ada, ada, mine), got(ada, ada, theirs), got(bob, bob, mine)]).toEqual([[1], [1], [1]]);
    expect([got(bob, ada, mine), got(ada, bob, mine)]).toEqual([[], []]);
    expect([moves(ada, mine), moves(ada, theirs), moves(bob, mine), moves(bob, theirs)]).toEqual([
      [],
      [true],
      [true],
      [],
    ]);
    expect([c1.server.rooms.length, c2.server.rooms.length, ada.endedAt, bob.endedAt]).toEqual([
      2,
      2,
      undefined,
      undefined,
    ]);
  });
});

describe("when the network is whole again", () => {
  test("a room goes on in its owner's life, and the other life is closed as merged", async () => {
    const { stage, stories } = await set();
    const [c1, c2] = stage.chats as [Chat, Chat];
    const room = stage.room(c1);
    const ada = await stage.user("ada", ONE, room);
    const bob = await stage.user("bob", TWO, room);
    await cut(stage);
    const [epoch, other] = [c1.server.room(room)?.epoch, c2.server.room(room)?.epoch];
    for (let i = 0; i < 3; i++) bob.publish(room, true);
    await stage.run(100);
    for (const story of stories) story.take(room);
    let merged: string | undefined;
    c1.server.on("merge", (_room, merge) => void (merged = merge.epoch));
    await heal(stage);
    await stage.run(1000);
    expect(c1.server.room(room)?.epoch).toBe(epoch);
    expect([merged === other, epoch === other]).toEqual([true, false]);
    expect(stories[0]?.take(room).sort()).toEqual([`join ${room} bob`, `merge ${room} of c2 after 3: bob`]);
    expect(stories[1]?.take(room)).toEqual([`close ${room} merged`]);
    expect([moves(ada, room), moves(bob, room).at(-1)]).toEqual([[true], true]);
    expect(c1.server.metrics.get("toychat_rooms_merged_total")).toBe(1);
    expect(c1.server.room(room)?.users.map(({ userId }) => userId).sort()).toEqual(["ada", "bob"]);
  });

  test("each room has one owner within two seconds of the views agreeing", async () => {
    const { stage } = await set();
    const rooms = Array.from({ length: 20 }, (_, i) => `room-${i}`);
    await stage.user("ada", ONE, ...rooms);
    await stage.user("bob", TWO, ...rooms);
    await cut(stage, { ms: 7000 });
    expect(rooms.map((room) => owners(stage, room).length)).toEqual(rooms.map(() => 2));
    const since = await heal(stage);
    const placed = rooms.map((room) => [stage.chats[0]?.membership.placement.owner(room)?.id]);
    await stage.until(() => {
      return rooms.every((room, i) =>
        owners(stage, room).join() === placed[i]?.join() &&
        stage.chats.find(({ id }) => id === placed[i]?.[0])?.server.room(room)?.users.length === 2
      );
    });
    expect(stage.now - since).toBeLessThan(2000);
  });

  test("a room that was open on one side alone moves with all that it has, and loses nothing", async () => {
    const { stage, stories } = await set();
    const [c1] = stage.chats as [Chat];
    const room = stage.room(c1);
    await cut(stage);
    const bob = await stage.user("bob", TWO, room);
    bob.publish(room, true);
    await stage.run(100);
    const epoch = stage.chats[1]?.server.room(room)?.epoch;
    for (const story of stories) story.take(room);
    await heal(stage);
    await stage.until(() => owners(stage, room).join() === "c1");
    await stage.run(100);
    expect(c1.server.room(room)).toMatchObject({ epoch, offset: 1 });
    expect(stories[0]?.take(room)).toEqual([`open ${room} hand-off`, `join ${room} bob`]);
    expect(stories[1]?.take(room)).toEqual([`close ${room} hand-off`, `handoff ${room}`]);
    expect(moves(bob, room)).toEqual([false]);
  });

  test("what was acknowledged on one side stays there, and what comes later reaches all, once and in order", async () => {
    const { stage } = await set();
    const room = stage.room(stage.chats[0] as Chat);
    const ada = await stage.user("ada", ONE, room);
    const bob = await stage.user("bob", TWO, room);
    ada.publish(room, true);
    bob.publish(room, true);
    await stage.run(100);
    await cut(stage);
    for (let i = 0; i < 5; i++) {
      ada.publish(room, true);
      bob.publish(room, true);
    }
    await stage.run(100);
    const said = [...ada.published, ...bob.published];
    expect(said.every((one) => one.doneAt !== undefined && !one.failure)).toBe(true);
    await heal(stage);
    await stage.until(() => stage.chats[0]?.server.room(room)?.users.length === 2);
    for (let i = 0; i < 20; i++) {
      ada.publish(room, true);
      bob.publish(room, true);
      await stage.run(20);
    }
    await stage.until(() => [...ada.published, ...bob.published].every((one) => one.doneAt !== undefined));
    await stage.run(500);
    const all = Array.from({ length: 26 }, (_, i) => i + 1);
    const shared = [1, ...all.slice(6)];
    expect([got(ada, ada, room), got(bob, bob, room)]).toEqual([all, all]);
    expect([got(ada, bob, room), got(bob, ada, room)]).toEqual([shared, shared]);
  });

  test("what waited in the life that ends is sent again to the owner, and is answered once", async () => {
    const given: string[] = [];
    const { stage } = await set((chat, clock) =>
      chat.on("message", async (_user, room, body) => {
        given.push(`${chat.id} ${(body as unknown as { k: number }).k}`);
        await delay(clock, 1000);
        chat.broadcast(room, body);
      })
    );
    const room = stage.room(stage.chats[0] as Chat);
    const ada = await stage.user("ada", ONE, room);
    const bob = await stage.user("bob", TWO, room);
    await cut(stage);
    // The first is being worked on when the sides hear of each other, the others wait for it.
    await stage.until(() => stage.cluster.splits[0]!.to - stage.now < 500);
    for (let i = 0; i < 3; i++) bob.publish(room, true);
    await heal(stage);
    await stage.until(() => bob.published.every((one) => one.doneAt !== undefined));
    expect(bob.published.map((one) => one.failure)).toEqual([undefined, undefined, undefined]);
    expect(given).toEqual(["c2 1", "c1 2", "c1 3"]);
    expect([got(bob, bob, room), got(ada, bob, room)]).toEqual([[1, 2, 3], [2, 3]]);
  });

  test("a ChatServer whose slot another one has keeps its life, hands its rooms off and gets rooms again", async () => {
    const { stage } = await set();
    const rooms = Array.from({ length: 12 }, (_, i) => `room-${i}`);
    await cut(stage, { b: ["c2", "p2", "c3"] });
    // It takes the slot of the server that this side has given up.
    const third = await stage.chat();
    const story = new Story(third.server);
    expect(third.server.slot).toBe(0);
    const bob = await stage.user("bob", TWO, ...rooms);
    const incarnation = third.membership.lease?.incarnation;
    const before = third.server.rooms.length;
    expect(before).toBeGreaterThan(0);
    await stage.until(() => !stage.cluster.disturbed);
    await stage.until(() => third.server.rooms.length === 0, 3000);
    await stage.until(() => third.server.slot === 2 && third.server.rooms.length > 0, 5000);
    await stage.run(1000);
    expect([third.membership.lease?.incarnation, third.server.metrics.get("toychat_leases_lost_total")])
      .toEqual([
        incarnation,
        0,
      ]);
    expect(story.lines.filter((line) => line.startsWith("close") && !line.endsWith("hand-off"))).toEqual([]);
    expect(rooms.map((room) => owners(stage, room).length)).toEqual(rooms.map(() => 1));
    expect(rooms.flatMap((room) => moves(bob, room)).filter((lost) => lost)).toEqual([]);
  });

  test("a member that leaves and comes back again and again keeps its links, once it is back", async () => {
    const { stage } = await set();
    const room = stage.room(stage.chats[0] as Chat);
    const bob = await stage.user("bob", TWO, room);
    await cut(stage, { ms: 5000 });
    await heal(stage);
    await stage.until(() => moves(bob, room).length > 1);
    const told = moves(bob, room).length;
    // A connection that breaks for a moment is resumed, and nobody hears of it.
    stage.cluster.cut("c1", "p2", 300);
    await stage.run(3000);
    expect(moves(bob, room).length).toBe(told);
  });
});

describe("a side that seals", () => {
  const seals: Partial<Split> = { seals: "b", drops: { a: 7000, b: DROP_MS }, ms: 24_000 };

  test("closes its rooms, and its servers come back as new ones that get their rooms by plan", async () => {
    const { stage, stories } = await set();
    const [c1, c2] = stage.chats as [Chat, Chat];
    const room = stage.room(c2);
    const ada = await stage.user("ada", ONE, room);
    const bob = await stage.user("bob", TWO, room);
    await cut(stage, seals);
    const epoch = c2.server.room(room)?.epoch;
    const incarnation = c2.membership.lease?.incarnation;
    expect([epoch, c2.membership.lease?.held()]).toEqual([undefined, false]);
    expect(stories[1]?.take(room).at(-1)).toBe(`close ${room} lease-lost`);
    await stage.until(() => owners(stage, room).join() === "c1");
    ada.publish(room, true);
    await heal(stage);
    await stage.until(() => owners(stage, room).join() === "c2");
    await stage.run(1000);
    expect(c2.membership.lease?.incarnation).not.toBe(incarnation);
    expect(c2.server.room(room)).toMatchObject({ offset: 1 });
    expect(c1.server.metrics.get("toychat_rooms_merged_total")).toBe(0);
    expect([ada.endedAt, bob.endedAt, moves(bob, room)[0]]).toEqual([undefined, undefined, true]);
    const message = bob.publish(room, true);
    await stage.until(() => message.doneAt !== undefined);
    expect([message.failure, got(ada, bob, room), got(bob, bob, room)]).toEqual([undefined, [1], [1]]);
  });

  type Failure = "unavailable" | "failed" | undefined;
  const words: [speaks: Speech, published: Failure, joined: Failure][] = [
    ["websocket", "unavailable", "unavailable"],
    ["mqtt5", "unavailable", "unavailable"],
    // MQTT 3.1.1 has no word for a message that nobody took, and but one for a subscription that failed.
    ["mqtt4", undefined, "failed"],
  ];
  for (const [speaks, published, joined] of words) {
    test(`tells who speaks ${speaks} that nobody takes what it sends, and takes it again later`, async () => {
      const { stage } = await set();
      const [room, next] = [stage.room(stage.chats[1] as Chat), stage.room(stage.chats[1] as Chat, 1)];
      const bob = await stage.speaker(speaks, "bob", TWO, room);
      await cut(stage, seals);
      const since = stage.now;
      const message = bob.publish(room, true);
      bob.join(next);
      const stay = bob.stay(next);
      await stage.until(() => stay?.refusal !== undefined);
      await stage.run(500);
      expect([message.failure, stay?.refusal, bob.endedAt]).toEqual([published, joined, undefined]);
      for (const at of [message.doneAt ?? stage.now, stay?.to as number]) {
        expect(Math.round((at - since) / 1000)).toBeWithin(10, 13);
      }
      // What is asked shortly before the end is done, not refused.
      await stage.until(() => stage.cluster.splits[0]!.to - stage.now < 4000);
      const last = bob.publish(room, true);
      bob.join(next);
      await heal(stage);
      await stage.until(() => last.doneAt !== undefined && bob.stay(next)?.from !== undefined);
      expect([last.failure, bob.endedAt, moves(bob, room)[0]]).toEqual([
        undefined,
        undefined,
        speaks === "websocket" || true,
      ]);
      bob.publish(next, true);
      await stage.until(() => got(bob, bob, next).length === 1);
    });
  }
});
