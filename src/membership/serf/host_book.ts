/**
 * What is known of one host: what its tag says, deltas that the tag does not have yet, members that were withdrawn, and
 * members that others found dead.
 *
 * @module
 */
import type { Member } from "../view.ts";
import type { HostDelta } from "./host_delta.ts";
import { type HostRecord, memberOf } from "./host_record.ts";
import { type HostValue, isNewerSeq } from "./host_tag.ts";
import { type Ip, readIp } from "./ip.ts";
import type { MemberLife } from "./member_life.ts";

/** A withdrawn member stays withdrawn for so long at least, whatever tags say, which lag. */
export const TOMBSTONE_MS = 10_000;
/** A new or changed member counts for so long without the tag that should follow. */
export const DELTA_MS = 20_000;
/** A host that is alive and says nothing of its members keeps what was last known of them for so long. */
export const UNTAGGED_MS = 5000;
/** Members of one host, tag and deltas together. */
export const MAX_HOST_MEMBERS = 64;
/** Withdrawn members that are remembered of one host; of more the oldest is forgotten. */
export const MAX_TOMBSTONES = 256;

interface Change {
  readonly record: HostRecord;
  readonly seq: number;
  readonly at: number;
}

interface Tombstone extends MemberLife {
  readonly seq: number;
  readonly at: number;
  /** The host has announced the member anew since, with this count. */
  lifted: number | undefined;
}

/** The members of one host, as far as it has published them. Times are monotonic milliseconds. */
export class HostBook {
  #address = "";
  #agent: Ip | undefined;
  #value: HostValue | undefined;
  /** Since when the host is there without saying anything of its members. */
  #untaggedAt: number | undefined;
  readonly #changes: Map<string, Change> = new Map();
  readonly #tombstones: Map<string, Tombstone> = new Map();
  /** Ids and incarnations found dead. */
  readonly #dead: Map<string, string> = new Map();

  /** The IP address of the host's agent; empty while only deltas have told of the host. */
  get address(): string {
    return this.#address;
  }

  set address(address: string) {
    if (address !== this.#address) this.#agent = readIp(address);
    this.#address = address;
  }

  /** The newest thing that its tag has said. */
  get value(): HostValue | undefined {
    return this.#value;
  }

  /** Takes what the tag says now. */
  tagged(value: HostValue, address: string): void {
    this.address = address;
    this.#value = value;
    this.#untaggedAt = undefined;
    for (const [id, { seq }] of this.#changes) {
      if (!isNewerSeq(seq, value.seq)) this.#changes.delete(id);
    }
  }

  /** The host is there, but there is no tag, or none that says anything: what was known holds for a while. */
  untagged(now: number, address: string): void {
    this.address = address;
    this.#untaggedAt ??= now;
  }

  /** Forgets whom the host had: its members were given up, or it says that it belongs to another cluster. */
  forget(address: string): void {
    this.address = address;
    this.#value = undefined;
    this.#untaggedAt = undefined;
    this.#changes.clear();
  }

  /** Takes a delta. */
  apply(delta: HostDelta, now: number): void {
    for (const withdrawal of delta.withdrawn) this.#bury(withdrawal, delta.seq, now);
    for (const record of delta.changed) this.#announce({ record, seq: delta.seq, at: now });
  }

  #bury({ id, incarnation }: MemberLife, seq: number, now: number): void {
    const key = `${id}.${incarnation}`;
    const known = this.#tombstones.get(key);
    if (known && !isNewerSeq(seq, known.lifted ?? known.seq)) return;
    this.#tombstones.delete(key);
    this.#tombstones.set(key, { id, incarnation, seq, at: now, lifted: undefined });
    const change = this.#changes.get(id);
    if (change && outdates({ incarnation, seq }, change)) this.#changes.delete(id);
    const [oldest] = this.#tombstones.keys();
    if (oldest !== undefined && this.#tombstones.size > MAX_TOMBSTONES) this.#tombstones.delete(oldest);
  }

  #announce(change: Change): void {
    const { id, incarnation } = change.record;
    const known = this.#changes.get(id);
    if (known && !isNewerSeq(change.seq, known.seq)) return;
    if (!known && this.#changes.size >= MAX_HOST_MEMBERS) return;
    if (this.#value && !isNewerSeq(change.seq, this.#value.seq)) return;
    for (const tombstone of this.#tombstones.values()) {
      if (tombstone.id !== id) continue;
      if (outdates(tombstone, change)) return;
      if (tombstone.incarnation === incarnation) tombstone.lifted = change.seq;
    }
    this.#changes.set(id, change);
  }

  /** Takes back or gives the verdict that a member is dead, though its host still publishes it. True where that is new. */
  judge(id: string, incarnation: string, dead: boolean): boolean {
    if ((this.#dead.get(id) === incarnation) === dead) return false;
    if (!dead) this.#dead.delete(id);
    else if (this.#dead.size < MAX_HOST_MEMBERS || this.#dead.has(id)) this.#dead.set(id, incarnation);
    return true;
  }

  /** Whether a member was found dead. */
  isDead(id: string, incarnation: string): boolean {
    return this.#dead.get(id) === incarnation;
  }

  /** Whether the host has withdrawn a member so lately that others will not believe a tag that has it. */
  isWithdrawn(id: string, incarnation: string, now: number): boolean {
    const tombstone = this.#tombstones.get(`${id}.${incarnation}`);
    return tombstone !== undefined && tombstone.lifted === undefined && this.#buries(tombstone, now);
  }

  /** The members that the host publishes, those found dead included, by id in no order. */
  members(now: number): Map<string, Member> {
    const lapsed = this.#untaggedAt !== undefined && now >= this.#untaggedAt + UNTAGGED_MS;
    const value = lapsed ? undefined : this.#value;
    const members = new Map<string, Member>();
    for (const member of value?.members ?? []) {
      if (!this.#hides(member, now)) members.set(member.id, member);
    }
    for (const [id, { record, at }] of this.#changes) {
      if (now >= at + DELTA_MS || (lapsed && at <= (this.#untaggedAt as number))) continue;
      const member = memberOf(record, this.#agent);
      const fits = members.has(id) || members.size < MAX_HOST_MEMBERS;
      if (member && fits) members.set(id, member);
    }
    return members;
  }

  /** Whether a member of the tag was withdrawn. */
  #hides({ id, incarnation }: Member, now: number): boolean {
    if (this.isWithdrawn(id, incarnation, now)) return true;
    // The host's last word on the id is newer than the tag, though it speaks of a life that the tag never had.
    const seq = this.#value?.seq;
    for (const tombstone of this.#tombstones.values()) {
      if (tombstone.id !== id || seq === undefined || now >= tombstone.at + TOMBSTONE_MS) continue;
      if (isNewerSeq(tombstone.seq, seq)) return true;
    }
    return false;
  }

  /** For 10 s always, and then while the tag has the member and is not newer. */
  #buries({ id, incarnation, seq, at }: Tombstone, now: number): boolean {
    if (now < at + TOMBSTONE_MS) return true;
    const value = this.#value;
    if (!value || isNewerSeq(value.seq, seq)) return false;
    return value.members.some((member) => member.id === id && member.incarnation === incarnation);
  }

  /** Forgets what says nothing any more. */
  sweep(now: number): void {
    for (const [id, { at }] of this.#changes) if (now >= at + DELTA_MS) this.#changes.delete(id);
    for (const [key, tombstone] of this.#tombstones) {
      if (!this.#buries(tombstone, now)) this.#tombstones.delete(key);
    }
    const members = this.#dead.size > 0 ? this.members(now) : undefined;
    for (const [id, incarnation] of this.#dead) {
      if (members?.get(id)?.incarnation !== incarnation) this.#dead.delete(id);
    }
  }

  /** When time alone may change the members, after `now`; Infinity: never. */
  expireAt(now: number): number {
    let next = Infinity;
    const consider = (at: number) => {
      if (at > now && at < next) next = at;
    };
    if (this.#untaggedAt !== undefined) consider(this.#untaggedAt + UNTAGGED_MS);
    for (const { at } of this.#changes.values()) consider(at + DELTA_MS);
    for (const { at } of this.#tombstones.values()) consider(at + TOMBSTONE_MS);
    return next;
  }

  /** Whether nothing is known. */
  get isEmpty(): boolean {
    return this.#value === undefined && this.#changes.size === 0 && this.#tombstones.size === 0;
  }
}

/**
 * Whether a withdrawal is the later word on an id: one publication may withdraw a life and announce the next. An older
 * announcement of any life is outdated, since the host has gone through it to the life that it withdrew.
 */
function outdates(withdrawal: { incarnation: string; seq: number }, { record, seq }: Change): boolean {
  if (withdrawal.seq === seq) return withdrawal.incarnation === record.incarnation;
  return !isNewerSeq(seq, withdrawal.seq);
}
