/**
 * The table of everything that the gate runs: add a row for a new check or a new folder of tests.
 *
 * A test file says by its name what runs it: `deno.test.ts` or `x.deno.test.ts` Deno, `node.test.ts` or
 * `x.node.test.ts` Node 22.18 or later, every other `x.test.ts` Bun. Every test file belongs to exactly one suite.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { globTests, markdown, sources } from "./files.mjs";
import { root } from "./tools.mjs";

/**
 * @typedef {object} Check one command that succeeds or fails
 * @property {"check"} kind
 * @property {string} name
 * @property {string} about
 * @property {() => string[]} command a tool of `node_modules/.bin` and its arguments
 * @property {number} seconds
 *
 * @typedef {object} Tests every test file under some folders
 * @property {"tests"} kind
 * @property {string} name
 * @property {string} about
 * @property {readonly string[]} folders
 * @property {readonly string[]} [needs] programs of the system that must be there
 * @property {number} seconds bound of all its files together, for each runner
 * @property {number} [testSeconds] bound of one test under Bun; default 20
 * @property {boolean} [beside] mostly waits: runs beside the others, after whatever else does so
 *
 * @typedef {Check | Tests} Suite
 */

const MQTT = ["mosquitto", "mosquitto_sub", "mosquitto_pub"];
const DRY_RUN = ["deno", "publish", "--quiet", "--dry-run", "--allow-dirty"];

/** @type {readonly Suite[]} */
export const suites = [
  check("format", "deno fmt", () => ["deno", "fmt", "--check"]),
  check("lint", "deno lint, recommended and jsr rules", () => ["deno", "lint"]),
  check("types-deno", "all but what runs on Bun alone", () => ["deno", "check", "--quiet", ...denoSources()]),
  check(
    "types-tsc",
    "all but what runs on Deno alone",
    () => ["tsc", "--project", "scripts/typescript.json"],
  ),
  check(
    "types-docs",
    "examples in comments and in Markdown",
    () => ["deno", "check", "--quiet", "--doc-only", ...documented()],
  ),
  check("publish", "deno publish --dry-run", () => DRY_RUN),
  check("doc", "deno doc --lint", () => ["deno", "doc", "--lint", ...publicEntries()]),
  tests("unit", "beside what they test", { seconds: 180 }, "src", "transports", "scripts", "tests/support"),
  tests("architecture", "who may import whom, name a runtime, read time", { seconds: 60 }),
  tests("core", "whole clusters in virtual time, move by move", { seconds: 120, testSeconds: 60 }),
  tests("simulator", "whole clusters in virtual time, by random schedules", {
    seconds: 300,
    testSeconds: 60,
  }),
  tests("fuzz", "hostile input in virtual time, by random inputs", { seconds: 400, testSeconds: 200 }),
  tests("hostile", "hostile input over TCP against every runtime", { seconds: 400, testSeconds: 90 }),
  tests("placement", "who owns a room, the same on every runtime", { seconds: 120 }),
  tests("membership", "the bridge and its members as processes", { seconds: 180, testSeconds: 60 }),
  tests("serf", "the Serf client and membership over real agents", {
    seconds: 600,
    testSeconds: 120,
    needs: ["serf", "ip", "faketime"],
    beside: true,
  }),
  tests("partitions", "hosts cut off from each other, on real networks", {
    seconds: 900,
    testSeconds: 120,
    needs: ["serf", "ip"],
    beside: true,
  }),
  tests("operations", "health, metrics and logs, as documented and from outside", {
    seconds: 240,
    testSeconds: 60,
  }),
  tests("transports", "one contract over every transport", { seconds: 180, testSeconds: 60 }),
  tests("cli", "the command line on every runtime", { seconds: 240, testSeconds: 60, needs: MQTT }),
  tests("limits", "every limit as a client meets it, and memory under floods", {
    seconds: 480,
    testSeconds: 60,
  }),
  tests("auth", "who may come in and do what, TLS, and hostile peers, on every runtime", {
    seconds: 300,
    testSeconds: 60,
    needs: MQTT,
  }),
  tests("cluster", "real clients, roles as processes on every runtime", {
    seconds: 420,
    testSeconds: 90,
    needs: MQTT,
  }),
  tests(
    "examples",
    "every example as its reader runs it",
    { seconds: 420, testSeconds: 90, needs: [...MQTT, "serf", "ip"] },
    "tests/examples",
    "examples",
  ),
  tests("browser", "the plaza in Chromium", { seconds: 240, testSeconds: 90, needs: [...MQTT, "chromium"] }),
  tests("package", "the npm tarball in an empty project", { seconds: 300, testSeconds: 120 }),
];

/**
 * @param {string} name
 * @param {string} about
 * @param {() => string[]} command
 * @returns {Check}
 */
function check(name, about, command) {
  return { kind: "check", name, about, command, seconds: 240 };
}

/**
 * @param {string} name
 * @param {string} about
 * @param {Pick<Tests, "seconds" | "testSeconds" | "needs" | "beside">} limits
 * @param {string[]} folders by default the one under `tests/` that is called as the suite
 * @returns {Tests}
 */
function tests(name, about, limits, ...folders) {
  return { kind: "tests", name, about, folders: folders.length > 0 ? folders : [`tests/${name}`], ...limits };
}

/** Test files that no suite runs. */
export function orphans() {
  const folders = suites.flatMap((suite) => suite.kind === "tests" ? suite.folders : []);
  return globTests(["."]).filter((file) => !folders.some((folder) => file.startsWith(folder + "/")));
}

function denoSources() {
  return sources().filter((file) => !file.usesBunTest).map((file) => file.path);
}

/** Files with examples that a reader may copy; one that is no program of its own is marked "```ts ignore". */
function documented() {
  const published = sources().map((file) => file.path).filter((path) =>
    /^(mod\.ts$|src\/|transports\/)/.test(path)
  );
  return [...published.filter((path) => !path.endsWith(".test.ts")), ...markdown()];
}

/** What `deno.json` exports. */
function publicEntries() {
  return Object.values(JSON.parse(readFileSync(join(root, "deno.json"), "utf8")).exports);
}
