/**
 * How large the body of a message is: as it counts against limits, and as it is written.
 *
 * @module
 */
import type { Body, EncodedBody } from "./body.ts";

/** The most that `maxMessageBytes` may be set to, so that a message of that size can travel whatever is in it. */
export const MAX_MESSAGE_BYTES: number = 1 << 20;

/** The same as an option's greatest value. */
export const MESSAGE_MOST: ReadonlyMap<string, number> = new Map([["maxMessageBytes", MAX_MESSAGE_BYTES]]);

/**
 * The most bytes that one UTF-16 code unit of JSON may lead to when its value is written again: `1e20` becomes 21 digits, and
 * a character has up to three bytes.
 */
export const JSON_GROWTH = 6;

/** The most bytes that a body's JSON may take: a string of the largest size, every character of it as `\u0001`, in quotes. */
export const MAX_JSON_BYTES: number = 6 * MAX_MESSAGE_BYTES + 2;

const encoder = new TextEncoder();

/** Length of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/** Bytes that count against `maxMessageBytes`: a string's UTF-8, bytes as they are, of any other value its JSON. */
export function bodyBytes(body: Body): number {
  if (body instanceof Uint8Array) return body.length;
  return utf8Bytes(typeof body === "string" ? body : JSON.stringify(body));
}

/** The same of a body in its JSON form. */
export function encodedBodyBytes({ body, encoding }: EncodedBody): number {
  if (encoding === undefined || typeof body !== "string") return bodyBytes(body);
  const padding = body.endsWith("==") ? 2 : body.endsWith("=") ? 1 : 0;
  return body.length / 4 * 3 - padding;
}

/** Bytes that a value takes as JSON. */
export function jsonBytes(value: unknown): number {
  return utf8Bytes(JSON.stringify(value));
}

/**
 * Says that a body is too long to be sent, where it is.
 *
 * @param text JSON that holds it, whose length spares most bodies the counting.
 * @throws {RangeError}
 */
export function checkJsonBytes(text: string, body: unknown): void {
  if (text.length * 3 <= MAX_JSON_BYTES) return;
  const bytes = jsonBytes(body);
  if (bytes <= MAX_JSON_BYTES) return;
  throw new RangeError(`the body of a message takes ${bytes} bytes of JSON: send at most ${MAX_JSON_BYTES}`);
}
