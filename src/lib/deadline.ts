/**
 * A bound on the time that work of others may take.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import { ToychatError } from "./errors.ts";

/**
 * Settles as a promise does, or rejects with `timeout` after `ms` milliseconds; what the promise does then is passed over.
 *
 * @param what The work, as a sentence names it: `"authenticate"`.
 */
export function within<T>(clock: Clock, ms: number, what: string, work: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(
      ms,
      () => reject(new ToychatError("timeout", `${what} did not settle in ${ms} ms`)),
    );
    work.then((value) => {
      cancel();
      resolve(value);
    }, (error) => {
      cancel();
      reject(error);
    });
  });
}

/** Whether a value is a promise, of whichever kind. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
