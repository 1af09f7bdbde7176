/**
 * Single stories of rooms that move, each with its outcome, on the same clusters as the model.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { delay } from "../../src/lib/clock.ts";
import type { ModelMembership } from "../support/model_membership.ts";
import type { SkewedRegistry } from "../support/skewed_membership.ts";
import type { Note } from "../simulator/client.ts";
import { got, moves, type Program, Stage } from "./stage.ts";

describe("the death of a server", () => {
  test("moves its rooms within a second, keeps its users, and tells them that something may be lost", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    stage.cluster.kill(stage.chats[0]!);
    const since = stage.now;
    const message = ada.publish(room, true);
    await stage.until(() => message.doneAt !== undefined);
    expect(stage.now - since).toBeLessThan(1000);
    expect([message.failure, got(ada, ada, room), got(bob, ada, room)]).toEqual([undefined, [1], [1]]);
    expect([moves(ada, room), moves(bob, room)]).toEqual([[true], [true]]);
    expect(stage.chats[1]!.server.room(room)?.users.map((user) => user.userId).sort()).toEqual([
      "ada",
      "bob",
    ]);
  });

  test("that was about to hand a room over lets the next owner open it at once", async () => {
    const stage = await Stage.set(2, (chat, clock) => chat.on("message", () => delay(clock, 8000)));
    const room = stage.room(stage.chats[0]!);
    const ada = await stage.user("ada", 0, room);
    ada.publish(room, true);
    await stage.run(20);
    void stage.chats[0]!.server.stop();
    await stage.run(500);
    expect(stage.chats[1]!.server.rooms).toEqual([]);
    stage.cluster.kill(stage.chats[0]!);
    const since = stage.now;
    await stage.until(() => stage.chats[1]!.server.rooms.includes(room));
    expect(stage.now - since).toBeLessThan(200);
  });

  test("after it released a room loses no message that was accepted there and overtakes none", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    // The other proxy confirms nothing, so neither the acknowledgement nor the hand-off can leave.
    stage.cluster.cut("c1", "p2", 2000);
    const first = ada.publish(room, true);
    await stage.run(20);
    stage.chats[0]!.running = false;
    void stage.chats[0]!.server.stop();
    await stage.run(50);
    const second = ada.publish(room, true);
    await stage.run(50);
    stage.cluster.kill(stage.chats[0]!);
    await stage.until(() => first.doneAt !== undefined && second.doneAt !== undefined);
    expect([first.failure, second.failure]).toEqual([undefined, undefined]);
    expect([got(ada, ada, room), got(bob, ada, room)]).toEqual([[1, 2], [1, 2]]);
  });

  test("delivers what users said who have gone by then", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const bob = await stage.user("bob", 1, room);
    stage.cluster.kill(stage.chats[0]!);
    const ada = await stage.user("ada", 0);
    ada.publish(room, true);
    ada.publish(room, false);
    ada.disconnect();
    await stage.until(() => got(bob, ada, room).length === 2);
    expect(got(bob, ada, room)).toEqual([1, 2]);
  });

  test("does not give a message again to who came back to the room meanwhile", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, dan] = [await stage.user("ada", 0, room), await stage.user("dan", 0, room)];
    const bob = await stage.user("bob", 1, room);
    // Bob's proxy confirms nothing, so the message is not acknowledged when the server dies.
    stage.cluster.cut("c1", "p2", 2000);
    const message = ada.publish(room, true);
    await stage.until(() => got(dan, ada, room).length === 1);
    for (const client of [ada, dan]) client.leave(room);
    await stage.run(20);
    stage.cluster.kill(stage.chats[0]!);
    dan.join(room);
    await stage.until(() => message.doneAt !== undefined && dan.stay(room)?.from !== undefined);
    await stage.run(1000);
    expect([got(dan, ada, room), got(bob, ada, room)]).toEqual([[1], [1]]);
  });
});

describe("a move by plan", () => {
  test("loses nothing and says so, while users talk all the time", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    const stopped = stage.chats[0]!.server.stop();
    for (let i = 0; i < 100; i++) {
      ada.publish(room, i % 2 === 0);
      await stage.run(1);
    }
    await stopped;
    await stage.run(500);
    const all = Array.from({ length: 100 }, (_, i) => i + 1);
    expect([got(ada, ada, room), got(bob, ada, room)]).toEqual([all, all]);
    expect(ada.published.every((one) => !one.acknowledged || (one.doneAt && !one.failure))).toBe(true);
    expect([moves(ada, room), moves(bob, room)]).toEqual([[false], [false]]);
  });

  test("keeps the room's epoch and goes on counting", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const ada = await stage.user("ada", 0, room);
    ada.publish(room, true);
    await stage.run(50);
    const before = stage.chats[0]!.server.room(room);
    void stage.chats[0]!.server.stop();
    await stage.until(() => stage.chats[1]!.server.rooms.includes(room));
    expect(stage.chats[1]!.server.room(room)).toMatchObject({ epoch: before?.epoch, offset: before?.offset });
  });

  test("knows nothing of a member who leaves while the room is between owners", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    // Bob's proxy confirms nothing, so the hand-off waits.
    stage.cluster.cut("c1", "p2", 1000);
    void stage.chats[0]!.server.stop();
    await stage.run(100);
    ada.leave(room);
    await stage.until(() => stage.chats[1]!.server.rooms.includes(room));
    await stage.run(100);
    expect(stage.chats[1]!.server.room(room)?.users.map((user) => user.userId)).toEqual(["bob"]);
    expect(moves(bob, room)).toEqual([false]);
  });

  test("delivers a message once, though what it led to is still under way when the old server's link is lost", async () => {
    const given: string[] = [];
    const stage = await Stage.set(3, (chat) =>
      chat.on("message", (_user, room, body) => {
        given.push(chat.id);
        chat.broadcast(room, body);
        chat.sendToRoom((body as unknown as Note).forward as string, "on");
      }));
    const [room, far] = [stage.roomOf("c1", "c2"), stage.room(stage.chats[2]!)];
    const ada = await stage.user("ada", 0, room);
    // The message is acknowledged only when what it led to has reached the third server.
    stage.cluster.cut("c1", "c3", 20_000);
    const message = ada.publish(room, true, far);
    await stage.until(() => got(ada, ada, room).length === 1);
    void stage.chats[0]!.server.stop();
    await stage.until(() => stage.chats[1]!.server.rooms.includes(room));
    stage.cluster.cut("c1", "p1", 20_000);
    await stage.until(() => message.doneAt !== undefined);
    // The old server may be dead, and what the message led to lost with it: the next one does it again.
    expect([message.failure, given, got(ada, ada, room)]).toEqual([undefined, ["c1", "c2"], [1]]);
  });

  test("to a server that leaves before the room has arrived loses nothing, though a proxy hears of it late", async () => {
    const stage = await Stage.set(3);
    const room = stage.roomOf("c1", "c2", "c3");
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    // Bob's proxy confirms nothing for a while, so the room does not arrive at the second server.
    stage.cluster.cut("c1", "p2", 1500);
    void stage.chats[0]!.server.stop();
    await stage.run(100);
    stage.cluster.registry.delay = (id) => id === "p1" ? 1000 : 0;
    let stopped = false;
    void stage.chats[1]!.server.stop().then(() => stopped = true);
    for (let i = 0; i < 20; i++) {
      ada.publish(room, false);
      await stage.run(100);
    }
    await stage.until(() => stopped && got(bob, ada, room).length === 20);
    expect([moves(ada, room), moves(bob, room)]).toEqual([[false], [false]]);
  });

  test("that turns back before it is over leaves the room where it was, without a loss", async () => {
    const stage = await Stage.set(1, (chat, clock) => chat.on("message", () => delay(clock, 1000)));
    const rooms = Array.from({ length: 20 }, (_, i) => `room-${i}`);
    const ada = await stage.user("ada", 0, ...rooms);
    for (const room of rooms) ada.publish(room, true);
    await stage.run(20);
    // The listeners still run when the server to which half of the rooms would go has left again.
    const second = await stage.chat();
    await stage.run(200);
    await stage.cluster.finish(second.server.stop());
    await stage.until(() => ada.published.every((one) => one.doneAt !== undefined));
    await stage.until(() => stage.chats[0]!.server.rooms.length === 20, 3000);
    const again = rooms.map((room) => ada.publish(room, true));
    await stage.until(() => again.every((one) => one.doneAt !== undefined), 5000);
    expect(ada.published.filter((one) => one.failure)).toEqual([]);
    expect(rooms.flatMap((room) => moves(ada, room)).filter((lost) => lost)).toEqual([]);
  });

  test("ends only when every proxy knows of it: until then one may still send there", async () => {
    const stage = await Stage.set();
    stage.cluster.registry.delay = (id) => id === "p1" ? 500 : 0;
    const since = stage.now;
    await stage.cluster.finish(stage.chats[0]!.server.stop());
    expect(stage.now - since).toBeGreaterThanOrEqual(500);
    expect(stage.now - since).toBeLessThan(1000);
  });

  test("of the last server does not hang", async () => {
    const stage = await Stage.set(1);
    const room = stage.room(stage.chats[0]!);
    const ada = await stage.user("ada", 0, room);
    let stopped = false;
    void stage.chats[0]!.server.stop().then(() => stopped = true);
    await stage.until(() => stopped, 100);
    expect(ada.endedAt).toBeUndefined();
    const next = await stage.chat();
    await stage.until(() => next.server.room(room)?.users.length === 1);
    await stage.run(50);
    expect(moves(ada, room)).toEqual([true]);
  });

  test("of two servers at once, the last of all, does not hang", async () => {
    const stage = await Stage.set(2);
    await stage.user("ada", 0, stage.room(stage.chats[0]!), stage.room(stage.chats[1]!));
    let stopped = 0;
    for (const { server } of stage.chats) void server.stop().then(() => stopped++);
    await stage.until(() => stopped === 2, 1000);
  });
});

describe("a lost lease", () => {
  test("of a server that comes back moves its rooms and disconnects nobody", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    const closed: string[] = [];
    stage.chats[0]!.server.on("close", (name, reason) => void closed.push(`${name} ${reason}`));
    stage.cluster.expel(stage.chats[0]!, 500, 1000);
    const message = ada.publish(room, true);
    await stage.until(() => message.doneAt !== undefined);
    expect([message.failure, got(bob, ada, room)]).toEqual([undefined, [1]]);
    expect(stage.chats[1]!.server.rooms).toContain(room);
    // It comes back with its old slot, and the room with it, by plan this time.
    await stage.until(() => stage.chats[0]!.server.rooms.includes(room));
    await stage.run(1000);
    expect([ada.endedAt, bob.endedAt]).toEqual([undefined, undefined]);
    expect(moves(ada, room)).toEqual([true, false]);
    expect(stage.chats[0]!.server.room(room)?.users.length).toBe(2);
    expect(closed.length).toBe(1);
  });

  test("of a server accepts nothing before it is known to the others", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const ada = await stage.user("ada", 0, room);
    const membership = stage.chats[0]!.membership as ModelMembership;
    membership.lose();
    const message = ada.publish(room, true);
    await stage.run(3000);
    expect([message.doneAt, got(ada, ada, room)]).toEqual([undefined, []]);
    membership.lease!.lost = false;
    await stage.until(() => message.doneAt !== undefined, 2000);
    expect([message.failure, got(ada, ada, room)]).toEqual([undefined, [1]]);
  });

  test("of a proxy keeps its users, and tells them that something may be lost", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    stage.cluster.expel(stage.proxies[0]!, 100, 200);
    await stage.run(2000);
    const message = bob.publish(room, true);
    await stage.until(() => message.doneAt !== undefined);
    expect([ada.endedAt, got(ada, bob, room), moves(ada, room), moves(bob, room)]).toEqual([
      undefined,
      [1],
      [true],
      [],
    ]);
  });
});

describe("a link that is cut", () => {
  test("for a moment loses nothing and nobody hears of it", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    stage.cluster.cut("c1", "p1", 300);
    for (let i = 0; i < 20; i++) {
      ada.publish(room, false);
      bob.publish(room, false);
      await stage.run(20);
    }
    await stage.run(2000);
    const all = Array.from({ length: 20 }, (_, i) => i + 1);
    expect([got(bob, ada, room), got(ada, bob, room)]).toEqual([all, all]);
    expect([moves(ada, room), moves(bob, room)]).toEqual([[], []]);
  });

  test("for long does not hold up the others, and its users are told", async () => {
    const stage = await Stage.set();
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    stage.cluster.cut("c1", "p1", 8000);
    const message = bob.publish(room, true);
    await stage.until(() => message.doneAt !== undefined, 7000);
    expect(message.failure).toBeUndefined();
    await stage.until(() => moves(ada, room).length > 0);
    expect([moves(ada, room), moves(bob, room)]).toEqual([[true], []]);
  });
});

describe("what an application sends", () => {
  /** Says every message twice, before and after it waited, and sends it on where that is asked for. */
  const program: Program = (chat, clock) =>
    chat.on("message", async (_user, room, body) => {
      const note = body as unknown as Note;
      const { stream, k, forward } = note;
      chat.broadcast(room, { stream: `${stream}-before`, k });
      await delay(clock, 50);
      chat.broadcast(room, { stream: `${stream}-after`, k });
      if (forward !== undefined) chat.sendToRoom(forward, { stream: `${stream}-on`, k });
    });

  test("after it waited belongs to its message, and comes once though the server dies in between", async () => {
    const stage = await Stage.set(2, program);
    const room = stage.room(stage.chats[0]!);
    const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
    const message = ada.publish(room, true);
    await stage.until(() => got(bob, ada, room, "-before").length === 1);
    expect(message.doneAt).toBeUndefined();
    stage.cluster.kill(stage.chats[0]!);
    await stage.until(() => message.doneAt !== undefined);
    for (const client of [ada, bob]) {
      expect([got(client, ada, room, "-before"), got(client, ada, room, "-after")]).toEqual([[1], [1]]);
    }
  });

  for (const victim of ["the sending", "the receiving"]) {
    test(`to a room of another server is acknowledged with its cause, and comes once, if ${victim} server dies`, async () => {
      const stage = await Stage.set(3, program);
      const [from, to] = [stage.room(stage.chats[0]!), stage.room(stage.chats[1]!)];
      const [ada, bob] = [await stage.user("ada", 0, from), await stage.user("bob", 1, to)];
      stage.cluster.cut("c1", "c2", 400);
      const message = ada.publish(from, true, to);
      await stage.run(200);
      expect([message.doneAt, got(bob, ada, to)]).toEqual([undefined, []]);
      stage.cluster.kill(stage.chats[victim === "the sending" ? 0 : 1]!);
      await stage.until(() => message.doneAt !== undefined);
      await stage.run(2000);
      expect([message.failure, got(bob, ada, to, "-on")]).toEqual([undefined, [1]]);
      expect(got(ada, ada, from, "-after")).toEqual([1]);
    });
  }

  test("straight into a room beside and routed to it both arrive", async () => {
    const stage = await Stage.set(1, (chat) =>
      chat.on("message", (_user, _room, body) => {
        const { stream, k, forward } = body as unknown as Note;
        chat.sendToRoom(forward as string, { stream: `${stream}-routed`, k });
        chat.broadcast(forward as string, { stream: `${stream}-straight`, k });
      }));
    const [ada, bob] = [await stage.user("ada", 0, "a"), await stage.user("bob", 1, "b")];
    const message = ada.publish("a", true, "b");
    await stage.until(() => message.doneAt !== undefined);
    expect([got(bob, ada, "b", "-routed"), got(bob, ada, "b", "-straight")]).toEqual([[1], [1]]);
  });

  test("to a room that nobody owns fails the message that caused it", async () => {
    const stage = await Stage.set(2, program);
    const [from, to] = [stage.room(stage.chats[0]!), stage.room(stage.chats[1]!)];
    const ada = await stage.user("ada", 0, from);
    // The other server keeps its place in the list, but nothing reaches it.
    stage.cluster.cut("c1", "c2", 60_000);
    const message = ada.publish(from, true, to);
    await stage.until(() => message.doneAt !== undefined);
    expect(message.failure).toBe("unavailable");
  });
});

test("a user who leaves while the listener of a room's opening takes its time has joined before", async () => {
  const heard: string[] = [];
  const stage = await Stage.set(1, (chat, clock) => {
    chat.on("open", () => delay(clock, 1000));
    chat.on("join", (user) => void heard.push(`${user.userId} joined`));
    chat.on("leave", (user) => void heard.push(`${user.userId} left`));
  });
  const room = stage.room(stage.chats[0]!);
  const [ada] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
  ada.leave(room);
  await stage.run(2000);
  expect(heard).toEqual(["ada joined", "bob joined", "ada left"]);
});

describe("a server that is stopped while it starts", () => {
  test("leaves nothing behind, and says so to who started it", async () => {
    const stage = await Stage.set(1);
    stage.cluster.registry.delay = () => 100;
    const chat = stage.make();
    const outcome = chat.server.start().then(() => "started", (error) => error.code);
    await stage.run(50);
    await stage.cluster.finish(chat.server.stop());
    await stage.run(300);
    expect(await outcome).toBe("stopped");
    const { view } = stage.cluster.registry as SkewedRegistry;
    expect(view.members.map((member) => member.id)).not.toContain("c2");
  });
});

test("a proxy that stops has its users' last messages delivered", async () => {
  const stage = await Stage.set();
  const room = stage.room(stage.chats[0]!);
  const [ada, bob] = [await stage.user("ada", 0, room), await stage.user("bob", 1, room)];
  stage.cluster.kill(stage.chats[0]!);
  ada.publish(room, true);
  ada.publish(room, true);
  void stage.proxies[0]!.server.stop();
  await stage.until(() => got(bob, ada, room).length === 2);
});
