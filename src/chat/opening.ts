/**
 * Opening a room: its numbers, and who is told.
 *
 * @module
 */
import { type Clock, randomId } from "../lib/clock.ts";
import type { HandoffFrame, OpenedFrame } from "../link/frames.ts";
import type { View } from "../membership/view.ts";
import type { OpenReason } from "./chat_user.ts";
import type { ClusterTypes, Listeners } from "./events.ts";
import type { Attachment, Job, Room } from "./room.ts";

/** Whether a proxy that had members when the room was handed off is still there and has not announced them here. */
export function awaitsProxies(room: Room, { proxies }: HandoffFrame, view: View): boolean {
  const announced = new Set([...room.attachments.keys()].map((link) => link.peer.id));
  return proxies.some(([id, incarnation]) =>
    !announced.has(id) && view.members.some((m) => m.id === id && m.incarnation === incarnation)
  );
}

/** Opens a room, afresh or with its hand-off; what it holds is run after the application has learnt of it. */
export function openRoom<Types extends ClusterTypes>(
  room: Room,
  reason: OpenReason,
  handoff: HandoffFrame | undefined,
  clock: Clock,
  listeners: Listeners<Types>,
): void {
  room.epoch = handoff?.epoch ?? randomId(clock, 10);
  room.offset = handoff?.offset ?? 0;
  room.term = (handoff?.term ?? 0) + 1;
  for (const [sender, number] of handoff?.senders ?? []) room.senders.raise(sender, number);
  room.phase = "open";
  for (const attachment of room.attachments.values()) tellOpened(room, attachment, reason);
  room.first(introduction(room, reason, listeners));
  room.run();
}

/** What the application is told of a room that opens: that it does, and who is in it. */
function introduction<Types extends ClusterTypes>(
  room: Room,
  reason: OpenReason,
  listeners: Listeners<Types>,
): Job[] {
  const jobs: Job[] = [{ message: undefined, run: () => listeners.emit("open", room.name, reason) }];
  // Also of whoever leaves while a listener takes its time: that has its turn behind this.
  for (const { user } of room.members.values()) {
    jobs.push({ message: undefined, run: () => listeners.emit("join", user, room.name) });
  }
  return jobs;
}

/** Tells a router that a room is open for the members that it has announced. */
export function tellOpened(room: Room, attachment: Attachment, reason: OpenedFrame["reason"]): void {
  const { link } = attachment;
  const { name, epoch, offset, term } = room;
  link.send({ type: "opened", room: name, epoch, offset, reason, term });
  attachment.epoch = epoch;
  for (const session of attachment.late) {
    if (attachment.members.has(session)) link.send({ type: "joined", room: name, session });
  }
  attachment.late = [];
}
