import { expect, test } from "bun:test";
import { Side } from "../../tests/support/links.ts";
import { TurnClock } from "../../tests/support/turn_clock.ts";
import { encodeFrame } from "./link.ts";
import { loopback } from "./loopback.ts";

const SELF = { role: "chat" as const, id: "c1", incarnation: "i1" };

function open() {
  const clock = new TurnClock();
  const [near, far] = [new Side(), new Side()];
  return { clock, near, far, link: loopback(SELF, clock, near, far) };
}

test("a server talks to itself as to another: frames in order, each once, numbered and confirmed after the answers", async () => {
  const { clock, near, far, link } = open();
  far.onFrame = (back, _frame, n) => back.send({ type: "yield", room: `answer-${n}` });
  expect(link.send({ type: "yield", room: "a" })).toBe(1);
  expect(link.sendEncoded(encodeFrame({ type: "yield", room: "b" }))).toBe(2);
  expect(far.events).toEqual([]);
  await clock.settle();
  expect(far.events).toEqual(["open c1", "frame 1 a", "frame 2 b", "confirmed 2"]);
  expect(near.events).toEqual(["open c1", "frame 1 answer-1", "frame 2 answer-2", "confirmed 2"]);
});

test("both ends hear of the end at the end of the turn, once, and nothing is sent any more", async () => {
  const { clock, near, far, link } = open();
  await clock.settle();
  link.send({ type: "yield", room: "too late" });
  link.close("enough", "");
  expect([link.ended, near.events, far.events]).toEqual([true, ["open c1"], ["open c1"]]);
  expect(link.send({ type: "yield", room: "later" })).toBe(0);
  link.close("again", "");
  await clock.settle();
  expect([near.events, far.events]).toEqual([["open c1", "reset enough"], ["open c1", "reset enough"]]);
});

test("a handler that throws ends the link and nothing else", async () => {
  const { clock, near, far, link } = open();
  far.onFrame = () => {
    throw new Error("a bug");
  };
  link.send({ type: "yield", room: "a" });
  link.send({ type: "yield", room: "b" });
  await clock.settle();
  expect(far.events).toEqual(["open c1", "frame 1 a", "reset handler_failed"]);
  expect(near.events).toEqual(["open c1", "reset handler_failed"]);
});
