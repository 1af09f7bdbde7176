/**
 * Errors that toychat throws or reports.
 *
 * @module
 */

/**
 * An error with a stable code. The message says what was wrong, with the value, and what to do instead.
 *
 * @example
 * ```ts
 * import { ToychatError } from "toychat";
 *
 * const error = new ToychatError("address_in_use", "port 8080 is taken: choose another one, or 0 for any");
 * console.assert(error.code === "address_in_use");
 * ```
 */
export class ToychatError extends Error {
  /** `"ToychatError"`. */
  override readonly name = "ToychatError";
  /** What went wrong, for programs: lower case with underscores, stable across versions. */
  readonly code: string;

  /** Makes an error with a code, a message for people, and the error that caused it where there is one. */
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Makes text from outside safe to print: control characters, line breaks and lone surrogates become escapes, and what
 * is longer than `limit` characters is cut.
 */
export function printable(text: string, limit = 120): string {
  const cut = text.length > limit ? text.slice(0, limit) + "…" : text;
  return unprintable(JSON.stringify(cut).slice(1, -1));
}

/** DEL and the C1 controls, the separators of lines and paragraphs, the marks of direction, and the byte order mark. */
const UNPRINTABLE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Escapes in JSON text what JSON lets stand and a terminal or a viewer of logs may act on. */
export function unprintable(json: string): string {
  return json.replace(UNPRINTABLE, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}
