/**
 * One seed, run once.
 *
 * @module
 */
import { errorMessage } from "../../src/lib/errors.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { generate } from "./generate.ts";
import { Model } from "./model.ts";
import type { Kind, Schedule } from "./schedule.ts";

/** What came of it. */
export interface Outcome {
  readonly model: Model;
  /** What was wrong; undefined where nothing was. */
  readonly failure: string | undefined;
  readonly figures: Figures;
}

/** Runs a seed (of a kind, or of the one whose turn it is), or a schedule. */
export async function runSeed(seed: number | Schedule, kind?: Kind): Promise<Outcome> {
  const model = new Model(typeof seed === "number" ? generate(seed, kind) : seed);
  let failure: string | undefined;
  try {
    await model.run();
  } catch (error) {
    failure = errorMessage(error);
  }
  return { model, failure, figures: figuresOf(model) };
}
