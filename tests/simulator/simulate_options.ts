/**
 * The command line of the simulator.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { ALL_KINDS, type Kind } from "./schedule.ts";

/** What is asked for. */
export interface SimulateOptions {
  /** The first seed. */
  readonly from: number;
  /** How many seeds. */
  readonly seeds: number;
  /** Worker processes side by side. */
  readonly jobs: number;
  /** All seeds of this kind; absent: they take turns. */
  readonly kind: Kind | undefined;
  /** What runs the workers. */
  readonly runtime: "node" | "bun" | "deno";
  /** One seed, here, with its trace. */
  readonly seed: number | undefined;
  readonly trace: boolean;
  /** Whether the first seed that fails is shrunk. */
  readonly shrink: boolean;
  /** Print the fingerprint of each seed. */
  readonly fingerprints: boolean;
}

/** What `--help` prints. */
export const HELP = `npm run simulate -- [options]

Runs whole clusters in virtual time, each by a schedule that follows from its seed, and checks that nothing that was
promised broke. Progress goes to stderr; the last line, on stdout, has the figures. Exit code 1 where a seed failed.

  --seeds N         how many seeds (default 1000)
  --from N          the first one (default 1)
  --jobs N          worker processes side by side (default: one for each processor)
  --kind K          only schedules of one kind: ${ALL_KINDS.join(", ")} (default: by turns)
  --seed N          one seed; where it fails it is shrunk
  --trace           with --seed: print what happened, also where it passes
  --no-shrink       do not look for the least schedule that fails
  --runtime R       node, bun or deno for the workers (default node)
  --fingerprints    print "SEED FINGERPRINT" for each seed, on stdout, by one process
  --help            this text
`;

/** Something in the command line that cannot be. */
export class UsageError extends Error {}

/** Reads the command line; `undefined` where help was asked for. Throws {@linkcode UsageError}. */
export function readOptions(args: readonly string[]): SimulateOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  const number = (name: string, text: string | undefined, standard: number, least: number): number => {
    if (text === undefined) return standard;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= 2 ** 31) return value;
    throw new UsageError(`--${name} is "${text}": give a whole number from ${least} to ${2 ** 31}`);
  };
  return {
    from: number("from", values.from, 1, 0),
    seeds: number("seeds", values.seeds, 1000, 1),
    jobs: number("jobs", values.jobs, availableParallelism(), 1),
    kind: oneOf("kind", values.kind, ALL_KINDS),
    runtime: oneOf("runtime", values.runtime, ["node", "bun", "deno"] as const) ?? "node",
    seed: values.seed === undefined ? undefined : number("seed", values.seed, 0, 0),
    trace: values.trace ?? false,
    shrink: !(values["no-shrink"] ?? false),
    fingerprints: values.fingerprints ?? false,
  };
}

interface Values {
  readonly seeds?: string;
  readonly from?: string;
  readonly jobs?: string;
  readonly kind?: string;
  readonly seed?: string;
  readonly runtime?: string;
  readonly trace?: boolean;
  readonly "no-shrink"?: boolean;
  readonly fingerprints?: boolean;
  readonly help?: boolean;
}

function parse(args: readonly string[]): Values {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        seeds: text,
        from: text,
        jobs: text,
        kind: text,
        seed: text,
        runtime: text,
        trace: flag,
        "no-shrink": flag,
        fingerprints: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}: see --help`);
  }
}

function oneOf<T extends string>(
  name: string,
  text: string | undefined,
  choices: readonly T[],
): T | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((one) => one === text);
  if (choice !== undefined) return choice;
  throw new UsageError(
    `--${name} is "${text}": give ${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`,
  );
}
