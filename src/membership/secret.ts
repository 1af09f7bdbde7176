/**
 * Keys that everyone who knows the cluster's secret derives alike.
 *
 * @module
 */
import { blake2b } from "@noble/hashes/blake2.js";
import { ToychatError } from "../lib/errors.ts";

const encoder = new TextEncoder();

/**
 * A 32-byte key for one purpose: BLAKE2b-256 of the label, keyed with the BLAKE2b-256 of the secret's UTF-8.
 *
 * @throws {ToychatError} `invalid_secret` where the secret is empty.
 */
export function deriveKey(secret: string, label: string): Uint8Array {
  if (secret === "") {
    throw new ToychatError(
      "invalid_secret",
      "the cluster secret is empty: give at least one character, or none at all",
    );
  }
  const key = blake2b(encoder.encode(secret), { dkLen: 32 });
  return blake2b(encoder.encode(label), { key, dkLen: 32 });
}

/** Keyed BLAKE2b-256 of several texts, each ended by a zero byte, so that no two lists of texts are the same bytes. */
export function authenticate(key: Uint8Array, texts: readonly string[]): Uint8Array {
  return blake2b(encoder.encode(texts.map((text) => text + "\0").join("")), { key, dkLen: 32 });
}

/** Whether two byte arrays are equal, in a time that does not depend on where they differ. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
