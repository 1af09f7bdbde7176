/**
 * Views as they travel between a bridge and its members, and the check of one that arrived.
 *
 * @module
 */
import { printable, ToychatError } from "../lib/errors.ts";
import { isAddress, isIncarnation, isMemberId, isRole, isSlot, MAX_SLOTS } from "./names.ts";
import { createView, type Member, type MemberState, type View } from "./view.ts";

/** What every answer that carries a view holds. */
export interface WireView {
  /** Identifies one life of the bridge: revisions compare within it. */
  readonly bridge: string;
  /** The view, with the bridge's revision. */
  readonly view: View;
  /**
   * True for a short while after a bridge's start: members that were there before may still be on their way back, so who
   * already holds a view keeps it until this is false or the new view has all members of the old one.
   */
  readonly settling: boolean;
  /** While `settling`: ids of members that this life of the bridge has withdrawn; nobody need wait for them. */
  readonly gone: readonly string[];
}

/** Members of one view: more than this is refused. */
export const MAX_MEMBERS = 4096;
const STATES: readonly unknown[] = ["joining", "alive", "draining"];

function malformed(what: string): ToychatError {
  return new ToychatError("bridge_refused", `the bridge sent a malformed view: ${what}`);
}

function fields(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : undefined;
}

function readMember(value: unknown): Member {
  const { id, role, incarnation, address, slot, state } = fields(value) ?? {};
  if (!isMemberId(id)) throw malformed("a member without a valid id");
  if (!isRole(role) || !isIncarnation(incarnation) || !isAddress(address, role) || !STATES.includes(state)) {
    throw malformed(`role, incarnation, address or state of "${id}"`);
  }
  // Of two placed ChatServers in one slot, after a partition, the one that lost it drains without any.
  const unplaced = role === "proxy" || state === "draining";
  if (!(slot === undefined ? unplaced : role === "chat" && isSlot(slot))) throw malformed(`slot of "${id}"`);
  return { id, role, incarnation, address, slot: slot as number | undefined, state: state as MemberState };
}

/**
 * Reads and checks a view: every field, unique ids and slots, `slots` above every placed slot, and the digest computed
 * anew.
 *
 * @throws {ToychatError} `bridge_refused` where anything is malformed, or the digest is another one, which means that the
 * two sides hold different placement keys.
 */
export function readWireView(value: unknown, placementKey: Uint8Array): WireView {
  const { bridge, view: inner, settling, gone } = fields(value) ?? {};
  const { members: list, slots, revision, digest } = fields(inner) ?? {};
  if (!Array.isArray(list) || list.length > MAX_MEMBERS) throw malformed("members");
  if (!Number.isInteger(slots) || (slots as number) < 0 || (slots as number) > MAX_SLOTS) {
    throw malformed("slots");
  }
  if (!Number.isSafeInteger(revision)) throw malformed("revision");
  if (!isIncarnation(bridge)) throw malformed("bridge");
  if (typeof settling !== "boolean") throw malformed("settling");
  if (!Array.isArray(gone) || gone.length > MAX_MEMBERS || !gone.every(isMemberId)) throw malformed("gone");
  const members = list.map(readMember);
  checkSlots(members, slots as number);
  const view = createView({ members, slots: slots as number, revision: revision as number, placementKey });
  if (view.digest !== digest) {
    throw new ToychatError(
      "bridge_refused",
      `the bridge's view has the digest ${
        printable(String(digest), 20)
      }, computed here it is ${view.digest}: ` +
        "all processes of a cluster need the same placement key",
    );
  }
  return { bridge, view, settling, gone };
}

function checkSlots(members: readonly Member[], slots: number): void {
  const taken = new Set<number>();
  for (const { slot, state } of members) {
    if (slot === undefined) continue;
    if (taken.has(slot)) throw malformed(`two members in slot ${slot}`);
    if (state !== "joining" && slot >= slots) throw malformed(`slot ${slot} of ${slots}`);
    taken.add(slot);
  }
}
