/**
 * Events of a log as lines of text. Whatever came from outside, a line is one line, of bounded length, and steers no
 * terminal.
 *
 * @module
 */
import { errorMessage, printable, unprintable } from "./errors.ts";
import type { LogFields, LogLevel } from "./log.ts";

/** Characters of one text in a line; what is longer is cut. */
const MOST_TEXT = 2000;
/** Fields of an object, and items of a list, that are written. */
const MOST_ITEMS = 32;
/** Objects within one another that are written. */
const MOST_DEPTH = 3;
const COLORS: Readonly<Record<LogLevel, string>> = { debug: "90", info: "36", warn: "33", error: "31" };

/**
 * One event as a line of JSON, with its newline: `{"time":…,"level":…,"event":…,"fields":{…}}`.
 *
 * @param time In the form of RFC 3339.
 */
export function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const line = JSON.stringify({ time, level, event: cut(event), fields: loggable(fields, 0) });
  return unprintable(line) + "\n";
}

/**
 * One event as a line for people, with its newline: `12:00:00.000 info  event name=value`.
 *
 * @param time In the form of RFC 3339; the time of day is shown.
 */
export function prettyLine(
  time: string,
  level: LogLevel,
  event: string,
  fields: LogFields,
  colored: boolean,
): string {
  const word = level.padEnd(5);
  const rest = Object.entries(fields).slice(0, MOST_ITEMS).map(([name, value]) =>
    ` ${printable(name)}=${prettyValue(loggable(value, 1))}`
  ).join("");
  const shown = colored ? `\x1b[${COLORS[level]}m${word}\x1b[0m` : word;
  return `${time.slice(11, 23)} ${shown} ${printable(event)}${rest}\n`;
}

function prettyValue(value: unknown): string {
  if (typeof value !== "string") {
    return printable(JSON.stringify(value) ?? "undefined", MOST_TEXT).replaceAll('\\"', '"');
  }
  return /^[\w.:/@+-]+$/.test(value) ? value : `"${printable(value, MOST_TEXT)}"`;
}

function cut(text: string): string {
  return text.length > MOST_TEXT ? text.slice(0, MOST_TEXT) + "…" : text;
}

/** A value that JSON can hold, of bounded size, whatever it was. */
function loggable(value: unknown, depth: number): unknown {
  if (value instanceof Error) return cut(errorMessage(value));
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") {
    return cut(String(value));
  }
  if (typeof value === "string") return cut(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Date || value instanceof URL) return cut(String(value));
  if (depth >= MOST_DEPTH) return Array.isArray(value) ? "a list" : "an object";
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map((item) => loggable(item, depth + 1));
  const entries = Object.entries(value).slice(0, MOST_ITEMS);
  return Object.fromEntries(entries.map(([name, item]) => [cut(name), loggable(item, depth + 1)]));
}
