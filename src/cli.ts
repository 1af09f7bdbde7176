#!/usr/bin/env node
/**
 * The command line: `toychat dev`, `bridge`, `chat`, `proxy`, `members`, `owner`, `drain` and `token`.
 *
 * ```sh
 * deno run -A src/cli.ts --help
 * bun src/cli.ts dev app.ts
 * node src/cli.ts proxy --mqtt 1883 --http 8080
 * ```
 *
 * It runs where it is the program itself; imported, it does nothing.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { exit } from "./cli/life.ts";
import { main } from "./cli/main.ts";

/** Whether this module is what was started. Node knows by itself from 22.18 on. */
function isProgram(): boolean {
  const { main } = import.meta as { main?: boolean };
  if (main !== undefined) return main;
  const [, started] = process.argv;
  try {
    return started !== undefined && realpathSync(started) === realpathSync(fileURLToPath(import.meta.url));
  } catch {
    return false;
  }
}

// No top-level await: where it does not settle, Bun spins.
if (isProgram()) void main(process.argv.slice(2)).then(exit);
