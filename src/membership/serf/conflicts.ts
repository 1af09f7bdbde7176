/**
 * Which of several claims to one id or one slot holds, alike on every host that knows the same claims.
 *
 * @module
 */
import type { Member, MemberState } from "../view.ts";

/** A member as a host claims it. */
export interface HostMember {
  /** The name of the host's agent. */
  readonly host: string;
  /** What the host says of the member. */
  readonly member: Member;
}

/** A member of the own host that another one has beaten. */
export interface OwnLoss {
  /** `id`: the other holds its id. `slot`: the other holds its slot. */
  readonly what: "id" | "slot";
  /** The own member, as it was set. */
  readonly member: Member;
  /** Who holds it. */
  readonly to: HostMember;
}

/** A claim that another one has beaten. */
export interface Loss {
  /** Whose it was. */
  readonly loser: HostMember;
  /** What was claimed by both. */
  readonly what: "id" | "slot";
  /** Who holds it. */
  readonly to: HostMember;
}

/** What follows from all claims. */
export interface Resolution {
  /** Who holds which id, whether it is in the view or not. */
  readonly holders: ReadonlyMap<string, HostMember>;
  /** Who is in the view, sorted by id. */
  readonly members: readonly HostMember[];
  /** Members of any host that lost, and to whom. */
  readonly losses: readonly Loss[];
}

const STANDING: Readonly<Record<MemberState, number>> = { joining: 0, draining: 1, alive: 2 };

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Who comes first holds the id: placed before joining, then the lower incarnation; one life told twice: by host's name. */
function compareForId(a: HostMember, b: HostMember): number {
  const placed = Number(b.member.state !== "joining") - Number(a.member.state !== "joining");
  return placed || order(a.member.incarnation, b.member.incarnation) || order(a.host, b.host);
}

/** Who comes first holds the slot: alive before draining, which owns no rooms, before joining; then the lower id. */
function compareForSlot(a: HostMember, b: HostMember): number {
  return STANDING[b.member.state] - STANDING[a.member.state] || order(a.member.id, b.member.id);
}

/** A placed ChatServer that has lost its slot: it is there and hands its rooms off, but nothing places it. */
function unplaced({ host, member }: HostMember): HostMember {
  const { id, role, incarnation, address } = member;
  return { host, member: { id, role, incarnation, address, state: "draining" } };
}

/** Resolves claims, in whatever order they come. */
export function resolveClaims(claims: readonly HostMember[]): Resolution {
  const losses: Loss[] = [];
  const byId = new Map<string, HostMember>();
  for (const claim of [...claims].sort(compareForId)) {
    const holder = byId.get(claim.member.id);
    if (!holder) byId.set(claim.member.id, claim);
    else losses.push({ loser: claim, what: "id", to: holder });
  }
  const bySlot = new Map<number, HostMember>();
  const members: HostMember[] = [];
  for (const claim of [...byId.values()].sort(compareForSlot)) {
    const { slot, state } = claim.member;
    const holder = slot === undefined ? undefined : bySlot.get(slot);
    if (slot === undefined || !holder) {
      if (slot !== undefined) bySlot.set(slot, claim);
      members.push(claim);
      continue;
    }
    losses.push({ loser: claim, what: "slot", to: holder });
    if (state !== "joining") members.push(unplaced(claim));
  }
  return { holders: byId, members: members.sort((a, b) => order(a.member.id, b.member.id)), losses };
}
