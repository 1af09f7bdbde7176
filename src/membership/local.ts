/**
 * Membership of one process: all roles in one registry, no network.
 *
 * @module
 */
import { type Clock, randomId, systemClock } from "../lib/clock.ts";
import { Emitter } from "../lib/emitter.ts";
import { ToychatError } from "../lib/errors.ts";
import type { Lease, MemberInfo, Membership } from "./membership.ts";
import { createPlacement, type Placement, placementKey } from "./placement.ts";
import { Registry } from "./registry.ts";
import { emptyView, type Member, type View } from "./view.ts";

/** Options of {@linkcode LocalMembership}. */
export interface LocalMembershipOptions {
  /** Source of random identifiers; default the system's. */
  readonly clock?: Clock;
  /** The cluster secret, from which the placement key is derived; default none. */
  readonly secret?: string;
  /** The placement key itself, 1 to 64 bytes, instead of one derived from `secret`. */
  readonly placementKey?: Uint8Array;
}

/** What a lease asks of its registry. */
interface LeaseOwner {
  drain(lease: LocalLease): Promise<void>;
  withdraw(lease: LocalLease): Promise<void>;
}

class LocalLease implements Lease {
  readonly id: string;
  incarnation: string;
  slot: number | undefined;
  /** Whether the registry has this incarnation. */
  entered = true;
  readonly rejoins: Emitter<{ rejoin: [] }> = new Emitter();
  readonly #owner: LeaseOwner;

  constructor(owner: LeaseOwner, member: Member) {
    this.#owner = owner;
    this.id = member.id;
    this.incarnation = member.incarnation;
    this.slot = member.slot;
  }

  held(): boolean {
    return this.entered;
  }

  onRejoin(listener: () => void): () => void {
    return this.rejoins.on("rejoin", listener);
  }

  drain(): Promise<void> {
    return this.#owner.drain(this);
  }

  leave(): Promise<void> {
    return this.#owner.withdraw(this);
  }
}

/**
 * The list of members of one process, shared by all roles in it.
 *
 * Changes are delivered in a microtask, all changes of one turn as one view; `view` and `placement` change at that moment
 * too, so that no role sees a view before it is told. A listener that throws does not keep the others from theirs; its
 * error surfaces as an unhandled rejection.
 *
 * @example
 * ```ts
 * import { LocalMembership } from "toychat";
 *
 * const membership = new LocalMembership();
 * const lease = await membership.join({ id: "chat-1", role: "chat", address: "127.0.0.1:7001" });
 * console.log(membership.placement.owner("lobby")?.id, lease.slot); // chat-1 0
 * ```
 */
export class LocalMembership implements Membership {
  readonly #clock: Clock;
  readonly #key: Uint8Array;
  readonly #registry: Registry;
  readonly #leases: Map<string, LocalLease> = new Map();
  readonly #events: Emitter<{ view: [view: View] }> = new Emitter();
  readonly #owner: LeaseOwner = {
    drain: (lease) => this.#drain(lease),
    withdraw: (lease) => this.#withdraw(lease),
  };
  #placement: Placement;
  #delivery: Promise<void> | undefined;
  #closed = false;

  /** An empty registry. */
  constructor(options: LocalMembershipOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#key = options.placementKey ?? placementKey(options.secret);
    this.#registry = new Registry(this.#key);
    this.#placement = createPlacement(emptyView(this.#key), this.#key);
  }

  /** The view delivered last; empty at first. */
  get view(): View {
    return this.#placement.view;
  }

  /** Who owns which room in `view`. */
  get placement(): Placement {
    return this.#placement;
  }

  /** Resolves with the view; there is nothing to connect to. */
  async open(): Promise<View> {
    await this.#delivery;
    return this.view;
  }

  /**
   * Enters a member; resolves when it is in the view. A ChatServer gets the lowest free slot.
   *
   * @throws {ToychatError} `invalid_member_id`, `invalid_member_role`, `invalid_member_address`,
   * `duplicate_member_id`, `no_free_slot`, `membership_closed`.
   */
  async join(member: MemberInfo): Promise<Lease> {
    if (this.#closed) {
      throw new ToychatError("membership_closed", "this LocalMembership was closed: make a new one");
    }
    const { id, role, address } = member;
    const lease = new LocalLease(
      this.#owner,
      this.#registry.claim({ id, role, address, incarnation: this.#incarnation() }),
    );
    this.#leases.set(id, lease);
    await this.#deliver();
    return lease;
  }

  /** Calls `listener` with each new view, in a microtask. Returns a function that removes it. */
  onView(listener: (view: View) => void): () => void {
    return this.#events.on("view", listener);
  }

  /**
   * Withdraws a member as its death would; resolves when the view says so. Its lease is no longer held, until
   * {@linkcode LocalMembership.rejoin}. Unknown ids are ignored.
   */
  remove(id: string): Promise<void> {
    const lease = this.#leases.get(id);
    return lease ? this.#withdraw(lease) : Promise.resolve();
  }

  /**
   * Enters a removed member again as a new incarnation, in its old slot where that is still free, as a frozen process
   * that woke would; calls its lease's `onRejoin` listeners when it is in the view.
   *
   * @throws {ToychatError} `unknown_member`; what `join` throws.
   */
  async rejoin(member: MemberInfo): Promise<void> {
    const { id, role, address } = member;
    const lease = this.#leases.get(id);
    if (!lease || lease.entered) {
      throw new ToychatError(
        "unknown_member",
        `no member "${id}" was removed here: only a removed one can rejoin`,
      );
    }
    const free = !this.#registry.view.members.some((m) => m.slot === lease.slot);
    const slot = free ? lease.slot : undefined;
    const entry = this.#registry.claim({ id, role, address, slot, incarnation: this.#incarnation() });
    lease.incarnation = entry.incarnation;
    lease.slot = entry.slot;
    lease.entered = true;
    await this.#deliver();
    lease.rejoins.emit("rejoin");
  }

  /** Leaves with every member that joined here; later joins are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#leases.values()].map((lease) => lease.leave()));
  }

  #drain(lease: LocalLease): Promise<void> {
    if (!lease.entered || !this.#registry.setState(lease.id, lease.incarnation, "draining")) {
      return Promise.resolve();
    }
    return this.#deliver();
  }

  #withdraw(lease: LocalLease): Promise<void> {
    if (!lease.entered) return Promise.resolve();
    lease.entered = false;
    this.#registry.withdraw(lease.id, lease.incarnation);
    return this.#deliver();
  }

  #incarnation(): string {
    return randomId(this.#clock, 8);
  }

  #deliver(): Promise<void> {
    return this.#delivery ??= Promise.resolve().then(() => {
      this.#delivery = undefined;
      const view = this.#registry.view;
      this.#placement = createPlacement(view, this.#key);
      for (const listener of this.#events.listeners("view")) {
        // A promise of its own: the listener's error is its own affair.
        new Promise<void>((resolve) => resolve(void listener(view)));
      }
    });
  }
}
