/**
 * Membership of a cluster over several hosts that a partition can cut in two: each side then has a list of its own, which
 * both go on (`serve`) or one of them gives up (`seal`), and which are merged again, by the rules of docs/protocol.md:
 * of two members that have one slot the lower id keeps it, the other one drains and claims another.
 *
 * @module
 */
import { type Clock, randomId } from "../../src/lib/clock.ts";
import type { MemberInfo } from "../../src/membership/membership.ts";
import { createView, type Member, type View } from "../../src/membership/view.ts";
import { type ListKeeper, MODEL_KEY, ModelMembership, type Place } from "./model_membership.ts";

/** Milliseconds for which a claim to a slot must be uncontested. */
const CLAIM_MS = 1000;
/** Milliseconds after which one that has lost its slot claims another. */
const AGAIN_MS = 100;

/** One side of a partition. */
export type Side = "a" | "b";

/** The list of one side, or of all. */
class Book {
  readonly members: Map<string, Member> = new Map();
  slots = 0;

  set(member: Member): void {
    this.members.set(member.id, member);
    const { slot, state } = member;
    if (slot !== undefined && state !== "joining") this.slots = Math.max(this.slots, slot + 1);
  }

  /** The lowest slot that nobody has. */
  free(): number {
    const taken = new Set([...this.members.values()].map((member) => member.slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }

  copy(keep: (id: string) => boolean = () => true): Book {
    const book = new Book();
    for (const member of this.members.values()) if (keep(member.id)) book.set(member);
    book.slots = this.slots;
    return book;
  }
}

/** The list, or the two lists, and the processes that learn of them. */
export class SplitRegistry implements ListKeeper {
  readonly #clock: Clock;
  readonly #processes: ModelMembership[] = [];
  readonly #muted: Set<string> = new Set();
  #books: Record<Side, Book>;
  /** Ids on side `b`; undefined while there is but one side. */
  #apart: ReadonlySet<string> | undefined;
  #revision = 0;
  /** Milliseconds until a process learns of the present view; asked for each process and view. */
  delay: (id: string) => number = () => 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    const book = new Book();
    this.#books = { a: book, b: book };
  }

  /** The newest view of a side. */
  viewOf(side: Side): View {
    const { members, slots } = this.#books[side];
    return createView({
      members: [...members.values()],
      slots,
      revision: ++this.#revision,
      placementKey: MODEL_KEY,
    });
  }

  /** The membership of one process, on its clock. */
  process(id: string, clock: Clock): ModelMembership {
    const membership = new ModelMembership(this, id, clock);
    this.#processes.push(membership);
    return membership;
  }

  #side(id: string): Side {
    return this.#apart?.has(id) ? "b" : "a";
  }

  #book(id: string): Book {
    return this.#books[this.#side(id)];
  }

  /** The sides do not hear of each other any more; `b` are those on that side, also of processes to come. */
  split(b: ReadonlySet<string>): void {
    this.#apart = b;
    this.#books = { a: this.#books.a, b: this.#books.a.copy() };
  }

  /** A side gives up the members of the other one. */
  drop(side: Side): void {
    this.#books[side] = this.#books[side].copy((id) => this.#side(id) === side);
    this.#changed(side);
  }

  /** A side withdraws all its own members. */
  seal(side: Side): void {
    this.#books[side] = this.#books[side].copy((id) => this.#side(id) !== side);
    this.#changed(side);
  }

  /** The sides hear of each other again: of each member its own side's word counts. */
  merge(): void {
    const { a, b } = this.#books;
    const whole = a.copy((id) => this.#side(id) === "a");
    for (const member of b.members.values()) if (this.#side(member.id) === "b") whole.set(member);
    whole.slots = Math.max(a.slots, b.slots);
    this.#books = { a: whole, b: whole };
    this.#apart = undefined;
    for (const loser of contested(whole)) this.#yield(loser);
    this.#changed("a");
  }

  /** Has lost its slot: drains without one, or, where it was not placed yet, claims another at once. */
  #yield(member: Member): void {
    const { slot: _lost, ...rest } = member;
    const placed = member.state !== "joining";
    this.#book(member.id).set({ ...rest, state: placed ? "draining" : "joining" });
    if (member.state !== "draining") this.#clock.after(placed ? AGAIN_MS : 0, () => this.#claim(member));
  }

  /** Claims the lowest slot that is free; in a second it is alive. */
  #claim({ id, incarnation }: Member): void {
    const member = this.#own(id, incarnation);
    const { lease } = this.#processes.findLast((process) => process.id === id) ?? {};
    if (!member || lease?.draining) return;
    const slot = this.#book(id).free();
    this.#enter({ ...member, slot, state: "joining" });
    if (lease?.incarnation === incarnation) lease.slot = slot;
  }

  #enter(member: Member): void {
    const { id, incarnation, slot } = member;
    this.#book(id).set(member);
    this.#changed(this.#side(id));
    this.#clock.after(CLAIM_MS, () => {
      const own = this.#own(id, incarnation);
      if (own?.state !== "joining" || own.slot !== slot) return;
      this.#book(id).set({ ...own, state: "alive" });
      this.#changed(this.#side(id));
    });
  }

  #own(id: string, incarnation: string): Member | undefined {
    const member = this.#book(id).members.get(id);
    return member?.incarnation === incarnation ? member : undefined;
  }

  /** Enters a new incarnation in place of any other. */
  enter({ id, role, address }: MemberInfo): Place {
    const incarnation = randomId(this.#clock, 6);
    const book = this.#book(id);
    book.members.delete(id);
    if (role === "proxy") {
      book.set({ id, role, address, incarnation, state: "alive" });
      this.#changed(this.#side(id));
      return { incarnation, slot: undefined };
    }
    const slot = book.free();
    this.#enter({ id, role, address, incarnation, slot, state: "joining" });
    return { incarnation, slot };
  }

  /** Marks an incarnation as draining. */
  drain(id: string, incarnation: string): void {
    const own = this.#own(id, incarnation);
    if (!own) return;
    this.#book(id).set({ ...own, state: "draining" });
    this.#changed(this.#side(id));
  }

  /** Strikes a member out, on its own side. */
  withdraw(id: string, incarnation?: string): void {
    const member = this.#book(id).members.get(id);
    if (!member || (incarnation !== undefined && member.incarnation !== incarnation)) return;
    this.#book(id).members.delete(id);
    this.#changed(this.#side(id));
  }

  rejoinDelay(id: string): number {
    return this.delay(id);
  }

  /** A process hears nothing for so long. */
  mute(id: string, ms: number): void {
    this.#muted.add(id);
    this.#clock.after(ms, () => {
      this.#muted.delete(id);
      for (const process of this.#processes) {
        if (process.id === id) this.#tell(process, this.viewOf(this.#side(id)));
      }
    });
  }

  #changed(side: Side): void {
    const view = this.viewOf(side);
    for (const process of this.#processes) {
      if (!this.#apart || this.#side(process.id) === side) this.#tell(process, view);
    }
  }

  #tell(process: ModelMembership, view: View): void {
    if (this.#muted.has(process.id)) return;
    this.#clock.after(this.delay(process.id), () =>
      process.clock.after(0, () => {
        if (!this.#muted.has(process.id) && view.revision > process.revision) process.adopt(view);
      }));
  }
}

/** Those who have the slot of another one that keeps it. */
function contested({ members }: Book): Member[] {
  const holders = new Map<number, Member>();
  const losers: Member[] = [];
  for (const member of members.values()) {
    if (member.slot === undefined) continue;
    const other = holders.get(member.slot);
    const wins = !other || beats(member, other);
    if (wins) holders.set(member.slot, member);
    const loser = wins ? other : member;
    if (loser) losers.push(loser);
  }
  return losers;
}

function beats(a: Member, b: Member): boolean {
  const [first, second] = [a.state !== "joining", b.state !== "joining"];
  return first === second ? a.id < b.id : first;
}
