/**
 * All sessions of a proxy, and the one moment in a turn when they write.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import { type Clock, delay } from "../lib/clock.ts";
import type { Link } from "../link/link.ts";
import type { Session } from "./session.ts";

const FAREWELL_MS = 2000;

/** The sessions of one proxy. */
export class Sessions {
  readonly #clock: Clock;
  readonly #flushRooms: () => void;
  readonly #all: Set<Session> = new Set();
  #dirty: Session[] = [];
  #flushing = false;

  /** `flushRooms` hands the turn's deliveries to sessions, before these write. */
  constructor(clock: Clock, flushRooms: () => void) {
    this.#clock = clock;
    this.#flushRooms = flushRooms;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** Adds a session that was just made. */
  add(session: Session): void {
    this.#all.add(session);
  }

  /** Forgets a session; `false` where it was not known. */
  delete(session: Session): boolean {
    return this.#all.delete(session);
  }

  /** The session has something to write. */
  dirty(session: Session): void {
    this.#dirty.push(session);
    this.requestFlush();
  }

  /** Asks for a flush at the end of this turn: rooms gather what their members get, then every session writes once. */
  requestFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    // One turn more: what the links bring in it leaves in the same write. Measured under load it makes writes a quarter
    // longer; without load the next turn comes at once.
    this.#clock.defer(() => this.#clock.defer(() => this.#flush()));
  }

  #flush(): void {
    this.#flushing = false;
    this.#flushRooms();
    const sessions = this.#dirty;
    this.#dirty = [];
    for (const session of sessions) session.flush();
  }

  /** Sends a message to every session of a user. */
  direct(user: string, body: Body): void {
    const delivery = { room: `user/${user}`, from: undefined, body, acknowledged: false };
    for (const session of this.#all) {
      if (session.user !== user || session.state !== "open") continue;
      session.deliver([session.encoding.encode(delivery)]);
    }
  }

  /** A link has ended: its owner knows no session any more. */
  linkReset(link: Link): void {
    for (const session of this.#all) session.sender?.seenBy.delete(link);
  }

  /** Ends the sessions whose credentials have run out. */
  sweep(now: number): void {
    for (const session of this.#all) {
      if (session.expires > now) continue;
      session.expires = Infinity;
      session.metrics.count("toychat_authentications_expired_total");
      session.end("authentication_expired");
    }
  }

  /**
   * Ends all sessions in their protocols' words; resolves when they are gone, which is forced after a while, and what
   * they sent is too, as far as `sent` says so in that time.
   */
  async farewell(sent: () => boolean): Promise<void> {
    for (const session of this.#all) session.end("shutting_down");
    const until = this.#clock.now() + FAREWELL_MS;
    while ((this.#all.size > 0 || !sent()) && this.#clock.now() < until) await delay(this.#clock, 10);
    for (const session of this.#all) session.terminate();
  }
}
