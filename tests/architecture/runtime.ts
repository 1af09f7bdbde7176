/**
 * Who may name a runtime, who may read time or draw random numbers, and who may print.
 *
 * @module
 */
import ts from "typescript";
import { type Code, type Import, importsOf, lineOf, type Violation, violation, walk } from "./code.ts";
import { globalsOf, type GlobalUse } from "./globals.ts";

const RUNTIME = new Set([
  ...["Bun", "Deno", "process", "Buffer", "NodeJS", "WebSocketPair", "EdgeRuntime"],
  ...["require", "module", "exports", "__dirname", "__filename", "global"],
]);

/** Globals that are time or chance whatever is done with them. */
const CLOCKS = new Set([
  ...["setTimeout", "setInterval", "setImmediate", "performance", "Temporal", "scheduler"],
  ...["requestAnimationFrame", "requestIdleCallback"],
]);

/** Members that are. */
const CLOCK_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  Date: ["now", "new()", "()"],
  Math: ["random"],
  crypto: ["randomUUID", "getRandomValues"],
  AbortSignal: ["timeout"],
  Atomics: ["wait", "waitAsync"],
  process: ["hrtime", "uptime"],
  Bun: ["sleep", "sleepSync", "nanoseconds", "randomUUIDv5", "randomUUIDv7"],
};

const CLOCK_MODULES = new Set(["node:timers", "node:timers/promises", "node:perf_hooks"]);
const CLOCK_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  "node:crypto": [
    ...[
      "randomBytes",
      "randomUUID",
      "randomInt",
      "randomFill",
      "randomFillSync",
      "getRandomValues",
      "webcrypto",
    ],
    ...["default", "*"],
  ],
  "node:process": ["hrtime", "uptime"],
  "bun": ["sleep", "sleepSync", "nanoseconds", "randomUUIDv7", "*"],
};

const mayNameRuntime = (path: string): boolean =>
  path.startsWith("transports/") || path === "src/cli.ts" || path.startsWith("src/cli/");
const mayReadTime = (path: string): boolean => path === "src/lib/clock.ts";
/** The application's module is the user's to name. */
const mayLoadModules = (path: string): boolean => path === "src/cli/application.ts";
const mayPrint = (path: string): boolean => path === "src/cli.ts";

/** Whether a file may pass a global on as a value: where all of it is allowed there is nothing to hide. */
function mayHandOn(path: string, name: string): boolean {
  if (name === "import()") return mayLoadModules(path);
  return mayReadTime(path) || (mayNameRuntime(path) && (RUNTIME.has(name) || name === "globalThis"));
}

/** Checks every published file. */
export function checkRuntime(code: Code): Violation[] {
  return [...code.files].flatMap(([path, file]) => {
    const found: Violation[] = [];
    const { uses, evasions } = globalsOf(code, file);
    for (const use of uses) {
      const message = judgeUse(path, use);
      if (message) found.push(violation(use.node, message));
    }
    for (const { node, name, message } of evasions) {
      if (!mayHandOn(path, name)) found.push(violation(node, message));
    }
    for (const entry of importsOf(file)) {
      const message = judgeImport(path, entry);
      if (message) found.push({ file: path, line: entry.line, message });
    }
    walk(file, (node) => {
      if (ts.isPropertyAccessExpression(node) && node.name.text === "hrtime") {
        found.push({ file: path, line: lineOf(node), message: timeMessage("hrtime") });
      }
    });
    return distinct(found);
  });
}

function judgeUse(path: string, { path: [name, member] }: GlobalUse): string | undefined {
  if (RUNTIME.has(name) && !mayNameRuntime(path)) {
    return `names the runtime (${name}): only transports/ and the command line may`;
  }
  if (name === "console" && !mayPrint(path)) return "prints to the console: take a Logger";
  if (mayReadTime(path) || member === "(type)") return undefined;
  if (CLOCKS.has(name)) return timeMessage(name);
  return member && own(CLOCK_MEMBERS, name).includes(member) ? timeMessage(`${name}.${member}`) : undefined;
}

function judgeImport(path: string, { specifier, names, typeOnly }: Import): string | undefined {
  const isRuntime = /^(node|bun|cloudflare|workerd):/.test(specifier) || specifier === "bun";
  if (isRuntime && !mayNameRuntime(path)) {
    return `names the runtime ("${specifier}"): only transports/ and the command line may`;
  }
  if (typeOnly) return undefined;
  if (CLOCK_MODULES.has(specifier)) return timeMessage(specifier);
  const clock = names.find((name) => own(CLOCK_IMPORTS, specifier).includes(name));
  return clock && timeMessage(`${clock} of ${specifier}`);
}

function timeMessage(what: string): string {
  return `reads time or chance (${what}): take a Clock, only src/lib/clock.ts reads the runtime's`;
}

/** A table's row; an empty one where there is none, also for names such as `constructor`. */
function own(table: Readonly<Record<string, readonly string[]>>, name: string): readonly string[] {
  return Object.hasOwn(table, name) ? table[name] ?? [] : [];
}

function distinct(violations: readonly Violation[]): Violation[] {
  return [...new Map(violations.map((entry) => [`${entry.line} ${entry.message}`, entry])).values()];
}
