/**
 * What users may do in rooms, by the application's `authorize`, with its refusals and its failures told apart, and in the
 * order in which a session asks.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import { isPromise, within } from "../lib/deadline.ts";
import { Deque } from "../lib/deque.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Authorize, AuthorizedAction, User } from "../protocols/credentials.ts";
import type { Refusal } from "../protocols/protocol.ts";

/** What {@linkcode Authorization} needs of its proxy. */
export interface AuthorizationHost {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Milliseconds that `authorize` may take. */
  readonly limitMs: number;
  /** Milliseconds for which a `true` holds for the same session, action and room; 0: not at all. */
  readonly cacheMs: number;
}

/** `undefined` where the user may. */
type Verdict = Refusal | undefined;

/** Questions of one session that are asked at the same time; more wait. */
const MAX_ASKED = 16;
/** Answers that are kept for one session. */
const MAX_CACHED = 256;

/** Asks what users may do. */
export class Authorization {
  /** Questions that are not answered yet, and what waits behind them. */
  pending = 0;
  readonly #authorize: Authorize;
  readonly #host: AuthorizationHost;

  /** Asks `authorize`. */
  constructor(authorize: Authorize, host: AuthorizationHost) {
    this.#authorize = authorize;
    this.#host = host;
    host.metrics.gauge("toychat_authorizations_pending", () => this.pending);
  }

  /** Time, for the answers that are kept. */
  get host(): AuthorizationHost {
    return this.#host;
  }

  /** Whether a user may; at once where `authorize` answers at once. Never throws nor rejects. */
  check(user: User, action: AuthorizedAction, room: string): Verdict | Promise<Verdict> {
    const { clock, limitMs } = this.#host;
    try {
      const answer = this.#authorize(user, action, room);
      if (!isPromise(answer)) return this.#verdict(answer, action);
      return within(clock, limitMs, "authorize", answer).then((value) => this.#verdict(value, action))
        .catch((error) => this.#failed(error, action));
    } catch (error) {
      return this.#failed(error, action);
    }
  }

  #verdict(answer: boolean, action: AuthorizedAction): Verdict {
    if (answer === true) return undefined;
    if (answer !== false) throw new TypeError(`authorize gave ${typeof answer}: use true or false`);
    this.#host.metrics.count("toychat_authorizations_refused_total");
    this.#host.log("debug", "not_authorized", { action });
    return "not_authorized";
  }

  #failed(error: unknown, action: AuthorizedAction): Refusal {
    this.#host.metrics.count("toychat_authorization_failures_total");
    this.#host.log("error", "authorize_failed", { action, error: errorMessage(error) });
    return "unavailable";
  }
}

/** Something that a session wants to do, in its turn. */
interface Entry {
  /** Undefined where nothing has to be asked, and only the order counts. */
  readonly action: AuthorizedAction | undefined;
  readonly room: string;
  readonly run: (refusal: Verdict) => void;
  settled: boolean;
  verdict: Verdict;
}

/**
 * What one session wants to do goes through here in order: nothing overtakes what is still being asked about. Meanwhile
 * the session is not read, so that what waits is what had arrived with it.
 */
export class Gate {
  readonly #authorization: Authorization;
  readonly #user: User;
  readonly #hold: (on: boolean) => void;
  readonly #queue: Deque<Entry> = new Deque();
  readonly #unasked: Deque<Entry> = new Deque();
  /** Until when a `true` holds, by action and room. */
  readonly #granted: Map<string, number> = new Map();
  #asked = 0;

  /** `hold(true)` asks the session not to be read, `hold(false)` lets it go on. */
  constructor(authorization: Authorization, user: User, hold: (on: boolean) => void) {
    this.#authorization = authorization;
    this.#user = user;
    this.#hold = hold;
  }

  /** Runs something in its turn, with why it may not be done or `undefined`; at once where it can be. */
  pass(action: AuthorizedAction | undefined, room: string, run: (refusal: Verdict) => void): void {
    const first = this.#queue.peek() === undefined;
    if (first) {
      const verdict = action === undefined ? undefined : this.#check(action, room);
      if (!isPromise(verdict)) return run(verdict);
      this.#hold(true);
      const entry = this.#enqueue(action, room, run);
      this.#await(entry, verdict);
    } else {
      this.#unasked.push(this.#enqueue(action, room, run));
      this.#ask();
    }
  }

  #enqueue(action: AuthorizedAction | undefined, room: string, run: Entry["run"]): Entry {
    const entry: Entry = { action, room, run, settled: false, verdict: undefined };
    this.#queue.push(entry);
    this.#authorization.pending++;
    return entry;
  }

  #check(action: AuthorizedAction, room: string): Verdict | Promise<Verdict> {
    const { cacheMs, clock } = this.#authorization.host;
    if (cacheMs <= 0) return this.#authorization.check(this.#user, action, room);
    const key = `${action} ${room}`;
    if ((this.#granted.get(key) ?? -Infinity) > clock.now()) return undefined;
    const verdict = this.#authorization.check(this.#user, action, room);
    if (isPromise(verdict)) return verdict.then((value) => this.#keep(key, value));
    return this.#keep(key, verdict);
  }

  #keep(key: string, verdict: Verdict): Verdict {
    const { cacheMs, clock } = this.#authorization.host;
    if (verdict !== undefined) this.#granted.delete(key);
    else {
      if (this.#granted.size >= MAX_CACHED) this.#granted.clear();
      this.#granted.set(key, clock.now() + cacheMs);
    }
    return verdict;
  }

  #ask(): void {
    while (this.#asked < MAX_ASKED) {
      const entry = this.#unasked.shift();
      if (!entry) return;
      const verdict = entry.action === undefined ? undefined : this.#check(entry.action, entry.room);
      if (isPromise(verdict)) this.#await(entry, verdict);
      else {
        entry.verdict = verdict;
        entry.settled = true;
      }
    }
  }

  #await(entry: Entry, verdict: PromiseLike<Verdict>): void {
    this.#asked++;
    void verdict.then((value) => {
      this.#asked--;
      entry.verdict = value;
      entry.settled = true;
      this.#ask();
      this.#release();
    });
  }

  /** Runs everything at the head that has its answer. */
  #release(): void {
    for (let entry = this.#queue.peek(); entry?.settled; entry = this.#queue.peek()) {
      // It is taken off after it ran: what it does in turn is queued behind the others.
      this.#run(entry);
      this.#queue.shift();
      this.#authorization.pending--;
    }
    if (this.#queue.peek() === undefined) this.#hold(false);
  }

  #run(entry: Entry): void {
    try {
      entry.run(entry.verdict);
    } catch (error) {
      this.#authorization.host.log("error", "protocol_failed", { error: errorMessage(error) });
    }
  }
}
