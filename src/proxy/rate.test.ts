import { expect, test } from "bun:test";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { MessageRate } from "./rate.ts";

/** A rate of 100 a second with a burst of 10, and what it did. */
function setup() {
  const clock = new ManualClock();
  const events: string[] = [];
  const rate = new MessageRate(
    {
      clock,
      limited: (on) => void events.push(on ? "stop" : "go"),
      exceeded: () => void events.push("end"),
    },
    100,
    10,
  );
  return { clock, events, rate };
}

test("a burst goes through, and one message more stops the reading until it is paid for", () => {
  const { clock, events, rate } = setup();
  for (let i = 0; i < 10; i++) rate.take(1);
  expect(events).toEqual([]);
  for (let i = 0; i < 5; i++) rate.take(1);
  expect(events).toEqual(["stop"]);
  clock.advance(49);
  expect(events).toEqual(["stop"]);
  clock.advance(1);
  expect(events).toEqual(["stop", "go"]);
  expect(clock.pending).toBe(0);
});

test("who keeps to the rate is never stopped", () => {
  const { clock, events, rate } = setup();
  for (let i = 0; i < 1000; i++) {
    rate.take(1);
    clock.advance(10);
  }
  expect(events).toEqual([]);
});

test("what comes although nothing is read is owed too, and the reading stays stopped for it", () => {
  const { clock, events, rate } = setup();
  rate.take(11);
  rate.take(99);
  clock.advance(999);
  expect(events).toEqual(["stop"]);
  clock.advance(21);
  expect(events).toEqual(["stop", "go"]);
});

test("after a long silence there are two bursts at most", () => {
  const { clock, events, rate } = setup();
  clock.advance(60_000);
  rate.take(20);
  expect(events).toEqual([]);
  rate.take(1);
  expect(events).toEqual(["stop"]);
});

test("who owes more than a minute's worth is ended", () => {
  const { events, rate } = setup();
  rate.take(6010);
  expect(events).toEqual(["stop"]);
  rate.take(1);
  expect(events).toEqual(["stop", "end"]);
});

test("the end of the session undoes the timer", () => {
  const { clock, events, rate } = setup();
  rate.take(20);
  rate.stop();
  expect(clock.pending).toBe(0);
  clock.advance(1000);
  expect(events).toEqual(["stop"]);
});
