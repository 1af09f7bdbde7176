/**
 * What must hold of the records of any run.
 *
 * @module
 */
import { checkDeliveries } from "./check_deliveries.ts";
import { probe, rest } from "./check_rest.ts";
import { checkMerges, checkSides } from "./check_split.ts";
import type { Client, Note } from "./client.ts";
import type { Cluster } from "./cluster.ts";
import type { Model } from "./model.ts";

/** Bytes of answers and of one more delivery that may come on top of what a slow client may have queued. */
const SLACK_BYTES = 2048;

/** Throws where the records show what must not be. */
export async function check(model: Model): Promise<void> {
  const { cluster } = model;
  const faults = [...model.complaints];
  await probe(cluster, model.rooms, faults);
  checkRecords(model, faults);
  faults.unshift(...cluster.faults);
  if (faults.length > 0) throw new Error(`${faults.slice(0, 12).join("\n")}\n(${faults.length} in all)`);
}

/** Adds what the records show that must not be; nothing is asked of the cluster any more. */
export function checkRecords(model: Model, faults: string[]): void {
  const { cluster } = model;
  for (const client of cluster.clients) {
    order(cluster, client, faults);
    epochs(client, faults);
    answers(model, client, faults);
    told(model, client, faults);
    bounded(model, client, faults);
  }
  oneMessage(cluster, faults);
  oneOrder(model, faults);
  once(model, faults);
  checkDeliveries(model, faults);
  checkSides(model, faults);
  checkMerges(model, faults);
  rest(cluster, model.rooms, faults);
}

/** A message that arrived. */
export interface Delivered {
  readonly at: number;
  readonly room: string;
  readonly note: Note;
  readonly acknowledged?: boolean;
}

/** The messages that a client got. */
export function notes(client: Client): Delivered[] {
  return client.arrivals.filter((arrival) => "note" in arrival) as Delivered[];
}

/**
 * A client that takes few acknowledged deliveries at a time may get unacknowledged ones before these: each sort is in
 * order by itself.
 */
function lane(client: Client, { acknowledged }: Delivered): string {
  return client.options.receiveMaximum === undefined ? "" : acknowledged ? "acknowledged" : "unacknowledged";
}

/** One sender's messages in one room arrive in order, and none twice. */
function order(cluster: Cluster, client: Client, faults: string[]): void {
  const last = new Map<string, { k: number; at: number }>();
  const seen = new Set<string>();
  for (const delivered of notes(client)) {
    const { room, note, at } = delivered;
    const stream = `${note.stream} in ${room}`;
    if (seen.has(`${stream} ${note.k}`)) faults.push(`${at} ${client.user} got ${stream} ${note.k} twice`);
    seen.add(`${stream} ${note.k}`);
    const key = `${stream} ${lane(client, delivered)}`;
    const before = last.get(key) ?? { k: 0, at: 0 };
    if (note.k < before.k && !late(cluster, client, room, note, before.at)) {
      faults.push(`${at} ${client.user} got ${stream} ${note.k} after ${before.k}`);
    }
    if (note.k > before.k) last.set(key, { k: note.k, at });
  }
}

/**
 * Whether a message may come behind a later one that came at `before`. What an application sends on comes from several
 * servers, one after the other. And who joined, or heard of a loss, between an unacknowledged message and the later one
 * gets it when it is sent again after a failover.
 */
function late(cluster: Cluster, client: Client, room: string, { stream, k }: Note, before: number): boolean {
  if (stream.includes(">")) return true;
  const sender = cluster.clients.find((sender) => stream.startsWith(`${sender.user}/`));
  const publication = sender?.published.find(({ note }) => note.stream === stream && note.k === k);
  if (!publication?.acknowledged) return false;
  const told = client.arrivals.some((arrival) =>
    "lost" in arrival && arrival.lost && arrival.room === room && arrival.at >= publication.at &&
    arrival.at <= before
  );
  const stay = client.stays.findLast((stay) => stay.room === room && stay.askedAt <= before);
  return told || (stay?.from ?? Infinity) >= publication.at;
}

/** Within an epoch everybody sees one order. */
function epochs(client: Client, faults: string[]): void {
  const last = new Map<string, number>();
  for (const delivered of notes(client)) {
    const { room, note, at } = delivered;
    if (!note.epoch || note.offset === undefined) continue;
    const key = `${room} ${note.epoch} ${lane(client, delivered)}`;
    const before = last.get(key) ?? 0;
    if (note.offset <= before) faults.push(`${at} ${client.user} got ${key} ${note.offset} after ${before}`);
    last.set(key, note.offset);
  }
}

/** A number of an epoch is given to one message. */
function oneMessage(cluster: Cluster, faults: string[]): void {
  const given = new Map<string, string>();
  for (const client of cluster.clients) {
    for (const { room, note } of notes(client)) {
      if (!note.epoch) continue;
      const key = `${room} ${note.epoch} ${note.offset}`;
      const what = `${note.stream} ${note.k}`;
      if ((given.get(key) ?? what) !== what) faults.push(`${key} is ${what} and ${given.get(key)}`);
      given.set(key, what);
    }
  }
}

/** Where no application says the epoch, and none ends without a hand-off: any two members see one order. */
function oneOrder(model: Model, faults: string[]): void {
  if (!model.lossless || model.schedule.world.program !== "relay") return;
  const plain = model.cluster.clients.filter((client) => client.options.receiveMaximum === undefined);
  for (const room of model.rooms) {
    const positions = plain.map((client) => {
      const got = notes(client).filter((one) => one.room === room).map(({ note }) =>
        `${note.stream} ${note.k}`
      );
      return new Map(got.map((key, i) => [key, i]));
    });
    for (const [i, first] of positions.entries()) {
      for (const [j, second] of positions.slice(0, i).entries()) {
        let last = -1;
        for (const key of first.keys()) {
          const at = second.get(key) ?? last;
          if (at < last) {
            faults.push(`${plain[i]?.user} got ${key} in ${room} later than ${plain[j]?.user} did`);
          }
          last = at;
        }
      }
    }
  }
}

/**
 * While no server dies, applications are given a message once, however often it is sent again: as long as the room is
 * not closed as unused before the repeat.
 */
function once(model: Model, faults: string[]): void {
  if ((!model.lossless && model.kind !== "cut") || model.chatsApart) return;
  if (!model.lossless && model.schedule.world.idleMs !== undefined) return;
  // A hand-off that came too late has not brought what was accepted before.
  if (!model.lossless && model.handoffsLate > 0) return;
  for (const [key, count] of model.given) {
    if (count > 1 && (model.lossless || !doneAgain(model, key))) {
      faults.push(`an application got ${key} ${count} times`);
    }
  }
}

/**
 * Whether a repeat is by the rules: one that leads to others is done again where the server that did it may have died
 * before these arrived, and with it what its sender sent behind it, since a hand-off knows one number of each sender.
 */
function doneAgain(model: Model, key: string): boolean {
  const [stream, k] = key.split(" ");
  return model.cluster.clients.some(({ published }) =>
    published.some(({ note }) =>
      note.forward !== undefined && note.stream === stream && note.k <= Number(k) &&
      (model.given.get(`${stream} ${note.k}`) ?? 0) > 1
    )
  );
}

/** Every acknowledged message has an answer in time. MQTT 3.1.1 has none for what no server took. */
function answers(model: Model, client: Client, faults: string[]): void {
  if (!client.live || client.stalled) return;
  const silent = client.options.speaks === "mqtt4" && !model.lossless;
  const stalled = client.stalls.reduce((sum, { from, to }) => sum + (to ?? from) - from, 0);
  for (const { acknowledged, at, doneAt, note } of client.published) {
    if (!acknowledged || (silent && doneAt === undefined)) continue;
    if (doneAt === undefined) faults.push(`${note.stream} ${note.k} of ${at} was never acknowledged`);
    else if (doneAt - at > model.answerMs + stalled) {
      faults.push(`${note.stream} ${note.k} of ${at} was acknowledged at ${doneAt}`);
    }
  }
}

/** A move by plan loses nothing. */
function told(model: Model, client: Client, faults: string[]): void {
  if (!model.lossless) return;
  for (const arrival of client.arrivals) {
    if ("lost" in arrival && arrival.lost) {
      faults.push(`${arrival.at} ${client.user} was told that ${arrival.room} may have lost something`);
    }
  }
  if (!client.proxy.running) return;
  for (const { failure, note } of client.published) {
    if (failure && failure !== "gone") faults.push(`${note.stream} ${note.k} failed: ${failure}`);
  }
  for (const { refusal, room, askedAt } of client.stays) {
    if (refusal && client.live) {
      faults.push(`${askedAt} ${client.user} was refused ${room}: ${refusal}`);
    }
  }
}

/** A client that does not read costs no more than it may, and what alone is longer than that. */
function bounded(model: Model, client: Client, faults: string[]): void {
  const { queue } = model.schedule.world;
  const { maxQueuedBytes = 1 << 20 } = queue ?? {};
  const { peak = 0, largest = 0 } = client.proxy.sockets.witnesses.get(client.user) ?? {};
  const most = maxQueuedBytes + SLACK_BYTES + (largest > maxQueuedBytes ? largest : 0);
  if (peak > most) faults.push(`${peak} bytes were queued to ${client.user}, who may have ${most}`);
}
