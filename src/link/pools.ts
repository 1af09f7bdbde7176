/**
 * What is under way to each owner: one that takes nothing holds up those who send to its rooms, and nobody else.
 *
 * @module
 */
import type { Placement } from "../membership/placement.ts";
import type { Route } from "./route.ts";

/** What is under way to one owner. */
export interface Pool {
  /** Bytes of messages that are not over. */
  bytes: number;
}

/** The pools of one router. */
export class Pools {
  readonly #placement: () => Placement;
  readonly #pools: Map<string, Pool> = new Map();

  /** Finds a room's owner in the placement of the moment. */
  constructor(placement: () => Placement) {
    this.#placement = placement;
  }

  /** The pool of a room's owner; rooms that nobody owns have one together. */
  of(room: string): Pool {
    const owner = this.#placement().owner(room)?.id ?? "";
    let pool = this.#pools.get(owner);
    if (!pool) this.#pools.set(owner, pool = { bytes: 0 });
    return pool;
  }

  /** The view has changed: what a route has under way counts for its new owner. */
  move(route: Route): void {
    const pool = this.of(route.room);
    if (pool === route.pool) return;
    for (const { state, bytes } of route.entries) {
      if (state === "over") continue;
      route.pool.bytes -= bytes;
      pool.bytes += bytes;
    }
    route.pool = pool;
  }
}
