import { expect, test } from "bun:test";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { LogFields } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import { processMetrics, watchLoop } from "./process_metrics.ts";

test("a process that did nothing for a while says so, and counts each delay", () => {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const told: [string, string, LogFields?][] = [];
  watchLoop(metrics, clock, (...line) => void told.push(line));
  clock.advance(500);
  expect(told).toEqual([]);
  clock.freeze(2250);
  clock.advance(0);
  expect(told[0]).toEqual(["warn", "event_loop_stalled", { ms: 2000 }]);
  const delay = metrics.histogram("process_event_loop_delay_seconds");
  expect(delay.counts[0]).toBeGreaterThanOrEqual(2);
  expect(delay.sum).toBeGreaterThanOrEqual(2);
});

test("a process knows its memory, its age and its processor time", () => {
  const clock = new ManualClock();
  const numbers = new Map(processMetrics(clock).list().map(([name, , value]) => [name, value]));
  expect(numbers.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(numbers.get("process_heap_bytes")).toBeGreaterThan(1e5);
  expect(numbers.get("process_cpu_seconds_total")).toBeGreaterThan(0);
  expect(numbers.get("process_start_time_seconds")).toBeLessThanOrEqual(clock.wallTime() / 1000);
});
