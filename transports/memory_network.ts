/**
 * The hosts, ports and connections of one network in memory, and how long things travel between them.
 *
 * @module
 */

import { type Clock, systemClock } from "../src/lib/clock.ts";
import { ToychatError } from "../src/lib/errors.ts";
import type { Connection, ConnectionHandler, FetchHandler, ListenSocket } from "../src/lib/transport.ts";
import { type Settings, settingsOf, type TransportOptions } from "./base.ts";
import { endpoint } from "./failures.ts";
import type { MemoryConnection, Wire } from "./memory_connection.ts";

/** Something on its way from one host to another. */
export interface Delivery {
  /** Host that sent it. */
  readonly from: string;
  /** Host that gets it. */
  readonly to: string;
  /** What it is: the question for a connection and its answer (`"open"`), a chunk, a FIN or close frame, a reset. */
  readonly kind: "open" | "data" | "ping" | "pong" | "end" | "reset";
  /** Bytes of a chunk, otherwise 0. */
  readonly size: number;
}

/** Options of {@linkcode memoryTransport}. */
export interface MemoryOptions extends TransportOptions {
  /** Times all deliveries; default the runtime's clock. */
  readonly clock?: Clock;
  /** The host that this transport listens on and connects from; default `"127.0.0.1"`. */
  readonly host?: string;
  /** Bytes of each direction of a connection that count as taken by the network; default 65536. */
  readonly capacity?: number;
  /** Cuts the chunks of byte connections at random places (by the clock's chance); default `false`. */
  readonly split?: boolean;
  /**
   * Milliseconds that a delivery takes, `Infinity` to hold it until {@linkcode MemoryTransport.retry}; default 0, which
   * is one turn of the event loop. Within one direction of a connection order is kept.
   */
  readonly delay?: (delivery: Delivery) => number;
}

/** What listens on a port. */
export interface Listener {
  /** The host, or `0.0.0.0` or `::` for all. */
  readonly host: string;
  /** The port; 0 asks for a free one. */
  readonly port: number;
  /** Takes connections, where it listens for bytes. */
  readonly accept?: (connection: Connection) => ConnectionHandler;
  /** Answers requests, where it serves HTTP. */
  readonly fetch?: FetchHandler;
}

/** A request or the wish to connect, on its way. */
interface Question {
  readonly from: string;
  readonly to: string;
  arrive(): void;
}

const ANY_HOST = new Set(["0.0.0.0", "::"]);
const FIRST_PORT = 32768;

/** All hosts of one network. */
export class Network {
  /** Times everything. */
  readonly clock: Clock;
  /** Marks and log of all connections. */
  readonly settings: Settings;
  /** Both ends of every connection that is open. */
  readonly connections: Set<MemoryConnection> = new Set();
  /** What listens. */
  readonly listeners: Set<Listener> = new Set();
  readonly #options: MemoryOptions;
  #nextPort = FIRST_PORT;
  #held: Question[] = [];

  /** Makes an empty network. */
  constructor(options: MemoryOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.settings = settingsOf(options);
  }

  /** Takes a port. Throws `address_in_use`. */
  listen(listener: Listener): ListenSocket {
    const port = listener.port === 0 ? this.#freePort(listener.host) : listener.port;
    if (this.#taken(listener.host, port)) {
      const at = endpoint(listener.host, port);
      throw new ToychatError(
        "address_in_use",
        `${at} is taken: stop what listens there, choose another port, or 0 for any`,
      );
    }
    const entry = { ...listener, port };
    this.listeners.add(entry);
    return {
      host: entry.host,
      port,
      close: () => {
        this.listeners.delete(entry);
        return Promise.resolve();
      },
    };
  }

  /** What listens there. */
  find(host: string, port: number): Listener | undefined {
    for (const entry of this.listeners) {
      if (entry.port === port && (entry.host === host || ANY_HOST.has(entry.host))) return entry;
    }
    return undefined;
  }

  /** Milliseconds for something from one host to another. */
  delay(from: string, to: string, kind: Delivery["kind"], size: number): number {
    return this.#options.delay?.({ from, to, kind, size }) ?? 0;
  }

  /** Resolves when a question from one host has reached another, if it ever does. */
  travel(from: string, to: string): Promise<void> {
    return new Promise((resolve) => this.#go({ from, to, arrive: resolve }));
  }

  /** Asks again for the delay of everything that is held. */
  retry(): void {
    for (const end of [...this.connections]) end.retry();
    const held = this.#held;
    this.#held = [];
    for (const question of held) this.#go(question);
  }

  #go(question: Question): void {
    const ms = this.delay(question.from, question.to, "open", 0);
    if (ms === Infinity) this.#held.push(question);
    else if (ms > 0) this.clock.after(ms, question.arrive);
    else this.clock.defer(question.arrive);
  }

  /** What the ends of a new connection share. */
  wire(kind: "bytes" | "messages"): Wire {
    return {
      kind,
      clock: this.clock,
      settings: this.settings,
      capacity: this.#options.capacity ?? 65536,
      split: this.#options.split ?? false,
      delay: (from, to, parcel) =>
        this.delay(from, to, parcel.kind, parcel.kind === "data" ? parcel.size : 0),
      gone: (end) => this.connections.delete(end),
    };
  }

  #taken(host: string, port: number): boolean {
    for (const entry of this.listeners) {
      if (entry.port === port && (entry.host === host || ANY_HOST.has(entry.host) || ANY_HOST.has(host))) {
        return true;
      }
    }
    return false;
  }

  #freePort(host: string): number {
    for (let tries = 0; tries < 65536 - FIRST_PORT; tries++) {
      const port = this.#nextPort++;
      if (this.#nextPort > 65535) this.#nextPort = FIRST_PORT;
      if (!this.#taken(host, port)) return port;
    }
    throw new ToychatError("address_in_use", `no port of ${host} is free: close some listening sockets`);
  }
}
