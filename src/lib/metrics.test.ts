import { describe, expect, test } from "bun:test";
import { Metrics, SECONDS } from "./metrics.ts";

describe("a counter", () => {
  test("counts by name, and by name and labels apart", () => {
    const metrics = new Metrics();
    metrics.count("a_total");
    metrics.count("a_total", 2, { reason: "x" });
    metrics.count("a_total", 3, { reason: "y" });
    metrics.counter("a_total").value += 4;
    expect([metrics.get("a_total", { reason: "x" }), metrics.get("a_total", { reason: "z" })]).toEqual([
      2,
      0,
    ]);
    expect(metrics.get("a_total")).toBe(10);
    expect(metrics.get("never_total")).toBe(0);
  });

  test("is listed with all of its series under one name, whatever was counted between them", () => {
    const metrics = new Metrics();
    metrics.count("b_total", 1, { reason: "y" });
    metrics.count("a_total");
    metrics.count("b_total", 2, { reason: "x" });
    expect(metrics.list()).toEqual([["a_total", "counter", 1], ["b_total", "counter", 3]]);
    expect(metrics.families()).toEqual([
      { name: "a_total", kind: "counter", samples: [{ labels: {}, value: 1 }] },
      {
        name: "b_total",
        kind: "counter",
        samples: [{ labels: { reason: "x" }, value: 2 }, { labels: { reason: "y" }, value: 1 }],
      },
    ]);
  });
});

test("a gauge is read when it is asked for; one that ends in _total is a counter", () => {
  const metrics = new Metrics();
  let rooms = 1;
  metrics.gauge("rooms", () => rooms, { state: "open" });
  metrics.gauge("cpu_seconds_total", () => 7);
  rooms = 2;
  expect(metrics.families()).toEqual([
    { name: "cpu_seconds_total", kind: "counter", samples: [{ labels: {}, value: 7 }] },
    { name: "rooms", kind: "gauge", samples: [{ labels: { state: "open" }, value: 2 }] },
  ]);
});

test("a histogram's buckets hold all that was not longer than their bound", () => {
  const metrics = new Metrics();
  const histogram = metrics.histogram("wait_seconds", { reason: "x" });
  for (const seconds of [-1, 0.001, 0.0011, 3, 60]) histogram.observe(seconds);
  expect(metrics.histogram("wait_seconds", { reason: "x" })).toBe(histogram);
  const [family] = metrics.families();
  const at = (le: string): number | undefined =>
    family?.samples.find(({ labels }) => labels["le"] === le)?.value;
  expect([at("0.001"), at("0.0025"), at("2.5"), at("5"), at("10"), at("+Inf")]).toEqual([2, 3, 3, 4, 4, 5]);
  expect(metrics.list()).toEqual([["wait_seconds", "histogram", 5]]);
  expect(family?.samples.length).toBe(SECONDS.length + 3);
  expect(family?.samples.slice(-2)).toEqual([
    { suffix: "_sum", labels: { reason: "x" }, value: 63.0021 },
    { suffix: "_count", labels: { reason: "x" }, value: 5 },
  ]);
});
