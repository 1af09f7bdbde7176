/**
 * An empty project somewhere else on the disk, into which the packed tarball is installed.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { root, runtime, systemFolders } from "../support/runtimes.ts";

/** Runs a program to its end and gives what it printed; throws, with its output, where it fails. */
export function run(command: readonly string[], cwd: string, path = systemFolders().join(delimiter)): string {
  const [file = "", ...args] = command;
  try {
    const env = { ...process.env, PATH: path };
    return execFileSync(file, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command.join(" ")} failed\n${stdout}${stderr}`, { cause: error });
  }
}

/** Makes the tarball in a folder and gives its path. */
export function packInto(folder: string): string {
  const lines = run([...runtime("node20").command, join(root, "scripts/pack.mjs"), folder], root).trim()
    .split("\n");
  return lines.at(-1) ?? "";
}

/** A `PATH` on which `node` is the system's. */
export function oldNodePath(): string {
  const [node = ""] = runtime("node20").command;
  return [dirname(node), ...systemFolders()].join(delimiter);
}

/** An empty project. */
export interface Project {
  readonly folder: string;
  /** Removes it. */
  remove(): void;
}

/** Makes a project with nothing but a `package.json` and the given files. */
export function emptyProject(files: Readonly<Record<string, string>>): Project {
  const folder = mkdtempSync(join(tmpdir(), "toychat-package-"));
  const manifest = { name: "room", version: "1.0.0", private: true, type: "module" };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The paths of every package that npm installed in a project. */
export function installedPackages(folder: string): string[] {
  const lock = JSON.parse(readFileSync(join(folder, "node_modules/.package-lock.json"), "utf8"));
  return Object.keys(lock.packages);
}

/** A program that was started and has said, by one line of JSON, that it is ready. */
export interface Running<Ready> {
  readonly ready: Ready;
  /** Tells it to stop and resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts a program and waits for its first line. */
export async function start<Ready>(command: readonly string[], cwd: string): Promise<Running<Ready>> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { cwd, stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk) => errors += chunk);
  const exit = exitOf(child);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    exit.then((code) =>
      reject(new Error(`${command.join(" ")} ended with ${code} before it was ready\n${errors}`))
    );
  });
  return {
    ready: JSON.parse(line),
    stop() {
      child.stdin.end();
      return exit;
    },
  };
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
}
