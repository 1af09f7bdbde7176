import { describe, expect, test } from "bun:test";
import { parse } from "./code.ts";
import { checkCycles, checkImports, unreachable } from "./imports.ts";
import { checkRuntime } from "./runtime.ts";

const runtime = (text: string, path = "src/chat/room.ts") =>
  checkRuntime(parse(new Map([[path, text]]))).map(({ line, message }) => `${line} ${message}`);
const imports = (text: string, path: string) =>
  checkImports(parse(new Map([[path, text]]))).map(({ message }) => message);

describe("a runtime is named by", () => {
  test.each([
    ["its global", `Bun.serve({});`, "Bun"],
    ["an optional member", `export const a = process?.env;`, "process"],
    ["typeof", `export const a = typeof Deno;`, "Deno"],
    ["a property of globalThis", `globalThis.Bun.serve();`, "Bun"],
    ["an element of globalThis", `globalThis["Deno"].exit();`, "Deno"],
    ["a template element of globalThis", "globalThis[`process`].exit();", "process"],
    ["a cast of globalThis", `(globalThis as { Bun?: unknown }).Bun;`, "Bun"],
    ["a cast through unknown", `(globalThis as unknown as { process: unknown });`, "process"],
    [
      "a cast to an interface",
      `interface Host { Deno: unknown }\nexport const h = globalThis as unknown as Host;`,
      "Deno",
    ],
    ["an alias of globalThis", `const g = globalThis as never;\ng.Bun;`, "Bun"],
    ["an alias of an alias", `const g = globalThis; const h = g; h["Bun"];`, "Bun"],
    ["self and window", `self.globalThis.process;`, "process"],
    ["destructuring", `const { Deno: d } = globalThis as never; export { d };`, "Deno"],
    ["a shorthand property", `export const a = { process };`, "process"],
    ["a type", `export type S = Bun.Socket;`, "Bun"],
    ["a type query", `export type S = typeof Bun;`, "Bun"],
    ["Node's Buffer", `export const b = Buffer.from("");`, "Buffer"],
    ["a base class", `export class A extends Bun.X {}`, "Bun"],
  ])("%s", (_, text, name) => {
    expect(runtime(text).join("\n")).toContain(`names the runtime (${name})`);
  });

  test.each([
    ["an import", `import net from "node:net"; net.connect(1);`],
    ["an import for its side effects", `import "node:net";`],
    ["a type import", `import type { Socket } from "node:net"; export type S = Socket;`],
    ["an import type", `export type S = import("node:net").Socket;`],
    ["a dynamic import", `await import("node:net");`],
    ["a re-export", `export * from "bun:sqlite";`],
    ["Bun's module", `import { serve } from "bun"; serve;`],
    ["workerd's module", `import { connect } from "cloudflare:sockets"; connect;`],
  ])("%s", (_, text) => {
    expect(runtime(text).join("\n")).toContain("names the runtime (");
  });

  test("nothing of that where it is allowed", () => {
    const text = `import process from "node:process"; process.exit(); Bun.serve({}); globalThis.Deno;`;
    expect(runtime(text, "transports/node.ts")).toEqual([]);
    expect(runtime(text, "src/cli.ts")).toEqual([]);
    expect(runtime(text, "src/cli/life.ts")).toEqual([]);
  });

  test("of what import() loads, only where the user names it", () => {
    const text = `export const f = (m: string) => import(m);`;
    expect(runtime(text, "src/cli/application.ts")).toEqual([]);
    expect(runtime(text, "src/cli/main.ts")).toHaveLength(1);
  });
});

describe("a runtime is not named by", () => {
  test.each([
    ["a comment", `// Bun.serve and process.exit\n/** Deno */ export {};`],
    ["a string", `export const a = "Bun, Deno and process"; export const b = \`node:net \${a}\`;`],
    ["a member of the same name", `export const f = (q: { process(): void }) => q.process();`],
    ["a method of the same name", `export class Q { process(): void {} }`],
    ["a local variable", `export function f(process: number) { return process; }`],
    ["an import of that name", `import { process } from "./x.ts"; process();`],
    ["a property that is declared", `export const a = { process: 1, Bun: 2 };`],
    ["destructuring something else", `export const f = ({ process: p }: { process: 1 }) => p;`],
    ["a label", `process: for (;;) break process;`],
    [
      "web standards",
      `export const a = new TextEncoder(); queueMicrotask(() => {}); globalThis.crypto.subtle;`,
    ],
  ])("%s", (_, text) => {
    expect(runtime(text)).toEqual([]);
  });
});

describe("time and chance are read by", () => {
  test.each([
    ["Date.now", `Date.now();`],
    ["Date.now as a value", `export const o = { now: Date.now };`],
    ["new Date()", `new Date();`],
    ["new Date without parentheses", `new Date;`],
    ["Date()", `Date();`],
    ["an alias of Date", `const D = Date; D.now();`],
    ["destructuring Math", `const { random } = Math; random();`],
    ["Math.random", `Math.random();`],
    ["an element of Math", `Math["random"]();`],
    ["a timer", `setTimeout(() => {}, 1);`],
    ["a timer under another name", `const t = setInterval; t();`],
    ["a timer of globalThis", `globalThis.setTimeout(() => {}, 1);`],
    [
      "a timer described by a cast",
      `interface H { setImmediate(): void }\n(globalThis as unknown as H).setImmediate();`,
    ],
    ["performance", `performance.now();`],
    ["random bytes", `crypto.getRandomValues(new Uint8Array(1));`],
    ["random bytes through globalThis", `globalThis.crypto.randomUUID();`],
    ["an abort signal's timeout", `AbortSignal.timeout(1);`],
  ])("%s", (_, text) => {
    expect(runtime(text).join("\n")).toContain("reads time or chance");
  });

  test.each([
    ["Node's timers", `import { setTimeout } from "node:timers/promises"; setTimeout(1);`],
    [
      "Node's random bytes",
      `import { createHash, randomBytes } from "node:crypto"; createHash; randomBytes;`,
    ],
    ["Node's crypto as a whole", `import * as c from "node:crypto"; c;`],
    ["Node's monotonic clock", `import process from "node:process"; process.hrtime.bigint();`],
    ["Bun's sleep", `Bun.sleep(1);`],
  ])("%s in a transport too", (_, text) => {
    expect(runtime(text, "transports/node.ts").join("\n")).toContain("reads time or chance");
  });

  test("nothing of that in the clock", () => {
    const text =
      `interface H { setImmediate?: 1 }\nDate.now(); Math.random(); (globalThis as H).setImmediate;`;
    expect(runtime(text, "src/lib/clock.ts")).toEqual([]);
  });

  test.each([
    ["a date that is given", `export const d = new Date(0); export type T = Date; d instanceof Date;`],
    [
      "a clock's own methods",
      `export const f = (clock: { now(): number; random(): number }) => clock.now();`,
    ],
    ["arithmetic", `Math.max(1, 2); export const m = Math.imul;`],
    ["hashing", `crypto.subtle.digest("SHA-256", new Uint8Array());`],
    ["a signal", `export const s = AbortSignal.any([]); new AbortController();`],
    ["a function of the same name", `import { setTimeout } from "./x.ts"; setTimeout();`],
  ])("nor by %s", (_, text) => {
    expect(runtime(text)).toEqual([]);
  });
});

describe("what a file uses must be readable:", () => {
  test.each([
    ["a computed name", `export const f = (k: string) => globalThis[k as never];`, "globalThis is handed on"],
    ["globalThis as a value", `Reflect.get(globalThis, "B" + "un");`, "globalThis is handed on"],
    ["in", `export const a = "Bun" in globalThis;`, "globalThis is handed on"],
    ["Math as a value", `export const m = [Math];`, "Math is handed on"],
    ["the rest of globalThis", `const { ...all } = globalThis; all;`, "not literal"],
    ["eval", `eval("1");`, "eval hides"],
    ["new Function", `new Function("return 1");`, "Function hides"],
    ["import() of anything", `export const f = (m: string) => import(m);`, "import() must name"],
  ])("%s", (_, text, message) => {
    expect(runtime(text).join("\n")).toContain(message);
  });

  test("printing is the command line's", () => {
    expect(runtime(`console.log(1);`).join()).toContain("take a Logger");
    expect(runtime(`console.log(1);`, "src/cli.ts")).toEqual([]);
  });
});

describe("imports", () => {
  test.each([
    ["src/lib/a.ts", "../link/b.ts", "lib must not import link"],
    ["src/link/a.ts", "../proxy/b.ts", "link must not import proxy"],
    ["src/membership/a.ts", "../link/b.ts", "membership must not import link"],
    ["src/link/a.ts", "../protocols/b.ts", "link must not import protocols"],
    ["src/proxy/a.ts", "../chat/b.ts", "proxy must not import chat"],
    ["src/chat/a.ts", "../proxy/b.ts", "chat must not import proxy"],
    ["src/proxy/a.ts", "../http/b.ts", "proxy must not import http"],
    ["src/http/a.ts", "../cli.ts", "http must not import cli"],
    ["src/chat/a.ts", "../../transports/node.ts", "chat must not import transports"],
    ["transports/node.ts", "../src/link/b.ts", "transports must not import link"],
    ["mod.ts", "./transports/node.ts", "mod must not import transports"],
    ["src/chat/a.ts", "../../tests/support/x.ts", "leads out of the published source"],
    ["src/chat/a.ts", "./b.test.ts", "is a test"],
    ["src/chat/a.ts", "./b", "belongs"],
  ])("%s must not import %s", (path, specifier, message) => {
    const text = `import { b } from "${specifier}"; b;`;
    if (message === "belongs") {
      expect(imports(text, path).join()).toContain("must name the file with its extension");
    } else expect(imports(text, path).join()).toContain(message);
  });

  test("of a type alone count as well, and so do re-exports and import()", () => {
    expect(imports(`import type { B } from "../chat/b.ts"; export type A = B;`, "src/proxy/a.ts"))
      .toHaveLength(1);
    expect(imports(`export { b } from "../chat/b.ts";`, "src/proxy/a.ts")).toHaveLength(1);
    expect(imports(`await import("../chat/b.ts");`, "src/proxy/a.ts")).toHaveLength(1);
  });

  test("in the right direction are fine", () => {
    const text =
      `import { a } from "../lib/a.ts"; import { b } from "../link/b.ts"; import { c } from "./c.ts"; a; b; c;`;
    expect(imports(text, "src/proxy/x.ts")).toEqual([]);
    expect(imports(`import "./http/a.ts"; import "../transports/system.ts";`, "src/cli.ts")).toEqual([]);
  });

  test("of packages belong to one part each", () => {
    expect(imports(`import { parser } from "mqtt-packet"; parser;`, "src/protocols/mqtt_codec.ts")).toEqual(
      [],
    );
    expect(imports(`import { parser } from "mqtt-packet"; parser;`, "src/proxy/a.ts")).toHaveLength(1);
    expect(imports(`import { Hono } from "hono"; Hono;`, "src/lib/a.ts")).toHaveLength(1);
    expect(imports(`import { blake2b } from "@noble/hashes/blake2.js"; blake2b;`, "src/membership/a.ts"))
      .toEqual([]);
    expect(imports(`import _ from "lodash"; _;`, "src/lib/a.ts").join()).toContain("not a dependency");
  });

  test("inside strings and comments are none", () => {
    const text = `// import "../chat/b.ts"\nexport const a = 'import "../chat/b.ts"';`;
    expect(imports(text, "src/proxy/a.ts")).toEqual([]);
  });
});

describe("circles of imports", () => {
  const circle = (text: string) =>
    checkCycles(parse(
      new Map([
        ["src/lib/a.ts", `import { b } from "./b.ts"; export const a = b;`],
        ["src/lib/b.ts", `import { c } from "./c.ts"; export const b = c;`],
        ["src/lib/c.ts", text],
      ]),
    ));

  test("are found", () => {
    const [found] = circle(`import { a } from "./a.ts"; export const c = () => a;`);
    expect(found?.message).toContain("src/lib/a.ts -> src/lib/b.ts -> src/lib/c.ts -> src/lib/a.ts");
  });

  test("of types alone do not matter", () => {
    expect(circle(`import type { a } from "./a.ts"; export const c = 1 as unknown as typeof a;`)).toEqual([]);
  });
});

test("a file that nothing imports is dead", () => {
  const code = parse(
    new Map([
      ["mod.ts", `export * from "./src/lib/a.ts";`],
      ["src/lib/a.ts", `export type X = import("./b.ts").X;`],
      ["src/lib/b.ts", `export type X = 1;`],
      ["src/lib/dead.ts", `import "./a.ts";`],
    ]),
  );
  expect(unreachable(code, ["mod.ts"])).toEqual(["src/lib/dead.ts"]);
});
