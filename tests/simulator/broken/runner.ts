/**
 * Runs seeds from 1 on, in whichever copy of the sources it stands, until one fails. One line of JSON says how it went:
 * `{"seed": 17, "faults": ["…"]}`, or `{"seed": 500}` where all have passed.
 *
 * Arguments: the kind of schedules, and the last seed.
 *
 * @module
 */
import process from "node:process";
import { type Kind, Model } from "../model.ts";

/** What one run of seeds has found. */
export interface Finding {
  /** The seed that failed, or the last one. */
  readonly seed: number;
  /** What was wrong, a sentence each; undefined where nothing was. */
  readonly faults?: readonly string[];
}

async function fails(kind: Kind, seed: number): Promise<string[] | undefined> {
  try {
    await new Model(seed, kind).run();
  } catch (error) {
    return String(error instanceof Error ? error.message : error).split("\n");
  }
}

function tell(finding: Finding): never {
  console.log(JSON.stringify(finding));
  process.exit(0);
}

async function main(kind: Kind, last: number): Promise<void> {
  let seed = 1;
  // A core that throws where nobody catches it is caught too.
  const thrown = (error: unknown): never => tell({ seed, faults: [`thrown: ${error}`] });
  process.on("uncaughtException", thrown).on("unhandledRejection", thrown);
  for (;; seed++) {
    const faults = await fails(kind, seed);
    if (faults) tell({ seed, faults });
    if (seed === last) tell({ seed });
  }
}

if (import.meta.main) await main(process.argv[2] as Kind, Number(process.argv[3]));
