/**
 * Views: immutable, versioned snapshots of who is in the cluster.
 *
 * @module
 */
import { blake2b } from "@noble/hashes/blake2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { ToychatError } from "../lib/errors.ts";

/** What a process does. */
export type Role = "chat" | "proxy";

/** `joining`: claimed a slot, not placed yet. `alive`: placed. `draining`: owns nothing, hands its rooms off. */
export type MemberState = "joining" | "alive" | "draining";

/** One process in the cluster. */
export interface Member {
  /** `[a-z0-9-]{1,8}`, unique in the cluster. */
  readonly id: string;
  /** What it does. */
  readonly role: Role;
  /** Identifies one life of the process. */
  readonly incarnation: string;
  /** `host:port`. */
  readonly address: string;
  /** A ChatServer's place in the placement. One that drains may be without: another ChatServer holds its slot. */
  readonly slot?: number;
  /** Where it stands. */
  readonly state: MemberState;
}

/** One immutable snapshot of the members. */
export interface View {
  /** The members, sorted by id. */
  readonly members: readonly Member[];
  /**
   * How many slots the placement spreads rooms over: one more than the highest slot that was ever placed (`alive`). It
   * never falls while the cluster lives, or the death of the highest slot would move rooms that need not move.
   */
  readonly slots: number;
  /** Counts the views of one source; compares only with the same source. */
  readonly revision: number;
  /** Identity of the view: equal members, slots and placement keys have equal digests everywhere. */
  readonly digest: string;
}

/** What a view is made of. */
export interface ViewInput {
  /** The members in any order; copied. */
  readonly members: readonly Member[];
  /** See {@linkcode View.slots}. */
  readonly slots: number;
  /** See {@linkcode View.revision}; default 0. */
  readonly revision?: number;
  /** The cluster's placement key, 1 to 64 bytes. */
  readonly placementKey: Uint8Array;
}

const encoder = new TextEncoder();

/** A member with exactly the contract's fields, frozen: what came over the wire may carry more. */
function copyMember(member: Member): Member {
  const { id, role, incarnation, address, slot, state } = member;
  return Object.freeze(
    slot === undefined
      ? { id, role, incarnation, address, state }
      : { id, role, incarnation, address, slot, state },
  );
}

function computeDigest(members: readonly Member[], slots: number, key: Uint8Array): string {
  let text = `toychat view 1\nslots ${slots}\n`;
  for (const m of members) {
    text += `${m.id} ${m.role} ${m.incarnation} ${m.address} ${m.slot ?? "-"} ${m.state}\n`;
  }
  return bytesToHex(blake2b(encoder.encode(text), { key, dkLen: 8 }));
}

/**
 * Makes a view: sorts and freezes the members and computes the digest, 16 hexadecimal digits of a BLAKE2b keyed with the
 * placement key. The digest covers every field of every member and `slots`, not the revision.
 *
 * @throws {ToychatError} `duplicate_member_id` where two members have one id.
 */
export function createView(input: ViewInput): View {
  const members = input.members.map(copyMember).sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  for (let i = 1; i < members.length; i++) {
    if (members[i]?.id === members[i - 1]?.id) {
      throw new ToychatError(
        "duplicate_member_id",
        `two members of one view have the id "${members[i]?.id}"`,
      );
    }
  }
  return Object.freeze({
    members: Object.freeze(members),
    slots: input.slots,
    revision: input.revision ?? 0,
    digest: computeDigest(members, input.slots, input.placementKey),
  });
}

/** The view of a cluster that nobody has joined yet: no members, no slots, revision 0. */
export function emptyView(placementKey: Uint8Array): View {
  return createView({ members: [], slots: 0, placementKey });
}
