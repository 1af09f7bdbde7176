/**
 * What must hold where the network was cut in two: what is said on one side is for that side alone, and what is excused by
 * a partition is no more than that.
 *
 * @module
 */
import { notes } from "./checks.ts";
import type { Client, Publication } from "./client.ts";
import type { Cluster, Partition } from "./cluster.ts";
import type { Model } from "./model.ts";

/** A hand-off is there after so long, or it is given up. */
const HANDED_MS = 5000;
/** A connection that hears nothing for so long is given up on both sides. */
const SILENT_MS = 3000;

/** The partition in which something began and ended. */
export function within({ splits }: Cluster, since: number, until: number): Partition | undefined {
  return splits.find(({ from, to }) => from <= since && until < to);
}

/** Whether two clients were on two sides at some time in between. */
export function apart(
  { splits }: Cluster,
  one: Client,
  other: Client,
  since: number,
  until: number,
): boolean {
  return splits.some(({ b, from, known }) =>
    from <= until && since <= known && b.has(one.proxy.id) !== b.has(other.proxy.id)
  );
}

/**
 * Whether a room may have had a life on one side of which nothing was left when the network was whole again: its server
 * died, or was the last one there and stopped, or the room closed as nobody was in it, or the side was sealed when the room
 * had two lives from the partition before. Nobody can tell the other side of what was said there.
 */
export function forgotten({ application, cluster }: Model, room: string): boolean {
  const since = cluster.splits[0]?.from ?? Infinity;
  const reasons = ["idle", "stopped", ...(cluster.splits.length > 1 ? ["lease-lost"] : [])];
  const closed = application.closed.some((life) =>
    life.room === room && life.at >= since && reasons.includes(life.reason)
  );
  return closed || cluster.deaths.some(({ at }) => at >= since);
}

/**
 * Whether a room had a second life while views differed, whose server died before any other could know of it. Nobody can
 * tell of what was said there.
 */
export function unknown(
  { application, cluster, schedule: { world } }: Model,
  room: string,
  at: number,
): boolean {
  if (world.kind !== "lag") return false;
  return cluster.deaths.some((death) =>
    death.at >= at && death.at <= at + world.skew &&
    [...application.lives].some((life) => life.startsWith(`${death.id} ${room} `))
  );
}

/** What was sent and acknowledged on one side was not delivered on the other one, then or later. */
export function checkSides({ cluster }: Model, faults: string[]): void {
  if (cluster.splits.length === 0) return;
  const seen = new Map(cluster.clients.map((client) => [client, heard(client)]));
  for (const sender of cluster.clients) {
    for (const publication of sender.published) {
      const { acknowledged, doneAt, failure, at, note } = publication;
      if (!acknowledged || doneAt === undefined || failure !== undefined) continue;
      const split = within(cluster, at, doneAt);
      // On connections that outlive a short one what was on its way arrives in the end.
      if (!split || split.to - split.from < SILENT_MS) continue;
      for (const receiver of cluster.clients) {
        if (split.b.has(sender.proxy.id) === split.b.has(receiver.proxy.id)) continue;
        if (words(publication).some((word) => seen.get(receiver)?.has(word))) {
          faults.push(`${receiver.user} got ${note.stream} ${note.k} of ${at} across the partition`);
        }
      }
    }
  }
}

function heard(client: Client): Set<string> {
  return new Set(notes(client).map(({ note }) => `${note.stream} ${note.k}`));
}

function words({ note: { stream, k, forward } }: Publication): string[] {
  const streams = forward === undefined
    ? [stream]
    : [stream, `${stream}>${forward}`, `${stream}>>${forward}`];
  return streams.map((one) => `${one} ${k}`);
}

/**
 * Of each life that was closed as merged an application heard once, at another server, with those who were in it; and of no
 * other life. Who dies, or loses its lease, hears of nothing.
 */
export function checkMerges({ application, chatsApart, cluster, kind }: Model, faults: string[]): void {
  const all = cluster.deaths.length === 0 && !cluster.chats.some(({ server }) => lost(server));
  const closed = application.closed.filter(({ reason }) => reason === "merged");
  // Where the owner could not be asked in time, as the network was cut once more, or has opened the room since it answered:
  // without a partition two lives meet only so.
  const unasked = ({ at, reason }: { at: number; reason: string }): boolean =>
    reason === "hand-off" &&
    (kind !== "split" || chatsApart || cluster.splits.some(({ from, merged }) => from <= at && at < merged));
  for (const { at, server, room, epoch, users } of closed) {
    const merges = application.merged.filter((one) => one.epoch === epoch && one.room === room);
    // The life that it ended in was handed on in that moment, and its next owner knows of none but that.
    const passed = application.closed.some((one) =>
      one.room === room && one.epoch !== epoch && one.reason === "hand-off" &&
      Math.abs(one.at - at) <= HANDED_MS
    );
    if (merges.length > 1 || (all && merges.length === 0 && !passed)) {
      faults.push(`${at} ${room} of ${server} in ${epoch} was merged, of which ${merges.length} were told`);
    }
    for (const merge of merges) {
      const missing = [...users].filter((user) => !merge.users.includes(user));
      if (merge.from !== server || missing.length > 0) {
        faults.push(`${merge.at} ${room} was merged from ${merge.from} without ${missing.join()}`);
      }
    }
  }
  for (const { at, room, epoch, from } of application.merged) {
    const ends = application.closed.filter((one) =>
      one.epoch === epoch && one.room === room &&
      // A server that holds a room on its way has nothing to close.
      (one.server === from || kind !== "split" || !application.lives.has(`${from} ${room} ${epoch}`))
    );
    // Two lives may meet at a third server: the one that goes on has been handed to it, too.
    const third = application.closed.some((one) =>
      one.room === room && one.epoch !== epoch && one.reason === "hand-off" && one.at <= at &&
      at - one.at <= HANDED_MS
    );
    if (
      all &&
      !ends.some((one) => one.reason === "merged" || unasked(one) || (third && one.reason === "hand-off"))
    ) {
      faults.push(`${at} ${room} was merged from ${from}, which did not close it so`);
    }
  }
}

function lost({ metrics }: { metrics: { get(name: string): number } }): boolean {
  return metrics.get("toychat_leases_lost_total") > 0;
}
