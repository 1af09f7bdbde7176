/**
 * Which runtimes are there that can run toychat from source.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../transports/system.ts";

/** A runtime that was tried. */
export interface Runtime {
  /** `"bun"`, `"deno"` or `"node"`. */
  readonly name: string;
  readonly version: string;
  /** What goes before a program's file. */
  readonly command: readonly string[];
}

/** What the probe says. */
interface Probed {
  readonly name: string;
  readonly version: string;
  readonly file: string;
}

/** The repository's root. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

const NAMES = ["deno", "bun", "node"] as const;
/** Bun would fetch missing packages from the registry in the middle of a run. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  deno: ["run", "-A"],
  bun: ["--no-install"],
  node: [],
};
const PROBE_MS = 20_000;

/** The runtime that runs this program first, then the others that can. */
export async function findRuntimes(): Promise<Runtime[]> {
  const own = runtimeName();
  const others = NAMES.filter((name) => name !== own);
  const versions: Readonly<Record<string, string | undefined>> = process.versions;
  const self = {
    name: own,
    version: versions[own] ?? "?",
    command: [process.execPath, ...(own === "bun" ? [] : FLAGS[own] ?? [])],
  };
  const found = await Promise.all(others.map((name) => firstThatRuns(name)));
  return [self, ...found.filter((runtime) => runtime !== undefined)];
}

async function firstThatRuns(name: string): Promise<Runtime | undefined> {
  for (const path of programs(name)) {
    const found = await probe([path, ...(FLAGS[name] ?? [])]);
    if (found?.name !== name) continue;
    return { name, version: found.version, command: [found.file, ...(FLAGS[name] ?? [])] };
  }
  return undefined;
}

function probe(command: readonly string[]): Promise<Probed | undefined> {
  const [file = "", ...args] = command;
  return new Promise((resolve) => {
    const program = fileURLToPath(new URL("probe.ts", import.meta.url));
    execFile(file, [...args, program], { cwd: root, timeout: PROBE_MS }, (error, stdout) => {
      try {
        resolve(error ? undefined : JSON.parse(String(stdout)));
      } catch {
        resolve(undefined);
      }
    });
  });
}

function programs(name: string): string[] {
  const folders = [join(root, "node_modules", ".bin"), ...(process.env["PATH"] ?? "").split(delimiter)];
  return [...new Set(folders.filter((folder) => folder !== ""))].map((folder) => join(folder, name)).filter(
    isProgram,
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
