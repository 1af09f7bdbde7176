/**
 * What must hold of the records of any run.
 *
 * @module
 */
import type { Client, Note, Publication, Stay } from "./client.ts";
import type { Cluster } from "./cluster.ts";
import type { Model } from "./model.ts";

/** Milliseconds within which every acknowledged message is acknowledged or has failed. */
const ANSWER_MS = 12_500;

/** Throws where the records show what must not be. */
export async function check(model: Model): Promise<void> {
  const faults = [...model.complaints];
  const { cluster } = model;
  await probe(cluster, model.rooms, faults);
  for (const client of cluster.clients) {
    order(cluster, client, faults);
    epochs(client, faults);
    answers(client, faults);
    told(model, client, faults);
  }
  oneMessage(cluster, faults);
  once(model, faults);
  delivered(model, faults);
  rest(cluster, model.rooms, faults);
  if (faults.length > 0) throw new Error(`${faults.slice(0, 12).join("\n")}\n(${faults.length} in all)`);
}

function notes(client: Client): { at: number; room: string; note: Note }[] {
  return client.arrivals.filter((arrival) => "note" in arrival) as { at: number; room: string; note: Note }[];
}

/** One sender's messages in one room arrive in order, and none twice. */
function order(cluster: Cluster, client: Client, faults: string[]): void {
  const last = new Map<string, { k: number; at: number }>();
  const seen = new Set<string>();
  for (const { room, note, at } of notes(client)) {
    const key = `${note.stream} in ${room}`;
    if (seen.has(`${key} ${note.k}`)) faults.push(`${at} ${client.user} got ${key} ${note.k} twice`);
    seen.add(`${key} ${note.k}`);
    const before = last.get(key) ?? { k: 0, at: 0 };
    if (note.k < before.k && !late(cluster, client, room, note, before.at)) {
      faults.push(`${at} ${client.user} got ${key} ${note.k} after ${before.k}`);
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
  const stay = client.stays.findLast((stay) => stay.room === room && stay.from !== undefined);
  if (!publication?.acknowledged) return false;
  const told = client.arrivals.some((arrival) =>
    "lost" in arrival && arrival.lost && arrival.room === room && arrival.at >= publication.at &&
    arrival.at <= before
  );
  return told || (stay?.from as number) >= publication.at;
}

/** Within an epoch everybody sees one order. */
function epochs(client: Client, faults: string[]): void {
  const last = new Map<string, number>();
  for (const { room, note, at } of notes(client)) {
    if (!note.epoch || note.offset === undefined) continue;
    const key = `${room} ${note.epoch}`;
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

/** While no server dies, applications are given a message once, however often it is sent again. */
function once(model: Model, faults: string[]): void {
  if ((model.kind !== "planned" && model.kind !== "cut") || model.chatsApart) return;
  for (const [key, count] of model.given) {
    if (count > 1) faults.push(`an application got ${key} ${count} times`);
  }
}

function answers(client: Client, faults: string[]): void {
  for (const { acknowledged, at, doneAt, note } of client.published) {
    if (!acknowledged || !client.live) continue;
    if (doneAt === undefined) faults.push(`${note.stream} ${note.k} of ${at} was never acknowledged`);
    else if (doneAt - at > ANSWER_MS) {
      faults.push(`${note.stream} ${note.k} of ${at} was acknowledged at ${doneAt}`);
    }
  }
}

/** A move by plan loses nothing. */
function told(model: Model, client: Client, faults: string[]): void {
  if (model.kind !== "planned") return;
  for (const arrival of client.arrivals) {
    if ("lost" in arrival && arrival.lost) {
      faults.push(`${arrival.at} ${client.user} was told that ${arrival.room} may have lost something`);
    }
  }
  for (const { failure, note } of client.published) {
    if (failure && client.proxy.running) faults.push(`${note.stream} ${note.k} failed: ${failure}`);
  }
  for (const { refusal, room, askedAt } of client.stays) {
    if (refusal && refusal !== "gone") {
      faults.push(`${askedAt} ${client.user} was refused ${room}: ${refusal}`);
    }
  }
}

/** Whether a user was told of a loss in a room at or after a time. */
function warned(client: Client, room: string, since: number): boolean {
  return client.arrivals.some((arrival) =>
    "lost" in arrival && arrival.lost && arrival.room === room && arrival.at >= since
  );
}

function inside(stay: Stay, since: number, until: number): boolean {
  return stay.from !== undefined && stay.from < since && (stay.to ?? Infinity) > until;
}

/** Everyone who was in a room throughout got every message of it that was not lost, and heard of it where it may have been. */
function delivered(model: Model, faults: string[]): void {
  for (const sender of model.cluster.clients) {
    for (const publication of sender.published) {
      if (!counts(model, sender, publication)) continue;
      const until = publication.acknowledged ? publication.doneAt as number : Infinity;
      for (const receiver of model.cluster.clients) {
        expectAt(model, sender, publication, until, receiver, faults);
      }
    }
  }
}

/** Whether anything was promised for a message. */
function counts(
  model: Model,
  sender: Client,
  { acknowledged, doneAt, failure, room, at }: Publication,
): boolean {
  if (acknowledged) return doneAt !== undefined && failure === undefined;
  // A proxy that stops waits a moment for its users' last messages, not for views that are slower than that.
  if (model.kind === "planned") return sender.proxy.running || model.skew <= 300;
  // Its sender is the one to be told, so it must be in the room and stay there.
  return sender.live && sender.stays.some((stay) => stay.room === room && inside(stay, at, Infinity));
}

function expectAt(
  model: Model,
  sender: Client,
  { room, note, at, acknowledged }: Publication,
  until: number,
  receiver: Client,
  faults: string[],
): void {
  const targets = note.forward !== undefined && model.program !== "relay" ? [room, note.forward] : [room];
  for (const target of targets) {
    const stay = receiver.stays.find((stay) => stay.room === target && inside(stay, at, until));
    if (!stay) continue;
    if (until === Infinity && !receiver.live) continue;
    const stream = target === room && target !== note.forward ? note.stream : `${note.stream}>${target}`;
    const has = (stream: string): boolean =>
      notes(receiver).some((one) =>
        one.room === target && one.note.k === note.k && one.note.stream === stream
      );
    const got = has(stream) || has(note.stream);
    if (model.kind === "planned" && note.forward === target && model.beside.has(`${note.stream} ${note.k}`)) {
      if (!has(`${note.stream}>>${target}`)) {
        faults.push(`${receiver.user} missed ${note.stream}>>${target} ${note.k}`);
      }
    }
    if (got || excused(model, sender, receiver, room, stay, at, acknowledged)) continue;
    faults.push(
      `${receiver.user} missed ${note.stream} ${note.k} of ${at} in ${target}, acknowledged: ${acknowledged}`,
    );
  }
}

function excused(
  model: Model,
  sender: Client,
  receiver: Client,
  room: string,
  stay: Stay,
  at: number,
  acknowledged: boolean,
): boolean {
  if (model.kind === "planned") return false;
  const target = stay.room;
  // Who leaves while its proxy is cut off hears nothing of it any more.
  const heard = warned(receiver, target, at) || stay.to !== undefined;
  if (acknowledged) return model.kind !== "kill" && heard;
  // What an application sent on without an acknowledgement may be lost on its way, of which nobody is told.
  if (target !== room) return true;
  return heard || warned(sender, room, at);
}

/** At rest everyone is where it should be, and nothing is under way. */
function rest(cluster: Cluster, rooms: readonly string[], faults: string[]): void {
  const chats = cluster.serving(cluster.chats);
  for (const room of rooms) {
    const open = chats.filter((chat) => chat.server.rooms.includes(room));
    const expected = cluster.clients.filter((client) => client.live && client.stay(room))
      .map((client) => client.session).sort();
    if (open.length > 1) faults.push(`${room} is open at ${open.map((chat) => chat.id).join(", ")}`);
    const users = open.flatMap((chat) => chat.server.room(room)?.users ?? []).map((user) => user.sessionId)
      .sort();
    if (users.join() !== expected.join()) faults.push(`${room} has ${users}, not ${expected}`);
  }
  for (const { id, server } of cluster.serving(cluster.proxies)) {
    const pending = server.metrics.list().find(([name]) => name === "toychat_messages_pending")?.[2];
    if (pending !== 0) faults.push(`${id} has ${pending} messages under way`);
  }
  for (const client of cluster.clients) {
    if (client.live && client.paused) faults.push(`${client.user} may not send any more`);
  }
}

/** At rest everything works: all in a room hear everybody in it, and everybody is answered. */
async function probe(cluster: Cluster, rooms: readonly string[], faults: string[]): Promise<void> {
  const probes: { room: string; sender: Client; publication: Publication }[] = [];
  for (const room of rooms) {
    for (const sender of cluster.clients) {
      if (!sender.live || sender.stay(room)?.from === undefined) continue;
      probes.push({ room, sender, publication: sender.publish(room, true) });
    }
  }
  await cluster.clock.run(1500);
  for (const { room, sender, publication } of probes) {
    if (publication.doneAt === undefined || publication.failure) {
      faults.push(`at rest: a message of ${sender.user} to ${room}: ${publication.failure ?? "no answer"}`);
    }
    for (const receiver of cluster.clients) {
      if (!receiver.live || receiver.stay(room)?.from === undefined) continue;
      const { stream, k } = publication.note;
      const count = notes(receiver).filter((one) =>
        one.room === room && one.note.stream === stream && one.note.k === k
      ).length;
      if (count !== 1) {
        faults.push(`at rest: ${receiver.user} got a message of ${sender.user} to ${room} ${count} times`);
      }
    }
  }
}
