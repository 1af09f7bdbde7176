/**
 * Rooms that have been released here, and whose end the application has not been told: whether they go on elsewhere, or
 * are merged into another life, is known when they are sent on their way.
 *
 * @module
 */
import type { RoomCloseReason } from "./chat_user.ts";
import type { Room } from "./room.ts";

/** Tells the application once of each room that it has closed. */
export class Partings {
  readonly #rooms: Map<string, { readonly room: Room; readonly since: number }> = new Map();
  readonly #closed: (room: Room, reason: RoomCloseReason) => void;

  /** `closed` is called for each room when it is known why it has closed. */
  constructor(closed: (room: Room, reason: RoomCloseReason) => void) {
    this.#closed = closed;
  }

  /** A room has been released; `now` is the time of it. */
  add(room: Room, now: number): void {
    this.#rooms.set(room.name, { room, since: now });
  }

  /** It is known what becomes of a room, where that was not known before. */
  end(name: string, reason: RoomCloseReason): void {
    const parting = this.#rooms.get(name);
    if (!parting) return;
    this.#rooms.delete(name);
    this.#closed(parting.room, reason);
  }

  /** Rooms that were released before `time` wait no longer to be told of. */
  expire(time: number): void {
    for (const [name, { since }] of [...this.#rooms]) if (since <= time) this.end(name, "hand-off");
  }

  /** This life of the server is over. */
  clear(reason: RoomCloseReason): void {
    for (const name of [...this.#rooms.keys()]) this.end(name, reason);
  }
}
