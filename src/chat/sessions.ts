/**
 * The sessions that a ChatServer knows, across its rooms.
 *
 * @module
 */
import type { Link } from "../link/link.ts";
import type { ChatUser } from "./chat_user.ts";
import type { Room } from "./room.ts";

interface Known {
  readonly user: ChatUser;
  readonly link: Link;
  readonly rooms: Set<Room>;
}

/** Told when sessions come and go. */
export interface SessionEvents {
  connected(user: ChatUser): void;
  disconnected(user: ChatUser, reason: string): void;
}

/** Sessions by their id, from their first room here to their end. */
export class Sessions {
  readonly #known: Map<string, Known> = new Map();
  readonly #events: SessionEvents;

  /** Knows nobody at first. */
  constructor(events: SessionEvents) {
    this.#events = events;
  }

  /** How many are known. */
  get size(): number {
    return this.#known.size;
  }

  /** The user of a session, which is known from here on. */
  meet(session: string, userId: string, link: Link): ChatUser {
    const there = this.#known.get(session);
    if (there?.link === link) return there.user;
    if (there) this.#forget(session, there, "moved to another link");
    const user = this.passing(session, userId, link);
    this.#known.set(session, { user, link, rooms: new Set() });
    this.#events.connected(user);
    return user;
  }

  /** The user of a session, where it is known. */
  known(session: string): ChatUser | undefined {
    return this.#known.get(session)?.user;
  }

  /** The user of a session that may not be known: it sends without having joined. */
  passing(session: string, userId: string, link: Link): ChatUser {
    return this.#known.get(session)?.user ??
      Object.freeze({ userId, sessionId: session, proxyId: link.peer.id });
  }

  /** Notes that a session is in a room. */
  enter(session: string, room: Room): void {
    this.#known.get(session)?.rooms.add(room);
  }

  /** Notes that it is not any more. */
  exit(session: string, room: Room): void {
    this.#known.get(session)?.rooms.delete(room);
  }

  /** The rooms of a session that is known by this link. */
  rooms(session: string, link: Link): Room[] {
    const known = this.#known.get(session);
    return known?.link === link ? [...known.rooms] : [];
  }

  /** A session has ended. */
  end(session: string, reason: string, link: Link): void {
    const known = this.#known.get(session);
    if (known?.link === link) this.#forget(session, known, reason);
  }

  /** A link has ended, and every session that it spoke for with it. */
  reset(link: Link, reason: string): void {
    for (const [session, known] of [...this.#known]) {
      if (known.link === link) this.#forget(session, known, reason);
    }
  }

  #forget(session: string, known: Known, reason: string): void {
    this.#known.delete(session);
    this.#events.disconnected(known.user, reason);
  }

  /** Forgets everybody. */
  clear(reason: string): void {
    for (const [session, known] of [...this.#known]) this.#forget(session, known, reason);
  }
}
