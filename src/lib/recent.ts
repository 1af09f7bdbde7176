/**
 * A map that forgets what was not used for a while, in constant time an operation.
 *
 * @module
 */

/** Numbers by name; an entry that was not set for one to two `rotate` periods is gone. */
export class RecentNumbers {
  #young: Map<string, number> = new Map();
  #old: Map<string, number> = new Map();

  /** How many names are remembered. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** The number under `name`. */
  get(name: string): number | undefined {
    return this.#young.get(name) ?? this.#old.get(name);
  }

  /** Sets the number under `name`, and keeps it young. */
  set(name: string, value: number): void {
    this.#young.set(name, value);
  }

  /** Sets the number under `name` where it is higher than the one there; says whether it was. */
  raise(name: string, value: number): boolean {
    const last = this.get(name);
    if (last !== undefined && value <= last) return false;
    this.#young.set(name, value);
    return true;
  }

  /** Forgets what was not set since the last rotation but one. */
  rotate(): void {
    this.#old = this.#young;
    this.#young = new Map();
  }

  /** All names with their numbers. */
  entries(): [name: string, value: number][] {
    return [...new Map([...this.#old, ...this.#young])];
  }
}
