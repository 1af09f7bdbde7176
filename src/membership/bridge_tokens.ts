/**
 * Bearer tokens: how a caller that cannot compute proofs shows what it may do.
 *
 * @module
 */
import { blake2b } from "@noble/hashes/blake2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { printable, ToychatError } from "../lib/errors.ts";
import { higher, type Scope, SCOPES } from "./rpc_scope.ts";
import { deriveKey, equalBytes } from "./secret.ts";

/**
 * Tokens of one's own for each scope, one or several: 16 to 512 characters of `A-Za-z0-9._~+/-`, which `=` may follow. They
 * count beside those that are derived from the secret.
 */
export type BridgeTokenOptions = Readonly<Partial<Record<Scope, string | readonly string[]>>>;

const LABELS: Readonly<Record<Scope, string>> = {
  read: "toychat bridge token 1",
  member: "toychat bridge member token 1",
  admin: "toychat bridge admin token 1",
};

/** The `b64token` of RFC 6750, long enough not to be guessed. */
const TOKEN = /^(?=.{16,512}$)[A-Za-z0-9._~+/-]+=*$/;
const BEARER = /^Bearer +(\S+)$/i;
const encoder = new TextEncoder();

/**
 * The token of one scope that everyone who knows the secret derives alike: 64 hexadecimal digits.
 *
 * @throws {ToychatError} `invalid_secret` where the secret is empty.
 */
export function bridgeToken(secret: string, scope: Scope): string {
  return bytesToHex(deriveKey(secret, LABELS[scope]));
}

/**
 * Checks tokens that were given, as from a file.
 *
 * @throws {ToychatError} `bad_option` where one is no token, or what holds them is no such object.
 */
export function readTokens(given: unknown): ReadonlyMap<string, Scope> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrong("tokens must be an object", 'write {"read": "…", "member": "…", "admin": "…"}');
  }
  const tokens = new Map<string, Scope>();
  for (const [name, value] of Object.entries(given)) {
    const scope = SCOPES.find((known) => known === name);
    if (!scope) throw wrong(`tokens has "${printable(name, 40)}"`, `write one of ${SCOPES.join(", ")}`);
    for (const token of value === undefined ? [] : Array.isArray(value) ? value : [value]) {
      if (typeof token !== "string" || !TOKEN.test(token)) {
        throw wrong(
          `a token for "${scope}" is none`,
          "write 16 to 512 characters of A-Z, a-z, 0-9 and ._~+/-",
        );
      }
      tokens.set(token, higher(tokens.get(token), scope));
    }
  }
  return tokens;
}

function wrong(what: string, instead: string): ToychatError {
  return new ToychatError("bad_option", `${what}: ${instead}`);
}

/** Knows what each token is good for. It keeps digests, and looks at all of them whatever it is asked. */
export class BridgeTokens {
  readonly #known: readonly { readonly digest: Uint8Array; readonly scope: Scope }[];

  /**
   * Those of a secret, where there is one, and those given.
   *
   * @throws {ToychatError} `invalid_secret`, `bad_option`.
   */
  constructor(secret: string | undefined, given: BridgeTokenOptions = {}) {
    const all = new Map(readTokens(given));
    for (const scope of secret === undefined ? [] : SCOPES) {
      const token = bridgeToken(secret as string, scope);
      all.set(token, higher(all.get(token), scope));
    }
    this.#known = [...all].map(([token, scope]) => ({ digest: digestOf(token), scope }));
  }

  /** Whether there is none. */
  get none(): boolean {
    return this.#known.length === 0;
  }

  /** What a token is good for; undefined where it is none of these. Takes as long for the one as for the other. */
  scopeOf(token: unknown): Scope | undefined {
    const digest = digestOf(typeof token === "string" && token.length <= 512 ? token : "");
    let found: Scope | undefined;
    for (const known of this.#known) if (equalBytes(known.digest, digest)) found = known.scope;
    return found;
  }

  /** What an `Authorization` header is good for. */
  scopeOfHeader(header: string | undefined): Scope | undefined {
    return this.scopeOf(BEARER.exec(header ?? "")?.[1]);
  }
}

function digestOf(token: string): Uint8Array {
  return blake2b(encoder.encode(token), { dkLen: 32 });
}
