/**
 * The runtimes that are there to run toychat on: those that npm installed, and those of the `PATH`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The repository's root, without a slash at its end. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

const installedFolder = join(root, "node_modules", ".bin");

/**
 * `"node"` is one that runs TypeScript as it is (22.18 or later). `"node20"` is the system's: of the 20 line where there is
 * one, else whichever the `PATH` gives outside of `node_modules`; its `version` says which.
 */
export type RuntimeName = "bun" | "deno" | "node" | "node20";

/** A runtime that a test can start. */
export interface Runtime {
  readonly name: RuntimeName;
  /** As the runtime says it: `"24.11.0"`. */
  readonly version: string;
  /** What goes before the program's file and its arguments. */
  readonly command: readonly string[];
}

/**
 * The runtimes that can run a `.ts` file of this repository. Where `TOYCHAT_TEST_RUNTIME` is set (`npm test -- --runtime
 * deno`), only that one.
 *
 * @throws {Error} where one of the three is missing: a suite that leaves one out must not look as if it had passed.
 */
export function runtimes(): Runtime[] {
  const wanted = process.env["TOYCHAT_TEST_RUNTIME"];
  const names = (["bun", "deno", "node"] as const).filter((name) => !wanted || name === wanted);
  if (names.length === 0) throw new Error(`TOYCHAT_TEST_RUNTIME is bun, deno or node, not "${wanted}"`);
  return names.map(runtime);
}

/**
 * One runtime.
 *
 * @throws {Error} where it is not there; the message says what to install.
 */
export function runtime(name: RuntimeName): Runtime {
  if (name === "node") return modernNode();
  if (name === "node20") return oldNode();
  const [path] = programs(name, [installedFolder, ...systemFolders()]);
  const version = path && versionOf(path);
  if (!version) throw new Error(`${name} is not there: run npm ci`);
  return { name, version, command: name === "deno" ? [path, "run", "-A"] : [path] };
}

function oldNode(): Runtime {
  const accepted = nodes(systemFolders()).filter(({ version }) => atLeast(version, 20, 0));
  const found = accepted.find(({ version }) => !atLeast(version, 22, 0)) ?? accepted[0];
  if (!found) throw new Error("no Node 20 or later in the PATH outside of node_modules");
  return { name: "node20", version: found.version, command: [found.path] };
}

function modernNode(): Runtime {
  const found = nodes([installedFolder, ...systemFolders()]).find(({ version }) => atLeast(version, 22, 18));
  if (!found) throw new Error("no Node 22.18 or later: run npm ci, or put one in the PATH");
  return { name: "node", version: found.version, command: [found.path] };
}

function nodes(folders: readonly string[]): { path: string; version: string }[] {
  return programs("node", folders).flatMap((path) => {
    const version = versionOf(path);
    return version ? [{ path, version }] : [];
  });
}

/** The folders of the `PATH` without any `node_modules`: npm puts those first, and their `node` is a newer one. */
export function systemFolders(): string[] {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return [...new Set(folders)].filter((folder) => folder && !folder.includes("node_modules"));
}

function programs(name: string, folders: readonly string[]): string[] {
  return folders.map((folder) => join(folder, name)).filter(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function versionOf(path: string): string | undefined {
  try {
    const text = execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text.match(/\d+\.\d+\.\d+/)?.[0];
  } catch {
    return undefined;
  }
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [theirMajor = 0, theirMinor = 0] = version.split(".").map(Number);
  return theirMajor > major || (theirMajor === major && theirMinor >= minor);
}
