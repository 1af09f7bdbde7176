/**
 * Whether the fuzzer would notice: targets that do each kind of harm for one input of many.
 *
 * @module
 */
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import process from "node:process";
import { connect, publish } from "../support/mqtt_wire.ts";
import { Processes } from "../support/processes.ts";
import { root } from "../support/runtimes.ts";
import { decodeInput, encodeInput, type Input } from "./input.ts";
import { lineProblem } from "./log_check.ts";
import { replayCommand, runTarget } from "./run.ts";
import type { Attempt, Target } from "./targets.ts";
import type { World } from "./world.ts";

const QUIET: Attempt = { problem: () => undefined, end() {} };

const processes = new Processes();
afterEach(() => processes.end());

/** What a program prints, and its exit code. */
async function ended(program: string): Promise<{ stdout: string; code: number | null }> {
  const running = processes.spawn([process.execPath, program]);
  const { code } = await running.exit;
  return { stdout: running.stdout, code };
}

/** A target of which one input in a hundred does harm. */
function harmful(harm: (world: World) => Attempt | void): Target {
  let made = 0;
  return {
    name: "harmful",
    about: "",
    weight: 1,
    make: () => ({ variant: "x", chunks: [made++ % 100 === 37 ? "bad" : "good"] }),
    start: (world, { chunks }) => (chunks[0] === "bad" ? harm(world) : undefined) ?? QUIET,
  };
}

async function problemsOf(harm: (world: World) => Attempt | void): Promise<string> {
  const failure = await runTarget(harmful(harm), 1, 0, 1, { done() {}, heap: () => 0 });
  expect(failure?.inputs).toEqual([{ variant: "x", chunks: ["bad"] }]);
  if (!failure) return "";
  expect(replayCommand(failure, 1)).toBe("npm run fuzz -- --target harmful --replay 'x:tYmFk'");
  return failure.problems.join("\n");
}

test("an exception in a callback is noticed, and the input that caused it found", async () => {
  expect(
    await problemsOf((world) => {
      world.clock.after(1, () => {
        throw new Error("thrown by a timer");
      });
    }),
  ).toContain("thrown by a timer");
});

test("a promise that nobody handles is noticed", async () => {
  // In a process of its own: a test runner takes what nobody handles for itself.
  const { stdout, code } = await ended(join(root, "tests/fuzz/unhandled.ts"));
  expect({ code, stdout }).toEqual({ code: 0, stdout: "uncaught: Error: left alone\n" });
});

test("a session that is left over is noticed", async () => {
  expect(
    await problemsOf((world) => {
      // Without a keep-alive it stays for ever.
      world.client("tcp").feed(connect());
    }),
  ).toContain("is left over");
});

test("a client that was not answered, or cut off without a word, is noticed", async () => {
  expect(await problemsOf(() => ({ problem: () => "not answered", end() {} }))).toContain("not answered");
});

test("a well-behaved user who hears something twice is noticed", async () => {
  expect(
    await problemsOf((world) => {
      const connection = world.client("tcp");
      connection.feed(connect());
      connection.feed(publish("lobby", "witness-6c1f0b:1:bob"));
      return { problem: () => undefined, end: () => connection.hangUp() };
    }),
  ).toContain("the witness ann heard");
});

test("a well-behaved user who is cut off is noticed", async () => {
  expect(
    await problemsOf((world) => {
      const connection = world.client("tcp");
      // The identifier of the witness, and its user: taken over, as MQTT has it.
      connection.feed(connect({ clientId: "witness-6c1f0b:ann", username: "ann" }));
      return { problem: () => undefined, end: () => connection.hangUp() };
    }),
  ).toContain("the witness ann was cut off");
});

test("a log line with raw bytes, or without bound, is noticed", () => {
  for (const line of ["a\nb", "a\u001b[31m", "a\u009b", "\u202e", "\ud800", "x".repeat(100_000)]) {
    expect(lineProblem(line)).toBeString();
  }
  expect(lineProblem('{"event":"\\n é 🙂"}')).toBeUndefined();
});

test("growth of memory is noticed", async () => {
  const target = { ...harmful(() => {}), make: (): Input => ({ variant: "x", chunks: ["good"] }) };
  let looks = 0;
  const failure = await runTarget(target, 1, 0, 200, { done() {}, heap: () => 1e8 * looks++ });
  expect(failure?.problems.join()).toContain("bytes are in use");
});

test("inputs survive their way to a command line", () => {
  const input: Input = {
    variant: "ws",
    chunks: [new Uint8Array([0, 255]), "é\u0000", "", new Uint8Array(0)],
  };
  expect(decodeInput(encodeInput(input))).toEqual(input);
});
