/**
 * Makes the npm tarball from the same source that is published to JSR:
 *
 *     node scripts/pack.mjs [FOLDER]      into FOLDER, by default dist/
 *
 * Deno compiles and lists the dependencies; what only npm knows (the `toychat` program, the engines, the unscoped name) is
 * added here. The tarball's path is the last line printed.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { installed, root, systemPath } from "./gate/tools.mjs";

const PROGRAM = "src/cli.js";
/** Modules whose one class can be used with `await using`: `deno pack` leaves members with computed names out of types. */
const DISPOSABLE = ["src/chat/chat_server", "src/proxy/proxy_server", "src/http/bridge"];

console.log(pack(resolve(process.argv[2] ?? join(root, "dist"))));

/**
 * @param {string} folder where the tarball goes
 * @returns {string} its path
 */
function pack(folder) {
  const work = mkdtempSync(join(tmpdir(), "toychat-pack-"));
  try {
    const compiled = join(work, "compiled.tgz");
    execute(installed("deno") ?? "deno", ["pack", "--quiet", "--allow-dirty", "--output", compiled], root);
    execute("tar", ["-xzf", compiled], work);
    complete(join(work, "package"));
    mkdirSync(folder, { recursive: true });
    const [made] = JSON.parse(
      execute("npm", ["pack", "--json", "--pack-destination", folder], join(work, "package")),
    );
    return join(folder, made.filename);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Writes into an unpacked package what only npm knows.
 *
 * @param {string} folder
 */
function complete(folder) {
  const path = join(folder, "package.json");
  const compiled = JSON.parse(readFileSync(path, "utf8"));
  const { name, description, engines, license } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const added = { name, description, license, engines, bin: { toychat: PROGRAM } };
  writeFileSync(path, JSON.stringify({ ...compiled, ...added }, null, 2) + "\n");
  const program = join(folder, PROGRAM);
  const text = readFileSync(program, "utf8");
  if (!text.startsWith("#!/usr/bin/env node\n")) {
    throw new Error("src/cli.ts must begin with #!/usr/bin/env node");
  }
  chmodSync(program, 0o755);
  for (const module of DISPOSABLE) declareDisposal(join(folder, module));
}

/**
 * @param {string} module path without its ending
 */
function declareDisposal(module) {
  const types = readFileSync(`${module}.d.ts`, "utf8");
  const whole = types.replace(
    /(export (?:declare )?class [^]*?)\n\}/,
    "$1\n  /** Stops; for `await using`. */\n  [Symbol.asyncDispose](): Promise<void>;\n}",
  );
  if (whole === types || !readFileSync(`${module}.js`, "utf8").includes("Symbol.asyncDispose")) {
    throw new Error(`${module} has no class with [Symbol.asyncDispose]: mend the list in scripts/pack.mjs`);
  }
  writeFileSync(`${module}.d.ts`, `/// <reference lib="esnext.disposable" />\n${whole}`);
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {string} cwd
 */
function execute(file, args, cwd) {
  const env = { ...process.env, PATH: systemPath };
  return execFileSync(file, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}
