/**
 * Checking limits that a caller gives.
 *
 * @module
 */
import { printable, ToychatError } from "./errors.ts";

/**
 * Lays given limits over the defaults.
 *
 * @param unbounded Names for which 0 is allowed and means that there is no limit.
 * @returns every limit; a field that is given as `undefined` has its default.
 * @throws {ToychatError} `bad_option` where a name is not known or a value is no number that can be a limit.
 */
export function withDefaults<T extends object>(
  defaults: T,
  given: Partial<T> | undefined,
  unbounded: ReadonlySet<string>,
): T {
  const limits = { ...defaults };
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined) continue;
    if (!Object.hasOwn(defaults, name)) {
      const names = Object.keys(defaults).join(", ");
      throw new ToychatError("bad_option", `limits: there is no "${printable(name, 60)}": use ${names}`);
    }
    const least = unbounded.has(name) ? 0 : 1;
    if (typeof value !== "number" || !Number.isFinite(value) || value < least) {
      const most = least === 0 ? "a number above 0, or 0 for no limit" : "a number of at least 1";
      throw new ToychatError("bad_option", `limits: ${name} is ${printable(String(value), 60)}: use ${most}`);
    }
    Object.assign(limits, { [name]: value });
  }
  return limits;
}
