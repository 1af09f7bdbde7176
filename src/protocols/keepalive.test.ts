import { expect, test } from "bun:test";
import { FakeChannel } from "../../tests/support/fake_channel.ts";
import { Keepalive } from "./keepalive.ts";

function setup(asks: boolean) {
  const channel = new FakeChannel();
  const state = { silent: 0 };
  const keepalive = new Keepalive(channel, 1000, () => state.silent++, asks);
  return { channel, clock: channel.clock, keepalive, state };
}

test("silence is told once, a whole time after the last word", () => {
  const { clock, keepalive, state } = setup(false);
  clock.advance(900);
  keepalive.heard();
  clock.advance(999);
  expect(state.silent).toBe(0);
  clock.advance(1);
  expect(state.silent).toBe(1);
  clock.advance(10_000);
  expect(state.silent).toBe(1);
});

test("a client is asked once in a silence, after half of the time, and an answer is a word", () => {
  const { channel, clock, keepalive, state } = setup(true);
  clock.advance(499);
  expect(channel.pings).toBe(0);
  clock.advance(1);
  expect(channel.pings).toBe(1);
  clock.advance(100);
  keepalive.heard();
  clock.advance(500);
  expect(channel.pings).toBe(2);
  clock.advance(499);
  expect([channel.pings, state.silent]).toEqual([2, 0]);
  clock.advance(1);
  expect([channel.pings, state.silent]).toEqual([2, 1]);
});

test("a client that is not asked gets no ping", () => {
  const { channel, clock } = setup(false);
  clock.advance(2000);
  expect(channel.pings).toBe(0);
});

test("a client that the proxy does not read is not silent", () => {
  const { channel, clock, state } = setup(true);
  channel.paused = true;
  clock.advance(10_000);
  expect(state.silent).toBe(0);
  channel.paused = false;
  clock.advance(2000);
  expect(state.silent).toBe(1);
});

test.each([true, false])(
  "what came while this process was held up is read before a client counts as silent; asked: %p",
  (asks) => {
    for (const answers of [true, false]) {
      const { channel, clock, keepalive, state } = setup(asks);
      clock.advance(800);
      clock.freeze(5000);
      clock.advance(0);
      expect([channel.pings, state.silent]).toEqual([asks ? 1 : 0, 0]);
      if (answers) keepalive.heard();
      clock.advance(500);
      expect(state.silent).toBe(answers ? 0 : 1);
    }
  },
);

test("a client that was not asked before this process was held up is asked afterwards", () => {
  const { channel, clock, state } = setup(true);
  clock.freeze(5000);
  clock.advance(0);
  expect([channel.pings, state.silent]).toEqual([1, 0]);
  clock.advance(500);
  expect([channel.pings, state.silent]).toEqual([1, 1]);
});

test.each([true, false])(
  "a silent client is found also by a process that is always late; asked: %p",
  (asks) => {
    const { clock, state } = setup(asks);
    for (let late = 0; late < 4; late++) {
      clock.freeze(2000);
      clock.advance(0);
    }
    expect(state.silent).toBe(1);
  },
);

test("nothing is told after the end", () => {
  const { clock, keepalive, state } = setup(true);
  keepalive.stop();
  clock.advance(2000);
  expect([clock.pending, state.silent]).toEqual([0, 0]);
});
