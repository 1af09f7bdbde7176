/**
 * What the published source counts and logs, read from its text.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { Glob } from "bun";
import ts from "typescript";
import { root } from "../support/runtimes.ts";

/** A name that is counted or logged. */
export interface Use {
  /** The metric or the event. */
  readonly name: string;
  /** `count`, `counter`, `gauge` or `histogram`; the level of an event. */
  readonly how: string;
  /** Names of its labels or fields, as far as they are written out. */
  readonly keys: readonly string[];
  /** Whether that is all of them. */
  readonly whole: boolean;
  /** `file:line`. */
  readonly where: string;
}

/** Everything that was found. */
export interface Uses {
  readonly metrics: Use[];
  readonly events: Use[];
  /** Calls whose name or level is no literal: nothing can be said of them. */
  readonly unclear: string[];
}

const METHODS = ["count", "counter", "gauge", "histogram"];
const LEVELS = ["debug", "info", "warn", "error"];
/** Files that hand on what others count and log. */
const FORWARDERS = ["src/lib/log_limit.ts", "src/lib/metrics.ts", "src/link/link_end.ts"];

/** Reads all published files but their tests. */
export function readUses(): Uses {
  const uses: Uses = { metrics: [], events: [], unclear: [] };
  for (const path of new Glob("{src,transports}/**/*.ts").scanSync(root)) {
    if (path.endsWith(".test.ts")) continue;
    const text = readFileSync(`${root}/${path}`, "utf8");
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node)) readCall(uses, path, file, node);
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return uses;
}

function readCall(uses: Uses, path: string, file: ts.SourceFile, call: ts.CallExpression): void {
  const callee = call.expression;
  const name = ts.isPropertyAccessExpression(callee)
    ? callee.name.text
    : ts.isIdentifier(callee)
    ? callee.text
    : "";
  const where = `${path}:${file.getLineAndCharacterOfPosition(call.getStart()).line + 1}`;
  const [first, second, third] = call.arguments;
  const forwards = FORWARDERS.includes(path);
  if (name === "log" || name === "#log") {
    const [level, event] = [textOf(first), textOf(second)];
    if (level !== undefined && event !== undefined && LEVELS.includes(level)) {
      uses.events.push({ name: event, how: level, where, ...keysOf(third) });
    } else if (!forwards && callee.getText() !== "console.log") uses.unclear.push(where);
  } else if (METHODS.includes(name) && ts.isPropertyAccessExpression(callee)) {
    const metric = textOf(first);
    const labels = call.arguments.find(ts.isObjectLiteralExpression);
    if (metric?.includes("_")) uses.metrics.push({ name: metric, how: name, where, ...keysOf(labels) });
    else if (!forwards && /metrics$/i.test(callee.expression.getText())) uses.unclear.push(where);
  }
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node && ts.isStringLiteral(node) ? node.text : undefined;
}

function keysOf(node: ts.Node | undefined): { keys: string[]; whole: boolean } {
  if (!node) return { keys: [], whole: true };
  if (!ts.isObjectLiteralExpression(node)) return { keys: [], whole: false };
  const keys = node.properties.flatMap(({ name }) => name ? [name.getText()] : []);
  return { keys, whole: keys.length === node.properties.length };
}
