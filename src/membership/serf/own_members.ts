/**
 * The members of the own host, and what becomes of their claims: a ChatServer joins for a second in which others may
 * contest its slot, and takes another one where it loses.
 *
 * @module
 */
import type { Cancel, Clock } from "../../lib/clock.ts";
import { ToychatError } from "../../lib/errors.ts";
import { type Claim, Registry } from "../registry.ts";
import type { Member, MemberState } from "../view.ts";

/** What a claim is checked against: all that is known of the cluster. */
export interface Claims {
  /** The host that holds an id, where it is another one. */
  holder(id: string): { readonly host: string; readonly member: Member } | undefined;
  /** Whether a slot is claimed on another host. */
  isTaken(slot: number): boolean;
  /** The lowest slot that nobody claims; throws `no_free_slot`. */
  freeSlot(): number;
}

/** Options of {@linkcode OwnMembers}. */
export interface OwnMembersOptions {
  /** Time. */
  readonly clock: Clock;
  /** The cluster's placement key. */
  readonly placementKey: Uint8Array;
  /** What claims are checked against. */
  readonly claims: Claims;
  /** The address of a member as others will read it; throws where they could not reach it. */
  readonly published: (member: Claim) => string;
  /** Throws where the members do not fit into what a host can publish. */
  readonly fits: (members: readonly Member[]) => void;
  /** Members are new or have changed, or were withdrawn. */
  readonly onChange: (changed: readonly Member[], withdrawn: readonly Member[]) => void;
}

/** A claim to a slot stands when nobody has contested it for so long. Milliseconds. */
export const UNCONTESTED_MS = 1000;

interface Waiting {
  readonly incarnation: string;
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  cancel: Cancel;
}

/** The members of the own host by id. */
export class OwnMembers {
  readonly #options: OwnMembersOptions;
  readonly #registry: Registry;
  /** Claims that do not stand yet, by id. */
  readonly #waiting: Map<string, Waiting> = new Map();
  /** Ids of members that were here and went before {@linkcode OwnMembers.restore} was called. */
  #gone: Set<string> | undefined = new Set();

  /** None at first. */
  constructor(options: OwnMembersOptions) {
    this.#options = options;
    this.#registry = new Registry(options.placementKey);
  }

  /** All of them, by id. */
  get list(): readonly Member[] {
    return this.#registry.view.members;
  }

  /** The member that holds an id. */
  get(id: string): Member | undefined {
    return this.#registry.get(id);
  }

  /**
   * Enters the members that the host's agent still publishes from the bridge's life before, and returns whom it has entered.
   * Where some have registered already, as without an agent, these come first, and who of them is gone does not come back.
   * One that was joining gets no rooms before it has registered again: nobody knows whether it lives.
   */
  restore(former: readonly Member[]): readonly Member[] {
    const slots = new Set(this.list.flatMap(({ slot }) => slot ?? []));
    const members = former.filter(({ id, slot }) =>
      !this.get(id) && !this.#gone?.has(id) && (slot === undefined || !slots.has(slot))
    );
    for (const member of members) this.#registry.claim(member);
    this.#gone = undefined;
    return members;
  }

  /**
   * Enters a member, or changes the entry of the same incarnation. A ChatServer that is new is `joining` until its claim
   * stands.
   *
   * @param claim one that `checkClaim` found sound.
   *
   * @throws {ToychatError} what {@linkcode Registry.claim} throws, and what `fits` throws; `duplicate_member_id` also where
   * another host's claim to the id beats this one: the member that it was to replace is then gone as well.
   */
  claim(claim: Claim): Member {
    const { claims, fits, onChange } = this.#options;
    const before = this.get(claim.id);
    const same = before?.incarnation === claim.incarnation;
    const other = claims.holder(claim.id);
    if (other && !before) throw taken(claim.id, other.host, other.member);
    const wanted = this.#claimed(claim, same ? before : undefined);
    const member = this.#registry.claim(wanted);
    try {
      fits(this.list);
    } catch (error) {
      this.#registry.withdraw(member.id);
      if (before) this.#registry.claim(before);
      throw error;
    }
    if (!same) this.#drop(claim.id);
    if (member.state === "joining" && !this.#waiting.has(member.id)) this.#wait(member);
    onChange([member], []);
    return this.#entered(member);
  }

  /** A member that has just been told, as it stands; it may have lost its place at once. */
  #entered({ id, incarnation }: Member): Member {
    const member = this.get(id);
    if (member?.incarnation === incarnation) return member;
    const other = this.#options.claims.holder(id);
    throw other ? taken(id, other.host, other.member) : withdrawn(id);
  }

  #claimed(given: Claim, before: Member | undefined): Claim {
    const { claims, published } = this.#options;
    const claim = { ...given, address: published(given) };
    if (claim.role !== "chat") return claim;
    if (before) return { ...claim, slot: before.slot, state: kept(before.state, claim.state) };
    if (claim.slot !== undefined && claims.isTaken(claim.slot)) {
      throw new ToychatError(
        "slot_taken",
        `slot ${claim.slot} is held on another host: register again without a slot`,
      );
    }
    // Who names a slot and takes nobody's place was placed before agent and bridge lost it together.
    const returns = claim.slot !== undefined && claim.replaces === undefined;
    const state = claim.state === "draining" ? "draining" : returns ? "alive" : "joining";
    return { ...claim, slot: claim.slot ?? claims.freeSlot(), state };
  }

  /** Resolves when a claim stands; undefined where it does already. */
  settled(id: string, incarnation: string): Promise<void> | undefined {
    const waiting = this.#waiting.get(id);
    return waiting?.incarnation === incarnation ? waiting.done : undefined;
  }

  /** Changes a member's state; false where that incarnation does not hold the id. */
  setState(id: string, incarnation: string, state: MemberState): boolean {
    if (!this.#registry.setState(id, incarnation, state)) return false;
    if (state !== "joining") this.#stand(id);
    this.#options.onChange([this.get(id) as Member], []);
    return true;
  }

  /** Strikes a member out; false where that incarnation does not hold the id. */
  withdraw(id: string, incarnation: string): boolean {
    const member = this.get(id);
    if (!member || !this.#registry.withdraw(id, incarnation)) return false;
    this.#drop(id);
    this.#gone?.add(id);
    this.#options.onChange([], [member]);
    return true;
  }

  /**
   * Another member holds this one's slot: it joins again with a free one, and stays in the life that it has. False where
   * none is free.
   */
  move(id: string): boolean {
    const member = this.get(id);
    if (!member || member.slot === undefined) return true;
    const slot = this.#freeSlot();
    if (slot === undefined) return false;
    const state = member.state === "draining" ? "draining" : "joining";
    const moved = this.#registry.claim({ ...member, slot, state });
    this.#waiting.get(id)?.cancel();
    if (state === "joining") this.#wait(moved);
    this.#options.onChange([moved], []);
    return true;
  }

  #freeSlot(): number | undefined {
    try {
      return this.#options.claims.freeSlot();
    } catch (error) {
      if (error instanceof ToychatError && error.code === "no_free_slot") return undefined;
      throw error;
    }
  }

  /** Ends what waits. */
  stop(): void {
    for (const { cancel } of this.#waiting.values()) cancel();
  }

  #wait({ id, incarnation }: Member): void {
    const { clock } = this.#options;
    const cancel = clock.after(UNCONTESTED_MS, () => this.setState(id, incarnation, "alive"));
    const before = this.#waiting.get(id);
    if (before) return void (before.cancel = cancel);
    let resolve = (): void => {};
    let reject = (_error: unknown): void => {};
    const done = new Promise<void>((yes, no) => [resolve, reject] = [yes, no]);
    done.catch(() => {});
    this.#waiting.set(id, { incarnation, done, resolve, reject, cancel });
  }

  #stand(id: string): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.cancel();
    waiting?.resolve();
  }

  #drop(id: string): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.cancel();
    waiting?.reject(withdrawn(id));
  }
}

/** A member that comes back in the same life may have begun to drain; it never becomes placed by that. */
function kept(before: MemberState, now: MemberState | undefined): MemberState {
  return now === "draining" ? "draining" : before;
}

function withdrawn(id: string): ToychatError {
  return new ToychatError("withdrawn", `"${id}" was withdrawn before its claim stood: register again`);
}

function taken(id: string, host: string, { role, address }: Member): ToychatError {
  return new ToychatError(
    "duplicate_member_id",
    `the id "${id}" is taken by the ${role} at ${address} on the host "${host}": choose another --id, or stop that process`,
  );
}
