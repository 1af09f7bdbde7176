/**
 * The system's `ip`, in batches, and a guard that removes namespaces whatever becomes of who made them.
 *
 * @module
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Where `ip netns` keeps names. */
const NAMES = "/run/netns";
/** Longest time for one batch. */
const BATCH_MS = 20_000;

/**
 * Ends what runs in every namespace of a name's beginning, which is `$1`, then removes them, and folders that are called
 * alike in the folder `$2`; `h0` is a router's leg out.
 */
const REMOVE = `
each() { ls ${NAMES} 2>/dev/null | grep "^$1-"; }
for round in 1 2 3 4 5; do
  pids=$(for name in $(each "$1"); do ip netns pids "$name" 2>/dev/null; done)
  [ -z "$pids" ] && break
  kill -9 $pids 2>/dev/null
  sleep 0.05
done
for name in $(each "$1"); do
  ip -n "$name" link del h0 2>/dev/null
  ip netns del "$name"
done
rm -rf "$2/$1-"*`;

/**
 * Runs lines of `ip -batch`, in a namespace or in the machine's own; the first that fails ends it.
 *
 * @throws {Error} with what `ip` said.
 */
export function ip(lines: readonly string[], namespace?: string): Promise<void> {
  const args = [...(namespace === undefined ? [] : ["-n", namespace]), "-batch", "-"];
  return new Promise((resolve, reject) => {
    const child = execFile("ip", args, { timeout: BATCH_MS }, (error, _stdout, stderr) => {
      if (!error) return resolve();
      reject(new Error(`ip ${args.join(" ")}: ${String(stderr).trim() || error.message}`, { cause: error }));
    });
    // One that cannot be started, or fails at the first line, reads no more.
    child.stdin?.on("error", () => {});
    child.stdin?.end(lines.join("\n") + "\n");
  });
}

/**
 * Lets a namespace send on what is not for itself.
 *
 * @throws {Error} where the system's settings cannot be written.
 */
export function forward(namespace: string): Promise<void> {
  const setting = "/proc/sys/net/ipv4/ip_forward";
  return new Promise((resolve, reject) => {
    execFile("ip", ["netns", "exec", namespace, "sh", "-c", `echo 1 >${setting}`], (error, _out, stderr) => {
      if (!error) return resolve();
      reject(new Error(`cannot write ${setting}: ${String(stderr).trim()}`, { cause: error }));
    });
  });
}

/** What keeps this process from making namespaces; undefined where nothing is known to. */
export function obstacle(): string | undefined {
  if (process.platform !== "linux") {
    return `network namespaces are Linux's, this is ${process.platform}: use a Linux machine, a virtual one will do`;
  }
  if (process.getuid?.() === 0) return undefined;
  return "making network namespaces takes root: run the same command again under sudo";
}

/** The part of a namespace's name that all of one process's share. */
export function prefixOf(label: string, pid: number): string {
  return `${label}-${pid}`;
}

/** Makes a folder that nobody else may read, which goes when the namespaces of the prefix do. */
export function makeFolder(prefix: string): string {
  return mkdtempSync(join(tmpdir(), `${prefix}-`));
}

/** Removes what processes that are gone have left behind: namespaces called `LABEL-PID-N-…`. */
export async function sweep(label: string): Promise<void> {
  for (const pid of leftBy(label).filter((pid) => !lives(pid))) {
    const child = spawn("sh", ["-c", REMOVE, "sh", prefixOf(label, pid), tmpdir()], { stdio: "ignore" });
    await once(child, "close");
  }
}

function leftBy(label: string): number[] {
  let names: string[] = [];
  try {
    names = readdirSync(NAMES);
  } catch {
    // Nobody has ever made a namespace with a name here.
  }
  const found = names.map((name) => /^(.+)-(\d+)-\d+-[^-]+$/.exec(name));
  return [...new Set(found.flatMap((match) => match?.[1] === label ? [Number(match[2])] : []))];
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/**
 * A process that removes the namespaces of a prefix, and ends what runs in them, when it is told to or when this process
 * is gone, however it went: then its standard input ends.
 */
export class Guard {
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;

  /** It watches from now on, in a session of its own, so that Ctrl-C does not reach it. */
  constructor(prefix: string) {
    const script = `trap "" INT TERM HUP\ncat >/dev/null\n${REMOVE}`;
    this.#child = spawn("sh", ["-c", script, "sh", prefix, tmpdir()], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#child.stdin?.on("error", () => {});
    this.#gone = once(this.#child, "close");
    this.#gone.catch(() => {});
  }

  /** Removes all; resolves when that is done. */
  async remove(): Promise<void> {
    this.#child.stdin?.end();
    await this.#gone;
  }
}
