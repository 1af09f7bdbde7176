/**
 * The fuzzer as it is called by hand, with fewer inputs.
 *
 * @module
 */
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import process from "node:process";
import { Processes } from "../support/processes.ts";
import { root, runtimes } from "../support/runtimes.ts";
import { TARGETS } from "./targets.ts";

const processes = new Processes();
afterEach(() => processes.end());

const MAIN = join(root, "tests/fuzz/main.ts");
/** Those in memory; what is attacked over TCP has a suite of its own. */
const IN_MEMORY = TARGETS.flatMap(({ name }) => ["--target", name]);

async function fuzz(...args: string[]): Promise<{ code: number | null; last: string; output: string }> {
  const running = processes.spawn([process.execPath, MAIN, ...args]);
  const { code } = await running.exit;
  return { code, last: running.lines.at(-1) ?? "", output: running.stdout + running.stderr };
}

test("a hundred thousand hostile inputs do no harm", async () => {
  const { code, last, output } = await fuzz("--inputs", "100000", "--jobs", "2", ...IN_MEMORY);
  expect({ code, output: code === 0 ? "" : output }).toEqual({ code: 0, output: "" });
  expect(last).toMatch(/^100\d{3} inputs, 0 failures, seed 1, /);
});

for (const { name } of runtimes()) {
  test(`other inputs do no harm on ${name}`, async () => {
    const { code, output } = await fuzz("--inputs", "4000", "--seed", "2", "--runtime", name, ...IN_MEMORY);
    expect({ code, output: code === 0 ? "" : output }).toEqual({ code: 0, output: "" });
  });
}

test("an input is played again alone, and what is not understood is said", async () => {
  expect((await fuzz("--target", "mqtt", "--replay", "tcp:bEAwABE1RVFQEAgAAAABh.b4AA")).code).toBe(0);
  expect(await fuzz("--target", "nothing")).toMatchObject({ code: 2 });
  expect(await fuzz("--inputs", "many")).toMatchObject({ code: 2 });
});
