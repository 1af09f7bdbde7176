import { expect, test } from "bun:test";
import { EventLog } from "./event_log.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("events are numbered from 1, and found by what came after a number", () => {
  const log = new EventLog(3);
  expect([log.number, log.has(0), log.after(0, "")]).toEqual([0, true, []]);
  for (const name of ["a:1", "b:1", "a:2"]) log.add(name, bytes(name));
  expect(log.after(0, "").map(({ number, name }) => `${number} ${name}`)).toEqual([
    "1 a:1",
    "2 b:1",
    "3 a:2",
  ]);
  expect(log.after(1, "a:").map(({ name, payload }) => [name, payload])).toEqual([["a:2", "a:2"]]);
});

test("the latest are kept, and what is not is known", () => {
  const log = new EventLog(3);
  for (let n = 1; n <= 20; n++) {
    log.add("e", bytes(""));
    expect(log.after(0, "").map(({ number }) => number)).toEqual([n - 2, n - 1, n].filter((one) => one > 0));
    expect([log.has(n), log.has(n - 3), log.has(n + 1)]).toEqual([true, n >= 3, false]);
    if (n > 4) expect(log.has(n - 4)).toBe(false);
  }
});

test("what is not UTF-8 is base64, and what is stays as it was", () => {
  const log = new EventLog(3);
  expect(log.add("e", new Uint8Array([255, 0]))).toEqual({
    number: 1,
    name: "e",
    payload: "/wA=",
    encoding: "base64",
  });
  expect(log.add("e", bytes("\uFEFFü\0"))).toEqual({ number: 2, name: "e", payload: "\uFEFFü\0" });
});
