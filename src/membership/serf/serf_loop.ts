/**
 * Keeps a client connected to its agent: connects, opens the stream, and does it all again when a connection ends.
 *
 * @module
 */
import type { Cancel, Clock } from "../../lib/clock.ts";
import { ToychatError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import { openSerfConnection, type SerfConnectionOptions } from "./serf_connection.ts";
import type { SerfCall } from "./serf_exchange.ts";
import { openSerfSession, type SerfSession } from "./serf_session.ts";
import type { SerfEvent } from "./serf_types.ts";

/** Options of {@linkcode SerfLoop}. */
export interface SerfLoopOptions extends Omit<SerfConnectionOptions, "onEnd" | "signal"> {
  /** Where events are logged. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
  /** Connected: everything must be read again. Must not throw, as the others. */
  readonly onUp: (session: SerfSession) => void;
  /** Not connected any more, or not yet for a reason that was not told before. */
  readonly onDown: (reason: ToychatError) => void;
  /** The stream told something. The numbers of queries are unique over all connections. */
  readonly onEvent: (event: SerfEvent) => void;
}

/** Retries: so soon after the first failure, doubled up to the most, each between half and all of it. Milliseconds. */
const RETRY_FIRST = 50;
const RETRY_MOST = 1000;
/** A key that was refused will most likely be refused again. */
const RETRY_KEY = 5000;
/** A session that ends sooner counts as a failure, so that an agent that hangs up is not called without pause. */
const SHORT_MS = 1000;

/** The connections of a client, for as long as they are wanted. */
export class SerfLoop {
  /** Why there is no connection; undefined while there is one, or before the first attempt. */
  lastError: ToychatError | undefined;
  readonly #options: SerfLoopOptions;
  readonly #clock: Clock;
  #session: SerfSession | undefined;
  /** What the stream told before `onUp` was called. */
  #early: SerfEvent[] = [];
  /** What ends all connections of the present run; undefined while it is stopped. */
  #run: AbortController | undefined;
  #cancelWait: Cancel = () => {};
  /** Codes of the reasons that were told since the last connection. */
  readonly #told: Set<string> = new Set();
  /** The highest number that a query was given, and the one before the first of this connection. */
  #lastQuery = 0;
  #queryBase = 0;

  /** Does nothing until `start`. */
  constructor(options: SerfLoopOptions) {
    this.#options = options;
    this.#clock = options.clock;
    options.metrics.gauge("toychat_serf_connected", () => this.#session ? 1 : 0);
  }

  /** The connections; undefined where there are none. */
  get session(): SerfSession | undefined {
    return this.#session;
  }

  /** Begins, where it has not begun. */
  start(): void {
    if (this.#run) return;
    this.#run = new AbortController();
    void this.#keepConnected(this.#run);
  }

  /** Ends all connections and calls. */
  stop(): void {
    const run = this.#run;
    if (!run) return;
    this.#run = undefined;
    this.#session = undefined;
    this.lastError = stopped();
    this.#cancelWait();
    run.abort(this.lastError);
  }

  /** Makes a call on one of the standing connections. Rejects with `serf_not_connected` where there are none. */
  call<T>(on: "fast" | "slow", call: SerfCall<T>): Promise<T> {
    const session = this.#session;
    if (session) return session[on].call(call);
    const why = this.lastError ? `: ${this.lastError.message}` : "";
    return Promise.reject(
      new ToychatError("serf_not_connected", `there is no connection to the Serf agent${why}`, {
        cause: this.lastError,
      }),
    );
  }

  /** Makes a call on a connection of its own: it may take long, or make the agent hang up, and nobody else notices. */
  async callApart<T>(call: SerfCall<T>): Promise<T> {
    if (!this.#run) throw stopped();
    const { connection } = await openSerfConnection({ ...this.#options, signal: this.#run.signal });
    try {
      return await connection.call(call);
    } finally {
      connection.end(stopped());
    }
  }

  /** The number that a query has on this connection; undefined where it came on an earlier one. */
  queryNumber(id: number): number | undefined {
    return id > this.#queryBase && id <= this.#lastQuery ? id - this.#queryBase : undefined;
  }

  async #keepConnected(run: AbortController): Promise<void> {
    let failures = 0;
    while (run === this.#run) {
      const session = await this.#open(run);
      const since = this.#clock.now();
      if (session) await session.ended;
      failures = session && this.#clock.now() - since >= SHORT_MS ? 0 : failures + 1;
      if (run === this.#run) await this.#wait(failures);
    }
  }

  async #open(run: AbortController): Promise<SerfSession | undefined> {
    this.#early = [];
    this.#queryBase = this.#lastQuery;
    try {
      const session = await openSerfSession({
        ...this.#options,
        signal: run.signal,
        onEvent: (event) => run === this.#run && this.#take(event),
        onEnd: (reason) => run === this.#run && this.#ended(reason),
      });
      if (session.over) throw session.over;
      this.#up(session);
      return session;
    } catch (error) {
      if (run === this.#run) this.#failed(error as ToychatError);
      return undefined;
    }
  }

  #up(session: SerfSession): void {
    this.#session = session;
    this.lastError = undefined;
    this.#told.clear();
    const { address, log, metrics } = this.#options;
    metrics.count("toychat_serf_connects_total");
    const agent = session.stats.get("agent")?.get("name") ?? "";
    log("info", "serf_connected", { address: `${address.host}:${address.port}`, agent });
    this.#options.onUp(session);
    for (const event of this.#early.splice(0)) if (this.#session === session) this.#tell(event);
  }

  #ended(reason: ToychatError): void {
    // What ends before it was told to be up is told by the opening.
    if (!this.#session) return;
    this.#session = undefined;
    this.lastError = reason;
    this.#told.add(reason.code);
    this.#count(reason);
    this.#options.log("warn", "serf_connection_ended", { code: reason.code, error: reason.message });
    this.#options.onDown(reason);
  }

  #failed(reason: ToychatError): void {
    this.lastError = reason;
    this.#count(reason);
    const isNew = !this.#told.has(reason.code);
    this.#told.add(reason.code);
    const { log } = this.#options;
    // A wrong key does not mend itself: it is said each time.
    if (reason.code === "serf_auth_refused") log("error", "serf_auth_refused", { error: reason.message });
    else if (isNew) log("warn", "serf_connect_failed", { code: reason.code, error: reason.message });
    if (isNew) this.#options.onDown(reason);
  }

  #count({ code }: ToychatError): void {
    const reason = code.replace(/^serf_/, "");
    this.#options.metrics.count("toychat_serf_connection_failures_total", 1, { reason });
  }

  #take(event: SerfEvent): void {
    if (event.type === "query") {
      const id = this.#queryBase + event.id;
      this.#lastQuery = Math.max(this.#lastQuery, id);
      event = { ...event, id };
    }
    if (this.#session) this.#tell(event);
    else this.#early.push(event);
  }

  #tell(event: SerfEvent): void {
    const kind = event.type === "user" || event.type === "query" ? event.type : "member";
    this.#options.metrics.count("toychat_serf_events_total", 1, { kind });
    this.#options.onEvent(event);
  }

  #wait(failures: number): Promise<void> {
    const refused = this.lastError?.code === "serf_auth_refused";
    const most = refused ? RETRY_KEY : Math.min(RETRY_MOST, RETRY_FIRST * 2 ** Math.max(0, failures - 1));
    return new Promise((resolve) => {
      const cancel = this.#clock.after(most * (0.5 + this.#clock.random() / 2), resolve);
      this.#cancelWait = () => {
        cancel();
        resolve();
      };
    });
  }
}

function stopped(): ToychatError {
  return new ToychatError("serf_stopped", "this SerfClient was stopped: start it again");
}
