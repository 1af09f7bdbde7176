import { expect, test } from "bun:test";
import { HeldUp } from "./held_up.ts";

function looks(...times: number[]): boolean[] {
  const held = new HeldUp(1000, 0);
  return times.map((now) => held.look(now));
}

test("a timer that is on time, or a little late, tells of nothing", () => {
  expect(looks(1000, 2900, 3500, 5400)).toEqual([false, false, false, false]);
});

test("a timer that is late tells that the process was held up, and so does one that catches up", () => {
  expect(looks(20_000, 20_000, 20_000, 20_000, 21_000)).toEqual([true, true, true, true, false]);
});

test("a process that is always late judges others every third time", () => {
  expect(looks(3000, 6000, 9000, 12_000, 15_000, 18_000)).toEqual([true, true, false, true, true, false]);
  expect(looks(3000, 3000, 6000, 6000, 9000, 9000)).toEqual([true, true, true, true, false, true]);
});
