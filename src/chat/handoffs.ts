/**
 * Rooms on their way from one ChatServer to another.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { HandoffFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import type { Member, View } from "../membership/view.ts";
import type { ChatUser } from "./chat_user.ts";
import { lastMembers } from "./merging.ts";

/** A room that left and whose new owner has not said that it took it. */
interface Outgoing {
  /** As it was sent, or is to be. */
  frame: HandoffFrame;
  /** Who was in it. */
  readonly users: readonly ChatUser[];
  /** Whom to tell when it was taken, where the room only passed through. */
  readonly tell: Set<Link>;
  /** When it was let go here. */
  readonly since: number;
  /** Where it was sent last. While that link lives, the room is its peer's to pass on. */
  sentTo: Link | undefined;
}

/** A room that came and has not opened yet. */
export interface Incoming {
  readonly frame: HandoffFrame;
  /** Who was in it when it was let go, where that was here. */
  readonly users: readonly ChatUser[];
  /** Whom to tell when it has opened. */
  readonly tell: Set<Link>;
  /** When waiting for the proxies that had members ends. */
  readonly until: number;
}

/** What hand-offs need from their ChatServer. */
export interface HandoffHost {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly id: string;
  readonly handoffMs: number;
  owner(room: string): Member | undefined;
  link(id: string): Link | undefined;
  /** Identity of the own view. */
  digest(): string;
  /** Whether the ChatServer at the other end of a link has the same view as this one. */
  agrees(link: Link): boolean;
  /** A hand-off is here for a room that is ours. */
  arrived(room: string): void;
  /** A room is about to be sent on its way; with `merged` to a server that holds another life of it. */
  leaving(room: string, merged: boolean): void;
  /** A hand-off was refused as another life of the room is here, which has not opened. */
  ended(frame: HandoffFrame, from: Link): void;
}

/** What the next owner of rooms holds of them, as it has answered the last `handing`. */
interface Holding {
  readonly digest: string;
  readonly rooms: ReadonlyMap<string, string>;
}

/**
 * Both directions. A room is sent only to a server that has the same view, so that two whose views differ do not send
 * it to and fro; and only to one at a time, so that no old copy of it opens elsewhere.
 *
 * It is sent when that server has answered what it holds itself of the rooms that it is to get: the application here is
 * told before whether its room goes on there, or ends.
 */
export class Handoffs {
  readonly #host: HandoffHost;
  readonly #outgoing: Map<string, Outgoing> = new Map();
  readonly #incoming: Map<string, Incoming> = new Map();
  /** By the link over which it was said. */
  readonly #holdings: Map<Link, Holding> = new Map();

  /** Nothing is on its way at first. */
  constructor(host: HandoffHost) {
    this.#host = host;
  }

  /** How many rooms are on their way out. */
  get outgoing(): number {
    return this.#outgoing.size;
  }

  /** Whether a room has been sent on its way out and may be anywhere. */
  away(room: string): boolean {
    return this.#outgoing.has(room);
  }

  /** The hand-off that a room is to open with. */
  incoming(room: string): Incoming | undefined {
    return this.#incoming.get(room);
  }

  /** The epoch of a room that is here but not open, or not known to be taken. */
  epoch(room: string): string | undefined {
    return (this.#incoming.get(room) ?? this.#outgoing.get(room))?.frame.epoch;
  }

  /** Another server has said which of the rooms that it is to get it holds already. */
  holding(link: Link, digest: string, rooms: readonly [room: string, epoch: string][]): void {
    this.#holdings.set(link, { digest, rooms: new Map(rooms) });
    this.retry();
  }

  /** A link that was dialled has ended. */
  reset(link: Link): void {
    this.#holdings.delete(link);
    this.retry();
  }

  /** Names of all rooms that are here but not open, or not known to be taken. */
  *held(): Generator<string> {
    yield* this.#outgoing.keys();
    yield* this.#incoming.keys();
  }

  /** Gives up a room that was sent on its way long ago and is ours again, though nobody returned it: as with `abandon`. */
  giveUp(room: string): void {
    const out = this.#outgoing.get(room);
    if (out) this.#forget(out, "abandoned");
  }

  /**
   * Gives up rooms that were sent to servers which are gone: those may have opened them, and what is kept here is old.
   * They open afresh at their next owners.
   */
  abandon({ members }: View): void {
    const present = new Set(members.map(({ id, incarnation }) => `${id} ${incarnation}`));
    for (const out of [...this.#outgoing.values()]) {
      const to = out.sentTo?.peer;
      if (to && !present.has(`${to.id} ${to.incarnation}`)) this.#forget(out, "abandoned");
    }
  }

  #forget(out: Outgoing, outcome: "taken" | "refused" | "abandoned"): void {
    const { clock, metrics } = this.#host;
    metrics.count("toychat_handoffs_total", 1, { outcome });
    if (outcome === "taken") {
      metrics.histogram("toychat_handoff_seconds").observe((clock.now() - out.since) / 1000);
    }
    this.#outgoing.delete(out.frame.room);
    for (const link of out.tell) this.confirm(out.frame, link);
  }

  /** Sends a room on its way to whoever owns it; keeps it until that one has taken it. */
  send(frame: HandoffFrame, tell: Set<Link> = new Set(), users: readonly ChatUser[] = []): void {
    const out: Outgoing = { frame, users, tell, since: this.#host.clock.now(), sentTo: undefined };
    this.#outgoing.set(frame.room, out);
    this.#push(out);
  }

  #push(out: Outgoing): void {
    if (out.sentTo) return this.#again(out, out.sentTo);
    const { frame } = out;
    const owner = this.#host.owner(frame.room);
    if (owner?.id === this.#host.id) {
      this.#outgoing.delete(frame.room);
      return this.#keep(out);
    }
    const link = owner && this.#host.link(owner.id);
    if (!link || link.ended || !this.#host.agrees(link)) return;
    const held = this.#holdings.get(link);
    if (held?.digest !== this.#host.digest()) return;
    const epoch = held.rooms.get(frame.room);
    const merged = epoch !== undefined && epoch !== frame.epoch;
    if (merged) out.frame = { ...frame, members: lastMembers(out.users) };
    this.#host.leaving(frame.room, merged);
    out.sentTo = link;
    link.send(out.frame);
  }

  /** Over a new link it goes to the same server again, whoever owns it now: that one knows what became of it. */
  #again(out: Outgoing, last: Link): void {
    const link = this.#host.link(last.peer.id);
    if (!last.ended || !link || link.ended || link.peer.incarnation !== last.peer.incarnation) return;
    out.sentTo = link;
    link.send(out.frame);
  }

  #keep({ frame, tell, users }: Outgoing): void {
    const { clock, handoffMs } = this.#host;
    this.#incoming.set(frame.room, { frame, users, tell, until: clock.now() + handoffMs });
    clock.after(handoffMs + 5, () => {
      if (this.#incoming.has(frame.room)) this.#host.arrived(frame.room);
    });
    this.#host.arrived(frame.room);
  }

  /** A hand-off has come over a link. */
  receive(frame: HandoffFrame, from: Link): void {
    const there = this.#incoming.get(frame.room) ?? this.#outgoing.get(frame.room);
    if (there && there.frame.epoch !== frame.epoch) {
      this.refuse(frame, from);
      return this.#host.ended(frame, from);
    }
    if (there && there.frame.term > frame.term) return this.confirm(frame, from);
    const tell = new Set([from]);
    for (const link of there?.tell ?? []) {
      if (there?.frame.term === frame.term) tell.add(link);
      else this.confirm((there as Incoming).frame, link);
    }
    this.#outgoing.delete(frame.room);
    this.#incoming.delete(frame.room);
    this.send(frame, tell, there?.users);
  }

  /** Tells whoever sent a hand-off that it is not wanted any more. */
  refuse(frame: HandoffFrame, from: Link): void {
    from.send({ type: "taken", room: frame.room, epoch: frame.epoch, term: frame.term, refused: true });
  }

  /** The room has opened with its hand-off. */
  opened(room: string): void {
    const incoming = this.#incoming.get(room);
    this.#incoming.delete(room);
    for (const link of incoming?.tell ?? []) this.confirm((incoming as Incoming).frame, link);
  }

  /** Tells whoever sent a hand-off that it was taken. */
  confirm({ room, epoch, term }: HandoffFrame, to: Link): void {
    if (!to.ended) to.send({ type: "taken", room, epoch, term });
  }

  /** The new owner has taken a room, or refused it; another one's word for it does not count. */
  taken(from: Link, room: string, epoch: string, term: number, refused = false): void {
    const out = this.#outgoing.get(room);
    if (out?.sentTo?.peer.id !== from.peer.id) return;
    if (out.frame.epoch === epoch && out.frame.term === term) {
      this.#forget(out, refused ? "refused" : "taken");
    }
  }

  /** A view or the links have changed: sends on what waited, and what is not for us after all. */
  retry(): void {
    for (const [room, { frame, tell, users }] of [...this.#incoming]) {
      if (this.#host.owner(room)?.id === this.#host.id) continue;
      this.#incoming.delete(room);
      this.send(frame, tell, users);
    }
    for (const out of [...this.#outgoing.values()]) this.#push(out);
  }

  /** Forgets everything: this life of the server is over. */
  clear(): void {
    this.#outgoing.clear();
    this.#incoming.clear();
    this.#holdings.clear();
  }
}
