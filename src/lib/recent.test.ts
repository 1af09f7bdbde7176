import { expect, test } from "bun:test";
import { RecentNumbers } from "./recent.ts";

test("a number is raised by a higher one alone", () => {
  const numbers = new RecentNumbers();
  expect(numbers.raise("a", 0)).toBe(true);
  expect(numbers.raise("a", 0)).toBe(false);
  expect(numbers.raise("a", 5)).toBe(true);
  expect(numbers.raise("a", 4)).toBe(false);
  expect(numbers.raise("b", 1)).toBe(true);
  expect(numbers.get("a")).toBe(5);
  expect(numbers.size).toBe(2);
});

test("what is not set for two rotations is forgotten, and what is set again is kept", () => {
  const numbers = new RecentNumbers();
  numbers.set("old", 1);
  numbers.set("kept", 1);
  numbers.rotate();
  expect(numbers.raise("old", 1)).toBe(false);
  expect(numbers.raise("kept", 2)).toBe(true);
  expect(new Map(numbers.entries())).toEqual(new Map([["old", 1], ["kept", 2]]));
  numbers.rotate();
  expect(numbers.get("old")).toBeUndefined();
  expect(numbers.raise("kept", 2)).toBe(false);
  numbers.rotate();
  expect(numbers.size).toBe(0);
});
