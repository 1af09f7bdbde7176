/**
 * Time and chance, as the core gets them. Everything that needs either takes a {@linkcode Clock}, so that a whole
 * cluster can run in virtual time from a seed. This is the only file that may read the runtime's own.
 *
 * @module
 */

/** Undoes a timer; calling it late or twice does nothing. */
export type Cancel = () => void;

/** A source of time and chance. */
export interface Clock {
  /** Milliseconds on a monotonic clock; only differences mean anything. */
  now(): number;
  /** Milliseconds since 1970, for logs and for what names a date: the expiry of tokens. */
  wallTime(): number;
  /** Calls `fn` once after `ms` milliseconds. */
  after(ms: number, fn: () => void): Cancel;
  /** Calls `fn` every `ms` milliseconds until cancelled. */
  every(ms: number, fn: () => void): Cancel;
  /**
   * Calls `fn` at the end of this turn of the event loop, after the input that is already there has been read. This is
   * what coalesces writes under load.
   */
  defer(fn: () => void): void;
  /** A number from 0 inclusive to 1 exclusive; not for secrets. */
  random(): number;
  /** Random bytes fit for nonces and identifiers. */
  randomBytes(length: number): Uint8Array;
}

interface Host {
  setImmediate?: (fn: () => void) => unknown;
}

/** Resolves after `ms` milliseconds of the clock's time. */
export function delay(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}

/** A random identifier of `length` characters (default 8) from `[a-z0-9]`. */
export function randomId(clock: Clock, length = 8): string {
  let id = "";
  for (const byte of clock.randomBytes(length)) id += (byte % 36).toString(36);
  return id;
}

/** The runtime's own time and chance. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
  every(ms, fn) {
    const timer = setInterval(fn, ms);
    return () => clearInterval(timer);
  },
  // Edge runtimes without setImmediate get the nearest macrotask that they have.
  defer: (globalThis as Host).setImmediate ?? ((fn) => setTimeout(fn, 0)),
  random: () => Math.random(),
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
