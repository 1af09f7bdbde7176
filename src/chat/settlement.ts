/**
 * When it is known, for one view, what other processes still hold: only then may a room open that is not open.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import type { Link } from "../link/link.ts";
import type { View } from "../membership/view.ts";

/** What a peer has last said. */
interface Word {
  readonly incarnation: string;
  /** The link that it speaks over; undefined where that has ended. */
  link: Link | undefined;
  /** The view for which it ended its announcements on this link. */
  announced: string | undefined;
  /** The view for which it said what it holds, and which rooms it has yet to hand over. */
  handing: Handing | undefined;
}

interface Handing {
  readonly digest: string;
  readonly rooms: Set<string>;
  /**
   * What it named for earlier views and has not handed over: while it is ahead of us, a room that goes elsewhere by its
   * view must not open here by ours.
   */
  readonly before: Set<string>;
  /** When it was said, or a room of it came last. */
  progress: number;
}

/** Timers may fire a little early; what they wake up for must be over then. */
const SLACK_MS = 5;

/** What a settlement needs. */
export interface SettlementHost {
  readonly clock: Clock;
  /** Milliseconds to wait for proxies' announcements. */
  readonly announceMs: number;
  /** Milliseconds to wait for a ChatServer's hand-offs without progress. */
  readonly handoffMs: number;
  /** The own id. */
  readonly id: string;
  /** The state has changed: rooms may be able to open. */
  changed(): void;
}

/**
 * A barrier for each view. Proxies must have ended their announcements (so that a room that opens afresh opens with
 * all its members), and the other ChatServers must have said which rooms they hold (so that none opens twice).
 */
export class Settlement {
  readonly #host: SettlementHost;
  /** By the peer's id. */
  readonly #words: Map<string, Word> = new Map();
  #view: View | undefined;
  /** The incarnations in the view, by id. */
  #present: Map<string, string> = new Map();
  #since = 0;
  #wake: Cancel | undefined;
  /** Whether the view was found settled, which it stays; undefined where that is not known. */
  #settled: boolean | undefined;

  /** Nothing is settled before the first `restart`. */
  constructor(host: SettlementHost) {
    this.#host = host;
  }

  /** Starts over for a new view. */
  restart(view: View): void {
    this.#view = view;
    this.#settled = undefined;
    this.#since = this.#host.clock.now();
    const before = this.#present;
    this.#present = new Map(view.members.map(({ id, incarnation }) => [id, incarnation]));
    for (const [id, word] of this.#words) {
      if (word.handing?.digest === view.digest) word.handing.before.clear();
      if (!word.link && !this.#present.has(id)) this.#words.delete(id);
      if (before.get(id) !== word.incarnation || this.#present.get(id) === word.incarnation) continue;
      // It has left. Where it comes back after a partition the view may be as it was: what it has said then is over.
      word.announced = undefined;
      word.handing = undefined;
    }
    this.#arm();
  }

  /** Stops waiting: nothing is settled before the next `restart`. */
  stop(): void {
    this.#wake?.();
    this.#wake = undefined;
    this.#view = undefined;
    this.#settled = undefined;
  }

  /** Wakes up when the next wait is over. */
  #arm(): void {
    this.#wake?.();
    this.#wake = undefined;
    const { clock, announceMs, handoffMs } = this.#host;
    const now = clock.now();
    const ends = [this.#since + announceMs, this.#since + handoffMs];
    for (const { handing } of this.#words.values()) {
      if (handing && handing.rooms.size + handing.before.size > 0) ends.push(handing.progress + handoffMs);
    }
    const next = Math.min(...ends.filter((end) => end > now - SLACK_MS));
    if (next === Infinity) return;
    this.#wake = clock.after(next - now + SLACK_MS, () => {
      this.#arm();
      this.#changed();
    });
  }

  #changed(): void {
    if (!this.#settled) this.#settled = undefined;
    this.#host.changed();
  }

  /** A link to a peer has opened. What a ChatServer said on the last one holds until it says something else. */
  open(link: Link): void {
    const { id, incarnation } = link.peer;
    const last = this.#words.get(id);
    const handing = last?.incarnation === incarnation ? last.handing : undefined;
    this.#words.set(id, { incarnation, link, announced: undefined, handing });
  }

  /** A link has ended. What the peer was about to hand over may still come, over another link. */
  reset(link: Link): void {
    const word = this.#word(link);
    if (!word) return;
    word.link = undefined;
    word.announced = undefined;
  }

  #word(link: Link): Word | undefined {
    const word = this.#words.get(link.peer.id);
    return word?.link === link ? word : undefined;
  }

  /** A peer has another view: what it announced for the last one it may take back before it has ended its new announcements. */
  turned(link: Link, digest: string): void {
    const word = this.#word(link);
    if (word && word.announced !== digest) word.announced = undefined;
  }

  /** A proxy has ended its announcements for a view. */
  announced(link: Link, digest: string): void {
    const word = this.#word(link);
    if (word) word.announced = digest;
    this.#changed();
  }

  /** A ChatServer has said which rooms it will hand over in a view. */
  handing(link: Link, digest: string, rooms: readonly string[]): void {
    const word = this.#word(link);
    if (word) {
      const last = digest === this.#view?.digest ? undefined : word.handing;
      word.handing = {
        digest,
        rooms: new Set(rooms),
        before: new Set([...last?.before ?? [], ...last?.rooms ?? []]),
        progress: this.#host.clock.now(),
      };
    }
    this.#arm();
    this.#changed();
  }

  /** Who is to hand over which rooms in the view with this digest, and over which link it has said so. */
  *named(digest: string): Generator<[link: Link, rooms: Iterable<string>]> {
    for (const { link, handing } of this.#words.values()) {
      if (link && handing?.digest === digest) yield [link, handing.rooms];
    }
  }

  /** A hand-off has come. */
  arrived(link: Link, room: string): void {
    for (const { handing } of this.#words.values()) {
      handing?.rooms.delete(room);
      handing?.before.delete(room);
    }
    const handing = this.#word(link)?.handing;
    if (handing) handing.progress = this.#host.clock.now();
  }

  /** Whether a room that nobody hands over may open. */
  get settled(): boolean {
    return this.#settled ??= this.#view !== undefined && this.#look(this.#view);
  }

  #look(view: View): boolean {
    const waited = this.#host.clock.now() - this.#since;
    for (const { id, role, incarnation } of view.members) {
      if (id === this.#host.id) continue;
      const known = this.#words.get(id);
      const word = known?.incarnation === incarnation ? known : undefined;
      if (role === "proxy" && waited < this.#host.announceMs && word?.announced !== view.digest) return false;
      if (role === "chat" && waited < this.#host.handoffMs && word?.handing?.digest !== view.digest) {
        return false;
      }
    }
    return true;
  }

  /** Whether ChatServers have had their time in this view. */
  get overdue(): boolean {
    return this.#view !== undefined && this.#host.clock.now() - this.#since >= this.#host.handoffMs;
  }

  /**
   * Whether a hand-off of the room is to come: a ChatServer that lives has said so last, be it for this view or for the
   * next one.
   */
  expects(room: string): boolean {
    const now = this.#host.clock.now();
    for (const [id, { incarnation, handing }] of this.#words) {
      if (!handing || this.#present.get(id) !== incarnation) continue;
      if (now - handing.progress >= this.#host.handoffMs) continue;
      if (handing.rooms.has(room) || handing.before.has(room)) return true;
    }
    return false;
  }
}
