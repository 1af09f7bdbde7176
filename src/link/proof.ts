/**
 * Proof of the cluster's secret in the handshake of a link: HMAC-SHA256 (RFC 2104, FIPS 180-4) over everything that
 * both sides said. `docs/protocol.md` gives the bytes and a test vector.
 *
 * @module
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { HelloFrame, WelcomeFrame } from "./frames.ts";

const encoder = new TextEncoder();

/** Bytes as base64url without padding (RFC 4648, section 5). */
export function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function lines(hello: HelloFrame): string {
  const { version, role, id, incarnation, cluster, nonce } = hello;
  return [version, role, id, incarnation, cluster, nonce, ""].join("\n");
}

/** What both proofs cover: both hellos, the dialled side's first, and the link to be resumed; one value a line. */
function transcript(dialled: HelloFrame, dialling: HelloFrame): string {
  const { resume } = dialling;
  return lines(dialled) + lines(dialling) + (resume ? `${resume.link}\n${resume.received}\n` : "\n\n");
}

function mac(secret: string, text: string): string {
  return base64url(hmac(sha256, encoder.encode(secret), encoder.encode(text)));
}

/** The dialling side's proof, for its hello (whose own `mac` does not count). */
export function dialProof(secret: string, dialled: HelloFrame, dialling: HelloFrame): string {
  return mac(secret, "toychat link 1 dial\n" + transcript(dialled, dialling));
}

/** The dialled side's proof, for its welcome (whose own `mac` does not count). */
export function acceptProof(
  secret: string,
  dialled: HelloFrame,
  dialling: HelloFrame,
  welcome: WelcomeFrame,
): string {
  const text = `toychat link 1 accept\n${
    transcript(dialled, dialling)
  }${welcome.link}\n${welcome.received}\n`;
  return mac(secret, text);
}

/** Whether a proof is the expected one, in a time that does not depend on where they differ. */
export function sameProof(given: string, expected: string): boolean {
  if (given.length !== expected.length) return false;
  let difference = 0;
  for (let i = 0; i < given.length; i++) difference |= given.charCodeAt(i) ^ expected.charCodeAt(i);
  return difference === 0;
}
