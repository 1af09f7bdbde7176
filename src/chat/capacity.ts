/**
 * How many rooms a ChatServer takes, and how many users a room.
 *
 * @module
 */
import type { Metrics } from "../lib/metrics.ts";
import type { AnnounceFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import type { ChatLimits } from "./options.ts";
import type { Room } from "./room.ts";

/** Refuses rooms and members for which there is no place. Those that come from another ChatServer are always taken. */
export class Capacity {
  readonly #limits: ChatLimits;
  readonly #metrics: Metrics;

  /** Keeps no state of its own. */
  constructor(limits: ChatLimits, metrics: Metrics) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** Whether so many rooms are as many as may be. */
  full(rooms: number): boolean {
    const { maxOpenRooms } = this.#limits;
    return maxOpenRooms > 0 && rooms >= maxOpenRooms;
  }

  /** Tells a router that its room is not taken. */
  refuseRoom(link: Link, { room, attach }: AnnounceFrame): void {
    this.#metrics.count("toychat_rooms_refused_total");
    link.send({ type: "released", room, attach, full: true });
  }

  /** Whether a session that is not in a room finds no place there. */
  crowded(room: Room, session: string): boolean {
    const { maxRoomMembers } = this.#limits;
    return maxRoomMembers > 0 && room.members.size >= maxRoomMembers && !room.members.has(session);
  }

  /** Tells a router that its member is not let in. */
  refuseMember(room: Room, link: Link, session: string): void {
    this.#metrics.count("toychat_room_members_refused_total");
    link.send({ type: "kicked", room: room.name, session, reason: "room_full" });
  }
}
