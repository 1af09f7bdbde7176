/**
 * The book of members: who holds which id and which slot, and the view that follows from it. The in-process registry and
 * the bridge both keep one.
 *
 * @module
 */
import { ToychatError } from "../lib/errors.ts";
import { checkMember, isIncarnation, isSlot, MAX_SLOTS, shown } from "./names.ts";
import { createView, type Member, type MemberState, type Role, type View } from "./view.ts";

/** A member's claim to its id and, for a ChatServer, to a slot. */
export interface Claim {
  /** `[a-z0-9-]{1,8}`. */
  readonly id: string;
  /** What it does. */
  readonly role: Role;
  /** `host:port`. */
  readonly address: string;
  /** Identifies this life of the member: `[a-z0-9-]{1,32}`. */
  readonly incarnation: string;
  /** The slot that it wants back; without one it gets the lowest that is free. */
  readonly slot?: number | undefined;
  /** The incarnation whose place this one takes: how a member that lost its lease succeeds itself. */
  readonly replaces?: string | undefined;
  /** The state to start in; default `"alive"`. */
  readonly state?: MemberState | undefined;
}

/** Members by id, with their slots. Every change makes a new view when it is next asked for. */
export class Registry {
  readonly #placementKey: Uint8Array;
  readonly #members: Map<string, Member> = new Map();
  #slots = 0;
  #revision = 0;
  #view: View | undefined;

  /** An empty book. */
  constructor(placementKey: Uint8Array) {
    this.#placementKey = placementKey;
  }

  /** The newest view; the same object until something changes. */
  get view(): View {
    return this.#view ??= createView({
      members: [...this.#members.values()],
      slots: this.#slots,
      revision: this.#revision,
      placementKey: this.#placementKey,
    });
  }

  /** The member that holds an id. */
  get(id: string): Member | undefined {
    return this.#members.get(id);
  }

  /**
   * Enters a member, or changes the entry of the same incarnation.
   *
   * @throws {ToychatError} `invalid_member_id`, `invalid_member_role`, `invalid_member_address`,
   * `invalid_incarnation` (`replaces` too), `invalid_slot`; `duplicate_member_id` where another incarnation holds the id;
   * `slot_taken` where another member holds the slot; `no_free_slot`.
   */
  claim(claim: Claim): Member {
    checkClaim(claim);
    const { id, role, address, incarnation } = claim;
    const holder = this.#members.get(id);
    if (holder && holder.incarnation !== incarnation && holder.incarnation !== claim.replaces) {
      throw new ToychatError(
        "duplicate_member_id",
        `the id "${id}" is taken by the ${holder.role} at ${holder.address}: choose another --id, or stop that process`,
      );
    }
    const state = claim.state ?? "alive";
    const slot = role === "chat" ? this.#slotFor(claim, holder) : undefined;
    this.#set(
      slot === undefined
        ? { id, role, incarnation, address, state }
        : { id, role, incarnation, address, slot, state },
    );
    return this.#members.get(id) as Member;
  }

  /** Changes a member's state; false where that incarnation does not hold the id. */
  setState(id: string, incarnation: string, state: MemberState): boolean {
    const member = this.#members.get(id);
    if (member?.incarnation !== incarnation) return false;
    if (member.state !== state) this.#set({ ...member, state });
    return true;
  }

  /** Strikes a member out; false where that incarnation does not hold the id. Without an incarnation any does. */
  withdraw(id: string, incarnation?: string): boolean {
    const member = this.#members.get(id);
    if (!member || (incarnation !== undefined && member.incarnation !== incarnation)) return false;
    this.#members.delete(id);
    this.#changed();
    return true;
  }

  /** Raises the number of slots to what another has seen; never lowers it. */
  raiseSlots(slots: number): void {
    const raised = Math.min(slots, MAX_SLOTS);
    if (raised <= this.#slots) return;
    this.#slots = raised;
    this.#changed();
  }

  #slotFor(claim: Claim, holder: Member | undefined): number {
    const taken = new Map<number, Member>();
    for (const member of this.#members.values()) {
      if (member.slot !== undefined && member.id !== claim.id) taken.set(member.slot, member);
    }
    const wanted = claim.slot ?? holder?.slot;
    if (wanted === undefined) return lowestFree(taken);
    const other = taken.get(wanted);
    if (other) {
      throw new ToychatError(
        "slot_taken",
        `slot ${wanted} is held by "${other.id}": register again without a slot`,
      );
    }
    return wanted;
  }

  #set(member: Member): void {
    this.#members.set(member.id, member);
    if (member.slot !== undefined && member.state !== "joining") {
      this.#slots = Math.max(this.#slots, member.slot + 1);
    }
    this.#changed();
  }

  #changed(): void {
    this.#revision += 1;
    this.#view = undefined;
  }
}

function lowestFree(taken: ReadonlyMap<number, Member>): number {
  for (let slot = 0; slot < MAX_SLOTS; slot++) {
    if (!taken.has(slot)) return slot;
  }
  throw new ToychatError("no_free_slot", `all ${MAX_SLOTS} slots for ChatServers are taken`);
}

/**
 * Checks a claim, which may come from outside, before anything is made of it.
 *
 * @throws {ToychatError} `invalid_member_id`, `invalid_member_role`, `invalid_member_address`, `invalid_incarnation`,
 * `invalid_slot`.
 */
export function checkClaim(claim: Claim): void {
  checkMember(claim);
  const { incarnation, slot, replaces } = claim;
  if (!isIncarnation(incarnation)) throw notIncarnation("incarnation", incarnation);
  if (replaces !== undefined && !isIncarnation(replaces)) throw notIncarnation("replaces", replaces);
  if (slot === undefined || isSlot(slot)) return;
  throw new ToychatError(
    "invalid_slot",
    `slot is ${shown(slot)}: give a whole number from 0 to ${
      MAX_SLOTS - 1
    }, or leave it out to get a free one`,
  );
}

function notIncarnation(name: "incarnation" | "replaces", given: unknown): ToychatError {
  const otherwise = name === "replaces" ? ", or leave it out where it takes nobody's place" : "";
  return new ToychatError(
    "invalid_incarnation",
    `${name} is ${shown(given)}: give 1 to 32 characters of a-z, 0-9 and "-"${otherwise}`,
  );
}
