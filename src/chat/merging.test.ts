import { describe, expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { AsyncContext } from "../lib/transport.ts";
import { noLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { HandoffFrame } from "../link/frames.ts";
import type { RoomMerge } from "./chat_user.ts";
import { type AnyTypes, Listeners } from "./events.ts";
import { lastMembers, Merging } from "./merging.ts";
import { type Cause, Room } from "./room.ts";
import { Sessions } from "./sessions.ts";

function setup() {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const context: AsyncContext<Cause | undefined> = { run: (_cause, call) => call(), get: () => undefined };
  const listeners = new Listeners<AnyTypes>(clock, metrics, noLog, context, 1000);
  const sessions = new Sessions({ connected() {}, disconnected() {} });
  const merging = new Merging<AnyTypes>({ clock, metrics, log: noLog, listeners, sessions });
  const merges: RoomMerge[] = [];
  listeners.emitter.on("merge", (_room, merge) => void merges.push(merge));
  const room = new Room("r");
  room.epoch = "e1";
  const proxy = new FakeLink("p1", "proxy");
  room.attach(proxy, new Set(), 1, undefined);
  const from = new FakeLink("c2");
  return { clock, metrics, sessions, merging, merges, room, proxy, from };
}

function frame(fields: Partial<HandoffFrame> = {}): HandoffFrame {
  const numbers = { epoch: "e2", offset: 7, term: 1, senders: [], proxies: [] };
  return { type: "handoff", room: "r", ...numbers, ...fields };
}

describe("a life that ends in an open room", () => {
  test("is told to its routers and to the application, with who was in it", () => {
    const { merging, merges, metrics, room, proxy, sessions, from } = setup();
    room.phase = "open";
    const known = sessions.meet("p1.i1.1", "ada", proxy);
    merging.ended(room, frame({ members: [["p1.i1.1", "ada"], ["p2.i1.9", "bob"]] }), from);
    expect(proxy.take("opened")).toMatchObject([{ epoch: "e1", reason: "merged" }]);
    const gone = { userId: "bob", sessionId: "p2.i1.9", proxyId: "p2" };
    expect(merges).toEqual([{ from: "c2", epoch: "e2", offset: 7, users: [known, gone] }]);
    expect(merges[0]?.users[0]).toBe(known);
    expect(metrics.get("toychat_rooms_merged_total")).toBe(1);
  });

  test("in which nothing was said is told to the application alone", () => {
    const { merging, merges, room, proxy, from } = setup();
    room.phase = "open";
    merging.ended(room, frame({ offset: 0 }), from);
    expect([proxy.frames, merges]).toEqual([[], [{ from: "c2", epoch: "e2", offset: 0, users: [] }]]);
  });

  test("leaves its numbers: what was accepted in it is not accepted again", () => {
    const { merging, room, from } = setup();
    room.phase = "open";
    room.senders.raise("p1.i1.1", 3);
    merging.ended(room, frame({ senders: [["p1.i1.1", 2], ["p2.i1.1", 5]] }), from);
    expect([room.senders.raise("p1.i1.1", 3), room.senders.raise("p2.i1.1", 5)]).toEqual([false, false]);
    expect([room.senders.raise("p1.i1.1", 4), room.senders.raise("p2.i1.1", 6)]).toEqual([true, true]);
  });

  test("is known for a while, as its hand-off may come again", () => {
    const { clock, merging, room, from } = setup();
    room.phase = "open";
    expect(merging.over("e2")).toBe(false);
    merging.ended(room, frame(), from);
    expect(merging.over("e2")).toBe(true);
    merging.sweep(clock.now());
    expect(merging.over("e2")).toBe(true);
    clock.advance(1);
    merging.sweep(clock.now());
    expect(merging.over("e2")).toBe(false);
  });
});

describe("a life that ends before the other one has opened", () => {
  test("counts from the opening on, and is told behind it", () => {
    const { merging, merges, room, proxy, from } = setup();
    merging.ended(room, frame({ senders: [["p2.i1.1", 5]] }), from);
    expect([merges, proxy.frames]).toEqual([[], []]);
    let accepted: boolean | undefined;
    merging.opening(room, () => {
      accepted = room.senders.raise("p2.i1.1", 5);
      room.phase = "open";
      expect(merges).toEqual([]);
    });
    expect([accepted, merges.length, proxy.take("opened").length]).toEqual([false, 1, 1]);
    merging.opening(room, () => {});
    expect(merges.length).toBe(1);
  });

  test("is forgotten where the room goes elsewhere", () => {
    const { merging, merges, room, from } = setup();
    merging.ended(undefined, frame(), from);
    merging.keep((name) => name !== "r");
    merging.opening(room, () => room.phase = "open");
    expect(merges).toEqual([]);
  });
});

test("of a huge room no more users are named than a link carries", () => {
  const user = (i: number) => ({ userId: "x".repeat(1000), sessionId: `p1.i1.${i}`, proxyId: "p1" });
  const named = lastMembers(Array.from({ length: 2000 }, (_, i) => user(i)));
  expect(named.length).toBeLessThan(1100);
  expect(JSON.stringify(named).length).toBeGreaterThan(1_000_000);
  expect(lastMembers([user(1)])).toEqual([["p1.i1.1", "x".repeat(1000)]]);
});
