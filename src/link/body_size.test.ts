import { describe, expect, test } from "bun:test";
import type { Body, Json } from "../lib/body.ts";
import { encodeCarried, isCarried, MAX_BODY_BYTES } from "./body_size.ts";

/** What a body of so many bytes on a link is made of, in each way that one can be long. */
const OF_LENGTH: Record<string, (bytes: number) => Body> = {
  "text": (bytes) => "x".repeat(bytes - 2),
  "text of three bytes a character": (bytes) => "語".repeat((bytes - 2) / 3) + "x".repeat((bytes - 2) % 3),
  "text whose characters are escaped": (bytes) => "\0".repeat((bytes - 2) / 6) + "x".repeat((bytes - 2) % 6),
  "bytes": (bytes) => new Uint8Array(Math.floor((bytes - 2) / 4) * 3 + (bytes % 4 === 3 ? 3 : 0)),
  "many values": (bytes) => ["x".repeat((bytes - 2) % 2), ...new Array<Json>((bytes - 4) / 2).fill(1)],
  "a long key": (bytes) => ({ ["k".repeat(bytes - 6)]: 1 }),
  "a deep value": (bytes) => {
    let value: Json = "x".repeat(bytes - 202);
    for (let depth = 0; depth < 100; depth++) value = [value];
    return value;
  },
};

describe("a body on a link", () => {
  for (const [what, make] of Object.entries(OF_LENGTH)) {
    test(`is carried up to the limit and not beyond: ${what}`, () => {
      expect(isCarried(make(MAX_BODY_BYTES))).toBe(true);
      expect(isCarried(make(MAX_BODY_BYTES + 8))).toBe(false);
    });
  }

  test("an application is told how long it is, and how long it may be", () => {
    expect(() => encodeCarried("x".repeat(5_000_000))).toThrow(
      "the message takes 5000002 bytes as JSON: send at most 4194304 at a time",
    );
    encodeCarried({ at: [1.5, -2], name: "ada", seen: null });
  });

  test("a value without an end is no message", () => {
    const loop: Json[] = [];
    loop.push(loop);
    expect(() => encodeCarried(loop)).toThrow();
  });
});
