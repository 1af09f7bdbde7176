/**
 * Measurements of one thing.
 *
 * @module
 */

/** Milliseconds, as they were measured. */
export class Series {
  readonly name: string;
  readonly #values: number[] = [];

  /** Of nothing yet. */
  constructor(name: string) {
    this.name = name;
  }

  /** One more. */
  add(value: number): void {
    this.#values.push(value);
  }

  /** The newest. */
  get last(): number {
    return this.#values.at(-1) ?? NaN;
  }

  /** How many. */
  get count(): number {
    return this.#values.length;
  }

  /** The least value that so many of a hundred do not pass (nearest rank). */
  percentile(hundredths: number): number {
    const sorted = this.#values.toSorted((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(sorted.length * hundredths / 100) - 1)] ?? NaN;
  }

  /** For a line of JSON. */
  get figures(): { n: number; p50: number; p99: number; max: number } {
    const [p50 = NaN, p99 = NaN, max = NaN] = [50, 99, 100].map((each) => Math.round(this.percentile(each)));
    return { n: this.count, p50, p99, max };
  }
}
