/**
 * Runs seeds in a process of its own, and says so line by line: `worker.ts FROM COUNT [KIND]`.
 *
 * @module
 */
import process from "node:process";
import { addFigures, type Figures, noFigures } from "./figures.ts";
import { runSeed } from "./run_seed.ts";
import type { Kind } from "./schedule.ts";

/** What a worker says: that a seed is done, and at last what all came to. */
export type Word = { readonly seed: number; readonly failure?: string } | { readonly figures: Figures };

const [from, count, kind] = process.argv.slice(2);
const sums = noFigures();
for (let i = 0; i < Number(count); i++) {
  const seed = Number(from) + i;
  const { failure, figures } = await runSeed(seed, kind as Kind | undefined);
  addFigures(sums, figures);
  say(failure === undefined ? { seed } : { seed, failure });
}
say({ figures: sums });

function say(word: Word): void {
  process.stdout.write(`${JSON.stringify(word)}\n`);
}
