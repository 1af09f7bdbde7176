/**
 * Counters, gauges and histograms of one process, by name and labels. They are plain numbers: what serves them to a
 * monitoring system reads them when it is asked.
 *
 * @module
 */

/**
 * Labels of a series, by name. Their values come from a small fixed set (a reason, a protocol): never a room, a user or
 * anything else from outside, as every set of values is a series that is kept for ever.
 */
export type Labels = Readonly<Record<string, string>>;

/** A number that only rises; add to `value`. For what is counted with every message: it saves the look-up by name. */
export interface Counter {
  /** How often so far. */
  value: number;
}

/** What kind of metric a name stands for. */
export type MetricKind = "counter" | "gauge" | "histogram";

/** One number of a metric. */
export interface MetricSample {
  /** Labels of the series; of a bucket also `le`, its upper bound. */
  readonly labels: Labels;
  /** The number. */
  readonly value: number;
  /** Of a histogram: what is appended to the name, `"_bucket"`, `"_sum"` or `"_count"`. */
  readonly suffix?: string;
}

/** All series of one name. */
export interface MetricFamily {
  /** `snake_case`; counters end in `_total`, and names with a unit end in it (before `_total`). */
  readonly name: string;
  /** What its numbers are. */
  readonly kind: MetricKind;
  /** Its numbers, in order of their labels. */
  readonly samples: readonly MetricSample[];
}

/** Upper bounds of the buckets of {@linkcode Histogram}, in seconds: 1 ms to 10 s. */
export const SECONDS: readonly number[] = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
];

const NO_LABELS: Labels = {};

/** How often durations fell into each of some ranges. Observing takes one pass over the bounds and allocates nothing. */
export class Histogram {
  /** How many durations were at most as long as each of {@linkcode SECONDS} and longer than the one before. */
  readonly counts: number[] = SECONDS.map(() => 0);
  /** Sum of all durations, in seconds. */
  sum = 0;
  /** How many there were. */
  count = 0;

  /** Adds a duration, in seconds; one below 0 counts as 0. */
  observe(seconds: number): void {
    this.count++;
    if (seconds > 0) this.sum += seconds;
    for (let i = 0; i < SECONDS.length; i++) {
      if (seconds <= (SECONDS[i] as number)) {
        this.counts[i] = (this.counts[i] as number) + 1;
        return;
      }
    }
  }

  /** Its numbers as Prometheus wants them: each bucket holds those before it, and `+Inf` all. */
  samples(labels: Labels): MetricSample[] {
    const list: MetricSample[] = [];
    let below = 0;
    for (const [i, bound] of SECONDS.entries()) {
      below += this.counts[i] as number;
      list.push({ suffix: "_bucket", labels: { ...labels, le: String(bound) }, value: below });
    }
    list.push({ suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: this.count });
    list.push({ suffix: "_sum", labels, value: this.sum }, { suffix: "_count", labels, value: this.count });
    return list;
  }
}

/** One set of labels of one name. */
interface Series {
  readonly name: string;
  readonly kind: MetricKind;
  readonly labels: Labels;
  samples(): readonly MetricSample[];
}

/** Named numbers that a role keeps about itself; `/metrics` prints them. */
export class Metrics {
  /** Whose numbers these are: `"proxy"`, `"chat"`, `"bridge"`; undefined for those of a process or an application. */
  readonly role: string | undefined;
  readonly #counters: Map<string, Counter> = new Map();
  readonly #histograms: Map<string, Histogram> = new Map();
  readonly #series: Map<string, Series> = new Map();

  /** Nothing is counted yet. */
  constructor(role?: string) {
    this.role = role;
  }

  /** Adds `by` (default 1) to a counter; names are `snake_case` and end in `_total`. */
  count(name: string, by = 1, labels?: Labels): void {
    this.counter(name, labels).value += by;
  }

  /** The counter of a name and labels, to be added to directly. */
  counter(name: string, labels?: Labels): Counter {
    const key = labels ? seriesKey(name, labels) : name;
    const known = this.#counters.get(key);
    if (known) return known;
    const counter = { value: 0 };
    this.#counters.set(key, counter);
    this.#add(key, name, "counter", labels, () => [{ labels: labels ?? NO_LABELS, value: counter.value }]);
    return counter;
  }

  /**
   * Registers a number that is read when asked for. It is a gauge; where its name ends in `_total`, a counter that
   * something else keeps. A second one of the same name and labels takes the place of the first.
   */
  gauge(name: string, read: () => number, labels?: Labels): void {
    const key = labels ? seriesKey(name, labels) : name;
    const kind = name.endsWith("_total") ? "counter" : "gauge";
    this.#add(key, name, kind, labels, () => [{ labels: labels ?? NO_LABELS, value: read() }]);
  }

  /** The histogram of a name and labels; the name ends in `_seconds`. */
  histogram(name: string, labels?: Labels): Histogram {
    const key = labels ? seriesKey(name, labels) : name;
    const known = this.#histograms.get(key);
    if (known) return known;
    const histogram = new Histogram();
    this.#histograms.set(key, histogram);
    this.#add(key, name, "histogram", labels, () => histogram.samples(labels ?? NO_LABELS));
    return histogram;
  }

  #add(
    key: string,
    name: string,
    kind: MetricKind,
    labels: Labels | undefined,
    samples: Series["samples"],
  ): void {
    this.#series.set(key, { name, kind, labels: labels ?? NO_LABELS, samples });
  }

  /** The value of a counter, 0 where it never counted. Without `labels`: the sum of all of that name. */
  get(name: string, labels?: Labels): number {
    if (labels) return this.#counters.get(seriesKey(name, labels))?.value ?? 0;
    let sum = 0;
    for (const [key, { name: own }] of this.#series) {
      if (own === name) sum += this.#counters.get(key)?.value ?? 0;
    }
    return sum;
  }

  /**
   * One number for each name, as `[name, kind, value]`, sorted by name: the sum over its labels, of a histogram how often
   * something was observed.
   */
  list(): [name: string, kind: MetricKind, value: number][] {
    return this.families().map(({ name, kind, samples }) => {
      const counted = kind === "histogram" ? samples.filter(({ suffix }) => suffix === "_count") : samples;
      return [name, kind, counted.reduce((sum, { value }) => sum + value, 0)];
    });
  }

  /** Everything with its labels, sorted by name. */
  families(): MetricFamily[] {
    const families = new Map<string, MetricFamily & { samples: MetricSample[] }>();
    for (const key of [...this.#series.keys()].sort()) {
      const { name, kind, samples } = this.#series.get(key) as Series;
      let family = families.get(name);
      if (!family) families.set(name, family = { name, kind, samples: [] });
      family.samples.push(...samples());
    }
    return [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** Names a series. Labels are given in the same order everywhere: a name has one place, or few, where it is counted. */
function seriesKey(name: string, labels: Labels): string {
  let key = name;
  for (const label in labels) key += `\0${label}\0${labels[label]}`;
  return key;
}
