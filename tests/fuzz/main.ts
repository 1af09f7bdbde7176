/**
 * The fuzzer: hostile inputs against the real roles: in memory and in virtual time, and, fewer, over TCP
 * against processes on Bun, Deno and Node.
 *
 *     npm run fuzz -- --inputs 10000000 --jobs 2              all targets
 *     npm run fuzz -- --target mqtt --seed 7 --inputs 100000  one target, other inputs
 *     npm run fuzz -- --target mqtt --replay 'tcp:bAAEC'      one input, as a failure prints it
 *     npm run fuzz -- --list                                  what targets there are
 *
 * Progress goes to stderr; the last line on stdout has the figures. The exit code is 1 where something was found, which is
 * printed with its input and the command that does it again.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runtime, type RuntimeName } from "../support/runtimes.ts";
import { decodeInput } from "./input.ts";
import { playAlone } from "./run.ts";
import { type Share, shares } from "./shares.ts";
import { playReal, REAL_TARGETS, type RealTarget } from "./real_targets.ts";
import { type Target, TARGETS } from "./targets.ts";
import { failureText, type Report, type Work } from "./worker.ts";

const PROGRESS_MS = 2000;
const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));

const HELP = `npm run fuzz -- [options]

  --inputs N      how many inputs (default 100000), shared out among the targets
  --jobs N        worker processes side by side (default 1)
  --seed N        other inputs (default 1)
  --batch N       with the seed: the batch to begin with, as a failure names it (default 0)
  --target NAME   this target alone; may be given several times (default all)
  --replay INPUT  with --target: one input, as a failure prints it
  --runtime R     bun, deno or node for the workers (default bun)
  --list          what targets there are
  --help          this text
`;

function readArguments() {
  try {
    return parseArgs({
      options: {
        inputs: { type: "string", default: "100000" },
        jobs: { type: "string", default: "1" },
        seed: { type: "string", default: "1" },
        batch: { type: "string", default: "0" },
        target: { type: "string", multiple: true },
        replay: { type: "string" },
        runtime: { type: "string", default: "bun" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    process.exit(2);
  }
}

const values = readArguments();

function number(name: "inputs" | "jobs" | "seed" | "batch"): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name} takes a whole number, not ${values[name]}`);
  process.exit(2);
}

const ALL: readonly (Target | RealTarget)[] = [...TARGETS, ...REAL_TARGETS];

function chosen(): readonly (Target | RealTarget)[] {
  const names = values.target ?? [];
  const unknown = names.find((name) => !ALL.some((target) => target.name === name));
  if (unknown !== undefined) {
    console.error(`there is no target ${unknown}: use ${ALL.map(({ name }) => name).join(", ")}`);
    process.exit(2);
  }
  return names.length === 0 ? ALL : ALL.filter(({ name }) => names.includes(name));
}

interface Totals {
  done: number;
  heap: number;
  readonly failures: string[];
}

/** Runs one job in a process of its own. */
function job(work: Work, totals: Totals): Promise<void> {
  const name = values.runtime as RuntimeName;
  const [program = "", ...before] = runtime(name).command;
  const flags = name === "node" ? ["--expose-gc"] : name === "deno" ? ["--v8-flags=--expose-gc"] : [];
  const child = spawn(program, [...before, ...flags, WORKER, "--work", JSON.stringify(work)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const report = JSON.parse(line) as Report;
    if (report.kind === "done") totals.done += report.inputs;
    else if (report.kind === "heap") totals.heap = Math.max(totals.heap, report.bytes);
    else totals.failures.push(report.text);
  });
  return new Promise((resolve) => {
    child.once("error", (error) => {
      totals.failures.push(`a job did not start: ${error.message}`);
      resolve();
    });
    child.once("close", (code, signal) => {
      if (code !== 0) totals.failures.push(`a job ended with ${code ?? signal}: ${JSON.stringify(work)}`);
      resolve();
    });
  });
}

async function run(): Promise<number> {
  const targets = chosen();
  const inputs = number("inputs");
  const seed = number("seed");
  const startedAt = performance.now();
  const totals: Totals = { done: 0, heap: 0, failures: [] };
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const rate = (): number => Math.round(totals.done / Math.max(0.001, seconds()));
  const progress = setInterval(() => {
    console.error(
      `${totals.done} of ${inputs} inputs, ${rate()} a second, ${totals.failures.length} failures`,
    );
  }, PROGRESS_MS);
  const work: Share[][] = shares(targets, inputs, number("batch"), Math.max(1, number("jobs")));
  await Promise.all(work.filter((own) => own.length > 0).map((own) => job({ seed, shares: own }, totals)));
  clearInterval(progress);
  for (const failure of totals.failures) console.log(failure);
  const heap = (totals.heap / (1 << 20)).toFixed(1);
  console.log(
    `${totals.done} inputs, ${totals.failures.length} failures, seed ${seed}, ${seconds().toFixed(1)} s, ` +
      `${rate()} inputs a second, at most ${heap} MiB in use`,
  );
  return totals.failures.length > 0 ? 1 : 0;
}

async function replay(text: string): Promise<number> {
  const [target, ...others] = chosen();
  if (!target || others.length > 0) {
    console.error("--replay needs --target NAME");
    return 2;
  }
  const inputs = [decodeInput(text)];
  const problems = "play" in target
    ? (await playReal(target, inputs)).problems
    : await playAlone(target, inputs);
  if (problems.length > 0) {
    console.log(failureText({ target: target.name, inputs, problems, batch: 0 }, number("seed")));
  }
  console.log(`1 input, ${problems.length > 0 ? 1 : 0} failures`);
  return problems.length > 0 ? 1 : 0;
}

function list(): number {
  for (const { name, about } of ALL) console.log(`${name.padEnd(14)}${about}`);
  return 0;
}

function help(): number {
  console.log(HELP);
  return 0;
}

if (values.help) process.exit(help());
process.exit(values.list ? list() : values.replay === undefined ? await run() : await replay(values.replay));
