/**
 * How a member and a bridge prove to each other that they know the cluster's secret, without ever sending it.
 *
 * @module
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { authenticate, deriveKey, equalBytes } from "./secret.ts";

/** What both sides of one connection know of each other before the proof. */
export interface Challenge {
  /** Name of the cluster. */
  readonly cluster: string;
  /** Identifies one life of the bridge. */
  readonly bridge: string;
  /** The member's 32 hexadecimal digits, drawn for this connection. */
  readonly memberNonce: string;
  /** The bridge's 32 hexadecimal digits, drawn for this connection. */
  readonly bridgeNonce: string;
}

/** By what a caller may show that it belongs to the cluster: the proof of the secret, or a token. */
export type BridgeProof = "secret" | "token";

/** Who proves: each side's proof is of no use to the other. */
export type Prover = "member" | "bridge";

/** Whether a value is a nonce: 32 hexadecimal digits, lower case. */
export function isNonce(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}

/** Makes and checks proofs of one secret. */
export class BridgeAuth {
  readonly #proofKey: Uint8Array;

  /** Derives the key. Throws `invalid_secret` where the secret is empty. */
  constructor(secret: string) {
    this.#proofKey = deriveKey(secret, "toychat bridge proof 1");
  }

  /** The proof of one side: 64 hexadecimal digits. */
  prove(prover: Prover, challenge: Challenge): string {
    const { cluster, bridge, memberNonce, bridgeNonce } = challenge;
    return bytesToHex(authenticate(this.#proofKey, [prover, cluster, bridge, memberNonce, bridgeNonce]));
  }

  /** Whether a value is the proof of one side. */
  proves(prover: Prover, challenge: Challenge, proof: unknown): boolean {
    return equalHex(proof, this.prove(prover, challenge));
  }
}

function equalHex(given: unknown, expected: string): boolean {
  if (typeof given !== "string" || !/^[0-9a-f]{64}$/.test(given)) return false;
  return equalBytes(hexToBytes(given), hexToBytes(expected));
}
