import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { VERSION } from "./build_info.ts";

test("the program says the version of the packages", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(VERSION).toBe(version);
});
