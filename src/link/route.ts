/**
 * One room's way to its owner.
 *
 * @module
 */
import { Deque } from "../lib/deque.ts";
import type { AcceptedFrame, AnnouncedMember, HeldFrame, RefusedFrame } from "./frames.ts";
import type { Link } from "./link.ts";
import type { Pool } from "./pools.ts";
import type { Entry, Router } from "./router.ts";

/** Periods of the router's sweep without use after which an empty route lets go of its owner. */
const IDLE_SWEEPS = 10;

/**
 * The one ordered queue of a room, and the owner that it is attached to.
 *
 * - *detached*: no owner, or no link to it; everything waits.
 * - *attached*: the members have been announced to `source`; messages go there, deliveries come from there alone.
 * - *yielding*: the view gives the room to another, or nobody needs it; waits until `source` has released it.
 */
export class Route {
  readonly room: string;
  /** The link to the owner that the members were last announced to. */
  source: Link | undefined;
  /** The epoch in which the room was last seen open. */
  epoch: string | undefined;
  /** How often it had been opened in that epoch by then. */
  term: number | undefined;
  /** Whether the last owner let the room go in order: nothing of it can come any more, and nothing is missing. */
  clean = true;
  /** Whether an owner was lost or left since the room was last seen open. */
  away = false;
  /** When that was, by the router's clock. */
  awaySince = 0;
  /** Messages that are not over. */
  live = 0;
  /** Transmissions to this owner that it has not confirmed. */
  unresolved = 0;
  /** The same, to earlier owners: what they make of them is settled before anything goes to the next. */
  #stale = 0;
  /**
   * Accepted by an earlier owner and not acknowledged: should that one fail now, they go out again, and nothing sent
   * later may have overtaken them. And what this owner holds of what it was sent before the members were announced to it
   * once more: it may have refused it before it heard of that.
   */
  readonly #owed: Set<Entry> = new Set();
  /** What is not over, in order of arrival (and some that are). */
  readonly entries: Deque<Entry> = new Deque();
  /** What is under way to the owner that the view names. */
  pool: Pool;
  readonly #router: Router;
  #attach = 0;
  /** Frame number of the last announcement. */
  #announced = 0;
  #yielding = false;
  /** The owner released the room while the view still gives it to that owner: wait until either view changes. */
  #avoid: Link | undefined;
  /** A message was refused: wait until either view changes. */
  #blocked = false;
  /** Senders whose next message is the first after a refusal. */
  #heads: Set<string> | undefined;
  /** Announce to the next owner even without members: it may be waiting for that. */
  #expected = false;
  /** The owner that had the room open let it go in order, and it has not been open since: whoever it is handed to waits. */
  #handed = false;
  /** Index from which on `queued` entries may stand. */
  #next = 0;
  /** Sweeps without use. */
  #idle = 0;

  /** Made by {@linkcode Router.route}. */
  constructor(router: Router, room: string) {
    this.#router = router;
    this.room = room;
    this.pool = router.pools.of(room);
  }

  /** Queues a message. */
  push(entry: Entry): void {
    this.entries.push(entry);
    this.live++;
    this.#idle = 0;
    if (this.source === undefined) this.settle();
    this.pump();
  }

  /** Attaches to the owner that the view names, as far as that is possible now; sends no messages. */
  settle(): void {
    const owner = this.#router.host.placement().owner(this.room);
    if (
      this.source && owner?.id === this.source.peer.id && owner.incarnation === this.source.peer.incarnation
    ) {
      if (this.#yielding && this.#needed()) this.#announce(this.source);
      return;
    }
    if (this.source) return this.#yield();
    const link = owner && this.#router.host.link(owner.id);
    if (!link || link.ended || link === this.#avoid || link.peer.incarnation !== owner.incarnation) return;
    if (!this.#needed() && !this.#expected) return this.#router.drop(this);
    this.#announce(link);
  }

  /**
   * The id of the owner that is to be told of the members as soon as the present one, at which the room was never open,
   * has let go. Of a room that was open there the next owner hears from the present one.
   */
  get wanted(): string | undefined {
    if (!this.#yielding || !this.away) return undefined;
    return this.#router.host.placement().owner(this.room)?.id;
  }

  #needed(): boolean {
    return this.live > 0 || this.#router.host.occupied(this.room);
  }

  #announce(link: Link): void {
    const members = this.#router.host.members(this.room);
    // The same owner may have released the room, and refuse what it got since, before it hears of this.
    this.#stale += this.unresolved;
    this.unresolved = 0;
    for (const entry of this.entries) if (entry.state === "held") this.#owed.add(entry);
    this.source = link;
    this.#yielding = false;
    this.#expected = false;
    this.#attach++;
    this.#idle = 0;
    this.#announced = link.send({
      type: "announce",
      room: this.room,
      members,
      attach: this.#attach,
      ...(this.epoch === undefined ? {} : { epoch: this.epoch }),
    });
    this.#router.host.attached?.(this);
    this.#router.arrived(this);
  }

  #yield(): void {
    if (this.#yielding || !this.source) return;
    this.#yielding = true;
    this.source.send({ type: "yield", room: this.room });
  }

  /** Announces one more member to the owner, or all of them to the one that is found. */
  join(member: AnnouncedMember): boolean {
    this.#idle = 0;
    if (this.source && !this.#yielding) {
      this.source.send({ type: "join", room: this.room, member });
      return true;
    }
    this.settle();
    return false;
  }

  /** Takes one member back. */
  leave(session: string, reason: string): void {
    this.source?.send({ type: "leave", room: this.room, session, reason });
  }

  /** Sends what is queued, as far as the owner and its link take it. */
  pump(): void {
    const link = this.source;
    if (!link || this.#yielding || this.#blocked || link.ended || this.#router.stopped) return;
    for (; this.#next < this.entries.length; this.#next++) {
      const entry = this.entries.at(this.#next);
      if (entry?.state !== "queued") continue;
      if (this.#stale > 0 || this.#owed.size > 0 || link.full) return;
      this.#transmit(entry, link);
    }
    this.#trim();
  }

  #transmit(entry: Entry, link: Link): void {
    const { sender, frame } = entry;
    if (frame.head) delete frame.head;
    if (this.#heads?.delete(sender.id)) frame.head = true;
    this.#router.transmit(entry, link);
  }

  /** Drops what is over from the front of the queue. */
  #trim(): void {
    while (this.entries.peek()?.state === "over") {
      this.entries.shift();
      if (this.#next > 0) this.#next--;
    }
  }

  /** A transmission on a link has ended, one way or another. */
  discount(link: Link): void {
    if (link === this.source && this.unresolved > 0) this.unresolved--;
    else this.#stale--;
  }

  /** A transmission on a link has been dealt with by its owner. */
  resolved(link: Link): void {
    this.discount(link);
    this.#trim();
    if (this.#next < this.entries.length) this.pump();
  }

  /** A message was accepted and its acknowledgement is awaited. */
  accepted(entry: Entry): void {
    if (entry.link !== this.source) this.#owed.add(entry);
  }

  /** A message is over. */
  finished(entry: Entry): void {
    this.live--;
    if (this.#owed.delete(entry) && this.#owed.size === 0) this.pump();
  }

  /** The role's own view has changed. */
  viewChanged(): void {
    this.#router.pools.move(this);
    this.#unblock();
    const { source } = this;
    if (source && !this.#inView(source)) this.#detach(source, false);
    this.settle();
  }

  #inView(link: Link): boolean {
    return this.#router.host.placement().view.members.some((m) =>
      m.id === link.peer.id && m.incarnation === link.peer.incarnation
    );
  }

  /** An owner's view has changed. */
  peerChanged(link: Link): void {
    if (link !== this.source && link !== this.#avoid) return;
    this.#unblock();
    this.settle();
    this.pump();
  }

  #unblock(): void {
    this.#avoid = undefined;
    this.#blocked = false;
  }

  /** The owner has released the room, or (`full`) has no place for it. */
  released(link: Link, attach: number, full = false): void {
    if (link !== this.source || attach !== this.#attach) return;
    if (full) this.#fail();
    const asked = this.#yielding;
    const unused = asked && this.#idle >= IDLE_SWEEPS;
    this.#detach(link, true);
    if (unused) this.#expected = false;
    // Where both have one view it has come to the release late, and the room may be its own again.
    if (!asked && !full && !this.#router.agrees(link)) this.#avoid = link;
    this.settle();
    this.#router.arrived(this);
    this.pump();
  }

  /** There is no place for the room: whoever asked for it is told so. */
  #fail(): void {
    this.#router.host.refused?.(this.room);
    for (const entry of [...this.entries]) this.#router.finish(entry, "server_full");
    this.#trim();
  }

  /** A link has ended for good. */
  linkReset(link: Link): void {
    if (link === this.#avoid) this.#avoid = undefined;
    if (link === this.source) this.#detach(link, false);
    else this.#forget(link);
    this.settle();
    // It may still be on its way from an owner whose link has not ended.
    if (this.wanted === undefined) this.#router.arrived(this);
    this.pump();
  }

  #detach(link: Link, clean: boolean): void {
    this.source = undefined;
    this.#stale += this.unresolved;
    this.unresolved = 0;
    this.#yielding = false;
    this.#blocked = false;
    this.#heads = undefined;
    // What was lost on the way here stays lost, however the owner that never opened the room lets go of it.
    this.clean = clean && (this.clean || !this.away);
    this.#handed = clean || (this.away && this.#handed);
    if (!this.away) this.awaySince = this.#router.host.clock.now();
    this.away = true;
    // Another owner may wait for this router's announcement, members or not.
    this.#expected = this.#handed && this.epoch !== undefined;
    if (!clean) return this.#forget(link);
    for (const entry of this.entries) if (entry.state === "accepted") this.#owed.add(entry);
    this.#next = 0;
  }

  /**
   * What an owner that is gone did not acknowledge goes out again. What needs no acknowledgement may be lost: it may
   * have been taken, also where it was held last, and must not come twice. That is told, although the owner may have let
   * the room go in order before: with the room's next opening, or now where that has been.
   */
  #forget(link: Link): void {
    this.#next = 0;
    let lost = false;
    for (const entry of [...this.entries]) {
      if (entry.link !== link || entry.state === "queued" || entry.state === "over") continue;
      if (!entry.done) {
        this.#router.host.metrics.count("toychat_messages_lost_total");
        this.#router.finish(entry);
        lost = true;
        continue;
      }
      entry.frame.redelivered = true;
      this.#router.host.metrics.count("toychat_messages_redelivered_total");
      this.#owed.delete(entry);
      entry.state = "queued";
      entry.link = undefined;
    }
    if (!lost) return;
    if (this.away) this.clean = false;
    else this.#router.host.lost?.(this);
  }

  /** The owner refused a message: it and all later ones of its sender go out again, in order. */
  refused(link: Link, frame: RefusedFrame): void {
    let hit = false;
    for (const [index, entry] of [...this.entries].entries()) {
      if (entry.sender.id !== frame.session || entry.link !== link) continue;
      if (!hit) {
        hit = entry.seq === frame.seq && entry.number === frame.frame &&
          (entry.state === "sent" || entry.state === "held");
        if (!hit) continue;
        this.#next = Math.min(this.#next, index);
      }
      if (entry.state !== "sent" && entry.state !== "held") continue;
      entry.state = "queued";
      this.#owed.delete(entry);
    }
    if (!hit) return;
    (this.#heads ??= new Set()).add(frame.session);
    // What was refused before this owner heard of the last announcement says nothing of the next try.
    if (link === this.source && frame.frame > this.#announced) this.#blocked = true;
    else this.pump();
  }

  /** The owner holds a message unaccepted, or has accepted one that it held. */
  held(link: Link, frame: HeldFrame | AcceptedFrame): void {
    for (const entry of this.entries) {
      if (entry.seq !== frame.seq || entry.sender.id !== frame.session || entry.link !== link) continue;
      if (frame.type === "held" && entry.state === "sent") {
        entry.state = "held";
        if (entry.number < this.#announced) this.#owed.add(entry);
      } else if (frame.type === "accepted" && entry.state === "held") this.#settled(entry);
      break;
    }
    this.#trim();
  }

  /** An owner has accepted what it held: what waited for that may follow. */
  #settled(entry: Entry): void {
    const waited = this.#owed.delete(entry);
    this.#router.accept(entry);
    if (waited && this.#owed.size === 0) this.pump();
  }

  /** Fails what waited for an owner since before `time`; lets go of the owner where nobody needs it for a while. */
  expire(time: number): void {
    for (const entry of [...this.entries]) {
      if (entry.since > time) break;
      if (entry.state === "queued") this.#router.finish(entry, "unavailable");
    }
    this.#trim();
    // An owner refuses without a change of view while its lease is in doubt.
    if (this.#blocked) {
      this.#blocked = false;
      this.pump();
    }
    if (this.#needed()) {
      this.#idle = 0;
      return;
    }
    if (++this.#idle < IDLE_SWEEPS) return;
    if (this.source) this.#yield();
    else this.#router.drop(this);
  }
}
