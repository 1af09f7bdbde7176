/**
 * What goes out on one connection of the bridge, so that a slow reader costs little and loses nothing without being told.
 *
 * @module
 */
import type { Connection } from "../lib/transport.ts";

/** What a reader that was too slow has not been sent. */
export interface Lost {
  /** How many user events. */
  events: number;
  /** The number of the first one; null where there is none. */
  from: number | null;
  /** The number of the last one. */
  to: number | null;
  /** How many queries. */
  queries: number;
}

/** What an outbox needs. */
export interface OutboxHost {
  /** The text of the notification of the newest view. */
  viewText(): string;
  /** The text of the notification that says what was lost. */
  overflowText(lost: Readonly<Lost>): string;
  /** A notification was left out: of a view, for which a newer one comes, or of something that is lost. */
  leftOut(what: "view" | "event"): void;
}

/** Bytes that may wait to be read before events and queries are left out: many a small one may come in one turn. */
const MAX_WAITING = 262_144;
/** Bytes of answers that may pile up before the connection is ended: somebody asks and does not read. */
const MAX_QUEUED = 4_194_304;

/** Sends answers as they come; notifications only while the reader keeps up. */
export class BridgeOutbox {
  readonly #connection: Connection;
  readonly #host: OutboxHost;
  /** Whether the connection is over its high mark: `drained` will be called. */
  #behind = false;
  #viewPending = false;
  #lost: Lost | undefined;

  /** For one connection. */
  constructor(connection: Connection, host: OutboxHost) {
    this.#connection = connection;
    this.#host = host;
  }

  /** Sends an answer; false where so much is queued already that the connection must end. */
  answer(text: string): boolean {
    if (this.#connection.bufferedAmount > MAX_QUEUED) return false;
    this.#send(text);
    return true;
  }

  /** Sends the newest view, or notes that it is to be sent: a view is absolute, only the newest one counts. */
  view(text: string): void {
    if (!this.#behind) return this.#send(text);
    if (this.#viewPending) this.#host.leftOut("view");
    this.#viewPending = true;
  }

  /** Sends a user event, or notes that it is lost. */
  event(number: number, text: string): void {
    if (this.#takes()) return this.#send(text);
    const lost = this.#lose();
    lost.events += 1;
    lost.from ??= number;
    lost.to = number;
  }

  /** Sends a query, or notes that it is lost. */
  query(text: string): void {
    if (this.#takes()) return this.#send(text);
    this.#lose().queries += 1;
  }

  /** Sends something that is needed at once. */
  urgent(text: string): void {
    this.#send(text);
  }

  /** The reader has caught up. */
  drained(): void {
    this.#behind = false;
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost) this.#send(this.#host.overflowText(lost));
    if (!this.#viewPending) return;
    this.#viewPending = false;
    this.#send(this.#host.viewText());
  }

  /** Whether one more event may be sent; once one was lost, none before the reader has caught up and been told. */
  #takes(): boolean {
    return !this.#behind || (!this.#lost && this.#connection.bufferedAmount <= MAX_WAITING);
  }

  #lose(): Lost {
    this.#host.leftOut("event");
    return this.#lost ??= { events: 0, from: null, to: null, queries: 0 };
  }

  #send(text: string): void {
    if (!this.#connection.send(text)) this.#behind = true;
  }
}
