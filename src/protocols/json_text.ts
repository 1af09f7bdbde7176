/**
 * Reading JSON that comes from outside.
 *
 * @module
 */
import type { Json } from "../lib/body.ts";
import { nestsDeeper } from "../lib/json_depth.ts";

/** How deep arrays and objects may nest in what a client sends; see {@linkcode nestsDeeper}. */
export const MAX_DEPTH = 256;

/**
 * Parses JSON text of bounded depth.
 *
 * @throws {SyntaxError} where the text is not JSON, or nests deeper than {@linkcode MAX_DEPTH}.
 */
export function parseJson(text: string): Json {
  const value = JSON.parse(text) as Json;
  // Each level takes two characters at least, so short text needs no look.
  if (text.length > 2 * MAX_DEPTH && nestsDeeper(value, MAX_DEPTH)) {
    throw new SyntaxError(`arrays and objects nest deeper than ${MAX_DEPTH} levels`);
  }
  return value;
}
