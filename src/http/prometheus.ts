/**
 * What a process counts, in the text format that Prometheus reads, by `prom-client`.
 *
 * The library is loaded with the first scrape: it names modules of Node (Bun and Deno have them, edge runtimes do not), which
 * the core must not. Counters stay plain numbers until then; each scrape hands them to the library as the snapshots from
 * which it merges the metrics of several workers.
 *
 * @module
 */
import type { Labels, MetricFamily, MetricKind, Metrics, MetricSample } from "../lib/metrics.ts";
import { CATALOGUE, type MetricInfo } from "./metric_catalogue.ts";

/** The media type of {@linkcode prometheusText}. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One metric as the library's workers hand it over. */
interface Snapshot {
  readonly name: string;
  readonly help: string;
  readonly type: MetricKind;
  readonly aggregator: "sum";
  readonly values: readonly { value: number; labels: Labels; metricName?: string }[];
}

/**
 * Prints the metrics of one or more roles. Numbers of the same name and labels are added up; where the roles differ, their
 * series carry the label `role`. Each metric that a role can count is there from the start, at 0.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export async function prometheusText(sources: readonly Metrics[]): Promise<string> {
  const { default: { AggregatorRegistry } } = await import("prom-client");
  const roles = new Set(sources.flatMap(({ role }) => role ?? []));
  const snapshots = sources.map((metrics) => snapshot(metrics, roles.size > 1));
  return await AggregatorRegistry.aggregate(snapshots).metrics();
}

function snapshot(metrics: Metrics, several: boolean): Snapshot[] {
  const { role } = metrics;
  const shared: Labels = several && role ? { role } : {};
  const families = metrics.families();
  const seen = new Set(families.map(({ name }) => name));
  for (const info of CATALOGUE.values()) {
    if (role && info.kind === "counter" && info.roles.includes(role) && !seen.has(info.name)) {
      families.push({ name: info.name, kind: info.kind, samples: [] });
    }
  }
  return families.map((family) => translate(family, CATALOGUE.get(family.name), shared));
}

function translate(
  { name, kind, samples }: MetricFamily,
  info: MetricInfo | undefined,
  shared: Labels,
): Snapshot {
  const safe = safeName(name);
  const values = [...samples, ...zeros(samples, kind, info)];
  return {
    name: safe,
    help: info?.help ?? "Counted by the application.",
    type: kind,
    aggregator: "sum",
    values: values.map(({ labels, value, suffix }) => ({
      value,
      labels: { ...safeLabels(labels), ...shared },
      ...(suffix === undefined ? {} : { metricName: safe + suffix }),
    })),
  };
}

/** The series of a counter that have not counted yet: a rate needs a number to rise from. */
function zeros(
  samples: readonly MetricSample[],
  kind: MetricKind,
  info: MetricInfo | undefined,
): MetricSample[] {
  if (kind !== "counter" || !info) return [];
  const { label } = info;
  if (label === undefined) return samples.length > 0 ? [] : [{ labels: {}, value: 0 }];
  const counted = new Set(samples.map(({ labels }) => labels[label]));
  return info.values.filter((value) => !counted.has(value)).map((value) => ({
    labels: { [label]: value },
    value: 0,
  }));
}

/** One name that breaks the format loses the whole page. */
function safeName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_:]/g, "_");
}

function safeLabels(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [safeName(name), value]));
}
