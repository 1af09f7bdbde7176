import { expect, test } from "bun:test";
import { withDefaults } from "./limits.ts";

const DEFAULTS = { rooms: 128, sessions: 0 };
const UNBOUNDED = new Set(["sessions"]);

test("what is given replaces the default, and what is not leaves it", () => {
  expect(withDefaults(DEFAULTS, { rooms: 1 }, UNBOUNDED)).toEqual({ rooms: 1, sessions: 0 });
  expect(withDefaults(DEFAULTS, undefined, UNBOUNDED)).toEqual(DEFAULTS);
  expect(withDefaults(DEFAULTS, { rooms: undefined } as object, UNBOUNDED)).toEqual(DEFAULTS);
});

test("a name that is no limit is refused, with those that are", () => {
  expect(() => withDefaults(DEFAULTS, { room: 1 } as object, UNBOUNDED)).toThrow(
    'there is no "room": use rooms, sessions',
  );
  expect(() => withDefaults(DEFAULTS, JSON.parse('{"__proto__": 1}'), UNBOUNDED)).toThrow("__proto__");
});

test("a value over the greatest is refused, with the greatest", () => {
  const most = new Map([["rooms", 200]]);
  expect(withDefaults(DEFAULTS, { rooms: 200, sessions: 1e9 }, UNBOUNDED, most).rooms).toBe(200);
  for (const value of [201, 0]) {
    expect(() => withDefaults(DEFAULTS, { rooms: value }, UNBOUNDED, most)).toThrow(
      `rooms is ${value}: use a number from 1 to 200`,
    );
  }
});

test("a value that cannot be a limit is refused, with the value", () => {
  for (const value of [0, -1, NaN, Infinity, "10"]) {
    expect(() => withDefaults(DEFAULTS, { rooms: value } as object, UNBOUNDED)).toThrow(`rooms is ${value}`);
  }
  expect(withDefaults(DEFAULTS, { sessions: 0 }, UNBOUNDED).sessions).toBe(0);
  expect(() => withDefaults(DEFAULTS, { sessions: -1 }, UNBOUNDED)).toThrow("0 for no limit");
});
