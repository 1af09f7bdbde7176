/**
 * Starts roles and other programs as processes of their own, and sees to it that none of them outlives its test.
 *
 * ```ts
 * const processes = new Processes();
 * afterEach(() => processes.end());
 *
 * const bridge = await processes.role<{ listen: string }>(runtime("deno"), ["bridge", "--listen", "127.0.0.1:0"]);
 * console.log(bridge.ready.listen);
 * expect(await bridge.stop()).toEqual({ code: 0, signal: null });
 * ```
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { root, type Runtime } from "./runtimes.ts";

/** Signals that tests send. */
export type Signal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGKILL" | "SIGSTOP" | "SIGCONT";

/** How a process ended: by `exit` with a code, or by a signal. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** How to start a process. */
export interface StartOptions {
  /** Its folder; default the repository's root. */
  readonly cwd?: string;
  /** Variables set for it beside those of this process; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds in which its ready line must come; default 40000: a busy machine compiles for long. */
  readonly readyMs?: number;
  /** What the ready line begins with, before its JSON; default `"ready "`. */
  readonly readyPrefix?: string;
}

/** The command line of toychat. */
export const cli: string = join(root, "src/cli.ts");

/** Longest output kept of each of the two streams, in characters: the end of it. */
const MOST_OUTPUT = 1_000_000;
/** Milliseconds after the end of a process in which its last output is read. */
const OUTPUT_MS = 1000;
const STOP_MS = 40_000;
const READY_MS = 40_000;

/** A process that runs or has run. */
export class Running {
  /** Its process id. */
  readonly pid: number;
  /** The command and its arguments. */
  readonly command: readonly string[];
  /** Resolves when it has ended and all of its output is here. */
  readonly exit: Promise<Exit>;
  /** What it has written to stdout so far. */
  stdout = "";
  /** What it has written to stderr so far: its logs. */
  stderr = "";
  /** Whether it has ended. */
  ended = false;
  #changed: () => void = () => {};
  #abandon: () => void = () => {};
  #change: Promise<void> = Promise.resolve();

  /** Watches a process that was spawned with pipes. */
  constructor(child: ChildProcess, command: readonly string[]) {
    this.pid = child.pid ?? -1;
    this.command = command;
    this.#renew();
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout = (this.stdout + text).slice(-MOST_OUTPUT);
      this.#renew();
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-MOST_OUTPUT);
      this.#renew();
    });
    this.exit = new Promise((resolve, reject) => {
      const ended = (code: number | null, signal: Exit["signal"]): void => {
        this.ended = true;
        this.#renew();
        resolve({ code, signal });
      };
      child.once("error", reject);
      child.once("close", ended);
      // Whoever has inherited the pipes keeps `close` away: a moment for the last output, then that is that.
      child.once("exit", (code, signal) => {
        this.ended = true;
        setTimeout(() => ended(code, signal), OUTPUT_MS);
      });
      this.#abandon = () => ended(null, "SIGKILL");
    });
    this.exit.catch(() => {});
  }

  /** Wakes those who wait for output or for the end. */
  #renew(): void {
    const wake = this.#changed;
    this.#change = new Promise((resolve) => this.#changed = resolve);
    wake();
  }

  /** Its lines on stdout so far, whole ones only. */
  get lines(): string[] {
    return this.stdout.split("\n").slice(0, -1);
  }

  /**
   * Waits until `find` finds something in the output, and gives it. Rejects, with all of the output, when the process ends
   * before that or `ms` milliseconds (default 20000) have gone by.
   */
  async until<T>(
    find: (running: this) => T | undefined,
    what = "what was waited for",
    ms = 20_000,
  ): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#renew();
    }, ms);
    try {
      for (;;) {
        const change = this.#change;
        const found = find(this);
        if (found !== undefined) return found;
        if (late) throw this.failure(`did not come to ${what} within ${ms} ms`);
        if (this.ended) {
          const { code, signal } = await this.exit;
          const last = find(this);
          if (last !== undefined) return last;
          throw this.failure(`ended with ${signal ?? code} before ${what}`);
        }
        await Promise.race([change, this.exit]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** An error about this process that shows its output. */
  failure(text: string): Error {
    return new Error(`${this.command.join(" ")} ${text}\nstdout:\n${this.stdout}\nstderr:\n${this.stderr}`);
  }

  /** Sends a signal; does nothing once the process has ended. */
  signal(name: Signal): void {
    if (this.ended || this.pid <= 0) return;
    try {
      process.kill(this.pid, name);
    } catch {
      // It has ended in this very moment.
    }
  }

  /** Sends a signal (default SIGTERM) and waits for the end; after 40 s it is killed, and that is an error. */
  async stop(name: Signal = "SIGTERM"): Promise<Exit> {
    this.signal(name);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.signal("SIGKILL");
      // Bun 1.4.5 has been seen not to tell of an exit: a killed process is gone even so.
      setTimeout(() => this.#abandon(), OUTPUT_MS);
    }, STOP_MS);
    const exit = await this.exit;
    clearTimeout(timer);
    if (late) throw this.failure(`did not end within ${STOP_MS} ms of ${name}`);
    return exit;
  }

  /** Kills the process as a crash would; resolves when it is gone. */
  kill(): Promise<Exit> {
    return this.stop("SIGKILL");
  }
}

/** A process that has said that it is ready. */
export interface Ready<T> extends Running {
  /** What its ready line says. */
  readonly ready: T;
}

/** What kills the processes of each {@linkcode Processes}. */
const everything = new Set<() => void>();
let watching = false;

/** Kills all that still runs when this process exits or is told to; nothing can be done where it is killed itself. */
function watch(): void {
  if (watching) return;
  watching = true;
  const killAll = (): void => everything.forEach((kill) => kill());
  process.once("exit", killAll);
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    process.once(signal, () => {
      killAll();
      process.exit(code);
    });
  }
}

/** All processes of one test, or of one file of tests. */
export class Processes {
  readonly #running: Set<Running> = new Set();
  readonly #onExit = (): void => {
    for (const running of this.#running) running.signal("SIGKILL");
  };

  /** None yet. Should the test's own process exit, or be told to, those that still run are killed. */
  constructor() {
    everything.add(this.#onExit);
    watch();
  }

  /** Starts a program and does not wait for anything. */
  spawn(command: readonly string[], options: StartOptions = {}): Running {
    const [file = "", ...args] = command;
    const env = { ...process.env, ...options.env };
    for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
    const child = spawn(file, args, { cwd: options.cwd ?? root, env, stdio: ["ignore", "pipe", "pipe"] });
    const running = new Running(child, command);
    this.#running.add(running);
    const gone = (): boolean => this.#running.delete(running);
    running.exit.then(gone, gone);
    return running;
  }

  /** Starts a program and waits for its ready line. */
  async start<T = Record<string, unknown>>(
    command: readonly string[],
    options: StartOptions = {},
  ): Promise<Ready<T>> {
    const prefix = options.readyPrefix ?? "ready ";
    const running = this.spawn(command, options);
    const line = await running.until(
      ({ lines }) => lines.find((line) => line.startsWith(prefix)),
      "its ready line",
      options.readyMs ?? READY_MS,
    );
    return Object.assign(running, { ready: JSON.parse(line.slice(prefix.length)) as T });
  }

  /** Starts `toychat` from source on a runtime, as `["proxy", "--mqtt", "0"]`, and waits for its ready line. */
  role<T = Record<string, unknown>>(
    on: Runtime,
    args: readonly string[],
    options: StartOptions = {},
  ): Promise<Ready<T>> {
    return this.start([...on.command, cli, ...args], options);
  }

  /** Runs `toychat` from source to its end, as `["members", "--json"]`. */
  async run(on: Runtime, args: readonly string[], options: StartOptions = {}): Promise<Running & Exit> {
    const running = this.spawn([...on.command, cli, ...args], options);
    return Object.assign(running, await running.exit);
  }

  /** Kills every process that still runs; resolves when they are gone. Call it after each test. */
  async end(): Promise<void> {
    await Promise.allSettled([...this.#running].map((running) => running.kill()));
  }
}
