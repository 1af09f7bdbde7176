/**
 * Membership for models of clusters: what a process knows of the list, and its lease, whatever the list comes from.
 *
 * @module
 */
import type { Clock } from "../../src/lib/clock.ts";
import { Emitter } from "../../src/lib/emitter.ts";
import type { Lease, MemberInfo, Membership } from "../../src/membership/membership.ts";
import { createPlacement, type Placement, placementKey } from "../../src/membership/placement.ts";
import { emptyView, type View } from "../../src/membership/view.ts";

/** The placement key of all model clusters. */
export const MODEL_KEY: Uint8Array = placementKey();

/** Views kept for relapses. */
const REMEMBERED = 8;

/** A member's place in a list. */
export interface Place {
  readonly incarnation: string;
  readonly slot: number | undefined;
}

/** What keeps the list for one process. */
export interface ListKeeper {
  /** Enters the member as a new incarnation. */
  enter(member: MemberInfo): Place;
  /** Marks the incarnation as draining. */
  drain(id: string, incarnation: string): void;
  /** Strikes the incarnation out. */
  withdraw(id: string, incarnation: string): void;
  /** Milliseconds until a member that was entered again knows it. */
  rejoinDelay(id: string): number;
}

/** The lease of a process in a model. */
export class ModelLease implements Lease {
  readonly id: string;
  incarnation: string;
  /** The one that was entered last: its process may not know of it yet. */
  entered: string;
  slot: number | undefined;
  /** Whether it was lost and not taken again. */
  lost = false;
  /** Until this time it is in doubt. */
  doubtUntil = 0;
  draining = false;
  left = false;
  readonly rejoins: Emitter<{ rejoin: [] }> = new Emitter();
  readonly #membership: ModelMembership;

  constructor(membership: ModelMembership, id: string, place: Place) {
    this.#membership = membership;
    this.id = id;
    this.incarnation = this.entered = place.incarnation;
    this.slot = place.slot;
  }

  held(): boolean {
    return !this.lost && this.#membership.clock.now() >= this.doubtUntil;
  }

  onRejoin(listener: () => void): () => void {
    return this.rejoins.on("rejoin", listener);
  }

  async drain(): Promise<void> {
    this.draining = true;
    this.#membership.keeper.drain(this.id, this.incarnation);
    await this.#membership.learned((view) => view.members.find((m) => m.id === this.id)?.state !== "alive");
  }

  leave(): Promise<void> {
    this.lost = this.left = true;
    this.#membership.keeper.withdraw(this.id, this.entered);
    return Promise.resolve();
  }
}

/** The list as one process knows it. */
export class ModelMembership implements Membership {
  readonly id: string;
  readonly clock: Clock;
  readonly keeper: ListKeeper;
  lease: ModelLease | undefined;
  readonly #events: Emitter<{ view: [view: View] }> = new Emitter();
  #waiting: { condition: (view: View) => boolean; resolve: () => void }[] = [];
  #info: MemberInfo | undefined;
  #placement: Placement = createPlacement(emptyView(MODEL_KEY), MODEL_KEY);
  /** The last views, the newest one last. */
  readonly #past: View[] = [];
  /** The newest view that is known, while an older one counts. */
  #newest: View | undefined;

  constructor(keeper: ListKeeper, id: string, clock: Clock) {
    this.keeper = keeper;
    this.id = id;
    this.clock = clock;
  }

  get view(): View {
    return this.#placement.view;
  }

  get placement(): Placement {
    return this.#placement;
  }

  /** The revision of the newest view that is known. */
  get revision(): number {
    return (this.#newest ?? this.view).revision;
  }

  open(): Promise<View> {
    return Promise.resolve(this.view);
  }

  async join(member: MemberInfo): Promise<Lease> {
    this.#info = member;
    const lease = this.lease = new ModelLease(this, member.id, this.keeper.enter(member));
    // It may lose the lease and take it again while it waits.
    await this.learned((view) =>
      view.members.some((m) => m.incarnation === lease.incarnation && m.state !== "joining")
    );
    return lease;
  }

  onView(listener: (view: View) => void): () => void {
    return this.#events.on("view", listener);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A view has come. */
  adopt(view: View): void {
    if (this.#newest) {
      this.#newest = view;
      return;
    }
    this.#past.push(view);
    if (this.#past.length > REMEMBERED) this.#past.shift();
    this.#take(view);
  }

  #take(view: View): void {
    this.#placement = createPlacement(view, MODEL_KEY);
    this.#events.emit("view", view);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wait of waiting) {
      if (wait.condition(this.view)) wait.resolve();
      else this.#waiting.push(wait);
    }
  }

  /** Resolves when the view is such. */
  learned(condition: (view: View) => boolean): Promise<void> {
    if (condition(this.view)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ condition, resolve }));
  }

  /** An older view counts for so long, as where a bridge that has heard less takes over. */
  relapse(back: number, ms: number): void {
    const older = this.#past.at(-1 - back);
    if (!older || this.#newest) return;
    this.#newest = this.view;
    this.#take(older);
    this.clock.after(ms, () => {
      const newest = this.#newest as View;
      this.#newest = undefined;
      this.adopt(newest);
    });
  }

  /** The process may not accept any more, as when it cannot renew its lease. */
  lose(): void {
    if (this.lease) this.lease.lost = true;
  }

  /** The process is entered again as a new incarnation, and told so. */
  rejoin(): void {
    const { lease } = this;
    if (!lease || lease.left || !this.#info) return;
    const place = this.keeper.enter(this.#info);
    lease.entered = place.incarnation;
    this.clock.after(this.keeper.rejoinDelay(this.id), () => {
      if (lease.left) return;
      lease.incarnation = place.incarnation;
      lease.slot = place.slot;
      lease.lost = false;
      if (lease.draining) this.keeper.drain(this.id, place.incarnation);
      lease.rejoins.emit("rejoin");
      this.#wake();
    });
  }
}
