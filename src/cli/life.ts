/**
 * The life of a process that serves: its start, its ready line, signals, and its end.
 *
 * @module
 */
import process from "node:process";
import { delay, systemClock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { LogFields, Logger } from "../lib/log.ts";
import { flushed, print } from "./output.ts";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
/**
 * A signal that follows another so soon is the same one: a terminal sends it to the whole group of processes, and npx and
 * its like hand it on as well. In milliseconds.
 */
const SAME_SIGNAL_MS = 50;

/** Keeps what must be stopped at the end. */
export class Life {
  readonly #log: Logger;
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #drains: (() => void)[] = [];
  /** Resolves when the end was asked for by other means than a signal. */
  readonly asked: Promise<undefined>;
  #ask: () => void = () => {};
  #graceMs = 0;

  /** What fails in stopping goes to the log. */
  constructor(log: Logger) {
    this.#log = log;
    this.asked = new Promise((resolve) => this.#ask = () => resolve(undefined));
  }

  /** Ends as SIGTERM does. */
  end(): void {
    this.#ask();
  }

  /** Has `stop` called at the end, in the opposite order of these calls. Call it before what it stops is started. */
  onStop(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  /** Has `drain` called at the end, and what `onStop` was given `graceMs` milliseconds later: the longest asked for. */
  onDrain(graceMs: number, drain: () => void): void {
    this.#drains.push(drain);
    this.#graceMs = Math.max(this.#graceMs, graceMs);
  }

  /** Says that the end has come, and gives others time to notice. */
  async grace(): Promise<void> {
    for (const drain of this.#drains) drain();
    if (this.#graceMs === 0) return;
    this.#log("info", "draining", { graceMs: this.#graceMs });
    await delay(systemClock, this.#graceMs);
  }

  /** Has `work` called at SIGHUP, which ends a process that has nothing to do then. */
  onHangup(work: () => void): void {
    process.on("SIGHUP", work);
  }

  /** Stops everything; whether all of it went well. */
  async stop(): Promise<boolean> {
    let well = true;
    for (let stop = this.#stops.pop(); stop; stop = this.#stops.pop()) {
      try {
        await stop();
      } catch (error) {
        well = false;
        this.#log("error", "stop_failed", { error: errorMessage(error) });
      }
    }
    return well;
  }
}

/**
 * Starts, prints `ready` and what `start` gives as JSON, and waits for SIGTERM, SIGINT or `end`; then stops all. A signal
 * before it is ready ends it in the same way; a second one ends the process at once with 1, as does an error that nobody caught.
 *
 * @returns the exit code of a stop: 0, or 1 where something did not stop as it should. Rejects as `start` does.
 */
export async function live(log: Logger, start: (life: Life) => Promise<object>): Promise<number> {
  const life = new Life(log);
  catchErrors(log);
  const signalled = Promise.race([nextSignal(log), life.asked]);
  const started = start(life);
  try {
    const ready = await Promise.race([started, signalled]);
    if (ready) {
      await print(`ready ${JSON.stringify(ready)}\n`);
      await signalled;
      await life.grace();
    }
  } catch (error) {
    await life.stop();
    throw error;
  }
  // Where a signal came first, what the start still does ends with what it has begun.
  started.catch(() => {});
  return await life.stop() ? 0 : 1;
}

/** Ends the process after all that it printed has left. */
export async function exit(code: number): Promise<never> {
  await flushed();
  process.exit(code);
}

/** Resolves with nothing at the first signal. */
function nextSignal(log: Logger): Promise<undefined> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const take = (signal: string): void => {
      const now = systemClock.now();
      if (first === undefined) {
        first = now;
        log("info", "stopping", { signal });
        resolve(undefined);
      } else if (now - first >= SAME_SIGNAL_MS) {
        log("warn", "stopped_at_once", { signal });
        void exit(1);
      }
    };
    for (const signal of SIGNALS) process.on(signal, () => take(signal));
  });
}

function catchErrors(log: Logger): void {
  process.on("uncaughtException", (error) => {
    log("error", "uncaught_error", detailsOf(error));
    void exit(1);
  });
  process.on("unhandledRejection", (error) => {
    log("error", "uncaught_rejection", detailsOf(error));
    void exit(1);
  });
}

function detailsOf(error: unknown): LogFields {
  return { error: errorMessage(error), stack: error instanceof Error ? error.stack : undefined };
}
