/**
 * Membership whose views reach each process at a time of its own, as they do where they travel over a network.
 *
 * @module
 */
import { type Clock, randomId } from "../../src/lib/clock.ts";
import { Emitter } from "../../src/lib/emitter.ts";
import type { Lease, MemberInfo, Membership } from "../../src/membership/membership.ts";
import { createPlacement, type Placement, placementKey } from "../../src/membership/placement.ts";
import { Registry } from "../../src/membership/registry.ts";
import { emptyView, type View } from "../../src/membership/view.ts";

const KEY = placementKey();

/** The one list, and the processes that learn of it. */
export class SkewedRegistry {
  readonly #clock: Clock;
  readonly #registry = new Registry(KEY);
  readonly #processes: SkewedMembership[] = [];
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
  process(id: string, clock: Clock): SkewedMembership {
    const membership = new SkewedMembership(this, id, clock);
    this.#processes.push(membership);
    return membership;
  }

  /** Enters a new incarnation. */
  enter(member: MemberInfo): { incarnation: string; slot: number | undefined } {
    const incarnation = randomId(this.#clock, 8);
    const { slot } = this.#registry.claim({ ...member, incarnation });
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

  #changed(): void {
    const { view } = this.#registry;
    for (const process of this.#processes) {
      this.#clock.after(this.delay(process.id), () => process.learn(view));
    }
  }
}

class SkewedLease implements Lease {
  readonly id: string;
  incarnation: string;
  slot: number | undefined;
  lost = false;
  draining = false;
  readonly rejoins = new Emitter<{ rejoin: [] }>();
  readonly #membership: SkewedMembership;

  constructor(
    membership: SkewedMembership,
    id: string,
    entry: { incarnation: string; slot: number | undefined },
  ) {
    this.#membership = membership;
    this.id = id;
    this.incarnation = entry.incarnation;
    this.slot = entry.slot;
  }

  held(): boolean {
    return !this.lost;
  }

  onRejoin(listener: () => void): () => void {
    return this.rejoins.on("rejoin", listener);
  }

  async drain(): Promise<void> {
    this.draining = true;
    this.#membership.registry.drain(this.id, this.incarnation);
    await this.#membership.learned((view) => view.members.find((m) => m.id === this.id)?.state !== "alive");
  }

  leave(): Promise<void> {
    this.lost = true;
    this.#membership.registry.withdraw(this.id, this.incarnation);
    return Promise.resolve();
  }
}

/** The list as one process knows it. */
export class SkewedMembership implements Membership {
  readonly registry: SkewedRegistry;
  readonly id: string;
  readonly #clock: Clock;
  readonly #events = new Emitter<{ view: [view: View] }>();
  #waiting: { condition: (view: View) => boolean; resolve: () => void }[] = [];
  #info: MemberInfo | undefined;
  #placement: Placement = createPlacement(emptyView(KEY), KEY);
  lease: SkewedLease | undefined;

  constructor(registry: SkewedRegistry, id: string, clock: Clock) {
    this.registry = registry;
    this.id = id;
    this.#clock = clock;
  }

  get view(): View {
    return this.#placement.view;
  }

  get placement(): Placement {
    return this.#placement;
  }

  open(): Promise<View> {
    return Promise.resolve(this.view);
  }

  async join(member: MemberInfo): Promise<Lease> {
    this.#info = member;
    const lease = this.lease = new SkewedLease(this, member.id, this.registry.enter(member));
    // It may lose the lease and take it again while it waits.
    await this.learned((view) => view.members.some((m) => m.incarnation === lease.incarnation));
    return lease;
  }

  onView(listener: (view: View) => void): () => void {
    return this.#events.on("view", listener);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A view has come; one that is older than the last is passed over. */
  learn(view: View): void {
    this.#clock.after(0, () => {
      if (view.revision <= this.view.revision) return;
      this.#placement = createPlacement(view, KEY);
      this.#events.emit("view", view);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wait of waiting) {
        if (wait.condition(view)) wait.resolve();
        else this.#waiting.push(wait);
      }
    });
  }

  /** Resolves when the view is such. */
  learned(condition: (view: View) => boolean): Promise<void> {
    if (condition(this.view)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ condition, resolve }));
  }

  /** The process may not accept any more, as when it cannot renew its lease. */
  lose(): void {
    if (this.lease) this.lease.lost = true;
  }

  /** The process is entered again as a new incarnation, and told so. */
  rejoin(): void {
    const { lease } = this;
    if (!lease || !this.#info) return;
    const entry = this.registry.enter(this.#info);
    this.#clock.after(this.registry.delay(this.id), () => {
      lease.incarnation = entry.incarnation;
      lease.slot = entry.slot;
      lease.lost = false;
      if (lease.draining) this.registry.drain(this.id, entry.incarnation);
      lease.rejoins.emit("rejoin");
    });
  }
}
