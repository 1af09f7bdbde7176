/**
 * Many seeds, shared out among worker processes.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runtime } from "../support/runtimes.ts";
import { addFigures, type Figures, noFigures } from "./figures.ts";
import type { SimulateOptions } from "./simulate_options.ts";
import type { Word } from "./worker.ts";

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
/** Seeds that a process gets at a time: enough that its start costs little. */
const CHUNK = 500;
/** Milliseconds of silence after which a worker counts as hung in the seed after its last. */
const SILENCE_MS = 300_000;

/** A seed that failed, and how. */
export interface Failed {
  readonly seed: number;
  readonly failure: string;
}

/** What many seeds came to. */
export interface Sums {
  done: number;
  readonly failed: Failed[];
  readonly figures: Figures;
}

/** Runs all seeds; `progress` hears of every one. */
export async function runMany(options: SimulateOptions, progress: (sums: Sums) => void): Promise<Sums> {
  const sums: Sums = { done: 0, failed: [], figures: noFigures() };
  const chunk = Math.max(1, Math.min(CHUNK, Math.ceil(options.seeds / options.jobs)));
  let next = options.from;
  const end = options.from + options.seeds;
  const work = async (): Promise<void> => {
    while (next < end) {
      const from = next;
      next = Math.min(end, next + chunk);
      await runChunk(options, from, next, sums, progress);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
  sums.failed.sort((a, b) => a.seed - b.seed);
  return sums;
}

/** Runs the seeds from one up to another; what is left when a worker dies or hangs goes to a new one. */
async function runChunk(
  options: SimulateOptions,
  from: number,
  end: number,
  sums: Sums,
  progress: (sums: Sums) => void,
): Promise<void> {
  for (let next = from; next < end;) {
    const { reached, problem } = await runWorker(options, next, end, sums, progress);
    next = reached;
    if (next >= end) break;
    sums.failed.push({ seed: next++, failure: problem });
    sums.done++;
  }
}

function runWorker(
  options: SimulateOptions,
  from: number,
  end: number,
  sums: Sums,
  progress: (sums: Sums) => void,
): Promise<{ reached: number; problem: string }> {
  const [program, ...args] = runtime(options.runtime).command as [string, ...string[]];
  const kind = options.kind === undefined ? [] : [options.kind];
  const child = spawn(program, [...args, WORKER, String(from), String(end - from), ...kind], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let reached = from;
  let said = "";
  child.stderr.on("data", (chunk) => said = (said + chunk).slice(-2000));
  const hung = watchdog(child);
  createInterface({ input: child.stdout }).on("line", (line) => {
    hung.heard();
    const word = JSON.parse(line) as Word;
    if ("figures" in word) return addFigures(sums.figures, word.figures);
    reached = word.seed + 1;
    sums.done++;
    if (word.failure !== undefined) sums.failed.push({ seed: word.seed, failure: word.failure });
    progress(sums);
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      const why = hung.stop() ? `it did not end in ${SILENCE_MS / 1000} s` : `exit ${signal ?? code}`;
      resolve({ reached, problem: `the worker failed: ${why}\n${said}` });
    });
  });
}

function watchdog(child: ChildProcess): { heard(): void; stop(): boolean } {
  let hung = false;
  const kill = (): void => {
    hung = true;
    child.kill("SIGKILL");
  };
  let timer = setTimeout(kill, SILENCE_MS);
  const end = (): void => void child.kill("SIGKILL");
  process.once("exit", end);
  return {
    heard() {
      clearTimeout(timer);
      timer = setTimeout(kill, SILENCE_MS);
    },
    stop() {
      clearTimeout(timer);
      process.off("exit", end);
      return hung;
    },
  };
}
