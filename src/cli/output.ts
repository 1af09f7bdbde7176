/**
 * What the program prints: results on stdout, logs on stderr.
 *
 * @module
 */
import process from "node:process";
import { delay, systemClock } from "../lib/clock.ts";
import type { Logger, LogLevel } from "../lib/log.ts";
import { jsonLine, prettyLine } from "../lib/log_line.ts";

/** The forms of the log. */
export type LogForm = "pretty" | "json";

/** Characters of log that may wait for a reader that does not read; what comes then is dropped. */
const MOST_WAITING = 1 << 20;
const FLUSH_MS = 1000;

// A reader that has gone must not end the program with an error of its own.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

/** Prints to stdout; resolves when the text has been handed to the operating system. */
export function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

/** Prints to stderr. */
export function complain(text: string): void {
  if (process.stderr.writableLength < MOST_WAITING) process.stderr.write(text);
}

/** Resolves when all that was printed has left; where nobody reads it, after a second. */
export async function flushed(): Promise<void> {
  const streams = [process.stdout, process.stderr];
  const left = streams.map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve())));
  await Promise.race([Promise.all(left), delay(systemClock, FLUSH_MS)]);
}

/** Levels from the least serious on. */
export const LEVELS = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];

/** Makes a logger that writes to stderr, one line an event; what is less serious than `least` is left out. */
export function createLog(form: LogForm, least: LogLevel): Logger {
  const from = LEVELS.indexOf(least);
  const colored = form === "pretty" && process.stderr.isTTY === true && !process.env["NO_COLOR"];
  return (level, event, fields = {}) => {
    if (LEVELS.indexOf(level) < from) return;
    const time = new Date(systemClock.wallTime()).toISOString();
    complain(
      form === "json"
        ? jsonLine(time, level, event, fields)
        : prettyLine(time, level, event, fields, colored),
    );
  };
}
