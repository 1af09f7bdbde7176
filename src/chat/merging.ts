/**
 * Two lives of one room, which meet at its owner after a partition: one goes on, the other one ends in it.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { AnnouncedMember, HandoffFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import type { ChatUser, RoomMerge } from "./chat_user.ts";
import type { ClusterTypes, Listeners } from "./events.ts";
import { tellOpened } from "./opening.ts";
import type { Room } from "./room.ts";
import type { Sessions } from "./sessions.ts";

/** Characters of sessions and users that one hand-off carries: with more its link would be reset for what is on its way. */
const MOST_TEXT = 1 << 20;

/** What {@linkcode Merging} needs. */
export interface MergingHost<Types extends ClusterTypes> {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly listeners: Listeners<Types>;
  readonly sessions: Sessions;
}

/** A life that ended. */
interface Ended {
  readonly frame: HandoffFrame;
  readonly from: Link;
}

/** At the owner: what was accepted in the life that ended stays accepted, users and the application are told. */
export class Merging<Types extends ClusterTypes> {
  readonly #host: MergingHost<Types>;
  /** Lives that ended before the one that goes on has opened, by room. */
  readonly #waiting: Map<string, Ended[]> = new Map();
  /** Epochs of the lives that ended, and when: the answer may be lost, and the hand-off come again. */
  readonly #over: Map<string, number> = new Map();

  /** Nothing has ended at first. */
  constructor(host: MergingHost<Types>) {
    this.#host = host;
  }

  /** Whether a life has ended here before. */
  over(epoch: string): boolean {
    return this.#over.has(epoch);
  }

  /** Forgets what ended before `time`. */
  sweep(time: number): void {
    for (const [epoch, at] of this.#over) if (at < time) this.#over.delete(epoch);
  }

  /** A life of a room has ended as there is another one here: an open room, or one that is yet to open. */
  ended(room: Room | undefined, frame: HandoffFrame, from: Link): void {
    this.#over.set(frame.epoch, this.#host.clock.now());
    if (room?.phase === "open") {
      absorb(room, frame);
      return this.#tell(room, { frame, from });
    }
    const waiting = this.#waiting.get(frame.room);
    if (waiting) waiting.push({ frame, from });
    else this.#waiting.set(frame.room, [{ frame, from }]);
  }

  /** Opens a room by `open`, with what ended in it before. */
  opening(room: Room, open: () => void): void {
    const waiting = this.#waiting.get(room.name) ?? [];
    this.#waiting.delete(room.name);
    for (const { frame } of waiting) absorb(room, frame);
    open();
    for (const ended of waiting) this.#tell(room, ended);
  }

  /** Forgets what has ended in rooms that are not ours any more: what was to go on goes on elsewhere. */
  keep(owned: (room: string) => boolean): void {
    for (const room of [...this.#waiting.keys()]) if (!owned(room)) this.#waiting.delete(room);
  }

  /** This life of the server is over. */
  clear(): void {
    this.#over.clear();
    this.#waiting.clear();
  }

  #tell(room: Room, { frame, from }: Ended): void {
    const { listeners, log, metrics } = this.#host;
    const merge = this.#merge(frame, from);
    metrics.count("toychat_rooms_merged_total");
    const { epoch, offset, users } = merge;
    log("warn", "room_merged", { room: room.name, from: merge.from, epoch, offset, users: users.length });
    // Where nothing was said there, nobody has missed anything.
    if (offset > 0) {
      for (const attachment of room.attachments.values()) tellOpened(room, attachment, "merged");
    }
    room.enqueue({ message: undefined, run: () => listeners.emit("merge", room.name, merge) });
  }

  #merge({ epoch, offset, members = [] }: HandoffFrame, from: Link): RoomMerge {
    const { sessions } = this.#host;
    const users = members.map(([session, user]) => {
      // A session's id begins with that of its proxy.
      const proxyId = session.slice(0, session.indexOf("."));
      return sessions.known(session) ?? Object.freeze({ userId: user, sessionId: session, proxyId });
    });
    return Object.freeze({ from: from.peer.id, epoch, offset, users: Object.freeze(users) });
  }
}

/** A message that was accepted in the life that ended is not run again when it is repeated. */
function absorb(room: Room, { senders }: HandoffFrame): void {
  for (const [sender, number] of senders) room.senders.raise(sender, number);
}

/** The users of a life that ends, as a hand-off carries them: all, or as many as it may. */
export function lastMembers(users: readonly ChatUser[]): AnnouncedMember[] {
  const members: AnnouncedMember[] = [];
  let text = 0;
  for (const { sessionId, userId } of users) {
    text += sessionId.length + userId.length;
    if (text > MOST_TEXT) break;
    members.push([sessionId, userId]);
  }
  return members;
}
