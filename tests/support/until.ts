/**
 * Waiting for a condition.
 *
 * @module
 */

const LOOK_MS = 5;

/**
 * Waits until `check` gives something other than undefined and false, and gives it.
 *
 * @param what What is waited for, for the error; a function is asked when the time is up.
 * @param ms Milliseconds until it rejects; default 20000.
 */
export async function until<T>(
  check: () => T | undefined | false | Promise<T | undefined | false>,
  what: string | (() => string),
  ms = 20_000,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) {
      throw new Error(`not within ${ms} ms: ${typeof what === "string" ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
