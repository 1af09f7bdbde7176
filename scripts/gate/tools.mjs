/**
 * Where the gate's tools are: the runtimes from `node_modules`, programs from the `PATH`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** The folder with the runtimes and tools that npm installed. */
export const bin = join(root, "node_modules", ".bin");

/** The folders of the `PATH` without any `node_modules`, and with those where Debian keeps its servers. */
const systemFolders = [
  ...(process.env.PATH ?? "").split(delimiter).filter((folder) => folder && !folder.includes("node_modules")),
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
];

/** A `PATH` that leads to the system's programs only. */
export const systemPath = [...new Set(systemFolders)].join(delimiter);

/** The `PATH` that suites run with: the installed runtimes first. */
export const suitePath = bin + delimiter + systemPath;

/**
 * The full path of a program of the system, or undefined.
 *
 * @param {string} name
 * @returns {string | undefined}
 */
export function findProgram(name) {
  return systemPath.split(delimiter).map((folder) => join(folder, name)).find(isProgram);
}

/**
 * The path of a runtime that npm installed, where it is there.
 *
 * @param {string} name
 * @returns {string | undefined}
 */
export function installed(name) {
  const path = join(bin, name);
  return isProgram(path) ? path : undefined;
}

/**
 * A Node that runs TypeScript as it is (22.18 or later): the installed one, else the system's.
 *
 * @returns {string | undefined}
 */
export function modernNode() {
  const candidates = [installed("node"), findProgram("node")];
  return candidates.find((path) => path !== undefined && runsTypeScript(versionOf(path)));
}

/**
 * What a program prints for `--version`, its first line without a leading name or `v`; undefined where it does not run.
 *
 * @param {string} path
 * @returns {string | undefined}
 */
export function versionOf(path) {
  try {
    const text = execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text.match(/\d+\.\d+\.\d+/)?.[0];
  } catch {
    return undefined;
  }
}

/** @param {string | undefined} version */
function runsTypeScript(version) {
  const [major = 0, minor = 0] = (version ?? "0.0").split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
