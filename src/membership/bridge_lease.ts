/**
 * A member's lease from its bridge: whether it may accept now, by the member's own clock.
 *
 * @module
 */
import { type Clock, randomId } from "../lib/clock.ts";
import { Emitter } from "../lib/emitter.ts";
import { LEASE } from "./lease_times.ts";
import type { Lease, MemberInfo } from "./membership.ts";
import { INCARNATION_LENGTH } from "./names.ts";
import type { View } from "./view.ts";

/** What a lease asks of its membership. */
export interface LeaseKeeper {
  /** Announces that the member drains. */
  drain(lease: BridgeLease): Promise<void>;
  /** Withdraws the member. */
  leave(lease: BridgeLease): Promise<void>;
}

/**
 * A lease. It rests on proof that the member has not been withdrawn, dated back to the moment before the proof was asked
 * for: a renewal that the bridge answered, or a connection to the bridge that was refused, since a bridge that is not
 * there withdraws nobody, and one that starts afterwards gives everyone time to come back.
 *
 * Once the proof is too old the lease is lost, and stays lost until the member is registered as a new incarnation. Every
 * use of the lease looks at the clock first, so that a process that was frozen finds it lost, whatever it does first.
 */
export class BridgeLease implements Lease {
  /** What the member says of itself. */
  readonly info: MemberInfo;
  /** The incarnation that is registered, or is to be: from the time when it is asked for, others may know it. */
  claimed: string;
  /** The slot of a ChatServer. */
  slot: number | undefined;
  /** Whether the member asked to drain. */
  draining = false;
  /** The life of the bridge at which the claimed incarnation was registered last. */
  registeredAt: string | undefined;
  /** The incarnation that the claimed one takes the place of. */
  replaces: string | undefined;
  /** Milliseconds after its last answer for which the member serves on without a bridge; undefined: for ever. */
  aloneMs: number | undefined;
  readonly #clock: Clock;
  readonly #keeper: LeaseKeeper;
  readonly #rejoins: Emitter<{ rejoin: [] }> = new Emitter();
  #incarnation: string;
  #entered = false;
  #lost = false;
  #left = false;
  #provenAt = 0;
  /** When that was last said by the bridge itself. */
  #answeredAt = 0;

  /** A lease that is not held yet. */
  constructor(info: MemberInfo, clock: Clock, keeper: LeaseKeeper) {
    this.info = { id: info.id, role: info.role, address: info.address };
    this.#clock = clock;
    this.#keeper = keeper;
    this.claimed = this.#incarnation = randomId(clock, INCARNATION_LENGTH);
  }

  /**
   * Identifies this life of the member. It changes in the moment in which listeners hear of it: what the member did between
   * as a new one it would end with its old life.
   */
  get incarnation(): string {
    return this.#incarnation;
  }

  /** The member's id. */
  get id(): string {
    return this.info.id;
  }

  /** Whether the lease was lost and is not taken again. */
  get lost(): boolean {
    return this.#entered && !this.held() && !this.#left;
  }

  /** Whether the member has left. */
  get left(): boolean {
    return this.#left;
  }

  /** Whether the member was ever registered. */
  get entered(): boolean {
    return this.#entered;
  }

  /** Whether the member may accept now. */
  held(): boolean {
    if (!this.#entered || this.#lost || this.#left) return false;
    if (this.#clock.now() - this.#provenAt < LEASE.acceptMs) return true;
    this.#lost = true;
    return false;
  }

  /** Proof that the member was not withdrawn at `at`; of no use to a lease that is lost. */
  proven(at: number): void {
    if (!this.held()) return;
    this.#answeredAt = Math.max(this.#answeredAt, at);
    this.#provenAt = Math.max(this.#provenAt, at);
  }

  /** No bridge was there at `at`, and so none that could have withdrawn the member. */
  provenAlone(at: number): void {
    const latest = this.#answeredAt + (this.aloneMs ?? Infinity) - LEASE.acceptMs;
    if (this.held()) this.#provenAt = Math.max(this.#provenAt, Math.min(at, latest));
  }

  /** The bridge lives and has withdrawn the member. */
  lose(): void {
    if (this.#entered) this.#lost = true;
  }

  /** Claims a new incarnation, to be registered. */
  renew(): void {
    this.replaces = this.claimed;
    this.claimed = randomId(this.#clock, INCARNATION_LENGTH);
    this.registeredAt = undefined;
  }

  /**
   * The bridge has registered the incarnation, as proven at `at`. Returns false where that is too long ago to count, or the
   * lease was lost meanwhile: the member must become a new incarnation.
   */
  registered(incarnation: string, slot: number | undefined, bridge: string, at: number): boolean {
    const fresh = this.#clock.now() - at < LEASE.acceptMs && incarnation === this.claimed;
    const again = this.#entered && this.registeredAt !== undefined;
    if (!fresh || (again && !this.held())) {
      this.lose();
      return false;
    }
    const rejoined = this.#entered && !again;
    this.#incarnation = incarnation;
    this.#entered = true;
    this.#lost = false;
    this.#provenAt = this.#answeredAt = at;
    this.slot = slot;
    this.registeredAt = bridge;
    this.replaces = undefined;
    if (rejoined) this.#rejoins.emit("rejoin");
    return true;
  }

  /** Takes the slot that a view gives the claimed incarnation: where two claimed one, the bridge has given another. */
  follow(view: View): void {
    const own = view.members.find(({ id }) => id === this.id);
    if (own?.slot !== undefined && own.incarnation === this.claimed) this.slot = own.slot;
  }

  /** Calls `listener` each time the lease was lost and has been taken again. */
  onRejoin(listener: () => void): () => void {
    return this.#rejoins.on("rejoin", listener);
  }

  /** Announces the member as draining. */
  drain(): Promise<void> {
    this.draining = true;
    return this.#keeper.drain(this);
  }

  /** Withdraws the member and ends the lease. */
  leave(): Promise<void> {
    if (this.#left) return Promise.resolve();
    this.#left = true;
    return this.#keeper.leave(this);
  }
}
