import { describe, expect, test } from "bun:test";
import { Metrics } from "../lib/metrics.ts";
import { CATALOGUE } from "./metric_catalogue.ts";
import { prometheusText } from "./prometheus.ts";

/** The lines of one metric, its help among them. */
async function linesOf(name: string, ...sources: Metrics[]): Promise<string[]> {
  const text = await prometheusText(sources);
  return text.split("\n").filter((line) => line.split(/[ {]/).some((word) => word === name));
}

describe("one role", () => {
  test("says what each of its metrics means, and all of its counters from the start", async () => {
    const metrics = new Metrics("chat");
    expect(await linesOf("toychat_messages_accepted_total", metrics)).toEqual([
      "# HELP toychat_messages_accepted_total Messages accepted for good.",
      "# TYPE toychat_messages_accepted_total counter",
      "toychat_messages_accepted_total 0",
    ]);
    expect(await linesOf("toychat_messages_in_total", metrics)).toEqual([]);
    metrics.count("toychat_rooms_opened_total", 2, { reason: "failover" });
    expect((await linesOf("toychat_rooms_opened_total", metrics)).slice(2)).toEqual([
      'toychat_rooms_opened_total{reason="failover"} 2',
      'toychat_rooms_opened_total{reason="first-join"} 0',
      'toychat_rooms_opened_total{reason="hand-off"} 0',
    ]);
  });

  test("has histograms with buckets, sum and count", async () => {
    const metrics = new Metrics("chat");
    metrics.histogram("toychat_handoff_seconds").observe(0.3);
    const text = await prometheusText([metrics]);
    expect(text).toContain('toychat_handoff_seconds_bucket{le="0.25"} 0\n');
    expect(text).toContain('toychat_handoff_seconds_bucket{le="0.5"} 1\n');
    expect(text).toContain('toychat_handoff_seconds_bucket{le="+Inf"} 1\n');
    expect(text).toContain("toychat_handoff_seconds_sum 0.3\ntoychat_handoff_seconds_count 1\n");
  });

  test("of an application's own metrics a strange name or value does not break the page", async () => {
    const metrics = new Metrics();
    metrics.count("my-app total", 1, { "the reason": 'a "b"\nc\\d' });
    metrics.gauge("my_gauge", () => Infinity);
    const text = await prometheusText([metrics]);
    expect(text).toContain('\nmy_app_total{the_reason="a \\"b\\"\\nc\\\\d"} 1\n');
    expect(text).toContain("\nmy_gauge +Inf\n");
  });
});

describe("several roles on one page", () => {
  test("are told apart by a label, and servers of one role are added up", async () => {
    const [one, two, proxy, own] = [
      new Metrics("chat"),
      new Metrics("chat"),
      new Metrics("proxy"),
      new Metrics(),
    ];
    one.gauge("toychat_rooms", () => 2);
    two.gauge("toychat_rooms", () => 3);
    proxy.gauge("toychat_rooms", () => 4);
    own.gauge("process_open_fds", () => 9);
    const all = [one, two, proxy, own] as const;
    expect((await linesOf("toychat_rooms", ...all)).slice(2)).toEqual([
      'toychat_rooms{role="chat"} 5',
      'toychat_rooms{role="proxy"} 4',
    ]);
    expect((await linesOf("process_open_fds", ...all)).at(-1)).toBe("process_open_fds 9");
  });
});

test("the catalogue keeps to Prometheus' rules for names, and every help is a sentence", () => {
  for (const { name, kind, help, values, label } of CATALOGUE.values()) {
    expect(name).toMatch(/^(toychat|process)_[a-z_]+$/);
    expect([name, name.endsWith("_total")]).toEqual([name, kind === "counter"]);
    if (kind === "histogram") expect(name).toMatch(/_seconds$/);
    expect(help).toMatch(/^[A-Z0-9].*\.$/);
    expect(new Set(values).size).toBe(values.length);
    if (values.length > 0) expect(label).toBeDefined();
  }
});
