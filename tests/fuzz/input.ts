/**
 * One hostile input: what one client sends, chunk by chunk, and its form on a command line.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** Bytes, or a text message of a WebSocket. */
export type Chunk = Uint8Array | string;

/** What one client sends. */
export interface Input {
  /** How the target takes it, such as the path or the version; `[a-z0-9-]*`. */
  readonly variant: string;
  /** What is sent, in order. Texts are well-formed. */
  readonly chunks: readonly Chunk[];
}

/** An input as one word: `variant:bAAEC.teyJ9`, chunks in base64url after `b` (bytes) or `t` (text). */
export function encodeInput({ variant, chunks }: Input): string {
  const words = chunks.map((chunk) =>
    (typeof chunk === "string" ? "t" : "b") + Buffer.from(chunk as string).toString("base64url")
  );
  return `${variant}:${words.join(".")}`;
}

/** Reads what {@linkcode encodeInput} wrote. */
export function decodeInput(text: string): Input {
  const colon = text.indexOf(":");
  if (colon < 0) throw new Error("an input is VARIANT:CHUNKS, as a failing run prints it");
  const chunks = text.slice(colon + 1).split(".").filter((word) => word !== "").map((word) => {
    const bytes = Buffer.from(word.slice(1), "base64url");
    return word[0] === "t" ? bytes.toString("utf8") : new Uint8Array(bytes);
  });
  return { variant: text.slice(0, colon), chunks };
}

/** The bytes of all chunks in hexadecimal, cut where they are many: for people. */
export function hexOf({ chunks }: Input, most = 400): string {
  const bytes = Buffer.concat(chunks.map((chunk) => Buffer.from(chunk as string)));
  const hex = bytes.subarray(0, most).toString("hex");
  return bytes.length > most ? `${hex}… (${bytes.length} bytes)` : hex;
}
