/**
 * Who a client is, by the application's `authenticate`, with its refusals and its failures told apart.
 *
 * @module
 */
import { type Clock, randomId } from "../lib/clock.ts";
import { isPromise, within } from "../lib/deadline.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { MAX_USER_LENGTH } from "../link/check.ts";
import type { Authenticate, AuthenticateResult, Credentials, User } from "../protocols/credentials.ts";
import type { OpenRefusal } from "../protocols/protocol.ts";

/** What {@linkcode Authentication} needs of its proxy. */
export interface AuthenticationHost {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Milliseconds that `authenticate` may take. */
  readonly limitMs: number;
}

const NO_CLAIMS = Object.freeze({});

/** Asks who clients are. */
export class Authentication {
  readonly #authenticate: Authenticate;
  readonly #host: AuthenticationHost;
  #pending = 0;

  /** Without `authenticate` a client is its user name, else its client identifier, else a new name. */
  constructor(authenticate: Authenticate | undefined, host: AuthenticationHost) {
    this.#host = host;
    this.#authenticate = authenticate ??
      (({ username, clientId }) => username || clientId || `guest-${randomId(host.clock, 6)}`);
    host.metrics.gauge("toychat_authentications_pending", () => this.#pending);
  }

  /** The user, or why it is none; never rejects. */
  async check(credentials: Credentials): Promise<User | OpenRefusal> {
    const { clock, limitMs, metrics, log } = this.#host;
    this.#pending++;
    try {
      const answer = this.#authenticate(credentials);
      const result = isPromise(answer) ? await within(clock, limitMs, "authenticate", answer) : answer;
      const checked = this.#read(result);
      if ("refused" in checked) metrics.count("toychat_authentications_refused_total");
      return checked;
    } catch (error) {
      const { protocol } = credentials;
      log("error", "authenticate_failed", { protocol, error: errorMessage(error) });
      metrics.count("toychat_authentication_failures_total");
      return { refused: "unavailable" };
    } finally {
      this.#pending--;
    }
  }

  #read(result: AuthenticateResult): User | OpenRefusal {
    if (result === undefined) return { refused: "bad_credentials" };
    if (typeof result === "string") return this.#user(result, NO_CLAIMS, undefined);
    if (typeof result !== "object" || result === null) throw new TypeError(wrongAnswer(typeof result));
    if ("refused" in result) {
      const { refused, reason } = result;
      if (refused !== "bad_credentials" && refused !== "not_authorized") {
        throw new TypeError(wrongAnswer(`refused: ${String(refused)}`));
      }
      return { refused, reason };
    }
    const { id, claims, expiresAt } = result;
    if (typeof id !== "string") throw new TypeError(wrongAnswer(`an id of type ${typeof id}`));
    if (expiresAt !== undefined && !Number.isFinite(expiresAt)) {
      throw new TypeError(`authenticate gave expiresAt ${expiresAt}: use milliseconds since 1970`);
    }
    return this.#user(id, claims ?? NO_CLAIMS, expiresAt);
  }

  /** An id may be what the client chose: one that is of no use is a refusal. */
  #user(id: string, claims: User["claims"], expiresAt: number | undefined): User | OpenRefusal {
    const { log, clock } = this.#host;
    if (id.length > MAX_USER_LENGTH) {
      log("debug", "user_id_too_long", { length: id.length, most: MAX_USER_LENGTH });
    }
    if (id === "" || id.length > MAX_USER_LENGTH || !id.isWellFormed()) {
      return { refused: "bad_credentials", reason: "the user's name cannot be used" };
    }
    if (expiresAt === undefined) return { id, claims };
    if (expiresAt <= clock.wallTime()) {
      return { refused: "bad_credentials", reason: "the credentials have run out" };
    }
    return { id, claims, expiresAt };
  }
}

function wrongAnswer(what: string): string {
  return `authenticate gave ${what}: use a user's id, { id, claims }, { refused }, or undefined`;
}
