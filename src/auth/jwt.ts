/**
 * Users by JSON Web Token (RFC 7519): an `authenticate` for a ProxyServer, on the library `jose`.
 *
 * ```ts
 * import { LocalMembership, ProxyServer } from "toychat";
 * import { jwt } from "toychat/jwt";
 * import { systemTransport } from "toychat/system";
 *
 * const proxy = new ProxyServer({
 *   membership: new LocalMembership(),
 *   transport: await systemTransport(),
 *   authenticate: jwt({
 *     jwksUrl: "https://login.example.org/.well-known/jwks.json",
 *     algorithms: ["RS256"],
 *     issuer: "https://login.example.org/",
 *     audience: "chat",
 *   }),
 *   authorize: (user, action, room) => action === "join" || user.claims.rooms === room,
 * });
 * await proxy.start();
 * ```
 *
 * @module
 */
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify, type JWTVerifyOptions } from "jose";
import { type Clock, systemClock } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";
import type { Authenticate, AuthenticatedUser, AuthenticationRefusal } from "../protocols/credentials.ts";
import { checkKey, isShared, type JwtAlgorithm, type JwtKey, KNOWN_ALGORITHMS, readKey } from "./jwt_key.ts";

export type { JwtAlgorithm, JwtKey } from "./jwt_key.ts";

/** Options of {@linkcode jwt}. */
export interface JwtOptions {
  /** The one key that tokens are checked with; this or `jwksUrl`. */
  readonly key?: JwtKey;
  /**
   * Where the issuer publishes its keys (RFC 7517), `https:`, or `http:` on this machine. They are fetched when a token
   * first needs them, kept for ten minutes, and fetched again for an unknown key identifier at most every 30 seconds.
   */
  readonly jwksUrl?: string | URL;
  /**
   * The signatures that are taken; a token's header cannot choose another one, and `none` is none of them. With `key` it is
   * exactly one, with `jwksUrl` none of the `HS` family.
   */
  readonly algorithms: readonly JwtAlgorithm[];
  /** What `iss` must be, or one of several; default anything. */
  readonly issuer?: string | readonly string[];
  /** What `aud` must be or hold, or one of several; default anything with `key`, and required with `jwksUrl`. */
  readonly audience?: string | readonly string[];
  /** The claim that is the user's id; default `"sub"`. */
  readonly userClaim?: string;
  /** Seconds by which clocks may differ; default 5. */
  readonly clockTolerance?: number;
  /** Whether a token without `exp` is refused; default true. */
  readonly requireExpiry?: boolean;
  /** Whether the session ends when its token does, `clockTolerance` included; default true. */
  readonly endAtExpiry?: boolean;
  /** Characters of the longest token that is looked at; default 8192. */
  readonly maxTokenLength?: number;
  /** Time; default the system's. */
  readonly clock?: Clock;
}

/** Milliseconds that fetching the issuer's keys may take: less than a ProxyServer waits for `authenticate`. */
const FETCH_MS = 4000;
const DEFAULT_TOLERANCE = 5;
const DEFAULT_LENGTH = 8192;

/** Errors that are the token's fault; any other is ours, or the issuer's. */
const REFUSALS: ReadonlySet<string> = new Set([
  errors.JWTExpired.code,
  errors.JWTClaimValidationFailed.code,
  errors.JWTInvalid.code,
  errors.JWSInvalid.code,
  errors.JWSSignatureVerificationFailed.code,
  errors.JOSEAlgNotAllowed.code,
  errors.JOSENotSupported.code,
  errors.JWKSNoMatchingKey.code,
  errors.JWKSMultipleMatchingKeys.code,
]);

/**
 * Makes an `authenticate` that lets in who brings a good token, by whichever way {@linkcode Credentials.token} came, as the
 * user that its `sub` names, with all of its claims. A token that is missing or not good is refused; where the issuer's
 * keys cannot be had, asking fails, and the client is told that the server is unavailable.
 *
 * @throws {ToychatError} `bad_option` where the options are not safe or do not fit together.
 *
 * @example
 * ```ts
 * import { jwt } from "toychat/jwt";
 *
 * const authenticate = jwt({
 *   key: "a secret of 32 bytes or more, from a random source",
 *   algorithms: ["HS256"],
 *   audience: "chat",
 * });
 * console.assert(typeof authenticate === "function");
 * ```
 */
export function jwt(options: JwtOptions): Authenticate {
  checkOptions(options);
  const { clock = systemClock, maxTokenLength = DEFAULT_LENGTH } = options;
  const verify = verifier(options);
  return async ({ token }) => {
    if (token === undefined) return refused("a token is needed");
    if (token.length > maxTokenLength) return refused("the token is too long");
    try {
      return userOf(await verify(token, new Date(clock.wallTime())), options);
    } catch (error) {
      const code = error instanceof errors.JOSEError ? error.code : undefined;
      if (code === undefined || !REFUSALS.has(code)) throw error;
      const expired = code === errors.JWTExpired.code;
      return refused(expired ? "the token has expired" : "the token was not accepted");
    }
  };
}

type Verify = (token: string, now: Date) => Promise<JWTPayload>;

function verifier(options: JwtOptions): Verify {
  const { key, jwksUrl, requireExpiry = true, clockTolerance = DEFAULT_TOLERANCE } = options;
  const { issuer, audience, algorithms } = options;
  const fixed: JWTVerifyOptions = {
    algorithms: [...algorithms],
    clockTolerance,
    requiredClaims: requireExpiry ? ["exp"] : [],
    ...(issuer === undefined ? {} : { issuer: list(issuer) }),
    ...(audience === undefined ? {} : { audience: list(audience) }),
  };
  if (jwksUrl !== undefined) {
    const keys = createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: FETCH_MS });
    return async (token, currentDate) => (await jwtVerify(token, keys, { ...fixed, currentDate })).payload;
  }
  const ready = readKey(key as JwtKey, algorithms[0] as JwtAlgorithm);
  // A key that cannot be read is reported to whoever needs it.
  ready.catch(() => {});
  return async (token, currentDate) =>
    (await jwtVerify(token, await ready, { ...fixed, currentDate })).payload;
}

function list(value: string | readonly string[]): string[] {
  return typeof value === "string" ? [value] : [...value];
}

function userOf(claims: JWTPayload, options: JwtOptions): AuthenticatedUser | AuthenticationRefusal {
  const { userClaim = "sub", endAtExpiry = true, clockTolerance = DEFAULT_TOLERANCE } = options;
  const id = Object.hasOwn(claims, userClaim) ? claims[userClaim] : undefined;
  if (typeof id !== "string" || id === "") return refused("the token names no user");
  const { exp } = claims;
  if (exp === undefined || !endAtExpiry) return { id, claims };
  return { id, claims, expiresAt: (exp + clockTolerance) * 1000 };
}

function refused(reason: string): AuthenticationRefusal {
  return { refused: "bad_credentials", reason };
}

function checkOptions(options: JwtOptions): void {
  const { key, jwksUrl, algorithms, audience, clockTolerance = 0 } = options;
  const wrong = algorithms?.find((name) => !KNOWN_ALGORITHMS.includes(name));
  if (wrong !== undefined || !algorithms?.length) {
    const given = wrong === undefined ? "is empty" : `has ${JSON.stringify(wrong)}`;
    throw badOption(`algorithms ${given}: name those that the issuer signs with, such as ["RS256"]`);
  }
  if (!(clockTolerance >= 0 && clockTolerance < Infinity)) {
    throw badOption(`clockTolerance is ${clockTolerance}: give seconds, such as 5`);
  }
  if ((key === undefined) === (jwksUrl === undefined)) {
    throw badOption("give either a key or a jwksUrl, and not both");
  }
  if (jwksUrl !== undefined) return checkJwks(jwksUrl, algorithms, audience);
  if (algorithms.length !== 1) {
    throw badOption(`algorithms are ${algorithms.join(", ")}: one key has one algorithm, name that alone`);
  }
  checkKey(key as JwtKey, algorithms[0] as JwtAlgorithm);
}

function checkJwks(
  jwksUrl: string | URL,
  algorithms: readonly JwtAlgorithm[],
  audience: JwtOptions["audience"],
): void {
  const url = URL.canParse(jwksUrl) ? new URL(jwksUrl) : undefined;
  const local = url?.protocol === "http:" && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url?.protocol !== "https:" && !local) {
    throw badOption(`jwksUrl is ${JSON.stringify(String(jwksUrl))}: give an https: URL`);
  }
  const shared = algorithms.find(isShared);
  if (shared) {
    throw badOption(`algorithms has ${shared}, whose key is a secret: it cannot come from a jwksUrl`);
  }
  if (audience === undefined || audience.length === 0) {
    throw badOption(
      "audience is missing: without it a token that the issuer made for another service would do",
    );
  }
}

function badOption(message: string): ToychatError {
  return new ToychatError("bad_option", `jwt: ${message}`);
}
