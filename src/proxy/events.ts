/**
 * The events of a ProxyServer, and how listeners are run.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import { Emitter } from "../lib/emitter.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";

/** A user's connection, as a proxy's listeners see it. */
export interface ProxyUser {
  /** The user's id. */
  readonly userId: string;
  /** The session's id. */
  readonly sessionId: string;
  /** Name of the protocol that it speaks. */
  readonly protocol: string;
}

/** Events of a ProxyServer and the arguments of their listeners. */
export type ProxyEvents = {
  /** A user has connected. */
  connect: [user: ProxyUser];
  /** A user's connection has ended. */
  disconnect: [user: ProxyUser, reason: string];
  /** A user was let into a room. */
  join: [user: ProxyUser, room: string];
  /** A user is out of a room. */
  leave: [user: ProxyUser, room: string, reason: string];
  /** A user has sent a message to a room; it has not been accepted yet. */
  message: [user: ProxyUser, room: string, body: Body];
  /** A listener has thrown. */
  error: [error: unknown];
};

/** Runs listeners: one that throws is reported and harms nothing else. Nobody waits for an async one. */
export class ProxyListeners {
  readonly emitter: Emitter<ProxyEvents> = new Emitter();
  readonly #metrics: Metrics;
  readonly #log: Logger;

  /** Failures are counted and logged. */
  constructor(metrics: Metrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  /** Runs the listeners of an event. */
  emit<K extends keyof ProxyEvents>(event: K, ...args: ProxyEvents[K]): void {
    for (const listener of this.emitter.listeners(event)) {
      try {
        const result = listener(...args);
        if (result instanceof Promise) result.catch((error) => this.#failed(event, error));
      } catch (error) {
        this.#failed(event, error);
      }
    }
  }

  #failed(event: string, error: unknown): void {
    this.#metrics.count("toychat_listener_errors_total", 1, { event });
    this.#log("error", "listener_failed", { event, error: errorMessage(error) });
    if (event !== "error") this.emit("error", error);
  }
}
