/**
 * The simulator is run on cores that were broken on purpose: it must catch each of them, and nothing where nothing is
 * broken.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { hunt, source } from "./copy.ts";
import { OWNER_SWITCHES } from "./owner_switches.ts";
import { ROUTER_SWITCHES } from "./router_switches.ts";
import type { Finding } from "./runner.ts";
import { SCHEDULES, type Schedules } from "./schedules.ts";
import { applyEdit, SEEDS, type Switch } from "./switches.ts";

const SWITCHES: readonly Switch[] = [...ROUTER_SWITCHES, ...OWNER_SWITCHES];
/** Milliseconds for a hunt, and for the one before it. */
const HUNT_MS = 170_000;
/** Seeds that a core which nobody broke must pass here; the simulator's own tests run more of them. */
const SOUND_SEEDS = 30;

const hunts = new Map<Switch, Promise<Finding>>();

/** What becomes of a broken core. The next one is on its way meanwhile: two run at a time. */
function hunted(index: number): Promise<Finding> {
  for (const one of SWITCHES.slice(index, index + 2)) {
    if (hunts.has(one)) continue;
    const finding = hunt(one, SEEDS, one.schedules);
    finding.catch(() => {});
    hunts.set(one, finding);
  }
  return hunts.get(SWITCHES[index] as Switch) as Promise<Finding>;
}

describe("each switch still finds what it takes out:", () => {
  for (const { name, edits } of SWITCHES) {
    test(name, async () => {
      for (const edit of edits) applyEdit(await source(edit.file), edit);
    });
  }
});

test("a switch whose text is not there, or there twice, is said to need mending", () => {
  const edit = { file: "a.ts", find: "b", replace: "$&" };
  expect(applyEdit("abc", edit)).toBe("a$&c");
  expect(() => applyEdit("ac", edit)).toThrow("a.ts has this 0 times, not once: mend the switch.\n  b");
  expect(() => applyEdit("abcb", edit)).toThrow("a.ts has this 2 times");
});

describe("a core that nobody broke passes", () => {
  for (const schedules of [undefined, ...Object.keys(SCHEDULES) as Schedules[]]) {
    test(schedules === undefined ? "the usual schedules" : `the schedules "${schedules}"`, async () => {
      expect(await hunt(undefined, SOUND_SEEDS, schedules)).toEqual({ seed: SOUND_SEEDS });
    }, HUNT_MS);
  }
});

describe(`a core is caught within ${SEEDS} seeds where`, () => {
  for (const [index, { breaks }] of SWITCHES.entries()) {
    test(breaks, async () => {
      const { seed, faults } = await hunted(index);
      expect(faults?.[0] ?? `all ${seed} seeds passed`).not.toMatch(/ passed$|^thrown:/);
    }, HUNT_MS);
  }
});
