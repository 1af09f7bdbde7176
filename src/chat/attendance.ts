/**
 * Who is in which room: members come and go, and the application is told in the room's own order.
 *
 * @module
 */
import type { AnnouncedMember, AnnounceFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import type { Clock } from "../lib/clock.ts";
import type { Capacity } from "./capacity.ts";
import type { ClusterTypes, Listeners } from "./events.ts";
import type { Attachment, Room } from "./room.ts";
import type { Sessions } from "./sessions.ts";

/** What {@linkcode Attendance} needs. */
export interface AttendanceHost<Types extends ClusterTypes> {
  readonly clock: Clock;
  readonly listeners: Listeners<Types>;
  readonly sessions: Sessions;
  readonly capacity: Capacity;
}

/** Lets members into rooms and out of them. Keeps no state of its own: it is in the rooms and the sessions. */
export class Attendance<Types extends ClusterTypes> {
  readonly #host: AttendanceHost<Types>;

  /** Works on the rooms that it is given. */
  constructor(host: AttendanceHost<Types>) {
    this.#host = host;
  }

  /** A router has named all its members of a room; those that come along with the room are always let in. */
  announced(room: Room, link: Link, { attach, epoch, members }: AnnounceFrame): Attachment {
    const named = new Set(members.map(([session]) => session));
    const attachment = room.attach(link, named, attach, epoch);
    for (const session of [...attachment.members.keys()]) {
      if (!named.has(session)) this.leave(room, session, "left", link);
    }
    for (const member of members) this.#add(room, attachment, member, epoch !== undefined);
    return attachment;
  }

  /** A router has named one member more. */
  join(room: Room, attachment: Attachment, member: AnnouncedMember): void {
    this.#add(room, attachment, member, false);
    if (!attachment.members.has(member[0])) return;
    if (room.phase !== "open") attachment.late.push(member[0]);
    else attachment.link.send({ type: "joined", room: room.name, session: member[0] });
  }

  #add(
    room: Room,
    attachment: Attachment,
    [session, userId, echo]: AnnouncedMember,
    moving: boolean,
  ): void {
    const { link } = attachment;
    const { capacity, sessions, listeners } = this.#host;
    if (!moving && capacity.crowded(room, session)) return capacity.refuseMember(room, link, session);
    const user = sessions.meet(session, userId, link);
    const member = room.add(attachment, user, echo !== 0);
    if (!member) return;
    sessions.enter(session, room);
    if (room.phase === "open") this.#event(room, () => listeners.emit("join", user, room.name));
  }

  /** A router has taken a member back; a session that another link speaks for stays. */
  leave(room: Room | undefined, session: string, reason: string, link: Link): void {
    if (room?.members.get(session)?.attachment.link === link) this.remove(room, session, reason);
  }

  /** Takes a member out. */
  remove(room: Room, session: string, reason: string): void {
    const member = room.remove(session);
    if (!member) return;
    const { clock, listeners, sessions } = this.#host;
    sessions.exit(session, room);
    room.used = clock.now();
    if (room.phase !== "open") return;
    this.#event(room, () => listeners.emit("leave", member.user, room.name, reason));
  }

  /** A session has ended: it is out of all rooms. */
  gone(session: string, reason: string, link: Link): void {
    const { sessions } = this.#host;
    for (const room of sessions.rooms(session, link)) this.remove(room, session, reason);
    sessions.end(session, reason, link);
  }

  /** Puts a user out of a room; `false` where the user is not in it. */
  kick(room: Room, session: string, reason: string): boolean {
    const member = room.members.get(session);
    if (!member) return false;
    member.attachment.link.send({ type: "kicked", room: room.name, session, reason });
    this.remove(room, session, reason);
    return true;
  }

  #event(room: Room, run: () => void | Promise<void>): void {
    room.enqueue({ message: undefined, run });
  }
}
