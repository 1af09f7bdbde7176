/**
 * One job of a run: reads its shares from its first argument and reports on stdout, one JSON object a line.
 *
 * @module
 */
import process from "node:process";
import { encodeInput, hexOf } from "./input.ts";
import { REAL_TARGETS, runReal } from "./real_targets.ts";
import { type Failure, type Progress, replayCommand, runTarget } from "./run.ts";
import type { Share } from "./shares.ts";
import { TARGETS } from "./targets.ts";

/** What a job is told. */
export interface Work {
  readonly seed: number;
  readonly shares: readonly Share[];
}

/** What a job says. */
export type Report =
  | { readonly kind: "done"; readonly inputs: number }
  | { readonly kind: "heap"; readonly bytes: number }
  | { readonly kind: "failure"; readonly text: string };

/** How a failure is told: what went wrong, the input, and the command that does it again. */
export function failureText(failure: Failure, seed: number): string {
  const { target, inputs, problems } = failure;
  const [only] = inputs;
  const lines = [
    `${target}: ${problems.length} problems with ${inputs.length} input${inputs.length === 1 ? "" : "s"}`,
    ...problems.slice(0, 5).map((problem) => `  ${problem.slice(0, 1500)}`),
  ];
  if (only && inputs.length === 1) lines.push(`input: ${encodeInput(only)}`, `hex:   ${hexOf(only)}`);
  return [...lines, `again: ${replayCommand(failure, seed)}`].join("\n");
}

function tell(report: Report): void {
  process.stdout.write(JSON.stringify(report) + "\n");
}

interface Collectors {
  Bun?: { gc(synchronous: boolean): void };
  gc?: () => void;
}

/** Bytes in use after a collection of garbage, where the runtime can be asked for one. */
export function heapInUse(): number {
  const { Bun, gc } = globalThis as Collectors;
  if (Bun) Bun.gc(true);
  else gc?.();
  return process.memoryUsage().heapUsed;
}

/** Runs a target of either kind. */
async function runShare(
  name: string,
  how: [seed: number, first: number, batches: number, progress: Progress],
): Promise<Failure | undefined> {
  const target = TARGETS.find((candidate) => candidate.name === name);
  if (target) return await runTarget(target, ...how);
  const real = REAL_TARGETS.find((candidate) => candidate.name === name);
  if (real) return await runReal(real, ...how);
  throw new Error(`there is no target ${name}`);
}

async function work({ seed, shares }: Work): Promise<void> {
  let most = 0;
  for (const { target: name, first, batches } of shares) {
    const progress: Progress = {
      done: (inputs) => tell({ kind: "done", inputs }),
      heap() {
        const bytes = heapInUse();
        most = Math.max(most, bytes);
        return bytes;
      },
    };
    const failure = await runShare(name, [seed, first, batches, progress]);
    if (failure) tell({ kind: "failure", text: failureText(failure, seed) });
  }
  tell({ kind: "heap", bytes: most });
}

if (process.argv[2] === "--work") await work(JSON.parse(process.argv[3] ?? "") as Work);
