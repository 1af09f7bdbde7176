/**
 * Installs what is missing: npm packages by `npm ci`, programs by apt.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { bin, findProgram, root, systemPath, versionOf } from "./tools.mjs";

/** Programs that suites may need, and the Debian package of each. */
const APT_PACKAGES = /** @type {Record<string, string>} */ ({
  mosquitto: "mosquitto",
  mosquitto_sub: "mosquitto-clients",
  mosquitto_pub: "mosquitto-clients",
  chromium: "chromium",
  serf: "serf",
  ip: "iproute2",
  faketime: "faketime",
});

/** Runtimes whose npm package puts the binary in place by an install script, which npm may have been told not to run. */
const INSTALLERS = [["bun", "bun/install.js"], ["deno", "deno/install.cjs"]];

const environment = { ...process.env, PATH: systemPath };

/**
 * Makes `node_modules` what the lock says, and the runtimes in it usable.
 *
 * @returns {string | undefined} what is wrong, for people
 */
export function prepareNpm() {
  if (!lockHolds()) {
    console.log("installing the npm packages of package-lock.json (npm ci)");
    const problem = runQuietly(["npm", "--prefix", root, "ci", "--no-fund", "--no-audit"]);
    if (problem) return `npm ci failed:\n${problem}`;
  }
  for (const [runtime = "", script = ""] of INSTALLERS) {
    if (versionOf(join(bin, runtime))) continue;
    spawnSync(process.execPath, [join(root, "node_modules", script)], { stdio: "inherit", env: environment });
    if (!versionOf(join(bin, runtime))) {
      return `node_modules/.bin/${runtime} does not run: remove node_modules and run npm ci by hand to see why`;
    }
  }
  return undefined;
}

/**
 * Whether what is installed is what the lock names. Packages for other platforms may be missing.
 */
function lockHolds() {
  const hidden = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(hidden)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const there = JSON.parse(readFileSync(hidden, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) =>
    path === "" || (path in there ? there[path].version === entry.version : entry.optional === true)
  );
}

/**
 * Installs the programs that are missing.
 *
 * @param {Iterable<string>} programs names from {@link APT_PACKAGES}
 * @returns {Map<string, string>} for each program that is still missing, what to do
 */
export function preparePrograms(programs) {
  const missing = [...programs].filter((name) => !findProgram(name));
  const packages = [...new Set(missing.map((name) => APT_PACKAGES[name] ?? name))];
  const remedy = packages.length > 0 ? aptInstall(packages) : undefined;
  return new Map(
    missing.filter((name) => !findProgram(name)).map((name) => [
      name,
      `${name} is missing: ${remedy ?? `apt has no working package ${APT_PACKAGES[name]} here`}`,
    ]),
  );
}

/**
 * @param {readonly string[]} packages
 * @returns {string | undefined} what to do where it could not
 */
function aptInstall(packages) {
  const list = packages.join(" ");
  const apt = findProgram("apt-get");
  if (!apt) return `this system has no apt-get; install by its own means what Debian calls: ${list}`;
  const prefix = rootPrefix();
  if (!prefix) return `apt-get needs root: run "sudo apt-get install --no-install-recommends ${list}" once`;
  console.log(`installing by apt: ${list}`);
  const before = serviceBrokers();
  const lock = ["-o", "DPkg::Lock::Timeout=300"];
  const install = [...prefix, apt, ...lock, "install", "-y", "--no-install-recommends", ...packages];
  runQuietly([...prefix, apt, "update"]);
  const problem = runQuietly(install);
  if (packages.includes("mosquitto")) stopService(prefix, before);
  return problem && `"${install.join(" ")}" failed:\n${problem}`;
}

/** The words before a command that needs root: none but `env` as root, else sudo where it asks no password. */
function rootPrefix() {
  const asRoot = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"];
  if (process.getuid?.() === 0) return asRoot;
  return runQuietly(["sudo", "-n", "true"]) === undefined ? ["sudo", "-n", ...asRoot] : undefined;
}

/**
 * Debian starts a broker on the usual port when it installs one; the tests start their own, and the port is not ours.
 *
 * @param {readonly string[]} prefix
 * @param {readonly number[]} before brokers that ran before
 */
function stopService(prefix, before) {
  const started = () => serviceBrokers().filter((pid) => !before.includes(pid));
  if (started().length > 0) runQuietly([...prefix, "service", "mosquitto", "stop"]);
  for (const pid of started()) runQuietly([...prefix, "kill", String(pid)]);
}

/**
 * Brokers that run as the system's service: those with Debian's own configuration.
 *
 * @returns {number[]}
 */
function serviceBrokers() {
  const pids = existsSync("/proc") ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [];
  return pids.filter((pid) => {
    try {
      return /mosquitto\0.*\/etc\/mosquitto\//.test(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
    } catch {
      return false;
    }
  }).map(Number);
}

/**
 * Runs a command, and gives what it printed where it failed.
 *
 * @param {readonly string[]} words
 * @returns {string | undefined}
 */
function runQuietly([file = "", ...args]) {
  const result = spawnSync(file, args, {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    env: environment,
    maxBuffer: 1 << 28,
  });
  if (result.status === 0) return undefined;
  return result.error?.message ?? (result.stdout + result.stderr).trim().split("\n").slice(-30).join("\n");
}
