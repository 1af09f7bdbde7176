/**
 * The repository's own TypeScript files.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root } from "./tools.mjs";

const SKIPPED = new Set(["node_modules", "dist", "coverage", ".git"]);

/**
 * Which runner a test file is for, by its name.
 *
 * @param {string} path
 * @returns {"bun" | "deno" | "node"}
 */
export function runnerOf(path) {
  const match = path.match(/(?:^|[./])(deno|node)\.test\.ts$/);
  return /** @type {"deno" | "node" | undefined} */ (match?.[1]) ?? "bun";
}

/**
 * Every test file under some folders of the repository, sorted.
 *
 * @param {readonly string[]} folders
 * @returns {string[]}
 */
export function globTests(folders) {
  return folders.flatMap((folder) => walk(join(root, folder))).filter((path) => path.endsWith(".test.ts"))
    .sort();
}

/**
 * Every TypeScript file of the repository, and whether it is written against Bun's test runner, which only Bun and
 * TypeScript with Bun's types can resolve.
 *
 * @returns {{ path: string, usesBunTest: boolean }[]}
 */
export function sources() {
  return walk(root).filter((path) => path.endsWith(".ts")).sort().map((path) => ({
    path,
    usesBunTest: /from "bun(:test)?"/.test(readFileSync(join(root, path), "utf8")),
  }));
}

/** Every Markdown file of the repository. */
export function markdown() {
  return walk(root).filter((path) => path.endsWith(".md")).sort();
}

/**
 * @param {string} folder
 * @returns {string[]} paths from the root
 */
function walk(folder) {
  return listing(folder).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(path);
    return [relative(root, path)];
  });
}

/** @param {string} folder */
function listing(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return [];
    throw error;
  }
}
