/**
 * Membership whose views reach each process at a time of its own, as those of one bridge do over a network.
 *
 * @module
 */
import { type Clock, randomId } from "../../src/lib/clock.ts";
import type { MemberInfo } from "../../src/membership/membership.ts";
import { Registry } from "../../src/membership/registry.ts";
import type { View } from "../../src/membership/view.ts";
import { type ListKeeper, MODEL_KEY, ModelMembership, type Place } from "./model_membership.ts";

/** The one list, and the processes that learn of it. */
export class SkewedRegistry implements ListKeeper {
  readonly #clock: Clock;
  readonly #registry = new Registry(MODEL_KEY);
  readonly #processes: ModelMembership[] = [];
  /** The processes that hear nothing, by id. */
  readonly #muted: Set<string> = new Set();
  /** Milliseconds until a process learns of the present view; asked for each process and view. */
  delay: (id: string) => number = () => 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The newest view. */
  get view(): View {
    return this.#registry.view;
  }

  /** The membership of one process, on its clock. */
  process(id: string, clock: Clock): ModelMembership {
    const membership = new ModelMembership(this, id, clock);
    this.#processes.push(membership);
    return membership;
  }

  /** Enters a new incarnation in place of any other. */
  enter(member: MemberInfo): Place {
    const incarnation = randomId(this.#clock, 8);
    const replaces = this.#registry.get(member.id)?.incarnation;
    const { slot } = this.#registry.claim({ ...member, incarnation, replaces });
    this.#changed();
    return { incarnation, slot };
  }

  /** Marks an incarnation as draining. */
  drain(id: string, incarnation: string): void {
    this.#registry.setState(id, incarnation, "draining");
    this.#changed();
  }

  /** Strikes a member out. */
  withdraw(id: string, incarnation?: string): void {
    if (this.#registry.withdraw(id, incarnation)) this.#changed();
  }

  rejoinDelay(id: string): number {
    return this.delay(id);
  }

  /** A process hears nothing for so long: of what was new meanwhile it hears the last alone. */
  mute(id: string, ms: number): void {
    this.#muted.add(id);
    this.#clock.after(ms, () => {
      this.#muted.delete(id);
      for (const process of this.#processes) if (process.id === id) this.#tell(process, this.view);
    });
  }

  #changed(): void {
    const { view } = this.#registry;
    for (const process of this.#processes) this.#tell(process, view);
  }

  /** A view that is older than the last is passed over, as its revision says. */
  #tell(process: ModelMembership, view: View): void {
    if (this.#muted.has(process.id)) return;
    this.#clock.after(this.delay(process.id), () =>
      process.clock.after(0, () => {
        if (!this.#muted.has(process.id) && view.revision > process.revision) process.adopt(view);
      }));
  }
}
