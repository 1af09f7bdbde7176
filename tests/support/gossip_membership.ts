/**
 * Membership without a list: every process says what it is, each such word reaches each process at a time of its own,
 * and everybody puts a view together of what it has heard. Views differ in ways that one list's never do, and two
 * servers may claim one slot. Claims are settled as between the bridges of several hosts: one is `joining` until it was
 * uncontested for a second; of two, `alive` beats `joining`, then the lower id; who loses claims another slot.
 *
 * @module
 */
import { type Clock, randomId } from "../../src/lib/clock.ts";
import type { MemberInfo } from "../../src/membership/membership.ts";
import { createView, type Member, type MemberState } from "../../src/membership/view.ts";
import { type ListKeeper, MODEL_KEY, ModelMembership, type Place } from "./model_membership.ts";

/** Milliseconds for which a claim must be uncontested. */
const CLAIM_MS = 1000;

/** What a process, or whoever noticed its death, says of it. */
interface Word {
  readonly id: string;
  /** Of two words about one id the higher one counts. */
  readonly version: number;
  /** Absent: it is gone. */
  readonly member: Member | undefined;
  /** How many slots the speaker knows of. */
  readonly slots: number;
}

/** Everybody who speaks and hears. */
export class Gossip {
  readonly #clock: Clock;
  readonly #hearers: Hearer[] = [];
  /** The last word about each id. */
  readonly #last: Map<string, Word> = new Map();
  readonly #muted: Set<string> = new Set();
  /** What was said by, or to, those who are muted. */
  #held: { from: string; to: Hearer; word: Word }[] = [];
  #version = 0;
  #slots = 0;
  /** Milliseconds until a word reaches a process; asked for each of both. */
  delay: (id: string) => number = () => 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The membership of one process, on its clock. */
  process(id: string, clock: Clock): ModelMembership {
    const hearer = new Hearer(this, id, clock);
    this.#hearers.push(hearer);
    hearer.slots = this.#slots;
    for (const word of this.#last.values()) this.#tell("", hearer, word);
    return hearer.membership;
  }

  /** Says something of a member; `from` hears it at once. */
  say(from: Hearer | undefined, id: string, member: Member | undefined, slots: number): void {
    const placed = member?.slot !== undefined && member.state !== "joining" ? member.slot + 1 : 0;
    this.#slots = Math.max(this.#slots, slots, placed);
    const word: Word = { id, version: ++this.#version, member, slots: Math.max(slots, placed) };
    this.#last.set(id, word);
    for (const hearer of this.#hearers) {
      if (hearer === from) hearer.hear(word);
      else this.#tell(from?.id ?? "", hearer, word);
    }
  }

  #tell(from: string, to: Hearer, word: Word): void {
    if (this.#muted.has(from) || this.#muted.has(to.id)) this.#held.push({ from, to, word });
    else this.#clock.after(this.delay(to.id), () => to.clock.after(0, () => to.hear(word)));
  }

  /** A process hears nothing and is not heard for so long. */
  mute(id: string, ms: number): void {
    this.#muted.add(id);
    this.#clock.after(ms, () => {
      this.#muted.delete(id);
      const held = this.#held;
      this.#held = [];
      for (const { from, to, word } of held) this.#tell(from, to, word);
    });
  }

  /** The death of a process, or of one life of it, was noticed; or it says itself that it is gone. */
  withdraw(id: string, incarnation?: string, from?: Hearer): void {
    const { member } = this.#last.get(id) ?? {};
    if (!member || (incarnation !== undefined && member.incarnation !== incarnation)) return;
    this.say(from, id, undefined, this.#slots);
  }

  /** A new name for a life. */
  incarnation(): string {
    return randomId(this.#clock, 8);
  }
}

/** What one process has heard. */
class Hearer implements ListKeeper {
  readonly id: string;
  readonly clock: Clock;
  readonly membership: ModelMembership;
  slots = 0;
  readonly #gossip: Gossip;
  readonly #heard: Map<string, Word> = new Map();
  #digest = "";
  #revision = 0;
  /** Counts the claims: an older one does not come true any more. */
  #claims = 0;

  constructor(gossip: Gossip, id: string, clock: Clock) {
    this.#gossip = gossip;
    this.id = id;
    this.clock = clock;
    this.membership = new ModelMembership(this, id, clock);
  }

  hear(word: Word): void {
    this.slots = Math.max(this.slots, word.slots);
    const last = this.#heard.get(word.id);
    if (!last || last.version < word.version) this.#heard.set(word.id, word);
    const members = this.#members();
    this.#defend(members);
    const view = createView({
      members: [...members.values()],
      slots: this.slots,
      revision: ++this.#revision,
      placementKey: MODEL_KEY,
    });
    if (view.digest === this.#digest) return;
    this.#digest = view.digest;
    this.membership.adopt(view);
  }

  /** Who is there; who has lost its slot to another is there without one. */
  #members(): Map<string, Member> {
    const members = new Map<string, Member>();
    const holders = new Map<number, Member>();
    for (const { member } of this.#heard.values()) {
      if (!member) continue;
      members.set(member.id, member);
      if (member.slot === undefined) continue;
      const other = holders.get(member.slot);
      if (!other || beats(member, other)) holders.set(member.slot, member);
    }
    for (const member of members.values()) {
      if (member.slot === undefined || holders.get(member.slot) === member) continue;
      const { slot: _lost, ...rest } = member;
      members.set(member.id, { ...rest, state: "joining" });
    }
    return members;
  }

  /** Claims another slot where the own one is lost. */
  #defend(members: ReadonlyMap<string, Member>): void {
    const own = this.#heard.get(this.id)?.member;
    const { lease } = this.membership;
    if (!own || lease?.lost || own.incarnation !== lease?.incarnation || own.slot === undefined) return;
    if (members.get(this.id)?.slot !== undefined) return;
    if (own.state === "draining") return this.#say({ ...own, slot: this.#free(members) });
    // Not from inside of what is being heard.
    this.clock.after(0, () => {
      const slotless = this.#own(own.incarnation, "joining")?.slot === undefined;
      if (this.#own(own.incarnation) && slotless) this.#claim(own, own.incarnation);
    });
  }

  #free(members: ReadonlyMap<string, Member>): number {
    const taken = new Set([...members.values()].map((member) => member.slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }

  #say(member: Member): void {
    this.#gossip.say(this, member.id, member, this.slots);
  }

  #claim(info: MemberInfo, incarnation: string): number | undefined {
    const { id, role, address } = info;
    if (role === "proxy") {
      this.#say({ id, role, address, incarnation, state: "alive" });
      return undefined;
    }
    const members = this.#members();
    members.delete(id);
    const slot = this.#free(members);
    const member: Member = { id, role, address, incarnation, slot, state: "joining" };
    const claim = ++this.#claims;
    this.clock.after(CLAIM_MS, () => {
      const { lease } = this.membership;
      const entering = lease?.incarnation !== incarnation || !lease.lost;
      if (claim === this.#claims && entering && this.#own(incarnation, "joining")?.slot === slot) {
        if (lease?.incarnation === incarnation) lease.slot = slot;
        this.#say({ ...member, state: "alive" });
      }
    });
    this.#say(member);
    return slot;
  }

  #own(incarnation: string, state?: MemberState): Member | undefined {
    const own = this.#members().get(this.id);
    return own?.incarnation === incarnation && (!state || own.state === state) ? own : undefined;
  }

  enter(info: MemberInfo): Place {
    const incarnation = this.#gossip.incarnation();
    return { incarnation, slot: this.#claim(info, incarnation) };
  }

  drain(_id: string, incarnation: string): void {
    const own = this.#own(incarnation);
    this.#claims++;
    if (own) this.#say({ ...own, state: "draining" });
  }

  withdraw(id: string, incarnation: string): void {
    this.#claims++;
    this.#gossip.withdraw(id, incarnation, this);
  }

  rejoinDelay(): number {
    return 0;
  }
}

function beats(a: Member, b: Member): boolean {
  const [first, second] = [a.state !== "joining", b.state !== "joining"];
  return first === second ? a.id < b.id : first;
}
