/**
 * Whole clusters in virtual time under random schedules: nothing that was promised breaks, a failure can be seen again,
 * and a seed runs the same everywhere. `npm run simulate` runs other seeds.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root, runtime, runtimes } from "../support/runtimes.ts";
import { FOUND } from "./found.ts";
import { generate } from "./generate.ts";
import { runSeed } from "./run_seed.ts";
import { ALL_KINDS, describe as inWords, KINDS, type Schedule } from "./schedule.ts";
import { failureKind, scheduleText, shrink } from "./shrink.ts";
import { fingerprint, trace } from "./trace.ts";

const PROGRAM = join(root, "tests/simulator/simulate.ts");
/** Seeds whose runs are compared between runtimes. */
const COMPARED = 40;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function simulate(command: readonly string[], ...args: string[]): Promise<Ended> {
  const [program, ...before] = command as [string, ...string[]];
  const child = spawn(program, [...before, PROGRAM, ...args], { cwd: root });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => out += chunk);
  child.stderr.on("data", (chunk) => err += chunk);
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

const bun = runtime("bun").command;

test("1,000 seeds break no order, duplicate nothing, and lose nothing unsaid", async () => {
  const { code, out, err } = await simulate(bun, "--seeds", "1000", "--jobs", "2");
  expect(code === 0 ? "passed" : err).toBe("passed");
  expect(out).toMatch(/^1000 seeds passed, 0 failed, in \d+ s: \d+ messages, .*\n$/);
}, 160_000);

test("a seed runs the same on every runtime", async () => {
  const runs = await Promise.all(
    runtimes().map(({ command }) => simulate(command, "--fingerprints", "--seeds", String(COMPARED))),
  );
  for (const { code, err } of runs) expect([code, err]).toEqual([0, ""]);
  const first = runs[0]?.out.trim().split("\n") ?? [];
  expect(new Set(first.map((line) => line.split(" ")[1])).size).toBe(COMPARED);
  for (const { out } of runs) expect(out.trim().split("\n")).toEqual(first);
}, 60_000);

describe("a schedule that failed once passes:", () => {
  for (const [name, schedule] of Object.entries(FOUND)) {
    test(name, async () => {
      expect((await runSeed(schedule)).failure).toBeUndefined();
    });
  }
});

test("every kind of schedule has all sorts of clients, and each of its troubles", () => {
  const seen = new Map<string, Set<string>>(ALL_KINDS.map((kind) => [kind, new Set()]));
  for (let seed = 1; seed <= 60 * KINDS.length; seed++) {
    const { world, events } = generate(seed);
    for (const event of events) {
      seen.get(world.kind)?.add(event.do);
      if (event.do === "connect") seen.get(world.kind)?.add(event.speaks);
    }
  }
  const users = ["model", "mqtt4", "mqtt5", "mqtt5-ws", "websocket", "connect", "join", "leave", "publish"];
  const always = [...users, "end", "drop", "stall", "start", "stop"];
  for (const kinds of seen.values()) expect([...kinds]).toEqual(expect.arrayContaining(always));
  const troubles = ["kill", "cut", "expel", "freeze", "mute", "relapse"];
  expect([...seen.get("mixed") ?? []]).toEqual(expect.arrayContaining(troubles));
  expect([...seen.get("split") ?? []]).toEqual(expect.arrayContaining(["split", "kill"]));
});

test("what the command line gets wrong is said, with what to write instead", async () => {
  const wrong = async (...args: string[]) => {
    const { code, out, err } = await simulate(bun, ...args);
    expect([code, out]).toEqual([2, ""]);
    return err.trim();
  };
  expect(await wrong("--seeds", "many")).toBe('--seeds is "many": give a whole number from 1 to 2147483648');
  expect(await wrong("--kind", "odd")).toMatch(/^--kind is "odd": give planned, blip, .* or split$/);
  expect(await wrong("--sees", "3")).toMatch(/^Unknown option '--sees'.*: see --help$/);
  const { code, out } = await simulate(bun, "--help");
  expect([code, out]).toEqual([0, expect.stringContaining("--seeds N")]);
});

describe("a failure", () => {
  /** One that cannot but fail: it ends while its only ChatServer is gone for good. */
  const broken: Schedule = {
    ...generate(8, "planned"),
    processes: ["c1", "c2", "p1"],
    events: [
      { at: 0, do: "connect", client: "u1", proxy: "p1", speaks: "mqtt5", acknowledged: true },
      { at: 1, do: "connect", client: "u2", proxy: "p1", speaks: "websocket" },
      { at: 300, do: "join", client: "u1", room: "r0" },
      { at: 310, do: "join", client: "u2", room: "r1" },
      { at: 700, do: "publish", client: "u2", room: "r1" },
      { at: 900, do: "expel", id: "c1", strike: 0, back: 100 },
      { at: 901, do: "expel", id: "c2", strike: 0, back: 100 },
      { at: 950, do: "leave", client: "u2", room: "r1" },
    ],
    end: 1000,
  };

  test("is shrunk to the events that it takes", async () => {
    const { failure } = await runSeed(broken);
    expect(failure).toMatch(/was told that r\d may have lost something/);
    const shrunk = await shrink(broken, failure as string);
    expect(failureKind(shrunk.failure)).toBe(failureKind(failure as string));
    expect(shrunk.schedule.events.map(({ do: what }) => what)).toEqual(["connect", "join", "expel"]);
    expect(scheduleText(shrunk.schedule)).toMatch(/^\{\n {2}seed: 8,\n[^]*do: "expel",[^]*\n\}$/);
  }, 60_000);

  test("has a trace in which its events and what came of them can be read", async () => {
    const { model } = await runSeed(broken);
    const text = trace(model);
    expect(text).toContain(inWords({ do: "expel", id: "c1", strike: 0, back: 100 }));
    expect(text).toMatch(/u1 was told that r0 moved, lost/);
    expect(text).toMatch(/u2 is in r1/);
    expect(fingerprint(model)).toBe(fingerprint((await runSeed(broken)).model));
  });
});
