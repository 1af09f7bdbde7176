/**
 * Counters and gauges of one process, by name.
 *
 * @module
 */

/** A number that only rises; add to `value`. For what is counted with every message: it saves the look-up by name. */
export interface Counter {
  /** How often so far. */
  value: number;
}

/** Named numbers that a role keeps about itself; `/metrics` prints them. */
export class Metrics {
  readonly #counters: Map<string, Counter> = new Map();
  readonly #gauges: Map<string, () => number> = new Map();

  /** Adds `by` (default 1) to a counter; names are `snake_case` and end in `_total`. */
  count(name: string, by = 1): void {
    this.counter(name).value += by;
  }

  /** The counter of a name, to be added to directly. */
  counter(name: string): Counter {
    let counter = this.#counters.get(name);
    if (!counter) this.#counters.set(name, counter = { value: 0 });
    return counter;
  }

  /** Registers a gauge that is read when asked for. */
  gauge(name: string, read: () => number): void {
    this.#gauges.set(name, read);
  }

  /** The value of a counter, 0 where it never counted. */
  get(name: string): number {
    return this.#counters.get(name)?.value ?? 0;
  }

  /** Everything, as `[name, kind, value]`, sorted by name. */
  list(): [name: string, kind: "counter" | "gauge", value: number][] {
    const rows: [string, "counter" | "gauge", number][] = [];
    for (const [name, { value }] of this.#counters) rows.push([name, "counter", value]);
    for (const [name, read] of this.#gauges) rows.push([name, "gauge", read()]);
    return rows.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }
}
