/**
 * Errors in what the user wrote, and guesses at what was meant.
 *
 * @module
 */
import { printable, ToychatError } from "../lib/errors.ts";

/** Code of the errors that end the program with 2 instead of 1. */
export const BAD_USAGE = "bad_usage";

/** An error in the command line or in the file of `--config`. The message says what to write instead. */
export function badUsage(message: string): ToychatError {
  return new ToychatError(BAD_USAGE, message);
}

/** Whether an error is one of {@linkcode badUsage}. */
export function isBadUsage(error: unknown): boolean {
  return error instanceof ToychatError && error.code === BAD_USAGE;
}

/** A word of the user's, in quotes and safe to print. */
export function quoted(word: string): string {
  return `"${printable(word, 60)}"`;
}

/** `: did you mean proxy?` where one of the names is near; else the names to choose from, or nothing where they are many. */
export function suggestion(word: string, names: readonly string[], prefix = ""): string {
  const near = nearest(word, names);
  if (near !== undefined) return `: did you mean ${prefix}${near}?`;
  return names.length > 8 ? "" : `: it is one of ${names.map((name) => prefix + name).join(", ")}`;
}

/** The name that is nearest to a word: one that begins with it, else the one with the fewest slips of the keyboard. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  if (lower.length > 40) return undefined;
  const begun = names.filter((name) => lower.length >= 2 && name.startsWith(lower));
  if (begun.length === 1) return begun[0];
  let best: string | undefined;
  let least = Math.max(1, Math.floor(lower.length / 3)) + 1;
  for (const name of names) {
    const slips = distance(lower, name);
    if (slips < least) [best, least] = [name, slips];
  }
  return best;
}

/**
 * How many letters must be added, taken away, changed or swapped with their neighbour to make one word of another: the
 * optimal string alignment distance.
 */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(at(last, j) + 1, at(row, j - 1) + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, at(beforeLast, j - 2) + 1);
      }
      row.push(least);
    }
    [beforeLast, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
