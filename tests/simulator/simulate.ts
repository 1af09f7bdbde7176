/**
 * `npm run simulate`: whole clusters by random schedules, as many as you like.
 *
 * @module
 */
import process from "node:process";
import { figuresText } from "./figures.ts";
import { kindOf } from "./generate.ts";
import { runSeed } from "./run_seed.ts";
import { scheduleText, shrink } from "./shrink.ts";
import { HELP, readOptions, type SimulateOptions, UsageError } from "./simulate_options.ts";
import { fingerprint, trace } from "./trace.ts";
import { runMany, type Sums } from "./workers.ts";

/** Failing seeds whose failures are printed. */
const SHOWN = 5;
/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 2000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: SimulateOptions | undefined;
  try {
    options = readOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  if (!options) {
    process.stdout.write(HELP);
    return 0;
  }
  if (options.fingerprints) return await fingerprints(options);
  if (options.seed !== undefined) return await one(options, options.seed);
  return await many(options);
}

async function fingerprints({ from, seeds, kind }: SimulateOptions): Promise<number> {
  let failed = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const { model, failure } = await runSeed(seed, kind);
    if (failure !== undefined) failed++;
    process.stdout.write(`${seed} ${fingerprint(model)}\n`);
  }
  return failed > 0 ? 1 : 0;
}

async function one(options: SimulateOptions, seed: number): Promise<number> {
  const { model, failure, figures } = await runSeed(seed, options.kind);
  if (options.trace || failure !== undefined) process.stderr.write(`${trace(model)}\n`);
  if (failure !== undefined) await explain(options, seed, failure);
  const result = failure === undefined ? "passed" : "failed";
  process.stdout.write(`seed ${seed} ${result}, ${fingerprint(model)}: ${figuresText(figures)}\n`);
  return failure === undefined ? 0 : 1;
}

/** What was wrong, how to see it again, and the least schedule that shows it. */
async function explain(options: SimulateOptions, seed: number, failure: string): Promise<void> {
  process.stderr.write(`\n${failure}\n\n${replay(options, seed)}\n`);
  if (!options.shrink) return;
  const { model } = await runSeed(seed, options.kind);
  const shrunk = await shrink(model.schedule, failure);
  const { model: least } = await runSeed(shrunk.schedule);
  process.stderr.write(
    `\nafter ${shrunk.tries} tries, the least schedule that fails so (keep it in tests/simulator/found.ts):\n\n` +
      `${scheduleText(shrunk.schedule)}\n\n${trace(least)}\n\n${shrunk.failure}\n`,
  );
}

function replay({ kind }: SimulateOptions, seed: number): string {
  return `again: npm run simulate -- --seed ${seed}${kind === undefined ? "" : ` --kind ${kind}`} --trace`;
}

async function many(options: SimulateOptions): Promise<number> {
  const began = performance.now();
  let said = began;
  const progress = ({ done, failed }: Sums): void => {
    if (performance.now() - said < PROGRESS_MS) return;
    said = performance.now();
    const rate = (done / (said - began) * 1000).toFixed(0);
    process.stderr.write(`${done} of ${options.seeds} seeds, ${failed.length} failed, ${rate} a second\n`);
  };
  const { failed, figures } = await runMany(options, progress);
  for (const { seed, failure } of failed.slice(0, SHOWN)) {
    const kind = options.kind ?? kindOf(seed);
    process.stderr.write(`\nseed ${seed} (${kind}) failed:\n${failure}\n${replay(options, seed)}\n`);
  }
  const [first] = failed;
  if (first) await show(options, first.seed);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const which = failed.length > 0 ? ` (${failed.slice(0, 20).map(({ seed }) => seed).join(" ")})` : "";
  process.stdout.write(
    `${options.seeds - failed.length} seeds passed, ${failed.length} failed${which}, in ${seconds} s: ` +
      `${figuresText(figures)}\n`,
  );
  return failed.length > 0 ? 1 : 0;
}

async function show(options: SimulateOptions, seed: number): Promise<void> {
  const { model, failure } = await runSeed(seed, options.kind);
  if (failure === undefined) return;
  process.stderr.write(`\n${trace(model)}\n`);
  await explain(options, seed, failure);
}
