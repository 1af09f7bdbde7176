/**
 * How deep JSON values nest.
 *
 * @module
 */

/**
 * Whether arrays and objects nest deeper than `most` levels. `JSON.parse` reads any depth, but `JSON.stringify` overflows
 * the stack where it is a few thousand: one such value would be read by one process and break whoever writes it out again.
 * Looks level by level and without recursion, as the value may be deep enough for that too.
 */
export function nestsDeeper(value: unknown, most: number): boolean {
  let level: object[] = typeof value === "object" && value !== null ? [value] : [];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= most) return true;
    const next: object[] = [];
    for (const parent of level) {
      for (const child of Array.isArray(parent) ? parent : Object.values(parent)) {
        if (typeof child === "object" && child !== null) next.push(child);
      }
    }
    level = next;
  }
  return false;
}
