/**
 * A queue that is cheap at both ends.
 *
 * @module
 */

const COMPACT_AT = 1024;

/** A double-ended queue over an array; `shift` is amortised constant time. */
export class Deque<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  /** How many items are queued. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Adds an item at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** The first item. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** The item at `index`, counted from the first. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  /** Takes the first item. */
  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts items before the first one, in the order given. */
  prepend(items: readonly T[]): void {
    this.#items = [...items, ...this];
    this.#head = 0;
  }

  /** Keeps only the items for which `keep` is true. */
  filter(keep: (item: T) => boolean): void {
    this.#items = [...this].filter(keep);
    this.#head = 0;
  }

  /** The items from first to last. */
  *[Symbol.iterator](): Generator<T> {
    for (let i = this.#head; i < this.#items.length; i++) yield this.#items[i] as T;
  }
}
