import { beforeEach, expect, test } from "bun:test";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { type Logger, noLog } from "./log.ts";
import { limitLog } from "./log_limit.ts";
import { Metrics } from "./metrics.ts";

let clock: ManualClock;
let lines: unknown[][];
const log: Logger = (...line) => void lines.push(line);
beforeEach(() => {
  clock = new ManualClock();
  lines = [];
});

test("an event that comes again and again is logged so often, then counted, and the count is told", () => {
  const metrics = new Metrics();
  const limited = limitLog(log, { clock, metrics, most: 2, periodMs: 1000 });
  for (let n = 1; n <= 5; n++) limited("warn", "refused", { n });
  expect(lines).toEqual([["warn", "refused", { n: 1 }], ["warn", "refused", { n: 2 }]]);
  expect(metrics.get("toychat_log_events_suppressed_total")).toBe(3);
  clock.advance(1000);
  expect(lines.slice(2)).toEqual([["warn", "log_suppressed", {
    event: "refused",
    count: 3,
    periodMs: 1000,
  }]]);
  limited("warn", "refused", { n: 6 });
  expect(lines.at(-1)).toEqual(["warn", "refused", { n: 6 }]);
});

test("other events are not held to it, and periods without a flood are not told of", () => {
  const limited = limitLog(log, { clock, most: 1, periodMs: 1000 });
  limited("info", "a");
  limited("info", "b");
  clock.advance(1000);
  limited("info", "a");
  expect(lines.map(([, event]) => event)).toEqual(["a", "b", "a"]);
  expect(clock.pending).toBe(0);
});

test("what is bounded already, or goes nowhere, is left as it is", () => {
  const limited = limitLog(log, { clock });
  expect(limitLog(limited)).toBe(limited);
  expect(limitLog(noLog)).toBe(noLog);
});
