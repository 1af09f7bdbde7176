/**
 * How a cluster must be once nothing happens any more.
 *
 * @module
 */
import { notes } from "./checks.ts";
import type { Client, Publication } from "./client.ts";
import type { Cluster } from "./cluster.ts";

/** Milliseconds in which a message at rest has been delivered and acknowledged. */
const PROBE_MS = 1500;
/** Milliseconds in which a client that takes one delivery at a time has taken all that waited for it. */
const BACKLOG_MS = 30_000;
/** Milliseconds between two of them where clients take little at a time. */
const PACE_MS = 25;

/** At rest everyone is where it should be, and nothing is under way. */
export function rest(cluster: Cluster, rooms: readonly string[], faults: string[]): void {
  const chats = cluster.serving(cluster.chats);
  for (const room of rooms) {
    const open = chats.filter((chat) => chat.server.rooms.includes(room));
    if (open.length > 1) faults.push(`${room} is open at ${open.map((chat) => chat.id).join(", ")}`);
    const users = open.flatMap((chat) => chat.server.room(room)?.users ?? []).map((user) => user.userId);
    members(cluster, room, users, faults);
  }
  for (const { id, server } of cluster.serving(cluster.proxies)) {
    const gauge = (wanted: string): number | undefined =>
      server.metrics.list().find(([name]) => name === wanted)?.[2];
    const pending = gauge("toychat_messages_pending");
    if (pending !== 0) faults.push(`${id} has ${pending} messages under way`);
    const sessions = cluster.clients.filter((client) => client.live && client.proxy.server === server).length;
    if (server.sessions !== sessions) faults.push(`${id} has ${server.sessions} sessions, not ${sessions}`);
  }
  for (const client of cluster.clients) {
    if (client.live && client.paused) faults.push(`${client.user} may not send any more`);
  }
}

function members(cluster: Cluster, room: string, users: readonly string[], faults: string[]): void {
  const inside = cluster.clients.filter((client) => client.live && client.stay(room));
  // Who reads nothing does not know whether it was let in.
  const unsure = new Set(
    inside.filter((client) => client.stalled && client.stay(room)?.from === undefined).map(({ login }) =>
      login
    ),
  );
  const sure = (logins: readonly string[]): string =>
    logins.filter((login) => !unsure.has(login)).sort().join();
  const expected = sure(inside.map(({ login }) => login));
  if (sure(users) !== expected) faults.push(`${room} has ${sure(users)}, not ${expected}`);
}

/** Whether everyone is where it should be, and all agree on who is there. */
export function atRest(cluster: Cluster, rooms: readonly string[]): boolean {
  const all = [...cluster.serving(cluster.chats), ...cluster.serving(cluster.proxies)];
  const digests = new Set(all.map((process) => process.membership.view.digest));
  if (
    cluster.disturbed || digests.size > 1 ||
    all.some((process) => process.frozen || !process.membership.lease?.held())
  ) {
    return false;
  }
  const waiting = cluster.clients.some((client) =>
    client.live && client.stays.some(({ from, to }) => from === undefined && to === undefined)
  );
  const faults: string[] = [];
  if (!waiting) rest(cluster, rooms, faults);
  return !waiting && faults.length === 0;
}

interface Probe {
  readonly room: string;
  readonly sender: Client;
  readonly publication: Publication;
}

/** At rest everything works: all in a room hear everybody in it, and everybody is answered. */
export async function probe(cluster: Cluster, rooms: readonly string[], faults: string[]): Promise<void> {
  const probes: Probe[] = [];
  for (const room of rooms) {
    for (const sender of cluster.clients) {
      if (!isIn(sender, room)) continue;
      probes.push({ room, sender, publication: sender.publish(room, true) });
      if (cluster.narrow) await cluster.clock.run(PACE_MS);
    }
  }
  await cluster.clock.run(PROBE_MS);
  if (cluster.clients.some((client) => client.live && client.options.receiveMaximum !== undefined)) {
    await cluster.clock.until(() => probes.every((one) => complete(cluster, one)), BACKLOG_MS);
  }
  for (const one of probes) answered(cluster, one, faults);
}

function isIn(client: Client, room: string): boolean {
  return client.live && !client.stalled && client.stay(room)?.from !== undefined;
}

function stalledAt({ stalls }: Client, at: number): boolean {
  return stalls.some(({ from, to }) => from <= at && (to ?? Infinity) >= at);
}

function complete(cluster: Cluster, one: Probe): boolean {
  const faults: string[] = [];
  answered(cluster, one, faults);
  return faults.length === 0;
}

function answered(cluster: Cluster, { room, sender, publication }: Probe, faults: string[]): void {
  if (publication.doneAt === undefined || publication.failure) {
    faults.push(`at rest: a message of ${sender.user} to ${room}: ${publication.failure ?? "no answer"}`);
  }
  const { stream, k } = publication.note;
  for (const receiver of cluster.clients) {
    // One that did not read when this was sent may have had too much waiting for it.
    if (!isIn(receiver, room) || stalledAt(receiver, publication.at)) continue;
    // Nor one whose proxy had but just come back to the list, and opened its links anew meanwhile.
    if (
      receiver.arrivals.some((one) =>
        "lost" in one && one.lost && one.room === room && one.at > publication.at
      )
    ) continue;
    const count = notes(receiver).filter((one) =>
      one.room === room && one.note.stream === stream && one.note.k === k
    ).length;
    if (count !== 1) {
      faults.push(`at rest: ${receiver.user} got a message of ${sender.user} to ${room} ${count} times`);
    }
  }
}
