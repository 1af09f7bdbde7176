/**
 * Random partitions: who is on which side, for how long, and what becomes of the lists.
 *
 * @module
 */
import type { Random } from "../support/virtual_clock.ts";
import { isChat } from "./schedule.ts";
import type { Split } from "./lists.ts";

/** Milliseconds between the end of one partition and the next one, at least. */
const REST_MS = 3000;

/** A partition that was drawn, and when. */
export interface DrawnSplit {
  readonly at: number;
  /** When the lists are one again. */
  readonly until: number;
  /** The second side; those who start later on it are added. */
  readonly b: string[];
  readonly split: Split;
}

/** One partition, now and then two, of these processes; the first begins at `at`. */
export function drawSplits(random: Random, processes: readonly string[], at: number): DrawnSplit[] {
  const first = drawSplit(random, processes, at);
  if (random.chance(0.75)) return [first];
  return [first, drawSplit(random, processes, first.until + random.pick([0, 500, REST_MS]))];
}

function drawSplit(random: Random, processes: readonly string[], at: number): DrawnSplit {
  const b = drawSide(random, processes);
  const ms = random.pick([300, 2000, 5000, 9000, 15_000]);
  const merge = random.pick([0, 100, 2000]);
  const seals = random.chance(0.3) ? random.pick(["a", "b"] as const) : undefined;
  const broken = random.chance(0.3);
  // Nobody can say that a host is cut off before connections to it have been silent for too long, or were reset.
  const soon = random.pick(broken ? [50, 500, 2500, 6000] : [3100, 4000, 6000]);
  const late = soon + random.pick([0, 50, 1000, 4000]);
  // Others take over from a side that seals later than it has sealed.
  const drops = seals === "b" || (!seals && random.chance(0.5)) ? { a: late, b: soon } : { a: soon, b: late };
  const fields = { b, broken, ...(seals ? { seals } : {}), drops, merge, ms };
  return { at, until: at + ms + merge, b, split: { do: "split", ...fields } };
}

/** Mostly both sides have processes of each role; now and then one has ChatServers alone, or proxies. */
function drawSide(random: Random, processes: readonly string[]): string[] {
  for (;;) {
    const b = processes.filter(() => random.chance(0.5));
    const a = processes.filter((id) => !b.includes(id));
    const whole = [a, b].every((side) => side.some(isChat) && side.some((id) => !isChat(id)));
    if (whole || (a.length > 0 && b.length > 0 && random.chance(0.1))) return b;
  }
}
