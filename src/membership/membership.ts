/**
 * Where the list of members comes from: the contract that every source of membership fulfils.
 *
 * @module
 */
import type { Metrics } from "../lib/metrics.ts";
import type { Placement } from "./placement.ts";
import type { MemberState, Role, View } from "./view.ts";

/** What a process says of itself when it joins. */
export interface MemberInfo {
  /** `[a-z0-9-]{1,8}`, unique in the cluster. */
  readonly id: string;
  /** Its role; ChatServers get a slot. */
  readonly role: Role;
  /** `host:port` at which a ChatServer takes links; for a proxy, where its users connect. */
  readonly address: string;
}

/**
 * A member's place in the cluster, from `join` to `leave`.
 *
 * A ChatServer asks `held` before it accepts anything: a process that was frozen, or cut off from what keeps the list,
 * must not act for rooms that others have taken over meanwhile.
 */
export interface Lease {
  /** The member's id. */
  readonly id: string;
  /** Identifies this life of the member; changes when the lease was lost and taken again. */
  readonly incarnation: string;
  /** The slot of a ChatServer; undefined for a proxy. May change with the incarnation. */
  readonly slot: number | undefined;
  /** Whether the member may accept now. Cheap: called for every message. */
  held(): boolean;
  /** Calls `listener` each time the lease was lost and has been taken again, as a new incarnation. */
  onRejoin(listener: () => void): () => void;
  /** Announces the member as `draining`: placement gives it nothing any more; it keeps its slot until `leave`. */
  drain(): Promise<void>;
  /** Withdraws the member and ends the lease. */
  leave(): Promise<void>;
}

/** A source of the list of members. Opens what it needs with the first `join` or `open`, closes it with `close`. */
export interface Membership {
  /** The newest view; empty at first. */
  readonly view: View;
  /** Who owns which room in `view`. */
  readonly placement: Placement;
  /** Connects to the source without joining; resolves with the first view. */
  open(): Promise<View>;
  /**
   * Joins; resolves when the member is in the view (`alive`).
   *
   * @throws {ToychatError} `invalid_member_id`, `invalid_member_role`, `invalid_member_address`,
   * `duplicate_member_id`, `no_free_slot`, `already_joined`, `sealed`, `bridge_unreachable`, `bridge_refused`,
   * `membership_closed`.
   */
  join(member: MemberInfo): Promise<Lease>;
  /** Calls `listener` with each new view. */
  onView(listener: (view: View) => void): () => void;
  /**
   * Calls `listener` with a member's id when an operator asks that this member, which joined here, drains and ends; absent
   * where nobody can ask. Returns a function that removes it.
   */
  onDrain?(listener: (id: string) => void): () => void;
  /** What it counts, to be served beside the metrics of who uses it; undefined where it counts nothing. */
  readonly metrics?: Metrics;
  /** Leaves with every member that joined here, and closes connections. */
  close(): Promise<void>;
}

export type { MemberState, Role, View };
