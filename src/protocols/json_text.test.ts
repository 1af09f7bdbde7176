import { expect, test } from "bun:test";
import { MAX_DEPTH, parseJson } from "./json_text.ts";

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

test("JSON is read as it is", () => {
  expect(parseJson('{"a":[1,null,"x"]}')).toEqual({ a: [1, null, "x"] });
  expect(() => parseJson("{")).toThrow(SyntaxError);
});

test("a value that nests too deep to be written out again is refused", () => {
  expect(parseJson(nested(MAX_DEPTH))).toBeArray();
  for (const depth of [MAX_DEPTH + 1, 5000]) {
    expect(() => parseJson(nested(depth))).toThrow("deeper");
    expect(() => parseJson(`{"type":"message","body":${nested(depth)}}`)).toThrow("deeper");
  }
});

test("a wide value is not a deep one", () => {
  expect(parseJson(`[${"[],".repeat(5000)}[]]`)).toHaveLength(5001);
});
