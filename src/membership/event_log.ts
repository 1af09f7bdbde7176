/**
 * The user events that a bridge has heard of, numbered, the latest of them kept for who reads late.
 *
 * @module
 */
import { showPayload } from "./rpc_params.ts";

/** A user event as it is told. */
export interface LoggedEvent {
  /** Its number: they count from 1 in each life of a bridge, without gaps. */
  readonly number: number;
  /** Its name. */
  readonly name: string;
  /** What it says: text, or base64 beside `encoding`. */
  readonly payload: string;
  /** Present where `payload` is base64. */
  readonly encoding?: "base64";
}

/** The latest events. */
export class EventLog {
  readonly #most: number;
  #events: LoggedEvent[] = [];
  #number = 0;

  /** Keeps `most` events. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The number of the latest event; 0 before the first. */
  get number(): number {
    return this.#number;
  }

  /** Takes an event in. */
  add(name: string, payload: Uint8Array): LoggedEvent {
    const event = { number: ++this.#number, name, ...showPayload(payload) };
    this.#events.push(event);
    if (this.#events.length >= 2 * this.#most) this.#events = this.#kept();
    return event;
  }

  /** The events kept that came after a number and have such a beginning of their names. */
  after(number: number, prefix: string): LoggedEvent[] {
    return this.#kept().filter((event) => event.number > number && event.name.startsWith(prefix));
  }

  /** Whether every event after a number is kept; not so for a number that does not exist yet. */
  has(number: number): boolean {
    return number <= this.#number && number >= (this.#kept()[0]?.number ?? this.#number + 1) - 1;
  }

  #kept(): LoggedEvent[] {
    return this.#events.slice(-this.#most);
  }
}
