/**
 * Who may import whom.
 *
 * @module
 */
import { type Code, type Import, importsOf, type Violation } from "./code.ts";

/** A part of the published source, and the parts that it may import beside itself. */
interface Layer {
  readonly name: string;
  /** Whether a file belongs to it. */
  readonly owns: (path: string) => boolean;
  readonly mayImport: readonly string[];
  /** Parts of which it may know the types only. */
  readonly mayKnow?: readonly string[];
}

const inFolder = (folder: string) => (path: string): boolean => path.startsWith(folder + "/");
const MIDDLE = ["lib", "link", "protocols", "membership"];

/**
 * The direction of imports: `lib ← link, protocols, membership ← proxy, chat ← http, cli`; transports know `lib`. Links
 * are made between members, so `link` may know `membership`, which knows nothing of links.
 */
export const LAYERS: readonly Layer[] = [
  { name: "lib", owns: inFolder("src/lib"), mayImport: [] },
  { name: "link", owns: inFolder("src/link"), mayImport: ["lib", "membership"] },
  { name: "protocols", owns: inFolder("src/protocols"), mayImport: ["lib"] },
  { name: "membership", owns: inFolder("src/membership"), mayImport: ["lib"] },
  { name: "client", owns: inFolder("src/client"), mayImport: ["lib"], mayKnow: ["protocols"] },
  { name: "proxy", owns: inFolder("src/proxy"), mayImport: MIDDLE },
  { name: "auth", owns: inFolder("src/auth"), mayImport: ["lib"], mayKnow: ["protocols"] },
  { name: "chat", owns: inFolder("src/chat"), mayImport: MIDDLE },
  { name: "http", owns: inFolder("src/http"), mayImport: [...MIDDLE, "proxy", "chat"] },
  { name: "transports", owns: inFolder("transports"), mayImport: ["lib"] },
  {
    name: "cli",
    owns: (path) => path === "src/cli.ts" || path.startsWith("src/cli/"),
    mayImport: [...MIDDLE, "client", "proxy", "chat", "http", "transports"],
  },
  {
    name: "mod",
    owns: (path) => path === "mod.ts",
    mayImport: [...MIDDLE, "client", "proxy", "chat", "http"],
  },
];

/** Which files may import a package from outside. */
const PACKAGES: Readonly<Record<string, (path: string) => boolean>> = {
  "mqtt-packet": (path) => path === "src/protocols/mqtt_codec.ts",
  "@msgpack/msgpack": (path) => path === "src/membership/serf/serf_codec.ts",
  "hono": inFolder("src/http"),
  "prom-client": (path) => path === "src/http/prometheus.ts",
  "jose": inFolder("src/auth"),
  "@noble/hashes": inFolder("src"),
  "@hono/node-server": inFolder("transports"),
  "ws": inFolder("transports"),
};

/** Checks every import of the published files. */
export function checkImports(code: Code): Violation[] {
  return [...code.files].flatMap(([path, file]) =>
    importsOf(file).flatMap((entry) => {
      const message = entry.target === undefined
        ? checkPackage(path, entry.specifier)
        : checkTarget(path, entry, entry.target);
      return message ? [{ file: path, line: entry.line, message }] : [];
    })
  );
}

function layerOf(path: string): Layer | undefined {
  return LAYERS.find((layer) => layer.owns(path));
}

function checkTarget(path: string, { specifier, typeOnly }: Import, target: string): string | undefined {
  const from = layerOf(path);
  const to = layerOf(target);
  if (!from) return `${path} belongs to no part of the architecture: move it into one`;
  if (!to) return `"${specifier}" leads out of the published source`;
  if (target.endsWith(".test.ts")) return `"${specifier}" is a test`;
  if (!target.endsWith(".ts")) return `"${specifier}" must name the file with its extension, .ts`;
  if (from === to || from.mayImport.includes(to.name)) return undefined;
  if (typeOnly && from.mayKnow?.includes(to.name)) return undefined;
  return `${from.name} must not import ${to.name} ("${specifier}"): the direction is ` +
    "lib <- link, protocols, membership <- proxy, chat <- http, cli; transports import lib";
}

function checkPackage(path: string, specifier: string): string | undefined {
  if (specifier.startsWith("node:") || specifier.startsWith("cloudflare:")) return undefined;
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  const allowed = PACKAGES[name];
  if (!allowed) return `"${specifier}" is not a dependency of the published source`;
  return allowed(path)
    ? undefined
    : `"${specifier}" must not be imported here: only its own part may know it`;
}

/** Finds imports that lead round in a circle once types are stripped. */
export function checkCycles(code: Code): Violation[] {
  const done = new Set<string>();
  const found: Violation[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      const circle = [...trail.slice(at), path].join(" -> ");
      found.push({ file: path, line: 1, message: `imports lead round in a circle: ${circle}` });
      return;
    }
    const file = code.files.get(path);
    if (!file || done.has(path)) return;
    for (const { target, typeOnly } of importsOf(file)) {
      if (target && !typeOnly) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of code.files.keys()) visit(path, []);
  return found;
}

/** The files that cannot be reached by imports from any of the roots. */
export function unreachable(code: Code, roots: readonly string[]): string[] {
  const reached = new Set<string>();
  const queue = [...roots];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const file = code.files.get(path);
    if (!file || reached.has(path)) continue;
    reached.add(path);
    for (const { target } of importsOf(file)) if (target) queue.push(target);
  }
  return [...code.files.keys()].filter((path) => !reached.has(path));
}
