/**
 * Who messages are routed for.
 *
 * @module
 */
import type { Link } from "./link.ts";

/** One source of messages: a user's session, or a ChatServer's application. */
export class Sender {
  /** Its name on links. */
  readonly id: string;
  /** The user's id; undefined for an application. */
  readonly user: string | undefined;
  /** Links to owners that know it as a member. */
  readonly seenBy: Set<Link> = new Set();
  /** Bytes under way. */
  bytes = 0;
  /** Number of its last message. */
  seq = 0;
  /** Whether it is pushed back. */
  pushed = false;
  readonly #pressure: (on: boolean) => void;

  /** `pressure(true)` asks it to stop sending, `pressure(false)` lets it go on. */
  constructor(id: string, user: string | undefined, pressure: (on: boolean) => void) {
    this.id = id;
    this.user = user;
    this.#pressure = pressure;
  }

  /** Pushes it back, or lets it go on. */
  push(on: boolean): void {
    if (this.pushed === on) return;
    this.pushed = on;
    this.#pressure(on);
  }
}
