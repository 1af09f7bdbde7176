/**
 * Runs inputs against a world, batch by batch, and finds the input that did it where something goes wrong.
 *
 * @module
 */
import process from "node:process";
import { Random } from "../support/virtual_clock.ts";
import { encodeInput, type Input } from "./input.ts";
import type { Attempt, Target } from "./targets.ts";
import { World } from "./world.ts";

/** Clients at a time. */
export const BATCH = 100;
/** Batches between two looks for what is left over. */
const BATCHES_TO_REST = 40;

/** Something went wrong. */
export interface Failure {
  readonly target: string;
  /** The input that does it alone, or all that there were. */
  readonly inputs: readonly Input[];
  readonly problems: readonly string[];
  /** The first batch of those that were run. */
  readonly batch: number;
}

/** A batch's inputs follow from the seed, the target and its number alone. */
export function batchInputs(
  target: Pick<Target, "name" | "make">,
  seed: number,
  batch: number,
  size = BATCH,
): Input[] {
  let hash = seed >>> 0;
  for (const char of `${target.name} ${batch}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  const random = new Random(hash);
  return Array.from({ length: size }, () => target.make(random));
}

async function play(world: World, target: Target, inputs: readonly Input[]): Promise<string[]> {
  const attempts: Attempt[] = [];
  for (const input of inputs) {
    try {
      attempts.push(target.start(world, input));
    } catch (error) {
      world.uncaught(error);
    }
  }
  await world.round();
  for (const attempt of attempts) {
    const problem = attempt.problem();
    if (problem !== undefined) world.complain(problem);
    attempt.end();
  }
  return world.problems();
}

/** Runs inputs in a world of their own, to the end. */
export async function playAlone(target: Target, inputs: readonly Input[]): Promise<string[]> {
  return await watched(async (world) => {
    const problems = await play(world, target, inputs);
    await world.rest();
    return [...problems, ...world.problems()];
  }, target);
}

/** Makes a world that hears of what nobody catches. */
async function watched<T>(work: (world: World) => Promise<T>, target: Target): Promise<T> {
  const world = await World.make(target.secret);
  const hear = (error: unknown): void => world.uncaught(error);
  process.on("uncaughtException", hear);
  process.on("unhandledRejection", hear);
  try {
    return await work(world);
  } finally {
    process.off("uncaughtException", hear);
    process.off("unhandledRejection", hear);
  }
}

/** How a run goes on. */
export interface Progress {
  /** So many more inputs are done. */
  done(inputs: number): void;
  /** Bytes in use, after a collection of garbage. */
  heap(): number;
}

/** Bytes by which the memory in use may differ between two looks at rest: caches that fill, and the engine's own. */
export const MOST_GROWTH = 24 << 20;
/** Looks until caches are full. */
const WARM_LOOKS = 3;

/** Runs batches of a target, from one on; the first failure ends it. */
export async function runTarget(
  target: Target,
  seed: number,
  first: number,
  batches: number,
  progress: Progress,
): Promise<Failure | undefined> {
  const found = await watched(async (world) => {
    let rested = first;
    let looks = 0;
    let warm = 0;
    for (let batch = first; batch < first + batches; batch++) {
      const problems = await play(world, target, batchInputs(target, seed, batch));
      if (problems.length > 0) return { batch, from: batch, problems };
      progress.done(BATCH);
      if ((batch - first) % BATCHES_TO_REST !== BATCHES_TO_REST - 1 && batch !== first + batches - 1) {
        continue;
      }
      await world.rest();
      const heap = progress.heap();
      if (++looks <= WARM_LOOKS) warm = Math.max(warm, heap);
      else if (heap - warm > MOST_GROWTH) {
        world.complain(`${heap} bytes are in use after ${looks} looks, ${warm} were at the start`);
      }
      const left = world.problems();
      if (left.length > 0) return { batch, from: rested, problems: left };
      rested = batch + 1;
    }
    return undefined;
  }, target);
  if (!found) return undefined;
  const suspects: Input[] = [];
  for (let batch = found.from; batch <= found.batch; batch++) {
    suspects.push(...batchInputs(target, seed, batch));
  }
  return await narrow(target, suspects, found.problems, found.from);
}

async function narrow(
  target: Target,
  suspects: readonly Input[],
  problems: readonly string[],
  batch: number,
): Promise<Failure> {
  let inputs = suspects;
  let said = problems;
  // Halves first: one of many inputs is found in a few worlds where it does it alone.
  while (inputs.length > 1) {
    const middle = inputs.length >> 1;
    const halves = [inputs.slice(0, middle), inputs.slice(middle)];
    let guilty: readonly Input[] | undefined;
    for (const half of halves) {
      const found = await playAlone(target, half);
      if (found.length === 0) continue;
      guilty = half;
      said = found;
      break;
    }
    if (!guilty) break;
    inputs = guilty;
  }
  return { target: target.name, inputs, problems: said, batch };
}

/** How to run a failure's input again. */
export function replayCommand({ target, inputs, batch }: Failure, seed: number): string {
  const [only] = inputs;
  if (only && inputs.length === 1) {
    return `npm run fuzz -- --target ${target} --replay '${encodeInput(only)}'`;
  }
  return `npm run fuzz -- --target ${target} --seed ${seed} --batch ${batch} --inputs ${inputs.length}`;
}
