import { expect, test } from "bun:test";
import { runnerOf } from "./files.mjs";
import { orphans, suites } from "./suites.mjs";

test("a test file's name says what runs it", () => {
  expect(runnerOf("tests/transports/deno.test.ts")).toBe("deno");
  expect(runnerOf("tests/transports/streams.node.test.ts")).toBe("node");
  expect(runnerOf("tests/transports/bun.test.ts")).toBe("bun");
  expect(runnerOf("src/lib/emitter.test.ts")).toBe("bun");
  expect(runnerOf("src/lib/anode.test.ts")).toBe("bun");
});

test("every suite has its own name", () => {
  const names = suites.map((suite) => suite.name);
  expect(new Set(names).size).toBe(names.length);
});

test("every test file of the repository belongs to exactly one suite", () => {
  expect(orphans()).toEqual([]);
  const folders = suites.flatMap((suite) => suite.kind === "tests" ? suite.folders : []);
  const nested = folders.filter((a) => folders.some((b) => a !== b && a.startsWith(b + "/")));
  expect(nested).toEqual([]);
});
