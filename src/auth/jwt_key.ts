/**
 * Keys that tokens are checked with: one algorithm each, so that a token cannot have a key used in another way than it was
 * made for.
 *
 * @module
 */
import { type CryptoKey as JoseKey, importJWK, importSPKI, importX509, type JWK } from "jose";
import { ToychatError } from "../lib/errors.ts";

/** Signatures that can be checked (RFC 7518, RFC 8037, RFC 9864). */
export type JwtAlgorithm =
  | "HS256"
  | "HS384"
  | "HS512"
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA"
  | "Ed25519";

/**
 * A key. For the `HS` family the shared secret, as text or bytes, of at least as many bytes as the hash has (32, 48, 64).
 * For the others the public key: PEM (`PUBLIC KEY` or `CERTIFICATE`), a JWK, or a `CryptoKey`.
 */
export type JwtKey = string | Uint8Array | CryptoKey | Readonly<Record<string, unknown>>;

/** Every algorithm. */
export const KNOWN_ALGORITHMS: readonly string[] = [
  ...["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** Whether who checks could also sign. */
export function isShared(algorithm: JwtAlgorithm): boolean {
  return algorithm.startsWith("HS");
}

/** Throws `bad_option` where a key does not fit its algorithm. */
export function checkKey(key: JwtKey, algorithm: JwtAlgorithm): void {
  if (isShared(algorithm)) return checkSecret(key, algorithm);
  if (key instanceof Uint8Array) {
    throw badKey(`the key for ${algorithm} is bytes: give the public key as PEM, JWK or CryptoKey`);
  }
  if (typeof key === "string" && !/^\s*-----BEGIN (PUBLIC KEY|CERTIFICATE)-----/.test(key)) {
    throw badKey(`the key for ${algorithm} is no public key in PEM: it begins -----BEGIN PUBLIC KEY-----`);
  }
  if (typeof key === "object" && ("d" in key || "k" in key || key.type === "private")) {
    throw badKey(`the key for ${algorithm} is a private one: give the public part alone`);
  }
}

function checkSecret(key: JwtKey, algorithm: JwtAlgorithm): void {
  const least = Number(algorithm.slice(2)) / 8;
  if (typeof key !== "string" && !(key instanceof Uint8Array)) {
    throw badKey(`the key for ${algorithm} is neither text nor bytes: give the shared secret`);
  }
  if (typeof key === "string" && key.includes("-----BEGIN ")) {
    throw badKey(
      `the key for ${algorithm} is PEM, which others may know: give a shared secret, or name RS256`,
    );
  }
  const bytes = secretBytes(key).length;
  if (bytes < least) {
    throw badKey(`the key for ${algorithm} has ${bytes} bytes: use ${least} or more from a random source`);
  }
}

function secretBytes(key: string | Uint8Array): Uint8Array {
  return typeof key === "string" ? new TextEncoder().encode(key) : key;
}

/** Makes a key of what `checkKey` let pass. */
export async function readKey(key: JwtKey, algorithm: JwtAlgorithm): Promise<JoseKey | Uint8Array> {
  if (key instanceof Uint8Array || isShared(algorithm)) return secretBytes(key as string | Uint8Array);
  if (isCryptoKey(key)) return key as unknown as JoseKey;
  if (typeof key !== "string") return await importJWK(key as JWK, algorithm);
  return /-----BEGIN CERTIFICATE-----/.test(key)
    ? await importX509(key, algorithm)
    : await importSPKI(key, algorithm);
}

function isCryptoKey(key: JwtKey): key is CryptoKey {
  return key instanceof CryptoKey;
}

function badKey(message: string): ToychatError {
  return new ToychatError("bad_option", `jwt: ${message}`);
}
