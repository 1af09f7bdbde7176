/**
 * Whether docs/security.md speaks of every class of attack, and names tests that exist.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { root } from "../support/runtimes.ts";

const CLASSES = [
  "Allocation before authentication",
  "One packet that kills the process",
  "Slow openers",
  "Fragment floods",
  "Decompression",
  "Header abuse",
  "Slow consumers",
  "Buffer reuse across clients",
  "Prototype pollution",
  "Newline injection",
  "Authorisation gaps on wills",
  "Identifier takeover",
  "Hash flooding",
  "Open internal ports",
  "Cross-site WebSocket",
  "Log injection",
  "Reconnect storms",
];

/** The tests named in a section, as file and title. Lines are joined: the formatter wraps them. */
function testsNamed(section: string): { file: string; title: string }[] {
  return section.split(/\n(?=- |\n)/).flatMap((block) => {
    const match = /^\n*- `([^`]+)`: (.+)$/s.exec(block.trim());
    return match ? [{ file: match[1] ?? "", title: (match[2] ?? "").replace(/\s+/g, " ") }] : [];
  });
}

const sections = new Map(
  readFileSync(join(root, "docs/security.md"), "utf8").split(/^## /m).slice(1).map((section) => {
    const end = section.indexOf("\n");
    return [section.slice(0, end), section.slice(end)] as const;
  }),
);

for (const name of CLASSES) {
  test(`docs/security.md says what is done about: ${name}`, () => {
    const named = testsNamed(sections.get(name) ?? "");
    expect(named.length).toBeGreaterThan(0);
    const missing = named.filter(({ file, title }) => {
      const path = join(root, file);
      return !existsSync(path) || !readFileSync(path, "utf8").includes(title);
    });
    expect(missing).toEqual([]);
  });
}

test("every list in docs/security.md is one of tests", () => {
  for (const [name, section] of sections) {
    const bullets = section.match(/^- /gm)?.length ?? 0;
    expect({ name, tests: testsNamed(section).length }).toEqual({ name, tests: bullets });
  }
});
