/**
 * What a line of a log may look like, whatever clients did.
 *
 * @module
 */
import { jsonLine, prettyLine } from "../../src/lib/log_line.ts";
import type { LogFields, LogLevel } from "../../src/lib/log.ts";

/** Longest line, in UTF-16 code units. */
export const LONGEST_LINE = 65_536;

// deno-lint-ignore no-control-regex -- these are what must not be there
const RAW = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/;

/** What is wrong with one line without its newline; undefined where nothing is. */
export function lineProblem(line: string): string | undefined {
  const raw = RAW.exec(line);
  if (raw) {
    return `a log line holds U+${raw[0].charCodeAt(0).toString(16).padStart(4, "0")}: ${
      JSON.stringify(line)
    }`;
  }
  if (line.length > LONGEST_LINE) {
    return `a log line has ${line.length} characters: ${JSON.stringify(line.slice(0, 200))}`;
  }
  return line.isWellFormed()
    ? undefined
    : `a log line holds half of a surrogate pair: ${JSON.stringify(line)}`;
}

/** What is wrong with an event as either form of the log writes it. */
export function eventProblem(level: LogLevel, event: string, fields: LogFields = {}): string | undefined {
  const time = "2026-01-01T00:00:00.000Z";
  const forms = [jsonLine(time, level, event, fields), prettyLine(time, level, event, fields, false)];
  for (const text of forms) {
    const problem = text.endsWith("\n") ? lineProblem(text.slice(0, -1)) : "a log line has no end";
    if (problem !== undefined) return problem;
  }
  return undefined;
}
