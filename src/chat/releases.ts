/**
 * Letting rooms go, so that their next owner can go on where this one stopped.
 *
 * @module
 */
import type { HandoffFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import type { Acceptance } from "./acceptance.ts";
import type { Confirms } from "./confirms.ts";
import type { ClusterTypes } from "./events.ts";
import type { Handoffs } from "./handoffs.ts";
import type { Attachment, Room } from "./room.ts";
import type { Sessions } from "./sessions.ts";

/** What {@linkcode Releases} needs. */
export interface ReleasesHost<Types extends ClusterTypes> {
  readonly sessions: Sessions;
  readonly acceptance: Acceptance<Types>;
  readonly confirms: Confirms;
  readonly handoffs: Handoffs;
  /** The room has been released: it is not here any more. */
  released(room: Room): void;
}

/** Releases rooms to all routers at once, or to a single one that asks. */
export class Releases<Types extends ClusterTypes> {
  /** Rooms, by name, that are being released and have not been sent on their way yet. */
  readonly leaving: Map<string, Room> = new Map();
  readonly #host: ReleasesHost<Types>;
  /** Counts the lives of the server: what one began to release is none of the next one's business. */
  #life = 0;

  /** Nothing is being released at first. */
  constructor(host: ReleasesHost<Types>) {
    this.#host = host;
  }

  /** A router wants to let go of a room. */
  yield(room: Room, attachment: Attachment): void {
    // With members in an open room only the owner's own view decides; it says so to all proxies at once.
    if (room.phase !== "waiting" && attachment.members.size > 0) return;
    const { link, attach } = attachment;
    for (const { frame, n } of room.takeFrom(link)) this.#host.acceptance.refuse(link, frame, n);
    this.#detach(room, attachment);
    link.send({ type: "released", room: room.name, attach });
  }

  /** Lets all routers go that wait for a room. */
  dismiss(room: Room): void {
    for (const attachment of [...room.attachments.values()]) {
      if (!attachment.link.ended) this.yield(room, attachment);
    }
  }

  #detach(room: Room, attachment: Attachment): void {
    for (const session of [...attachment.members.keys()]) {
      room.remove(session);
      this.#host.sessions.exit(session, room);
    }
    room.attachments.delete(attachment.link);
  }

  /** Hands an open room off: seals it, lets the running listener end, and tells every router that it was the last. */
  release(room: Room): void {
    room.phase = "sealed";
    this.leaving.set(room.name, room);
    this.#host.acceptance.refuseHeld(room);
    const life = this.#life;
    // The application hears of nobody who goes from here on.
    const { users } = room;
    room.whenIdle(() => {
      if (life !== this.#life) return;
      this.#host.acceptance.refuseHeld(room);
      const { frames, proxies } = this.#tell(room);
      this.#host.released(room);
      const { name, epoch, offset, term } = room;
      const senders = room.senders.entries();
      this.#host.confirms.all(frames, () => {
        if (life !== this.#life) return;
        this.leaving.delete(name);
        const numbers = { epoch, offset, term, senders: completed(room, senders), proxies };
        this.#host.handoffs.send({ type: "handoff", room: name, ...numbers }, new Set(), users);
      });
    });
  }

  /** Gives up all releases: this life of the server is over. */
  clear(): void {
    this.#life++;
    this.leaving.clear();
  }

  /** Behind the last delivery on each link comes the release; the next owner waits for the proxies with members. */
  #tell(room: Room): { frames: Map<Link, number>; proxies: HandoffFrame["proxies"] } {
    const frames = new Map<Link, number>();
    const proxies: HandoffFrame["proxies"] = [];
    for (const attachment of [...room.attachments.values()]) {
      const { link, members } = attachment;
      if (members.size > 0 && link.peer.role === "proxy") proxies.push([link.peer.id, link.peer.incarnation]);
      frames.set(link, link.send({ type: "released", room: room.name, attach: attachment.attach }));
      this.#detach(room, attachment);
    }
    return { frames, proxies };
  }
}

/**
 * The numbers up to which everything is done. A message that still waits for what it led to in other rooms comes again if
 * this server dies before that is done, and must be done again then; until it is acknowledged its router sends nothing that
 * is later.
 */
function completed(room: Room, senders: [string, number][]): [string, number][] {
  const most = new Map<string, number>();
  const lower = (sender: string, number: number): void => {
    most.set(sender, Math.min(number - 1, most.get(sender) ?? Infinity));
  };
  for (const { frame, routed } of room.unacknowledged.values()) {
    if (!routed) continue;
    lower(frame.session, frame.seq);
    if (frame.cause) lower(`>${frame.cause[0]}`, frame.cause[1]);
  }
  if (most.size === 0) return senders;
  return senders.flatMap(([sender, number]): [string, number][] => {
    const done = Math.min(number, most.get(sender) ?? number);
    return done > 0 ? [[sender, done]] : [];
  });
}
