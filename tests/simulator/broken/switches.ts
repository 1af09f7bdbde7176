/**
 * Switches that break the core: each takes one safeguard out of a copy of the sources. The simulator must catch every
 * one of them, or it would not notice either if the safeguard were lost by mistake.
 *
 * @module
 */
import type { Schedules } from "./schedules.ts";

/** A change of one file: `find` stands in it exactly once, and becomes `replace`. */
export interface Edit {
  /** The path from the repository's root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A way to break the core. */
export interface Switch {
  readonly name: string;
  /** What the core does then. */
  readonly breaks: string;
  /** Schedules that show it; absent: the simulator's usual ones. */
  readonly schedules?: Schedules;
  readonly edits: readonly Edit[];
}

/** How many seeds the simulator has to catch a broken core. */
export const SEEDS = 500;

/** Applies an edit to a file's text. Throws where the text to find is not there, or not there alone. */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const count = text.split(find).length - 1;
  if (count === 1) return text.replace(find, () => replace);
  const lines = find.split("\n").map((line) => `  ${line}`).join("\n");
  throw new Error(`${file} has this ${count} times, not once: mend the switch.\n${lines}`);
}
