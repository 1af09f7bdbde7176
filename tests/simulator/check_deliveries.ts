/**
 * What must have arrived, and where users must have been told that something may not have.
 *
 * @module
 */
import { apart, forgotten, unknown, within } from "./check_split.ts";
import { notes } from "./checks.ts";
import type { Client, Publication, Stay } from "./client.ts";
import type { Model } from "./model.ts";

/** The slowest parcel takes so many times the latency of its world. */
const SLOWEST = 5;
/** Milliseconds that a proxy takes to write what it has taken, at most. */
const TURN_MS = 20;
/** Milliseconds after which a process has heard from its bridge again, and knows what it missed. */
const RENEWED_MS = 3000;
/** Milliseconds of different views that a proxy which stops waits out. */
const PATIENT_SKEW_MS = 300;

/** Everyone who was in a room throughout got every message of it that was not lost, and heard of it where it may have been. */
export function checkDeliveries(model: Model, faults: string[]): void {
  const seen = new Map(model.cluster.clients.map((client) => [client, arrived(client)]));
  for (const sender of model.cluster.clients) {
    for (const publication of sender.published) {
      if (!counts(model, sender, publication)) continue;
      const until = publication.acknowledged ? publication.doneAt as number : Infinity;
      for (const receiver of model.cluster.clients) {
        const has = seen.get(receiver) as ReadonlySet<string>;
        expectAt({ model, sender, publication, until, receiver, has }, faults);
      }
    }
  }
}

function arrived(client: Client): Set<string> {
  return new Set(notes(client).map(({ room, note }) => `${room} ${note.stream} ${note.k}`));
}

/** Whether anything was promised for a message. */
function counts(model: Model, sender: Client, publication: Publication): boolean {
  const { acknowledged, doneAt, failure, room, at } = publication;
  if (acknowledged) return doneAt !== undefined && failure === undefined;
  if (model.lossless) {
    return sender.options.speaks === "model" ? patient(model, sender) : carried(model, sender);
  }
  // Its sender is the one to be told, so it must be in the room and stay there, and read what it is told.
  return sender.live && !sender.stalled &&
    sender.stays.some((stay) => stay.room === room && inside(stay, at, Infinity));
}

/** A proxy that stops waits a moment for its users' last messages, not for views that are slower than that. */
function patient(model: Model, { proxy }: Client): boolean {
  return proxy.running || model.skew <= PATIENT_SKEW_MS;
}

/** Whether what a client sent has certainly reached its proxy: that one did not end the connection first. */
function carried(model: Model, sender: Client): boolean {
  if (!sender.proxy.running || sender.stalls.length > 0) return false;
  if (sender.live) return true;
  if (!sender.farewell || model.schedule.world.queue) return false;
  return !model.cluster.clients.some((other) => other !== sender && other.login === sender.login);
}

/** Whether a user was told of a loss in a room at or after a time, and before another. */
function warned(client: Client, room: string, since: number, before = Infinity): boolean {
  return client.arrivals.some((arrival) =>
    "lost" in arrival && arrival.lost && arrival.room === room && arrival.at >= since && arrival.at < before
  );
}

function inside(stay: Stay, since: number, until: number): boolean {
  return stay.from !== undefined && stay.from < since && (stay.to === undefined || stay.to > until);
}

/** One message, and somebody who may have had to get it. */
interface Expectation {
  readonly model: Model;
  readonly sender: Client;
  readonly publication: Publication;
  /** Who left after this time had to get it. */
  readonly until: number;
  readonly receiver: Client;
  /** What the receiver got. */
  readonly has: ReadonlySet<string>;
}

function expectAt(expectation: Expectation, faults: string[]): void {
  const { model, publication: { room, note, at, acknowledged }, until, receiver, has } = expectation;
  const targets = note.forward !== undefined && model.schedule.world.program !== "relay"
    ? [room, note.forward]
    : [room];
  for (const target of targets) {
    const stay = receiver.stays.find((stay) => stay.room === target && inside(stay, at, until));
    if (!stay || !reachable(expectation)) continue;
    const got = (stream: string): boolean => has.has(`${target} ${stream} ${note.k}`);
    const stream = target === room && target !== note.forward ? note.stream : `${note.stream}>${target}`;
    if (model.lossless && note.forward === target && model.beside.has(`${note.stream} ${note.k}`)) {
      if (!got(`${note.stream}>>${target}`) && !leftOut(expectation)) {
        faults.push(`${receiver.user} missed ${note.stream}>>${target} ${note.k}`);
      }
    }
    if (got(stream) || got(note.stream) || excused(expectation, stay)) continue;
    faults.push(
      `${receiver.user} missed ${note.stream} ${note.k} of ${at} in ${target}, acknowledged: ${acknowledged}`,
    );
  }
}

/** Whether it was still there to take what its proxy had taken for it. */
function reachable({ model, until, receiver }: Expectation): boolean {
  if (receiver.stalled || (until === Infinity && !receiver.live)) return false;
  if (until === Infinity) return true;
  const { endedAt = Infinity } = receiver.proxy.sockets.witnesses.get(receiver.user) ?? {};
  let end = Math.min(endedAt, receiver.endedAt ?? Infinity);
  // What waited for its acknowledgements when it ended waited in vain.
  if (end < Infinity && receiver.options.receiveMaximum !== undefined) return false;
  const stall = receiver.stalls.at(-1);
  // What it had not read when it ended it never read.
  if (end < Infinity && stall && (stall.to ?? Infinity) >= end) end = stall.from;
  return until + SLOWEST * model.schedule.world.latency + TURN_MS < end;
}

/** Whether it may have been left out because the receiver read too slowly. */
function leftOut({ model, receiver, publication }: Expectation): boolean {
  const { queue } = model.schedule.world;
  if (!receiver.options.speaks.startsWith("mqtt") || !queue) return false;
  if (publication.acknowledged && receiver.options.acknowledged) return false;
  const { peak = 0 } = receiver.proxy.sockets.witnesses.get(receiver.user) ?? {};
  if (receiver.stalls.length > 0 || peak > queue.maxQueuedBytes / 2) return true;
  // What waited for an owner may come all at once, and be too much although nothing else is queued.
  return model.kind !== "slow" &&
    ["toychat_slow_consumers_total", "toychat_deliveries_dropped_total"]
      .some((counter) => receiver.proxy.server.metrics.get(counter) > 0);
}

function excused(expectation: Expectation, stay: Stay): boolean {
  if (leftOut(expectation)) return true;
  const { model, sender, receiver, publication: { room, at, acknowledged }, until } = expectation;
  if (model.lossless) return false;
  const target = stay.room;
  const severed = apart(model.cluster, sender, receiver, at, until);
  // What leads to another room is sent on from the side that the first one's owner is on.
  const sentOn = target !== room &&
    model.cluster.splits.some(({ from, known }) => from <= until && at <= known);
  if ((severed || sentOn) && forgotten(model, target)) return true;
  // What was said and acknowledged on one side was for all who are on it: that it healed later is no excuse.
  const before = severed ? Infinity : within(model.cluster, at, until)?.to ?? Infinity;
  // Who leaves while its proxy is cut off hears nothing of it any more.
  const heard = warned(receiver, target, at, before) || (stay.to !== undefined && stay.to < before);
  if (unknown(model, target, at)) return true;
  if (acknowledged) return (model.kind !== "kill" && heard) || outOfTouch(expectation);
  // What an application sent on without an acknowledgement may be lost on its way, of which nobody is told.
  if (target !== room) return true;
  return heard || warned(sender, room, at);
}

/**
 * Whether the proxy of one of the two had lost touch with its bridge. Then it may send to, or listen to, a ChatServer that
 * has lost touch too and may accept for two seconds more, while the room has another life at its next owner.
 */
function outOfTouch({ model, sender, receiver, publication: { at }, until }: Expectation): boolean {
  if (model.schedule.world.membership !== "bridge") return false;
  const ids = ["*", sender.proxy.id, receiver.proxy.id];
  return model.cluster.outages.some(({ id, from, to }) =>
    ids.includes(id) && from <= until && to + RENEWED_MS >= at
  );
}
