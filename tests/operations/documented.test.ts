import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOGUE } from "../../src/http/metric_catalogue.ts";
import { root } from "../support/runtimes.ts";
import { readUses, type Use } from "./source.ts";

const uses = readUses();
const text = readFileSync(join(root, "docs/operations.md"), "utf8");

/** The rows of the table whose first column is called so, by the name in their first cell. */
function table(first: string): Map<string, string[]> {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${first} `));
  const rows = new Map<string, string[]>();
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith("|")) break;
    const [name = "", ...cells] = line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
    if (rows.has(name)) throw new Error(`docs/operations.md has two rows for ${name}`);
    rows.set(name.replaceAll("`", ""), cells);
  }
  return rows;
}

const words = (cell = ""): string[] =>
  [...cell.matchAll(/`(\w+)`/g)].map((match) => match[1] as string).sort();
const list = (cell = ""): string[] => cell.split(", ").sort();

/** All uses of one name, and everything that they are used with. */
function gather(all: readonly Use[]): Map<string, { hows: string[]; keys: string[]; where: string }> {
  const names = new Map<string, { hows: string[]; keys: string[]; where: string }>();
  for (const { name, how, keys, where } of all) {
    const known = names.get(name) ?? { hows: [], keys: [], where };
    names.set(name, {
      hows: [...new Set([...known.hows, how])].sort(),
      keys: [...new Set([...known.keys, ...keys])].sort(),
      where,
    });
  }
  return names;
}

test("every name that is counted or logged can be read from the source", () => {
  const advice = "write the metric, or the level and the event, as literals";
  expect(uses.unclear.map((where) => `${where}: ${advice}`)).toEqual([]);
  const names = [...uses.metrics, ...uses.events].map(({ name }) => name);
  expect(names.filter((name) => !/^[a-z][a-z_]*[a-z]$/.test(name))).toEqual([]);
  expect(uses.metrics.length).toBeGreaterThan(50);
  expect(uses.events.length).toBeGreaterThan(30);
});

describe("metrics:", () => {
  const counted = gather(uses.metrics);
  const rows = table("metric");

  test("src/http/metric_catalogue.ts has a row for each that the source counts, and no other", () => {
    const missing = [...counted].filter(([name]) => !CATALOGUE.has(name)).map(([name, { where }]) =>
      `${where}: add to src/http/metric_catalogue.ts: ["${name}", "proxy", "What it says."],`
    );
    expect(missing).toEqual([]);
    expect([...CATALOGUE.keys()].filter((name) => !counted.has(name))).toEqual([]);
  });

  test("docs/operations.md has a row for each, and no other", () => {
    const missing = [...CATALOGUE.values()].filter(({ name }) => !rows.has(name)).map((info) =>
      `add to docs/operations.md: | \`${info.name}\` | ${info.kind} | ${info.roles.join(", ")} | ${
        info.label ? `\`${info.label}\`` : "–"
      } | ${info.help} | What to do about it. |`
    );
    expect(missing).toEqual([]);
    expect([...rows.keys()].filter((name) => !CATALOGUE.has(name))).toEqual([]);
  });

  test("both say the same type, roles and labels as the source", () => {
    for (const { name, kind, roles, label } of CATALOGUE.values()) {
      const [type, of, labels, help, advice] = rows.get(name) ?? [];
      const used = counted.get(name);
      expect({ name, type, of: list(of) }).toEqual({ name, type: kind, of: [...roles].sort() });
      if (name !== "toychat_build_info") expect([name, words(labels)]).toEqual([name, used?.keys ?? []]);
      if (label !== undefined) expect(words(labels)).toContain(label);
      expect([name, help?.endsWith("."), (advice ?? "").length > 0]).toEqual([name, true, true]);
      for (const how of used?.hows ?? []) {
        const fits = how === "gauge" ? kind !== "histogram" : kind === (how === "count" ? "counter" : how);
        expect([name, how, fits]).toEqual([name, how, true]);
      }
    }
  });

  test("what else the document says of metrics, alert rules among it, names some that exist", () => {
    const hosts = readFileSync(join(root, "docs/serf.md"), "utf8");
    const named = [...(text + hosts).matchAll(/\b(?:toychat|process)_[a-z_]+[a-z]\b/g)].map(([name]) => name);
    const bases = named.map((name) => name.replace(/_(?:bucket|sum|count)$/, ""));
    expect(bases.filter((name) => !CATALOGUE.has(name))).toEqual([]);
  });
});

test("every alarm in docs/operations.md has its meaning there, and no other has", () => {
  const alarms = [...text.matchAll(/- alert: (\w+)/g)].map(([, name = ""]) => name);
  expect(alarms.length).toBeGreaterThan(10);
  expect([...table("alarm").keys()].sort()).toEqual(alarms.sort());
});

describe("log events:", () => {
  const logged = gather(uses.events);
  const rows = table("event");
  /** Logged with the level of another event. */
  const forwarded = ["log_suppressed"];

  test("docs/operations.md has a row for each, and no other", () => {
    const missing = [...logged].filter(([name]) => !rows.has(name)).map(([name, { hows, keys, where }]) =>
      `${where}: add to docs/operations.md: | \`${name}\` | ${hows.join(", ")} | proxy | ${
        keys.map((key) => `\`${key}\``).join(" ") || "–"
      } | What has happened. |`
    );
    expect(missing).toEqual([]);
    expect([...rows.keys()].filter((name) => !logged.has(name) && !forwarded.includes(name))).toEqual([]);
  });

  test("each with its levels and all of its fields", () => {
    for (const [name, { hows, keys, where }] of logged) {
      const [levels, , fields, meaning] = rows.get(name) ?? [];
      expect({ where, name, levels: list(levels) }).toEqual({ where, name, levels: hows });
      const documented = words(fields);
      const missing = keys.filter((key) => !documented.includes(key));
      expect({ where, name, missing }).toEqual({ where, name, missing: [] });
      expect([name, (meaning ?? "").length > 0]).toEqual([name, true]);
    }
  });
});
