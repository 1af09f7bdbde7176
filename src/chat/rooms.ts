/**
 * All rooms of a ChatServer, by the rules for moving them: when one opens, what it accepts, how it is let go.
 *
 * @module
 */
import type { AnnounceFrame, Frame, HandoffFrame, JoinFrame, MessageFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import { Acceptance } from "./acceptance.ts";
import { Attendance } from "./attendance.ts";
import type { OpenReason, RoomCloseReason } from "./chat_user.ts";
import { Capacity } from "./capacity.ts";
import type { ClusterTypes } from "./events.ts";
import { Exchange } from "./exchange.ts";
import { Handoffs } from "./handoffs.ts";
import { Merging } from "./merging.ts";
import { endForeign, noteClosed, noteOpened } from "./observed.ts";
import { awaitsProxies, openRoom, tellOpened } from "./opening.ts";
import { Partings } from "./partings.ts";
import { Releases } from "./releases.ts";
import { Room } from "./room.ts";
import type { RoomsHost } from "./rooms_host.ts";
import { Sessions } from "./sessions.ts";
import { Settlement } from "./settlement.ts";
import { StoppedRooms } from "./stopped_rooms.ts";

const FORGET_MS = 60_000;

/** The rooms of one ChatServer. */
export class Rooms<Types extends ClusterTypes> {
  readonly settlement: Settlement;
  readonly handoffs: Handoffs;
  readonly sessions: Sessions;
  readonly exchange: Exchange<Types>;
  readonly #acceptance: Acceptance<Types>;
  readonly #attendance: Attendance<Types>;
  readonly #merging: Merging<Types>;
  readonly #partings: Partings;
  readonly #stopped: StoppedRooms;
  readonly #releases: Releases<Types>;
  readonly #host: RoomsHost<Types>;
  readonly #capacity: Capacity;
  readonly #rooms: Map<string, Room> = new Map();
  #rotated = 0;

  /** No rooms at first. */
  constructor(host: RoomsHost<Types>) {
    this.#host = host;
    const { clock, id, limits } = host;
    this.#capacity = new Capacity(limits, host.metrics);
    this.settlement = new Settlement({
      clock,
      id,
      announceMs: limits.announceMs,
      handoffMs: limits.handoffMs,
      changed: () => this.#openAll(),
    });
    this.handoffs = this.#makeHandoffs();
    this.sessions = new Sessions({
      connected: (user) => void host.listeners.emit("connect", user),
      disconnected: (user, reason) => void host.listeners.emit("disconnect", user, reason),
    });
    this.#attendance = new Attendance({ ...host, sessions: this.sessions, capacity: this.#capacity });
    this.#merging = new Merging({ ...host, sessions: this.sessions });
    this.exchange = new Exchange({
      ...host,
      settlement: this.settlement,
      handoffs: this.handoffs,
      merging: this.#merging,
      here: (room) => this.#here(room),
      held: () => this.#held(),
    });
    this.#stopped = new StoppedRooms(host.metrics);
    this.#partings = new Partings((room, reason) => this.#closed(room, reason));
    this.#acceptance = new Acceptance({
      clock,
      metrics: host.metrics,
      listeners: host.listeners,
      confirms: host.confirms,
      sessions: this.sessions,
      maxMessageBytes: limits.maxMessageBytes,
      digest: () => host.placement().view.digest,
      accepts: (room) =>
        host.held() && (room.phase === "open" || (room.phase === "waiting" && this.#owns(room.name))),
    });
    this.#releases = new Releases({
      sessions: this.sessions,
      acceptance: this.#acceptance,
      confirms: host.confirms,
      handoffs: this.handoffs,
      released: (room) => this.#released(room),
    });
  }

  #makeHandoffs(): Handoffs {
    const { clock, id, limits, metrics, placement, link, agrees } = this.#host;
    return new Handoffs({
      clock,
      id,
      metrics,
      handoffMs: limits.handoffMs,
      owner: (room) => placement().owner(room),
      link,
      digest: () => placement().view.digest,
      agrees,
      arrived: (room) => this.#tryOpen(this.#room(room)),
      leaving: (room, merged) => this.#partings.end(room, merged ? "merged" : "hand-off"),
      ended: (frame, from) => this.#merging.ended(undefined, frame, from),
    });
  }

  /** Open rooms. */
  get open(): number {
    let count = 0;
    for (const room of this.#rooms.values()) if (room.phase === "open") count++;
    return count;
  }

  /** Whether nothing is left that others must get from here, and nobody looks for a room here any more. */
  get empty(): boolean {
    if (this.#releases.leaving.size > 0 || this.handoffs.outgoing > 0 || !this.#host.confirms.idle) {
      return false;
    }
    for (const room of this.#rooms.values()) {
      if (room.phase !== "waiting" || room.attachments.size > 0) return false;
    }
    return true;
  }

  /** A room that is here: open, or with its last listener still running before it goes. */
  find(name: string): Room | undefined {
    const room = this.#rooms.get(name);
    return room?.phase === "waiting" ? undefined : room;
  }

  /** The names of the rooms that are open here. */
  *names(): Generator<string> {
    for (const room of this.#rooms.values()) if (room.phase === "open") yield room.name;
  }

  #room(name: string): Room {
    let room = this.#rooms.get(name);
    if (!room) this.#rooms.set(name, room = this.#newRoom(name));
    room.used = this.#host.clock.now();
    return room;
  }

  #newRoom(name: string): Room {
    return new Room(name, this.#host.clock.now(), (room, link) => this.#stopped.add(room, link));
  }

  /** A link has drained: it takes more of the rooms. */
  drained(link: Link): void {
    this.#stopped.release(link);
  }

  #owns(name: string): boolean {
    return this.#host.placement().owner(name)?.id === this.#host.id;
  }

  /** Handles a frame from a router; `false` where routers do not send it. */
  frame(link: Link, frame: Frame, n: number, length?: number): boolean {
    switch (frame.type) {
      case "message":
        this.#message(link, frame, n, length);
        return true;
      case "announce":
        this.#announce(link, frame);
        return true;
      case "announced":
        this.settlement.announced(link, frame.digest);
        return true;
      case "join":
        this.#join(link, frame);
        return true;
      case "leave":
        this.#attendance.leave(this.#rooms.get(frame.room), frame.session, frame.reason, link);
        return true;
      case "gone":
        this.#attendance.gone(frame.session, frame.reason, link);
        return true;
      case "yield":
        this.#yield(link, frame.room);
        return true;
      case "handing":
        this.exchange.named(link, frame.digest, frame.rooms);
        return true;
      case "handoff":
        this.exchange.came(link, frame);
        return true;
      case "digest":
        this.settlement.turned(link, frame.digest);
        return true;
      default:
        return false;
    }
  }

  #announce(link: Link, frame: AnnounceFrame): void {
    if (!this.#rooms.has(frame.room) && !this.#moving(frame) && this.#capacity.full(this.#rooms.size)) {
      return this.#capacity.refuseRoom(link, frame);
    }
    const room = this.#room(frame.room);
    const attachment = this.#attendance.announced(room, link, frame);
    if (room.phase === "open") tellOpened(room, attachment, "open");
    else this.#tryOpen(room);
  }

  /** Whether a room comes from another ChatServer, which a limit must not stop. */
  #moving({ room, epoch }: AnnounceFrame): boolean {
    return epoch !== undefined || this.settlement.expects(room) || this.handoffs.away(room) ||
      this.handoffs.incoming(room) !== undefined;
  }

  #join(link: Link, frame: JoinFrame): void {
    const room = this.#rooms.get(frame.room);
    const attachment = room?.attachments.get(link);
    // Where the room was released meanwhile, the router announces this member to the next owner.
    if (room && attachment) this.#attendance.join(room, attachment, frame.member);
  }

  /** Puts a user out of a room; `false` where the user is not in it. */
  kick(room: Room, session: string, reason: string): boolean {
    return this.#attendance.kick(room, session, reason);
  }

  #message(link: Link, frame: MessageFrame, n: number, length: number | undefined): void {
    const room = this.#rooms.get(frame.room);
    const attachment = room?.attachments.get(link);
    if (!room || !attachment) return this.#acceptance.refuse(link, frame, n);
    if (!frame.session.startsWith(attachment.prefix)) return endForeign(this.#host, link, frame.session);
    this.#acceptance.message(room, attachment, frame, n, length);
    if (room.phase === "waiting") this.#tryOpen(room);
  }

  #openAll(): void {
    for (const room of [...this.#rooms.values()]) if (room.phase === "waiting") this.#tryOpen(room);
  }

  /** Opens a room as soon as nothing of it can be elsewhere. */
  #tryOpen(room: Room): void {
    if (room.phase !== "waiting" || this.#releases.leaving.has(room.name)) return;
    if (!this.#owns(room.name) || !this.#host.held()) return;
    if (this.handoffs.away(room.name)) {
      // It went from here and is ours again: whoever has it returns it.
      if (!this.settlement.overdue) return;
      this.handoffs.giveUp(room.name);
    }
    const incoming = this.handoffs.incoming(room.name);
    if (incoming) {
      const waits = awaitsProxies(room, incoming.frame, this.#host.placement().view);
      if (waits && this.#host.clock.now() < incoming.until) return;
      return this.#open(room, "hand-off", incoming.frame);
    }
    if (this.#forgetUnused(room)) return;
    if (!this.settlement.settled || this.settlement.expects(room.name)) return;
    const seen = [...room.attachments.values()].some(({ epoch }) => epoch !== undefined);
    this.#open(room, seen ? "failover" : "first-join", undefined);
  }

  #open(room: Room, reason: OpenReason, handoff: HandoffFrame | undefined): void {
    const { clock, listeners } = this.#host;
    noteOpened(this.#host, room, reason);
    if (handoff) this.handoffs.opened(room.name);
    // It may have been here before, and on its way to another server in between.
    this.#partings.end(room.name, "hand-off");
    this.#merging.opening(room, () => openRoom(room, reason, handoff, clock, listeners));
  }

  #yield(link: Link, name: string): void {
    const room = this.#rooms.get(name);
    const attachment = room?.attachments.get(link);
    if (!room || !attachment) return;
    this.#releases.yield(room, attachment);
    this.#forgetUnused(room);
  }

  /** Forgets a room that nobody waits for any more. */
  #forgetUnused(room: Room): boolean {
    if (room.phase !== "waiting" || room.attachments.size > 0 || room.busy) return false;
    if (this.handoffs.incoming(room.name)) return false;
    return this.#rooms.delete(room.name);
  }

  /** A room that is open here, or that is being released and may come back. */
  #here(name: string): Room | undefined {
    return this.find(name) ?? this.#releases.leaving.get(name);
  }

  /** Of a server that has lost its place nothing is expected: others have opened the room, or will. */
  #released(room: Room): void {
    if (!this.#placed) return this.#close(room, "lease-lost");
    this.#rooms.delete(room.name);
    this.#partings.add(room, this.#host.clock.now());
  }

  /** Whether this server has a place in its own view. */
  get #placed(): boolean {
    const { id, placement } = this.#host;
    return placement().view.members.some((member) => member.id === id);
  }

  #close(room: Room, reason: RoomCloseReason): void {
    if (this.#rooms.get(room.name) === room) this.#rooms.delete(room.name);
    this.#closed(room, reason);
  }

  #closed(room: Room, reason: RoomCloseReason): void {
    const { listeners } = this.#host;
    noteClosed(this.#host, room, reason);
    void listeners.emit("close", room.name, reason);
    if (reason === "hand-off") void listeners.emit("handoff", room.name);
  }

  /** The view has changed: lets go of what is not ours, and says to every other ChatServer what it will get. */
  viewChanged(): void {
    const { view } = this.#host.placement();
    this.settlement.restart(view);
    this.#merging.keep((room) => this.#owns(room));
    for (const room of [...this.#rooms.values()]) {
      if (this.#owns(room.name)) continue;
      if (room.phase === "open") this.#releases.release(room);
      else if (room.phase === "waiting") this.#acceptance.refuseHeld(room);
    }
    this.exchange.tellAll();
    this.handoffs.retry();
    this.#openAll();
  }

  /** Names of rooms that others may have to get from here. */
  *#held(): Generator<string> {
    yield* this.handoffs.held();
    yield* this.#releases.leaving.keys();
    for (const room of this.#rooms.values()) if (room.phase !== "waiting") yield room.name;
  }

  /** A router's link has ended: its members are gone until it announces them again. */
  linkReset(link: Link, reason: string): void {
    this.settlement.reset(link);
    for (const room of [...this.#rooms.values()]) {
      const attachment = room.attachments.get(link);
      if (!attachment) continue;
      // What waits of it comes again over another link.
      room.takeFrom(link);
      for (const session of [...attachment.members.keys()]) this.#attendance.remove(room, session, reason);
      room.attachments.delete(link);
      this.#forgetUnused(room);
    }
    this.#stopped.release(link);
    this.sessions.reset(link, reason);
    this.#openAll();
  }

  /** Once a second: fails what was held too long, closes rooms that nobody uses, forgets what is long gone. */
  sweep(now: number): void {
    const { handoffMs, holdMs, idleMs } = this.#host.limits;
    this.#partings.expire(now - handoffMs);
    this.#merging.sweep(now - FORGET_MS);
    for (const room of [...this.#rooms.values()]) {
      this.#acceptance.expire(room, now - holdMs);
      const idle = room.phase === "open" && room.attachments.size === 0 && !room.busy &&
        room.unacknowledged.size === 0;
      if (idle && now - room.used > idleMs) this.#close(room, "idle");
      // The lease may have been in doubt when the room could have opened.
      if (room.phase === "waiting") this.#tryOpen(room);
    }
    if (now - this.#rotated < FORGET_MS) return;
    this.#rotated = now;
    for (const room of this.#rooms.values()) room.senders.rotate();
  }

  /** Closes everything: this life of the server is over. */
  clear(reason: RoomCloseReason): void {
    this.settlement.stop();
    this.handoffs.clear();
    this.#releases.clear();
    this.#merging.clear();
    this.#partings.clear(reason);
    for (const room of [...this.#rooms.values()]) {
      // Of a room that was never open here nothing is lost, if its routers are told so.
      if (room.phase === "waiting") this.#releases.dismiss(room);
      room.clear();
      const opened = room.phase !== "waiting";
      room.phase = "sealed";
      if (opened) this.#close(room, reason);
    }
    this.#rooms.clear();
    this.sessions.clear(reason);
  }
}
