/**
 * Copies of the sources in which a switch is thrown, and the simulator run in them.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { root } from "../../support/runtimes.ts";
import type { Finding } from "./runner.ts";
import type { Schedules } from "./schedules.ts";
import { applyEdit, type Switch } from "./switches.ts";

/** What a simulator needs to run. */
const COPIED = ["src", "transports", "tests/simulator", "tests/support", "package.json"];

/** A link to the installed packages; it goes before the copy does. */
const MODULES = "node_modules";

/** The text of a file of the repository. */
export function source(file: string): Promise<string> {
  return readFile(join(root, file), "utf8");
}

/** Calls `use` with the path of a copy of the sources in which a switch is thrown, if any is given. */
export async function withCopy<T>(
  broken: Switch | undefined,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = await mkdtemp(join(tmpdir(), "toychat-broken-"));
  try {
    const filter = (from: string): boolean => !from.endsWith(".test.ts");
    for (const name of COPIED) await cp(join(root, name), join(path, name), { recursive: true, filter });
    await symlink(join(root, "node_modules"), join(path, MODULES));
    for (const edit of broken?.edits ?? []) {
      const file = join(path, edit.file);
      await writeFile(file, applyEdit(await readFile(file, "utf8"), edit));
    }
    return await use(path);
  } finally {
    await rm(join(path, MODULES), { force: true });
    await rm(path, { recursive: true, force: true });
  }
}

/** Runs seeds 1 to `last` in a copy with a switch thrown, until one fails. */
export function hunt(broken: Switch | undefined, last: number, schedules?: Schedules): Promise<Finding> {
  return withCopy(broken, async (path) => {
    const runner = join(path, "tests/simulator/broken/runner.ts");
    const output = await run(
      [process.execPath, runner, String(last), ...(schedules ? [schedules] : [])],
      path,
    );
    return JSON.parse(output) as Finding;
  });
}

/** Milliseconds after which a run of seeds is taken to have stuck. */
const STUCK_MS = 120_000;

/** Runs a program to its end, and returns what it wrote. */
function run([file = "", ...args]: readonly string[], cwd: string): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(file, args, { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: STUCK_MS });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
    child.on("error", failed);
    child.on("close", (code, signal) => {
      if (code === 0) done(output);
      else failed(new Error(`the runner ended with ${signal ?? code}:\n${output}${errors}`));
    });
  });
}
