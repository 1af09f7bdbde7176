/**
 * Waiting until proxies have taken what was sent to them.
 *
 * @module
 */
import { Deque } from "../lib/deque.ts";
import type { Link } from "../link/link.ts";

/** Calls back when links have confirmed frames, or have ended and no longer count. */
export class Confirms {
  readonly #waiting: Map<Link, Deque<{ n: number; done: () => void }>> = new Map();
  /** The last frame that each link has confirmed. */
  readonly #confirmed: Map<Link, number> = new Map();

  /** Whether anything is waited for. */
  get idle(): boolean {
    return this.#waiting.size === 0;
  }

  /** Calls `done` when every link has confirmed its frame, or has ended; at once where all have. */
  all(frames: ReadonlyMap<Link, number>, done: () => void): void {
    let left = 0;
    const one = (): void => {
      if (--left === 0) done();
    };
    for (const [link, n] of frames) {
      if (link.ended || n <= (this.#confirmed.get(link) ?? 0)) continue;
      left++;
      let queue = this.#waiting.get(link);
      if (!queue) this.#waiting.set(link, queue = new Deque());
      queue.push({ n, done: one });
    }
    if (left === 0) done();
  }

  /** A link has confirmed every frame up to `n`. Waits on one link are in the order of their frames, or nearly so. */
  confirmed(link: Link, n: number): void {
    this.#confirmed.set(link, n);
    const queue = this.#waiting.get(link);
    if (!queue) return;
    for (let next = queue.peek(); next && next.n <= n; next = queue.peek()) {
      queue.shift();
      next.done();
    }
    if (queue.length === 0 && this.#waiting.get(link) === queue) this.#waiting.delete(link);
  }

  /** A link has ended. */
  reset(link: Link): void {
    const queue = this.#waiting.get(link);
    this.#waiting.delete(link);
    this.#confirmed.delete(link);
    for (const { done } of queue ?? []) done();
  }
}
