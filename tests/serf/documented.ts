/**
 * Reads what docs/serf.md tells an operator to write and to run.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/runtimes.ts";

const text = readFileSync(join(root, "docs/serf.md"), "utf8");

/** The block of code after the words that name a file: `/etc/serf/toychat.json`. */
export function file(path: string): string {
  return block(text.indexOf(`\`${path}\``), path);
}

/** The commands in the section of a title. */
export function commands(title: string): string {
  return block(text.indexOf(`\n### ${title}\n`), title);
}

/** The block of code in a language: `nft`. */
export function inLanguage(language: string): string {
  return block(text.indexOf(`\n\`\`\`${language}\n`), language);
}

function block(from: number, what: string): string {
  const found = /\n```\w+\n([^]*?)\n```\n/.exec(text.slice(Math.max(from, 0)));
  if (from < 0 || !found?.[1]) throw new Error(`docs/serf.md shows no ${what}`);
  return found[1] + "\n";
}

/** What a unit's `ExecStart=` runs, with its variables replaced. */
export function execStart(unit: string, variables: Readonly<Record<string, string>>): string[] {
  const line = /^ExecStart=(.+)$/m.exec(unit)?.[1];
  if (line === undefined) throw new Error(`a unit in docs/serf.md has no ExecStart=:\n${unit}`);
  const names = Object.keys(variables);
  return line.split(" ").map((word) =>
    names.reduce((word, name) => word.replaceAll(name, variables[name] ?? ""), word)
  );
}
