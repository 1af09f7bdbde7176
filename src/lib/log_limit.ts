/**
 * A bound on how much is logged, so that nobody can fill a disk by doing again and again what is logged once.
 *
 * @module
 */
import { type Clock, systemClock } from "./clock.ts";
import { type Logger, type LogLevel, noLog } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** Options of {@linkcode limitLog}. */
export interface LogLimitOptions {
  /** Time; default the runtime's own. */
  readonly clock?: Clock;
  /** Events of one name that are logged within `periodMs`; default 50, of the level `debug` 1000. */
  readonly most?: number;
  /** Milliseconds after which as many may follow; default 10000. */
  readonly periodMs?: number;
  /** Counts what is left out as `toychat_log_events_suppressed_total`; default nowhere. */
  readonly metrics?: Metrics;
}

/** What is left to one name of an event in its period. */
interface Quota {
  since: number;
  left: number;
  suppressed: number;
}

const MOST: Readonly<Record<LogLevel, number>> = { debug: 1000, info: 50, warn: 50, error: 50 };
const PERIOD_MS = 10_000;

/** Loggers that need no bound: those that this module made, and the one that drops everything. */
const bounded = new WeakSet<Logger>([noLog]);

/**
 * Bounds how often a logger is called with one event. What goes beyond is counted, and told at the end of the period by
 * one event of the same level, `log_suppressed {event, count, periodMs}`.
 *
 * The servers bound the logger that they are given; what is bounded already is returned as it is.
 *
 * @example
 * ```ts
 * import { limitLog } from "toychat";
 *
 * const log = limitLog((level, event, fields) => console.error(level, event, fields), { most: 10 });
 * log("warn", "login_failed");
 * ```
 */
export function limitLog(log: Logger, options: LogLimitOptions = {}): Logger {
  if (bounded.has(log)) return log;
  const { clock = systemClock, most, periodMs = PERIOD_MS, metrics } = options;
  const quotas = new Map<string, Quota>();
  const limited: Logger = (level, event, fields) => {
    const now = clock.now();
    let quota = quotas.get(event);
    if (!quota || now - quota.since >= periodMs) {
      quota = { since: now, left: most ?? MOST[level], suppressed: 0 };
      quotas.set(event, quota);
    }
    if (quota.left-- > 0) return log(level, event, fields);
    metrics?.count("toychat_log_events_suppressed_total");
    if (quota.suppressed++ > 0) return;
    const full = quota;
    clock.after(full.since + periodMs - now, () => {
      log(level, "log_suppressed", { event, count: full.suppressed, periodMs });
    });
  };
  bounded.add(limited);
  return limited;
}
