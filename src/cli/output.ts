/**
 * What the program prints: results on stdout, logs on stderr.
 *
 * @module
 */
import process from "node:process";
import { delay, systemClock } from "../lib/clock.ts";
import { errorMessage, printable } from "../lib/errors.ts";
import type { LogFields, Logger, LogLevel } from "../lib/log.ts";

/** The forms of the log. */
export type LogForm = "pretty" | "json";

/** Characters of log that may wait for a reader that does not read; what comes then is dropped. */
const MOST_WAITING = 1 << 20;
const FLUSH_MS = 1000;
const COLORS: Readonly<Record<LogLevel, string>> = { debug: "90", info: "36", warn: "33", error: "31" };

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

function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const plain = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, loggable(value)]));
  return JSON.stringify({ time, level, event, fields: plain }) + "\n";
}

function prettyLine(
  time: string,
  level: LogLevel,
  event: string,
  fields: LogFields,
  colored: boolean,
): string {
  const word = level.padEnd(5);
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${prettyValue(loggable(value))}`).join(
    "",
  );
  return `${time.slice(11, 23)} ${colored ? `\x1b[${COLORS[level]}m${word}\x1b[0m` : word} ${event}${rest}\n`;
}

function prettyValue(value: unknown): string {
  if (typeof value !== "string") {
    return printable(JSON.stringify(value) ?? "undefined", 2000).replaceAll('\\"', '"');
  }
  return /^[\w.:/@+-]+$/.test(value) ? value : `"${printable(value, 2000)}"`;
}

/** A value that JSON can hold, whatever it was. */
function loggable(value: unknown): unknown {
  if (value instanceof Error) return errorMessage(value);
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") {
    return String(value);
  }
  try {
    JSON.stringify(value);
    return value;
  } catch {
    return String(value);
  }
}
