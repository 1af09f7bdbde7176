/**
 * Reading JSON that comes from outside.
 *
 * @module
 */
import type { Json } from "../lib/body.ts";

/**
 * How deep arrays and objects may nest. `JSON.parse` reads any depth, but `JSON.stringify` overflows the stack where it
 * is a few thousand: one such message would be read by a proxy and break whoever writes it out again.
 */
export const MAX_DEPTH = 256;

/**
 * Parses JSON text of bounded depth.
 *
 * @throws {SyntaxError} where the text is not JSON, or nests deeper than {@linkcode MAX_DEPTH}.
 */
export function parseJson(text: string): Json {
  const value = JSON.parse(text) as Json;
  // Each level takes two characters at least, so short text needs no look.
  if (text.length > 2 * MAX_DEPTH && isTooDeep(value)) {
    throw new SyntaxError(`arrays and objects nest deeper than ${MAX_DEPTH} levels`);
  }
  return value;
}

/** Level by level and without recursion: the value may be deep enough to overflow the stack. */
function isTooDeep(value: Json): boolean {
  let level: Json[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= MAX_DEPTH) return true;
    const next: Json[] = [];
    for (const parent of level) {
      if (typeof parent !== "object" || parent === null) continue;
      for (const child of Array.isArray(parent) ? parent : Object.values(parent)) {
        if (typeof child === "object" && child !== null) next.push(child);
      }
    }
    level = next;
  }
  return false;
}
