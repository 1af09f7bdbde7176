/**
 * Keeps a process connected to its bridge: connects, subscribes, renews, and does it all again when the connection ends.
 *
 * @module
 */
import { type Cancel, type Clock, delay } from "../lib/clock.ts";
import { errorMessage, ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Counter, Metrics } from "../lib/metrics.ts";
import type { ClientTlsOptions, Transport } from "../lib/transport.ts";
import type { BridgeLease } from "./bridge_lease.ts";
import { type BridgeLink, openBridgeLink } from "./bridge_link.ts";
import { BridgeRegistration } from "./bridge_registration.ts";
import { LEASE } from "./lease_times.ts";

/** Options of {@linkcode BridgeLoop}. */
export interface BridgeLoopOptions {
  /** The bridge's URL. */
  readonly url: string;
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** Time and chance. */
  readonly clock: Clock;
  /** The cluster's secret. */
  readonly secret: string | undefined;
  /** A token of the bridge, instead of the secret's proof. */
  readonly token: string | undefined;
  /** How a `wss:` URL is connected to. */
  readonly tls: ClientTlsOptions | undefined;
  /** Name of the cluster. */
  readonly cluster: string;
  /** Where events go. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
  /** The highest number of slots seen so far. */
  readonly slots: () => number;
  /** Takes what a bridge says is a view; throws where it is not. */
  readonly onView: (value: unknown) => void;
  /** The bridge says that an operator asks a member to drain. */
  readonly onDrain: (id: unknown) => void;
}

/** Retries: so soon after the first failure, doubled up to the most, each between half and all of it. Milliseconds. */
const RETRY_FIRST = 20;
const RETRY_MOST = 200;
const CONNECT_MS = 2000;
/**
 * A link on which nothing was answered for so long is given up: later than the bridge would give up the member, so that a
 * bridge that slept reads what was sent before it sees connections close.
 */
const SILENT_MS = 5000;
/** A second link in a row that ends sooner counts as a failure, so that a bridge that hangs up is not called without pause. */
const SHORT_MS = 1000;

function codeOf(error: unknown): string {
  return error instanceof ToychatError ? error.code : "";
}

/** The one connection of a process to its bridge, for as long as it is wanted. */
export class BridgeLoop {
  /** Why the last attempt failed. */
  lastError: unknown;
  readonly #options: BridgeLoopOptions;
  readonly #clock: Clock;
  readonly #registration: BridgeRegistration;
  #link: BridgeLink | undefined;
  #cancelTick: Cancel = () => {};
  #answeredAt = 0;
  /** Counts the starts: a run goes on while its number is the newest. */
  #run = 0;
  #refused: Promise<never> | undefined;
  #stopped = false;
  readonly #connects: Counter;
  readonly #failures: Counter;

  /** Does nothing until `start`. */
  constructor(options: BridgeLoopOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#registration = new BridgeRegistration(options);
    const { metrics } = options;
    this.#connects = metrics.counter("toychat_bridge_connects_total");
    this.#failures = metrics.counter("toychat_bridge_connection_failures_total");
    metrics.gauge("toychat_bridge_connected", () => this.#link ? 1 : 0);
  }

  /** The member that lives by this connection. */
  get lease(): BridgeLease | undefined {
    return this.#registration.lease;
  }

  /** Why the bridge that answers does not let in the member that joins; undefined where none answers. */
  get refusal(): unknown {
    return this.#link && this.#registration.refusal;
  }

  /** Whether there is a bridge that has taken this process for one of its own. */
  get connected(): boolean {
    return this.#link !== undefined;
  }

  /** Whether it has begun and not stopped. */
  get running(): boolean {
    return this.#refused !== undefined;
  }

  /**
   * Begins, where it has not begun. The promise never resolves; it rejects where the bridge refuses this process before it
   * has ever accepted it.
   */
  start(): Promise<never> {
    if (this.#stopped) {
      return Promise.reject(
        new ToychatError("membership_closed", "this membership was closed: make a new one"),
      );
    }
    if (!this.#refused) {
      const run = ++this.#run;
      this.#refused = new Promise((_, reject) => void this.#keepConnected(run, reject));
      this.#refused.catch(() => {});
    }
    return this.#refused;
  }

  /** Stops until the next `start`. */
  pause(): void {
    this.#run += 1;
    this.#refused = undefined;
    this.#cancelTick();
    this.#link?.end(this.#clock);
    this.#link = undefined;
  }

  /** Stops for good. */
  stop(): void {
    this.#stopped = true;
    this.pause();
  }

  /** Registers a member, at once or as soon as there is a connection; rejects where the bridge refuses it. */
  enter(lease: BridgeLease): Promise<void> {
    return this.#registration.enter(lease, this.#link);
  }

  /** Gives up a member that could not join. */
  forget(lease: BridgeLease): void {
    this.#registration.forget(lease);
  }

  /** Announces that the member drains. */
  drain(lease: BridgeLease): Promise<void> {
    return this.#registration.drain(lease, this.#link);
  }

  /** Withdraws the member. */
  leave(lease: BridgeLease): Promise<void> {
    return this.#registration.leave(lease, this.#link);
  }

  async #keepConnected(run: number, refuse: (error: unknown) => void): Promise<void> {
    // Attempts in a row that came to no link; links in a row that were short.
    let failures = 0;
    let shorts = 0;
    let everAccepted = false;
    while (run === this.#run) {
      const since = this.#clock.now();
      let accepted = false;
      try {
        await this.#connectOnce(run, () => accepted = everAccepted = true);
      } catch (error) {
        this.#failed(error, since, failures);
        if (run === this.#run && !everAccepted && codeOf(error) === "bridge_refused") {
          this.pause();
          return refuse(error);
        }
      }
      if (run !== this.#run) return;
      failures = accepted ? 0 : failures + 1;
      if (accepted) shorts = this.#clock.now() - since < SHORT_MS ? shorts + 1 : 0;
      // After a link at once: only the answer tells whether the bridge lives and has withdrawn the member.
      const retries = Math.max(failures, shorts - 1);
      if (retries === 0) continue;
      const most = Math.min(RETRY_MOST, RETRY_FIRST * 2 ** Math.min(retries - 1, 10));
      await delay(this.#clock, most * (0.5 + this.#clock.random() / 2));
    }
  }

  #failed(error: unknown, since: number, failures: number): void {
    this.lastError = error;
    this.#failures.value++;
    // Nobody listens there: no bridge has withdrawn this member, and one that starts from now on waits for it.
    if (codeOf(error) === "connection_refused") this.lease?.provenAlone(since);
    if (failures === 0) {
      this.#options.log("warn", "bridge_connection_failed", {
        code: codeOf(error),
        message: errorMessage(error),
      });
    }
  }

  /** One connection from its opening to its end. */
  async #connectOnce(run: number, accepted: () => void): Promise<void> {
    const { log, onView, onDrain } = this.#options;
    const link = await openBridgeLink({
      ...this.#options,
      timeoutMs: CONNECT_MS,
      onNotification: (method, params) => {
        if (run !== this.#run) return;
        if (method === "view.changed") this.#safely(() => onView(params));
        else if (method === "cluster.drain") onDrain(params.id);
      },
    });
    if (run !== this.#run) return link.end(this.#clock);
    log("info", "bridge_connected", { bridge: link.bridge });
    this.#connects.value++;
    this.#link = link;
    this.#answeredAt = this.#clock.now();
    this.#cancelTick = this.#clock.every(LEASE.renewMs, () => this.#tick(link));
    try {
      // The registration goes first: it is what others wait for.
      const registered = this.#registration.registerOn(link);
      const view = await link.call("view.subscribe");
      if (run === this.#run) onView(view);
      accepted();
      await Promise.all([registered, link.ended]);
    } finally {
      if (this.#link === link) {
        this.#link = undefined;
        this.#cancelTick();
      }
      link.terminate();
    }
  }

  #tick(link: BridgeLink): void {
    const sentAt = this.#clock.now();
    // Looked at before anything else: a process that was frozen must not take an old answer for a new one.
    const lost = this.lease?.lost ?? false;
    if (sentAt - this.#answeredAt >= SILENT_MS) return link.terminate();
    if (lost) void this.#registration.registerOn(link);
    link.call("cluster.renew").then(() => {
      this.#answeredAt = this.#clock.now();
      link.provenAt = sentAt;
      if (this.lease?.registeredAt === link.bridge) this.lease.proven(sentAt);
    }, () => {});
  }

  #safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log("error", "bridge_view_refused", {
        code: codeOf(error),
        message: errorMessage(error),
      });
    }
  }
}
