import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse, type Violation } from "./code.ts";
import { checkCycles, checkImports, unreachable } from "./imports.ts";
import { checkRuntime } from "./runtime.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const LONGEST_FILE = 400;

function read(pattern: string): Map<string, string> {
  const paths = [...new Bun.Glob(pattern).scanSync({ cwd: root })].sort();
  return new Map(paths.map((path) => [path, readFileSync(root + path, "utf8")]));
}

const isTest = (path: string): boolean => path.endsWith(".test.ts");
const everything = new Map(
  ["mod.ts", "src/**/*.ts", "transports/**/*.ts"].flatMap((pattern) => [...read(pattern)]),
);
const published = parse(new Map([...everything].filter(([path]) => !isTest(path))));

function list(violations: readonly Violation[]): string[] {
  return violations.map(({ file, line, message }) => `${file}:${line} ${message}`);
}

describe("in the published source", () => {
  test("there is something to check", () => {
    expect(published.files.size).toBeGreaterThan(20);
  });

  test("imports keep to their direction", () => {
    expect(list(checkImports(published))).toEqual([]);
  });

  test("imports do not lead round in circles", () => {
    expect(list(checkCycles(published))).toEqual([]);
  });

  test("only transports and the command line name a runtime, and only the clock reads time or chance", () => {
    expect(list(checkRuntime(published))).toEqual([]);
  });

  test("every file is reachable from what is exported, or from a test of the whole", () => {
    const whole = parse(new Map([...everything, ...read("tests/**/*.ts")]));
    const { exports } = JSON.parse(readFileSync(root + "deno.json", "utf8")) as {
      exports: Record<string, string>;
    };
    const entries = Object.values(exports).map((path) => path.replace("./", ""));
    const tests = [...whole.files.keys()].filter((path) => path.startsWith("tests/") && isTest(path));
    const dead = unreachable(whole, [...entries, ...tests]);
    expect(dead.filter((path) => published.files.has(path))).toEqual([]);
  });

  test("every exported entry is a file", () => {
    const { exports } = JSON.parse(readFileSync(root + "deno.json", "utf8")) as {
      exports: Record<string, string>;
    };
    const missing = Object.values(exports).filter((path) => !published.files.has(path.replace("./", "")));
    expect(missing).toEqual([]);
  });

  test(`no file is longer than ${LONGEST_FILE} lines`, () => {
    const long = [...everything].filter(([path]) => published.files.has(path))
      .map(([path, text]) => [path, text.trimEnd().split("\n").length] as const)
      .filter(([, lines]) => lines > LONGEST_FILE);
    expect(long).toEqual([]);
  });
});

describe("the packages in package.json and deno.json", () => {
  const npm = JSON.parse(readFileSync(root + "package.json", "utf8"));
  const deno = JSON.parse(readFileSync(root + "deno.json", "utf8"));

  test("are the same, in the same ranges", () => {
    const wanted = Object.entries(npm.dependencies).map(([name, range]) => [name, `npm:${name}@${range}`]);
    const packages = Object.entries<string>(deno.imports).filter(([, target]) => target.startsWith("npm:"));
    expect(Object.fromEntries(packages)).toEqual(Object.fromEntries(wanted));
  });

  test("let the examples in the documentation import what users import", () => {
    const wanted = Object.entries(deno.exports).map((
      [entry, file],
    ) => [entry.replace(/^\./, "toychat"), file]);
    expect(deno.imports).toMatchObject(Object.fromEntries(wanted));
  });

  test("let a program in a clone import what users import, on Node and Bun too", () => {
    expect(npm.exports).toEqual(deno.exports);
  });

  test("carry one version", () => {
    expect(deno.version).toBe(npm.version);
  });
});
