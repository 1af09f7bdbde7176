/**
 * Rooms that wait for a link: a proxy that has members of theirs has too much outstanding.
 *
 * @module
 */
import type { Counter, Metrics } from "../lib/metrics.ts";
import type { Link } from "../link/link.ts";
import type { Room } from "./room.ts";

/**
 * Without it those who send to rooms, all of them within their limits, could together send more to a proxy than its link
 * holds, which would end the link for everybody behind it. Only the rooms with members there wait, and who sends to them.
 */
export class StoppedRooms {
  readonly #rooms: Map<Link, Set<Room>> = new Map();
  readonly #stops: Counter;

  /** Counts what waits in `metrics`. */
  constructor(metrics: Metrics) {
    this.#stops = metrics.counter("toychat_rooms_pushed_back_total");
  }

  /** A room waits until a link has drained, or has ended. */
  add(room: Room, link: Link): void {
    const rooms = this.#rooms.get(link);
    if (!rooms) this.#rooms.set(link, new Set([room]));
    else if (rooms.has(room)) return;
    else rooms.add(room);
    this.#stops.value++;
  }

  /** The link takes more, or has ended: what waited for it goes on. */
  release(link: Link): void {
    const rooms = this.#rooms.get(link);
    this.#rooms.delete(link);
    for (const room of rooms ?? []) room.run();
  }
}
