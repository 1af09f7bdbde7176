/**
 * Checking limits that a caller gives.
 *
 * @module
 */
import { printable, ToychatError } from "./errors.ts";

const WORDS = { 0: "a number above 0, or 0 for no limit", 1: "a number of at least 1" } as const;
const NO_MOST: ReadonlyMap<string, number> = new Map();

/**
 * Lays given limits over the defaults.
 *
 * @param unbounded Names for which 0 is allowed and means that there is no limit.
 * @param most The greatest values of those that have one.
 * @returns every limit; a field that is given as `undefined` has its default.
 * @throws {ToychatError} `bad_option` where a name is not known or a value is no number that can be a limit.
 */
export function withDefaults<T extends object>(
  defaults: T,
  given: Partial<T> | undefined,
  unbounded: ReadonlySet<string>,
  most: ReadonlyMap<string, number> = NO_MOST,
): T {
  const limits = { ...defaults };
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined) continue;
    if (!Object.hasOwn(defaults, name)) {
      const names = Object.keys(defaults).join(", ");
      throw new ToychatError("bad_option", `limits: there is no "${printable(name, 60)}": use ${names}`);
    }
    const least = unbounded.has(name) ? 0 : 1;
    const greatest = most.get(name) ?? Number.MAX_VALUE;
    if (typeof value !== "number" || !(value >= least && value <= greatest)) {
      const use = most.has(name) ? `a number from ${least} to ${greatest}` : WORDS[least];
      throw new ToychatError("bad_option", `limits: ${name} is ${printable(String(value), 60)}: use ${use}`);
    }
    Object.assign(limits, { [name]: value });
  }
  return limits;
}
