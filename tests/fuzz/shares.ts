/**
 * Which batches of which targets a run has, and which of them a job does.
 *
 * @module
 */
import { BATCH } from "./run.ts";

/** Batches of one target. */
export interface Share {
  readonly target: string;
  /** Number of the first batch. */
  readonly first: number;
  readonly batches: number;
}

/** Divides inputs among targets by their weights, in whole batches, and each target's batches among jobs. */
export function shares(
  targets: readonly { readonly name: string; readonly weight: number }[],
  inputs: number,
  first: number,
  jobs: number,
): Share[][] {
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0);
  const all: Share[][] = Array.from({ length: jobs }, () => []);
  for (const { name, weight } of targets) {
    const batches = Math.max(1, Math.round(inputs * weight / weights / BATCH));
    for (let job = 0; job < jobs; job++) {
      const from = Math.floor(batches * job / jobs);
      const to = Math.floor(batches * (job + 1) / jobs);
      if (to > from) all[job]?.push({ target: name, first: first + from, batches: to - from });
    }
  }
  return all;
}
