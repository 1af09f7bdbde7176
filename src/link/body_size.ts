/**
 * How long a message may be on a link.
 *
 * @module
 */
import { type Body, encodeBody, type EncodedBody } from "../lib/body.ts";
import { ToychatError } from "../lib/errors.ts";

/**
 * Most bytes that a body may take on a link, as JSON text in UTF-8: half of a line, and of what may be unconfirmed. The
 * rest is for the list of those it goes to, and for what is on its way already.
 */
export const MAX_BODY_BYTES: number = 4 << 20;

/** Most bytes of a character in JSON, such as `\u0000`. */
const ESCAPED_BYTES = 6;
/** Most bytes of a number, and of what stands around any value. */
const NUMBER_BYTES = 26;
/** Deeper values are measured, which finds those that have no end. */
const MOST_ROUGH_DEPTH = 64;

/** Bytes that are left of `budget` behind a value, at least; negative where it has to be measured. */
function leftOf(value: unknown, budget: number, depth: number): number {
  if (typeof value === "string") return budget - value.length * ESCAPED_BYTES - 3;
  if (typeof value !== "object" || value === null) return budget - NUMBER_BYTES;
  if (depth === MOST_ROUGH_DEPTH || ArrayBuffer.isView(value) || "toJSON" in value) return -1;
  let left = budget - 2;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= 0; i++) left = leftOf(value[i], left - 1, depth + 1);
    return left;
  }
  for (const key of Object.keys(value)) {
    left = leftOf((value as Record<string, unknown>)[key], left - key.length * ESCAPED_BYTES - 4, depth + 1);
    if (left < 0) break;
  }
  return left;
}

/** Bytes that a body takes on a link; 0 where they are few enough anyway, which is found without writing it out. */
function bodyBytes(body: Body): number {
  const left = body instanceof Uint8Array
    ? MAX_BODY_BYTES - body.length * 4 / 3 - 8
    : leftOf(body, MAX_BODY_BYTES, 0);
  if (left >= 0) return 0;
  return new TextEncoder().encode(JSON.stringify(encodeBody(body).body)).length;
}

/** Whether links carry a body. */
export function isCarried(body: Body): boolean {
  return bodyBytes(body) <= MAX_BODY_BYTES;
}

/** Puts what an application sends into its JSON form. Throws as {@linkcode checkCarried} does. */
export function encodeCarried(body: Body): EncodedBody {
  checkCarried(body);
  return encodeBody(body);
}

/**
 * Checks what an application sends.
 *
 * @throws {ToychatError} `too_large` where it is longer than links carry.
 */
export function checkCarried(body: Body): void {
  const bytes = bodyBytes(body);
  if (bytes <= MAX_BODY_BYTES) return;
  throw new ToychatError(
    "too_large",
    `the message takes ${bytes} bytes as JSON: send at most ${MAX_BODY_BYTES} at a time`,
  );
}
