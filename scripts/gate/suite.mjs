/**
 * Runs one suite of the table and counts what it did.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { globTests, runnerOf } from "./files.mjs";
import { parseJunit } from "./junit.mjs";
import { run } from "./run.mjs";
import { installed, modernNode, root, suitePath } from "./tools.mjs";

/**
 * @typedef {object} Outcome
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {number} seconds
 * @property {string} detail what to print where something failed
 *
 * @typedef {"bun" | "deno" | "node"} Runtime
 * @typedef {import("./suites.mjs").Suite} Suite
 * @typedef {import("./suites.mjs").Tests} Tests
 */

/**
 * Runs a suite.
 *
 * @param {Suite} suite
 * @param {Runtime | undefined} runtime run only what concerns this runtime
 * @returns {Promise<Outcome>}
 */
export async function runSuite(suite, runtime) {
  if (suite.kind === "check") return await runCheck(suite);
  const files = globTests(suite.folders).filter((file) => concerns(file, runtime));
  if (files.length === 0) return failure(`no test files under ${suite.folders.join(", ")}`);
  /** @type {Outcome} */
  const total = { passed: 0, failed: 0, skipped: 0, seconds: 0, detail: "" };
  for (const runner of /** @type {Runtime[]} */ (["bun", "deno", "node"])) {
    const own = files.filter((file) => runnerOf(file) === runner);
    if (own.length > 0) add(total, await runTests(suite, runner, own, runtime));
  }
  return total;
}

/** @param {import("./suites.mjs").Check} check */
async function runCheck(check) {
  const [tool = "", ...args] = check.command();
  const path = installed(tool);
  if (!path) return failure(`node_modules/.bin/${tool} is missing`);
  const result = await run([path, ...args], {
    cwd: root,
    seconds: check.seconds,
    env: environment(undefined),
  });
  const good = result.code === 0 && !result.problem;
  const detail = good ? "" : [result.output.trim(), result.problem].filter(Boolean).join("\n");
  return { passed: good ? 1 : 0, failed: good ? 0 : 1, skipped: 0, seconds: result.seconds, detail };
}

/**
 * @param {Tests} suite
 * @param {Runtime} runner
 * @param {readonly string[]} files
 * @param {Runtime | undefined} runtime
 * @returns {Promise<Outcome>}
 */
async function runTests(suite, runner, files, runtime) {
  const folder = mkdtempSync(join(tmpdir(), "toychat-gate-"));
  try {
    const junit = join(folder, "junit.xml");
    const command = runnerCommand(suite, runner, files, junit);
    if (!command) return failure(`no ${runner} to run ${files.join(", ")}: Node 22.18 or later is needed`);
    const result = await run(command, { cwd: root, seconds: suite.seconds, env: environment(runtime) });
    return judge(runner, files, result, readReport(junit));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {Tests} suite
 * @param {Runtime} runner
 * @param {readonly string[]} files
 * @param {string} junit where the report goes
 */
function runnerCommand(suite, runner, files, junit) {
  const paths = files.map((file) => "./" + file);
  const path = runner === "node" ? modernNode() : installed(runner);
  if (!path) return undefined;
  if (runner === "deno") return [path, "test", "-A", "--no-check", `--junit-path=${junit}`, ...paths];
  if (runner === "bun") {
    const bound = `--timeout=${(suite.testSeconds ?? 20) * 1000}`;
    return [path, "test", bound, "--reporter=junit", `--reporter-outfile=${junit}`, ...paths];
  }
  const reporters = [["spec", "stdout"], ["junit", junit]].flatMap(([name, destination]) => [
    `--test-reporter=${name}`,
    `--test-reporter-destination=${destination}`,
  ]);
  return [path, "--test", ...reporters, ...paths];
}

/**
 * What a run of a test runner amounts to. A file that never ran any test, a runner that ended badly though no test
 * failed, and processes left behind count as one failure each.
 *
 * @param {Runtime} runner
 * @param {readonly string[]} files
 * @param {import("./run.mjs").RunResult} result
 * @param {import("./junit.mjs").Report | undefined} report
 * @returns {Outcome}
 */
export function judge(runner, files, result, report) {
  const problems = result.problem ? [result.problem] : [];
  if (!report) problems.push(`${runner} wrote no report: it ended before its tests did`);
  const ran = new Set([...report?.files ?? []].map((file) => relative(root, join(root, relativeName(file)))));
  const silent = report ? files.filter((file) => !ran.has(file)) : [];
  problems.push(...silent.map((file) => `${file} ran no test`));
  if (result.code !== 0 && report?.failed === 0 && problems.length === 0) {
    problems.push(`${runner} exited with ${result.code ?? "a signal"} though no test failed`);
  }
  const failed = (report?.failed ?? 0) + problems.length;
  const names = (report?.failures ?? []).map((name) => `failed: ${name}`);
  const output = withoutPasses(result.output);
  const detail = failed === 0 ? "" : [output, ...names, ...problems].join("\n");
  return {
    passed: report?.passed ?? 0,
    failed,
    skipped: report?.skipped ?? 0,
    seconds: result.seconds,
    detail,
  };
}

/**
 * What Bun printed without the tests that passed and the files in which all did.
 *
 * @param {string} output
 */
function withoutPasses(output) {
  const lines = output.split("\n").filter((line) => !line.startsWith("(pass) "));
  return lines.join("\n").replace(/^\S+\.test\.ts:\n+(?=\S+\.test\.ts:\n|\d+ tests? failed:)/gm, "").trim();
}

/**
 * A file as a report names it, from the root.
 *
 * @param {string} file
 */
function relativeName(file) {
  return file.startsWith(root) ? file.slice(root.length + 1) : file;
}

/** @param {string} path */
function readReport(path) {
  try {
    return parseJunit(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Test files for one runtime only are left out when another one is asked for; the others look at
 * `TOYCHAT_TEST_RUNTIME` themselves.
 *
 * @param {string} file
 * @param {Runtime | undefined} runtime
 */
function concerns(file, runtime) {
  const own = file.match(/(?:^|[./])(bun|deno|node)\.test\.ts$/)?.[1];
  return !runtime || !own || own === runtime;
}

/** @param {Runtime | undefined} runtime */
function environment(runtime) {
  const { TOYCHAT_TEST_RUNTIME: _, ...rest } = process.env;
  const colours = { NO_COLOR: "1", FORCE_COLOR: undefined };
  return { ...rest, ...colours, PATH: suitePath, ...(runtime && { TOYCHAT_TEST_RUNTIME: runtime }) };
}

/**
 * @param {Outcome} total
 * @param {Outcome} part
 */
export function add(total, part) {
  total.passed += part.passed;
  total.failed += part.failed;
  total.skipped += part.skipped;
  total.seconds += part.seconds;
  total.detail = [total.detail, part.detail].filter(Boolean).join("\n");
}

/**
 * @param {string} detail
 * @returns {Outcome}
 */
export function failure(detail) {
  return { passed: 0, failed: 1, skipped: 0, seconds: 0, detail };
}
