/**
 * Between an MQTT payload and the body of a message.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import { parseJson } from "./json_text.ts";

/**
 * What payloads are to the application:
 * - `"text"`: valid UTF-8 is a string, anything else bytes, both byte-exact.
 * - `"json"`: JSON text; a payload that is not JSON is refused.
 * - `"bytes"`: always bytes.
 *
 * Outward, bytes are sent as they are; a string is its UTF-8 (with `"json"`: its JSON text), and any other value its
 * JSON text.
 */
export type PayloadMode = "text" | "json" | "bytes";

const encoder = new TextEncoder();
const scratch = new Uint8Array(1 << 16);
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The body that a payload carries; `undefined` where it is not of the mode's form. Bytes are copied.
 *
 * @param payload Bytes, or text that is known to be ASCII.
 */
export function decodePayload(payload: Uint8Array | string, mode: PayloadMode): Body | undefined {
  if (mode === "bytes") {
    return typeof payload === "string" ? encoder.encode(payload) : new Uint8Array(payload);
  }
  if (mode === "text" && typeof payload === "string") return payload;
  try {
    const text = typeof payload === "string" ? payload : decoder.decode(payload);
    return mode === "text" ? text : parseJson(text);
  } catch {
    return mode === "text" ? new Uint8Array(payload as Uint8Array) : undefined;
  }
}

/** The payload of a body: bytes, or text that is to be sent in UTF-8. */
export function payloadOf(body: Body, mode: PayloadMode): string | Uint8Array {
  if (typeof body === "string" && mode !== "json") return body;
  return body instanceof Uint8Array ? body : JSON.stringify(body);
}

/** The payload of a body in bytes, to be copied at once: the next call may write over it. */
export function encodePayload(body: Body, mode: PayloadMode): Uint8Array {
  const payload = payloadOf(body, mode);
  return typeof payload === "string" ? encodeText(payload) : payload;
}

/** V8 takes most of a microsecond to allocate an array: what is copied anyway is written to the same one each time. */
function encodeText(text: string): Uint8Array {
  if (text.length * 3 > scratch.length) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}
