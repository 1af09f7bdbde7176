/**
 * What the agent still publishes of the bridge's life before.
 *
 * @module
 */
import type { Cancel } from "../../lib/clock.ts";
import type { Member } from "../view.ts";
import type { ClusterBook } from "./cluster_book.ts";
import { decodeHost, firstSeq, HOST_TAG, type HostValue, SEQ_MODULUS } from "./host_tag.ts";
import type { OwnMembers } from "./own_members.ts";
import type { SerfHostOptions } from "./serf_host_options.ts";
import type { SerfMember } from "./serf_types.ts";

/** A life that begins counts on from what its predecessor may have announced without having published it. */
const SEQ_LEAP = 64;
/** Members of the life before have so long to register again. */
const GRACE_MS = 4000;

/** What the own agent publishes; undefined where that is nothing. */
export function formerValue(own: SerfMember | undefined, clusterTag: string): HostValue | undefined {
  return decodeHost(own?.tags.get(HOST_TAG) ?? "", clusterTag, own?.address ?? "");
}

/** Where a life begins to count its publications. */
export function nextSeq(former: HostValue | undefined, wallTime: number): number {
  return former ? (former.seq + SEQ_LEAP) % SEQ_MODULUS : firstSeq(wallTime);
}

/** Takes up the members of the life before. When their time to register again is over `ended` gets each of them. */
export function takeUp(
  former: HostValue | undefined,
  own: OwnMembers,
  book: ClusterBook,
  { clock, log }: Pick<SerfHostOptions, "clock" | "log">,
  ended: (member: Member) => void,
): Cancel {
  const members = own.restore(former?.members ?? []);
  if (!former) return () => {};
  book.raiseSlots(former.slots);
  book.setOwn(own.list);
  log("info", "members_restored", { members: members.length });
  return clock.after(GRACE_MS, () => members.forEach((member) => ended(member)));
}
