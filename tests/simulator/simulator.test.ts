/**
 * Whole clusters in virtual time under random schedules: servers join, drain, die, are cut off and lose their leases
 * while users talk, and nothing that was promised breaks. A failure names its seed and prints what happened;
 * `TOYCHAT_SEEDS=1000-2000` runs these instead of the usual ones.
 *
 * @module
 */
import { expect, test } from "bun:test";
import process from "node:process";
import { type Kind, Model } from "./model.ts";

const STORIES: Record<Kind, string> = {
  planned: "moves by plan lose nothing, not even what is not acknowledged",
  kill: "the death of ChatServers loses nothing that was acknowledged, and says what else it may have lost",
  lag: "views that lag by seconds break no order, duplicate nothing and lose nothing unsaid",
  cut:
    "links that are cut, for a moment or for long, break no order, duplicate nothing and lose nothing unsaid",
  expel:
    "servers that lose their lease and come back break no order, duplicate nothing and lose nothing unsaid",
  mixed: "everything at once breaks no order, duplicates nothing and loses nothing unsaid",
};

/** Seeds that found a fault once, beside the usual ones. */
const ONCE: Record<Kind, readonly number[]> = {
  planned: [101, 127, 152, 186, 299, 319, 372, 455],
  kill: [180, 205, 241],
  lag: [490],
  cut: [107, 120],
  expel: [159, 210, 257, 914],
  mixed: [217, 340, 475, 589, 1206],
};

const USUAL = 80;

function seeds(kind: Kind): number[] {
  const [from, to] = (process.env.TOYCHAT_SEEDS ?? `1-${USUAL}`).split("-").map(Number) as [number, number];
  const range = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return process.env.TOYCHAT_SEEDS ? range : [...range, ...ONCE[kind]];
}

async function run(kind: Kind, seed: number): Promise<void> {
  const model = new Model(seed, kind);
  try {
    await model.run();
  } catch (error) {
    const why = error instanceof Error ? error.stack : String(error);
    throw new Error(`seed ${seed} of "${kind}": ${why}\n${model.cluster.log.join("\n")}`);
  }
}

for (const kind of Object.keys(STORIES) as Kind[]) {
  test(STORIES[kind], async () => {
    for (const seed of seeds(kind)) await run(kind, seed);
  }, 60_000);
}

test("a seed runs the same every time", async () => {
  const logs: string[] = [];
  for (let i = 0; i < 2; i++) {
    const model = new Model(7, "mixed");
    await model.run();
    logs.push(model.cluster.log.join("\n"));
  }
  expect(logs[0]).toBe(logs[1] as string);
});
