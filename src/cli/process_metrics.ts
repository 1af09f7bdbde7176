/**
 * What a process says of itself: memory, processor time, and how late its event loop is.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import process from "node:process";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";

/** How often the event loop's delay is measured. */
const TICK_MS = 250;
/** A delay so long is worth a word: at twice as much leases are lost. */
const STALL_MS = 1000;

/** What is read when it is asked for. */
export function processMetrics(clock: Clock): Metrics {
  const metrics = new Metrics();
  metrics.counter("toychat_log_events_suppressed_total");
  const start = clock.wallTime() / 1000 - process.uptime();
  metrics.gauge("process_start_time_seconds", () => start);
  metrics.gauge("process_resident_memory_bytes", () => process.memoryUsage().rss);
  metrics.gauge("process_heap_bytes", () => process.memoryUsage().heapUsed);
  metrics.gauge("process_cpu_seconds_total", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  if (openFiles() !== undefined) metrics.gauge("process_open_fds", () => openFiles() ?? 0);
  return metrics;
}

/** Open files and sockets; undefined where the system does not tell. */
function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}

/** A timer that fires late shows that the process was busy, or frozen. The same on every runtime, and cheap. */
export function watchLoop(metrics: Metrics, clock: Clock, log: Logger): void {
  const delay = metrics.histogram("process_event_loop_delay_seconds");
  let due = clock.now() + TICK_MS;
  clock.every(TICK_MS, () => {
    const now = clock.now();
    delay.observe((now - due) / 1000);
    if (now - due >= STALL_MS) log("warn", "event_loop_stalled", { ms: Math.round(now - due) });
    due = now + TICK_MS;
  });
}
