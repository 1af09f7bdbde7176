/**
 * All rooms in which a proxy has members: who is in, and what the owners say about them.
 *
 * @module
 */
import { decodeBody } from "../lib/body.ts";
import type { Clock } from "../lib/clock.ts";
import type { RecentNumbers } from "../lib/recent.ts";
import type { Logger } from "../lib/log.ts";
import type { Counter, Metrics } from "../lib/metrics.ts";
import type { AnnouncedMember, DeliverFrame, Frame, OpenedFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import type { Route } from "../link/route.ts";
import type { Router } from "../link/router.ts";
import type { JoinOptions, Refusal } from "../protocols/protocol.ts";
import type { ProxyLimits } from "./options.ts";
import { ProxyRoom, type RoomMember } from "./proxy_room.ts";
import type { Session } from "./session.ts";

/** What {@linkcode ProxyRooms} needs from its proxy. */
export interface ProxyRoomsHost {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly limits: ProxyLimits;
  readonly router: Router;
  /** Asks for `flush` at the end of this turn. */
  flush(): void;
  joined(session: Session, room: string): void;
  left(session: Session, room: string, reason: string): void;
}

const FORGET_MS = 60_000;

/** How a member is announced. */
function announce(member: RoomMember): AnnouncedMember {
  const { session, options } = member;
  return options.echo === false ? [session.id, session.user, 0] : [session.id, session.user];
}

/** The rooms of one proxy. */
export class ProxyRooms {
  readonly #host: ProxyRoomsHost;
  readonly #rooms: Map<string, ProxyRoom> = new Map();
  /** What was delivered in rooms that have no members now: a repeat may come after somebody has come back. */
  readonly #remembered: Map<string, RecentNumbers> = new Map();
  readonly #pending: Set<{ room: ProxyRoom; member: RoomMember }> = new Set();
  readonly #messagesOut: Counter;
  #dirty: ProxyRoom[] = [];
  #rotated = 0;

  /** No rooms at first. */
  constructor(host: ProxyRoomsHost) {
    this.#host = host;
    this.#messagesOut = host.metrics.counter("toychat_messages_out_total");
  }

  /** Rooms with members here. */
  get size(): number {
    return this.#rooms.size;
  }

  /** Whether a room has members here. */
  occupied(room: string): boolean {
    return this.#rooms.has(room);
  }

  /** The members of a room as they are announced to its owner. */
  announced(room: string): AnnouncedMember[] {
    const members: AnnouncedMember[] = [];
    for (const member of this.#rooms.get(room)?.members.values() ?? []) members.push(announce(member));
    return members;
  }

  /** The members of a room were announced to its owner: a later `opened` lets them all in. */
  attached(route: Route): void {
    for (const member of this.#rooms.get(route.room)?.members.values() ?? []) {
      if (member.pending) member.pending.asked = false;
      if (route.source) member.session.sender?.seenBy.add(route.source);
    }
  }

  /** Something on its way to an earlier owner of a room is lost: the members are told. */
  lost({ room }: Route): void {
    for (const { session, pending } of this.#rooms.get(room)?.members.values() ?? []) {
      if (!pending) session.moved(room, true);
    }
  }

  /** Asks the room's owner to let a user in. */
  join(
    session: Session,
    name: string,
    options: JoinOptions,
    done: (refusal: Refusal | undefined) => void,
  ): void {
    const { limits } = this.#host;
    if (!session.rooms.has(name) && session.rooms.size >= limits.maxRooms) {
      return done("too_many_rooms");
    }
    const room = this.#rooms.get(name) ?? this.#make(name);
    const there = room.members.get(session.id);
    if (there) return this.#rejoin(room, there, options, done);
    const member: RoomMember = {
      session,
      options,
      own: undefined,
      pending: { since: this.#host.clock.now(), done: [done], asked: false },
    };
    room.members.set(session.id, member);
    session.rooms.add(name);
    this.#pending.add({ room, member });
    this.#announceOne(room, member);
  }

  #make(name: string): ProxyRoom {
    const room = new ProxyRoom(name, this.#host.router.route(name), this.#remembered.get(name));
    this.#remembered.delete(name);
    this.#rooms.set(name, room);
    return room;
  }

  #announceOne(room: ProxyRoom, member: RoomMember): void {
    const route = this.#host.router.route(room.name);
    if (!route.join(announce(member))) return;
    if (member.pending) member.pending.asked = true;
    if (route.source) member.session.sender?.seenBy.add(route.source);
  }

  #rejoin(
    room: ProxyRoom,
    member: RoomMember,
    options: JoinOptions,
    done: (refusal: Refusal | undefined) => void,
  ): void {
    const told = (member.options.echo ?? true) === (options.echo ?? true);
    member.options = options;
    if (!told) this.#announceOne(room, member);
    if (member.pending) member.pending.done.push(done);
    else {
      room.admit(member);
      done(undefined);
    }
  }

  /** Takes a user out of a room. */
  leave(session: Session, name: string, reason: string): void {
    const room = this.#rooms.get(name);
    const member = room?.members.get(session.id);
    if (!room || !member) return;
    this.#host.router.find(name)?.leave(session.id, reason);
    this.#remove(room, member, reason, "gone");
  }

  #remove(room: ProxyRoom, member: RoomMember, reason: string, refusal: Refusal): void {
    const { session, pending } = member;
    room.remove(session.id);
    session.rooms.delete(room.name);
    if (room.members.size === 0) {
      this.#rooms.delete(room.name);
      if (room.delivered.size > 0) this.#remembered.set(room.name, room.delivered);
    }
    if (!pending) return this.#host.left(session, room.name, reason);
    member.pending = undefined;
    for (const done of pending.done) done(refusal);
  }

  /** A session has ended: it is out of all its rooms. Its owners are told once, by `gone`. */
  ended(session: Session, reason: string): void {
    for (const name of [...session.rooms]) {
      const room = this.#rooms.get(name);
      const member = room?.members.get(session.id);
      if (room && member) this.#remove(room, member, reason, "gone");
    }
  }

  /** The room's owner has no place for it. */
  refused(name: string): void {
    const room = this.#rooms.get(name);
    for (const member of [...room?.members.values() ?? []]) {
      if (room && member.pending) this.#remove(room, member, "server_full", "server_full");
    }
  }

  /** Handles a frame about a room; `false` where the frame is not about one. */
  frame(link: Link, frame: Frame): boolean {
    switch (frame.type) {
      case "deliver":
        this.#deliver(link, frame);
        return true;
      case "opened":
        this.#opened(link, frame);
        return true;
      case "joined":
        this.#joined(link, frame.room, frame.session);
        return true;
      case "kicked":
        this.#kicked(link, frame.room, frame.session, frame.reason);
        return true;
      default:
        return false;
    }
  }

  /** The room, where the link is the one source that its deliveries may come from. */
  #from(link: Link, name: string): ProxyRoom | undefined {
    const room = this.#rooms.get(name);
    if (room?.route.source === link) return room;
    if (room) this.#host.metrics.count("toychat_stale_frames_total");
    return undefined;
  }

  #deliver(link: Link, frame: DeliverFrame): void {
    const room = this.#from(link, frame.room);
    if (!room) return;
    const { cause } = frame;
    if (cause && !room.delivered.raise(cause[0], cause[1])) {
      this.#host.metrics.count("toychat_duplicates_dropped_total");
      return;
    }
    this.#messagesOut.value++;
    const delivery = {
      room: frame.room,
      from: frame.from,
      body: decodeBody(frame),
      acknowledged: cause !== undefined,
    };
    room.deliver(delivery, frame.only, frame.except);
    if (room.dirty) return;
    room.dirty = true;
    this.#dirty.push(room);
    this.#host.flush();
  }

  #opened(link: Link, frame: OpenedFrame): void {
    const route = this.#host.router.find(frame.room);
    if (!route || route.source !== link) return;
    // An owner that released the room and took it back meanwhile says so by its epoch alone.
    const moved = frame.reason === "merged" ||
      (route.epoch !== undefined && (route.away || route.epoch !== frame.epoch));
    // Where it was opened in between, without this proxy, its members have missed what was said there.
    const next = route.term === undefined || frame.term === undefined || frame.term === route.term + 1;
    const lost = !(frame.reason === "hand-off" && route.clean && route.epoch === frame.epoch && next);
    const awayMs = route.away ? this.#host.clock.now() - route.awaySince : 0;
    route.epoch = frame.epoch;
    route.term = frame.term;
    route.away = false;
    const room = this.#rooms.get(frame.room);
    // What came before the move is delivered before the word of it.
    if (room?.dirty) room.flush();
    for (const member of [...room?.members.values() ?? []]) {
      if (!member.pending) {
        if (moved) member.session.moved(frame.room, lost);
      } else if (!member.pending.asked) this.#admit(room as ProxyRoom, member);
    }
    if (moved && room) this.#noteMoved(frame.room, link.peer.id, lost, awayMs);
  }

  #noteMoved(room: string, owner: string, lost: boolean, ms: number): void {
    const { metrics, log } = this.#host;
    metrics.count("toychat_rooms_moved_total", 1, { lost: String(lost) });
    metrics.histogram("toychat_room_move_seconds", { lost: String(lost) }).observe(ms / 1000);
    log("info", "room_moved", { room, owner, lost, ms: Math.round(ms) });
  }

  #joined(link: Link, name: string, session: string): void {
    const room = this.#from(link, name);
    const member = room?.members.get(session);
    if (room && member?.pending) this.#admit(room, member);
  }

  #admit(room: ProxyRoom, member: RoomMember): void {
    const { pending } = member;
    if (!pending) return;
    // What the room was sent before is not for a member that comes now.
    if (room.dirty) room.flush();
    member.pending = undefined;
    room.admit(member);
    for (const done of pending.done) done(undefined);
    this.#host.joined(member.session, room.name);
  }

  #kicked(link: Link, name: string, session: string, reason: string): void {
    const room = this.#from(link, name);
    const member = room?.members.get(session);
    if (!room || !member) return;
    if (room.dirty) room.flush();
    const { pending } = member;
    this.#remove(room, member, reason, reason === "room_full" ? reason : "not_authorized");
    if (!pending) member.session.left(name, reason);
  }

  /** Hands every room's bytes of this turn to its members. */
  flush(): void {
    const rooms = this.#dirty;
    this.#dirty = [];
    for (const room of rooms) if (room.dirty) room.flush();
  }

  /** Gives up joins that nobody answered, and forgets origins that are long gone. */
  sweep(now: number): void {
    for (const waiting of [...this.#pending]) {
      const { room, member } = waiting;
      if (!member.pending) this.#pending.delete(waiting);
      else if (now - member.pending.since > this.#host.limits.joinMs) {
        this.#pending.delete(waiting);
        this.#host.router.find(room.name)?.leave(member.session.id, "unavailable");
        this.#remove(room, member, "unavailable", "unavailable");
      }
    }
    if (now - this.#rotated < FORGET_MS) return;
    this.#rotated = now;
    for (const room of this.#rooms.values()) room.delivered.rotate();
    for (const [name, delivered] of this.#remembered) {
      delivered.rotate();
      if (delivered.size === 0) this.#remembered.delete(name);
    }
  }
}
