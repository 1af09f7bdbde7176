import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtime, runtimes } from "./runtimes.ts";

test("every runtime runs a TypeScript file", () => {
  const folder = mkdtempSync(join(tmpdir(), "toychat-runtimes-"));
  try {
    const file = join(folder, "hello.ts");
    writeFileSync(file, `const text: string = "hello"; console.log(text);`);
    for (const { command: [program = "", ...args] } of runtimes()) {
      expect(execFileSync(program, [...args, file], { encoding: "utf8" })).toBe("hello\n");
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the system's Node is none that npm installed", () => {
  const { version, command } = runtime("node20");
  expect(Number(version.split(".")[0])).toBeGreaterThanOrEqual(20);
  expect(command.join()).not.toContain("node_modules");
});
