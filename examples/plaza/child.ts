/**
 * A child process with pipes: its ready line, the lines after it, its end.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { PREFIX } from "./parent.ts";
import { root, type Runtime } from "./runtimes.ts";

/** What to start. */
export interface ChildOptions {
  readonly runtime: Runtime;
  /** The program's file. */
  readonly program: string;
  readonly args: readonly string[];
  /** What its line on stdout says that tells that it is ready, where it has no ready line. */
  readonly running?: string;
  /** Shows its log as it comes. */
  readonly verbose: boolean;
  /** Called with what the child tells by `tellParent`. */
  heard(message: unknown): void;
}

const READY = "ready ";
/** Characters of a log that are kept to be shown, should the process fail. */
const KEPT_LOG = 4000;
/** Milliseconds after its end in which the last of its log is read: whoever has inherited its pipes may keep them open. */
const LOG_MS = 1000;

/** One process, from its start to its end. */
export class Child {
  /** What its ready line says; rejects where it ends before that. */
  readonly ready: Promise<Record<string, unknown>>;
  /** Resolves when it is gone and its log is here. */
  readonly gone: Promise<void>;
  readonly #process: ChildProcess;
  readonly #heard: (message: unknown) => void;
  #ended = false;
  #rest = "";
  #log = "";

  /** Starts it in a session of its own, so that Ctrl-C in a terminal reaches it only by way of the plaza. */
  constructor({ runtime, program, args, running, verbose, heard }: ChildOptions) {
    const [file = "", ...flags] = runtime.command;
    this.#heard = heard;
    // The plaza is on loopback alone, and all of it has the same secret: none.
    const { TOYCHAT_SECRET: _, ...env } = process.env;
    this.#process = spawn(file, [...flags, program, ...args], {
      cwd: root,
      env,
      detached: true,
      stdio: ["pipe", "pipe", verbose ? "inherit" : "pipe"],
    });
    // Whoever is gone reads no more: that it ended is told by `gone`.
    this.#process.stdin?.on("error", () => {});
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-KEPT_LOG);
    });
    this.gone = new Promise((resolve) => {
      let late: ReturnType<typeof setTimeout> | undefined;
      const end = (): void => {
        this.#ended = true;
        clearTimeout(late);
        resolve();
      };
      this.#process.once("exit", () => {
        this.#ended = true;
        late = setTimeout(end, LOG_MS);
      });
      this.#process.once("close", end);
      this.#process.once("error", end);
    });
    this.ready = this.#readLines(running);
  }

  /** Whether it is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Its process id. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The end of its log, where that was not shown. */
  get log(): string {
    return this.#log;
  }

  #readLines(running: string | undefined): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      this.#process.stdout?.setEncoding("utf8").on("data", (text: string) => {
        const lines = (this.#rest + text).split("\n");
        this.#rest = lines.pop() ?? "";
        for (const line of lines) {
          if (line.startsWith(READY)) resolve(JSON.parse(line.slice(READY.length)));
          else if (running !== undefined && line.includes(running)) resolve({});
          else if (line.startsWith(PREFIX)) this.#heard(JSON.parse(line.slice(PREFIX.length)));
        }
      });
      this.gone.then(() =>
        reject(new Error(`${this.#process.spawnargs.join(" ")} ended before it was ready`))
      );
    });
  }

  /** Says something to the child. */
  tell(message: object): void {
    if (!this.#ended) this.#process.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends a signal, unless it is gone. */
  signal(name: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    if (this.#ended || this.pid === undefined) return;
    try {
      process.kill(this.pid, name);
    } catch {
      // It has ended in this very moment.
    }
  }
}
