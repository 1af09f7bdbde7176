/**
 * Runs one command under a time bound and leaves no process behind.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** The environment variable by which every process that descends from a run is recognised. */
const MARK = "TOYCHAT_GATE_RUN";

/**
 * @typedef {object} RunOptions
 * @property {string} cwd
 * @property {number} seconds after which every process of the run is killed
 * @property {NodeJS.ProcessEnv} [env]
 *
 * @typedef {object} RunResult
 * @property {number | undefined} code exit code; undefined where a signal ended it or it never started
 * @property {string} output standard output and error, in order of arrival
 * @property {string | undefined} problem what went wrong beside the exit code
 * @property {number} seconds how long it took
 */

let runs = 0;
/** @type {Set<() => void>} */
const running = new Set();

/** Kills whatever is running; for when the gate itself is told to stop. */
export function killRunning() {
  for (const kill of running) kill();
}

/**
 * Runs a command to its end. It leads its own process group, which is killed when the time is up; processes that it
 * leaves behind are killed too and are a problem of their own.
 *
 * @param {readonly string[]} command
 * @param {RunOptions} options
 * @returns {Promise<RunResult>}
 */
export async function run(command, options) {
  const mark = `${process.pid}.${++runs}`;
  const started = performance.now();
  const [file = "", ...args] = command;
  const env = { ...(options.env ?? process.env), [MARK]: mark };
  const child = spawn(file, args, {
    cwd: options.cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  /** @type {Buffer[]} */
  const chunks = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  child.stderr.on("data", (chunk) => chunks.push(chunk));
  /** @type {string | undefined} */
  let problem;
  const kill = () => killAll(child.pid, mark);
  const bound = setTimeout(() => {
    problem = `killed: it took more than ${options.seconds} s`;
    kill();
  }, options.seconds * 1000);
  running.add(kill);
  const code = await ended(child).catch((error) => {
    problem = `did not start: ${error.message}`;
    return undefined;
  });
  clearTimeout(bound);
  const left = problem ? [] : await remaining(mark, () => {});
  await remaining(mark, kill);
  running.delete(kill);
  if (left.length > 0) problem = `left ${left.length} process(es) running: ${left.join("; ")}`;
  const output = Buffer.concat(chunks).toString();
  return { code, output, problem, seconds: (performance.now() - started) / 1000 };
}

/**
 * Waits for the process, then briefly for its output: a process that it left behind may hold the pipes open.
 *
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<number | undefined>}
 */
function ended(child) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      const give = () => resolve(code ?? undefined);
      const late = setTimeout(give, 2000);
      child.once("close", () => {
        clearTimeout(late);
        give();
      });
    });
  });
}

/**
 * The processes of a run that are still there after two seconds, as `pid command`.
 *
 * @param {string} mark
 * @param {() => void} attempt called before each look
 */
async function remaining(mark, attempt) {
  for (let tries = 0; tries < 20; tries++) {
    attempt();
    if (marked(mark).length === 0) return [];
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return marked(mark).map((pid) => `${pid} ${commandLine(pid)}`);
}

/**
 * @param {number | undefined} pid
 * @param {string} mark
 */
function killAll(pid, mark) {
  if (pid !== undefined) quietly(() => process.kill(-pid, "SIGKILL"));
  for (const other of marked(mark)) quietly(() => process.kill(other, "SIGKILL"));
}

/**
 * Processes that carry the mark in their environment, also those that left the process group. Empty where there is no
 * `/proc`; a zombie has no environment any more and so does not count.
 *
 * @param {string} mark
 * @returns {number[]}
 */
function marked(mark) {
  const entries = quietly(() => readdirSync("/proc")) ?? [];
  const pids = entries.filter((name) => /^\d+$/.test(name)).map(Number);
  const wanted = `${MARK}=${mark}`;
  return pids.filter((pid) =>
    quietly(() => readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(wanted))
  );
}

/** @param {number} pid */
function commandLine(pid) {
  return quietly(() =>
    readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim().slice(0, 200)
  ) ?? "";
}

/**
 * @template T
 * @param {() => T} work
 * @returns {T | undefined}
 */
function quietly(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}
