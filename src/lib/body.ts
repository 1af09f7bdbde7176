/**
 * What a message carries: a JSON value or bytes, and its two forms in JSON.
 *
 * @module
 */

/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The body of a message: a JSON value, or bytes. */
export type Body = Json | Uint8Array;

/** A body as it travels in JSON: bytes are a base64 string beside `encoding: "base64"`. */
export interface EncodedBody {
  /** The JSON value, or base64 text. */
  body: Json;
  /** Present where `body` is bytes in base64. */
  encoding?: "base64";
}

const CHUNK = 0x8000;

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

const NOT_BASE64 = /[^A-Za-z0-9+/=]/;

/** Whether text is base64 as RFC 4648, section 4, has it: padded to a multiple of four, without white space. */
export function isBase64(text: string): boolean {
  const { length } = text;
  if (length % 4 !== 0 || NOT_BASE64.test(text)) return false;
  const padding = text.indexOf("=");
  return padding < 0 || padding === length - 1 || (padding === length - 2 && text.endsWith("=="));
}

/**
 * Sees to it that there is a body, which types demand: JSON would leave out what it has no form for without a word.
 *
 * @throws {TypeError}
 */
export function requireBody(body: unknown): void {
  const kind = typeof body;
  if (kind === "undefined") throw new TypeError("the message has no body: send null for nothing");
  const own = kind === "object" && typeof (body as { toJSON?: unknown } | null)?.toJSON === "function";
  const none = kind === "function" || kind === "symbol" || kind === "bigint";
  if (none || (own && JSON.stringify(body) === undefined)) {
    throw new TypeError(
      `the body of the message is a ${kind} that JSON has no form for: send a JSON value or bytes`,
    );
  }
}

/**
 * Puts a body into its JSON form.
 *
 * @throws {TypeError} where there is none.
 */
export function encodeBody(body: Body): EncodedBody {
  requireBody(body);
  return body instanceof Uint8Array ? { body: toBase64(body), encoding: "base64" } : { body };
}

/**
 * Reads a body from its JSON form.
 *
 * @throws {TypeError} where `encoding` is neither absent nor `"base64"`, or the text is not base64.
 */
export function decodeBody(encoded: { body?: unknown; encoding?: unknown }): Body {
  if (encoded.encoding === undefined) {
    if (encoded.body === undefined) throw new TypeError("the message has no body");
    return encoded.body as Json;
  }
  if (encoded.encoding !== "base64" || typeof encoded.body !== "string") {
    throw new TypeError('encoding must be "base64", with the body as a base64 string');
  }
  try {
    return fromBase64(encoded.body);
  } catch {
    throw new TypeError("the body is not valid base64");
  }
}
