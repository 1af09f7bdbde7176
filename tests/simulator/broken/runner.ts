/**
 * Runs seeds from 1 on, in whichever copy of the sources it stands, until one fails. One line of JSON says how it went:
 * `{"seed": 17, "faults": ["…"]}`, or `{"seed": 500}` where all have passed.
 *
 * Arguments: the last seed, and the name of the schedules where they are not the usual ones.
 *
 * @module
 */
import process from "node:process";
import { runSeed } from "../run_seed.ts";
import { scheduleOf, type Schedules } from "./schedules.ts";

/** What one run of seeds has found. */
export interface Finding {
  /** The seed that failed, or the last one. */
  readonly seed: number;
  /** What was wrong, a sentence each; undefined where nothing was. */
  readonly faults?: readonly string[];
}

function tell(finding: Finding): never {
  console.log(JSON.stringify(finding));
  process.exit(0);
}

async function main(last: number, schedules: Schedules | undefined): Promise<void> {
  let seed = 1;
  // A core that throws where nobody catches it is caught too.
  const thrown = (error: unknown): never => tell({ seed, faults: [`thrown: ${error}`] });
  process.on("uncaughtException", thrown).on("unhandledRejection", thrown);
  for (;; seed++) {
    const { failure } = await runSeed(scheduleOf(seed, schedules));
    if (failure !== undefined) tell({ seed, faults: failure.split("\n") });
    if (seed === last) tell({ seed });
  }
}

if (import.meta.main) await main(Number(process.argv[2]), process.argv[3] as Schedules | undefined);
