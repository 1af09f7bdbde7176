/**
 * What a process counts, in the text format that Prometheus reads.
 *
 * @module
 */
import type { Metrics } from "../lib/metrics.ts";

/**
 * Prints all counters and gauges, one a line, each after its type.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function prometheusText(metrics: Metrics): string {
  let text = "";
  for (const [name, kind, value] of metrics.list()) {
    // A name may hold only these characters, and one line that breaks the format loses the whole page.
    const safe = name.replace(/[^a-zA-Z0-9_:]/g, "_");
    text += `# TYPE ${safe} ${kind}\n${safe} ${number(value)}\n`;
  }
  return text;
}

function number(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
