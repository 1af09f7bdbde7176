/**
 * The gate: installs what is missing, then runs every check and every test. Called by `npm test`; runs on Node 20.
 *
 *     npm test                                everything
 *     npm test -- unit cluster                these suites
 *     npm test -- transports --runtime deno   only what concerns one runtime: bun, deno or node
 *     npm test -- --list                      what suites there are
 *
 * The last line printed is `N passed, N failed`, with `, N skipped` where any was; the exit code is 1 where anything failed.
 *
 * @module
 */
import process from "node:process";
import { prepareNpm, preparePrograms } from "./gate/prepare.mjs";
import { killRunning } from "./gate/run.mjs";
import { add, failure, runSuite } from "./gate/suite.mjs";
import { orphans, suites } from "./gate/suites.mjs";

/** Longest output of a failing suite that is printed, in lines from its end. */
const DETAIL_LINES = 500;

const options = readArguments(process.argv.slice(2));
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.once(signal, () => {
    killRunning();
    process.exit(130);
  });
}
process.exitCode = options.list ? list() : await gate(options);

/** @param {ReturnType<typeof readArguments>} options */
async function gate({ chosen, runtime }) {
  const total = { passed: 0, failed: 0, skipped: 0, seconds: 0, detail: "" };
  const npm = prepareNpm();
  if (npm) {
    report("prepare", failure(npm));
    return conclude({ ...total, failed: 1 });
  }
  const missing = preparePrograms(new Set(chosen.flatMap(needs)));
  const forgotten = orphans();
  if (forgotten.length > 0) {
    const outcome = failure(`no suite in scripts/gate/suites.mjs runs ${forgotten.join(", ")}`);
    report("suites", outcome);
    add(total, outcome);
  }
  /** @param {readonly import("./gate/suites.mjs").Suite[]} row */
  const runRow = async (row) => {
    for (const suite of row) {
      const lacking = needs(suite).flatMap((name) => missing.get(name) ?? []);
      const outcome = lacking.length > 0 ? failure(lacking.join("\n")) : await runSuite(suite, runtime);
      report(suite.name, outcome);
      add(total, outcome);
    }
  };
  await Promise.all([runRow(chosen.filter((suite) => !isBeside(suite))), runRow(chosen.filter(isBeside))]);
  return conclude(total);
}

/** @param {import("./gate/suites.mjs").Suite} suite */
function needs(suite) {
  return suite.kind === "tests" ? [...suite.needs ?? []] : [];
}

/**
 * @param {string} name
 * @param {import("./gate/suite.mjs").Outcome} outcome
 */
function report(name, outcome) {
  console.log(`${name.padEnd(14)}${counts(outcome)} in ${outcome.seconds.toFixed(1)} s`);
  if (outcome.failed > 0) {
    const lines = outcome.detail.split("\n");
    if (lines.length > DETAIL_LINES) console.log(`    (${lines.length - DETAIL_LINES} lines left out)`);
    console.log(lines.slice(-DETAIL_LINES).map((line) => `    ${line}`).join("\n"));
  }
}

/** @param {import("./gate/suite.mjs").Outcome} total */
function conclude(total) {
  console.log(counts(total));
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

/** @param {import("./gate/suite.mjs").Outcome} outcome */
function counts({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** @param {import("./gate/suites.mjs").Suite} suite */
function isBeside(suite) {
  return suite.kind === "tests" && suite.beside === true;
}

function list() {
  for (const { name, about } of suites) console.log(`${name.padEnd(14)}${about}`);
  return 0;
}

/** @param {string[]} words */
function readArguments(words) {
  /** @type {string[]} */
  const names = [];
  /** @type {"bun" | "deno" | "node" | undefined} */
  let runtime;
  let wantsList = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--list") wantsList = true;
    else if (word === "--runtime") runtime = runtimeNamed(words[++i]);
    else if (suites.some((suite) => suite.name === word)) names.push(word);
    else refuse(`there is no suite "${word}"`);
  }
  return {
    list: wantsList,
    runtime,
    chosen: suites.filter((suite) => names.length === 0 || names.includes(suite.name)),
  };
}

/** @param {string | undefined} word */
function runtimeNamed(word) {
  if (word === "bun" || word === "deno" || word === "node") return word;
  return refuse(`--runtime takes bun, deno or node, not ${word ?? "nothing"}`);
}

/**
 * @param {string} problem
 * @returns {never}
 */
function refuse(problem) {
  console.error(
    `${problem}; choose from: ${suites.map((suite) => suite.name).join(" ")}; or --list, --runtime NAME`,
  );
  process.exit(2);
}
