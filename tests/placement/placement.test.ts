import { expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { root, runtimes } from "../support/runtimes.ts";

const script = fileURLToPath(new URL("./owners.ts", import.meta.url));

test("10,000 rooms have the same owners on every runtime, in every view", async () => {
  const answers = new Map<string, string>();
  await Promise.all(
    runtimes().map(async ({ name, command: [program, ...args] }) => {
      const { stdout } = await promisify(execFile)(program as string, [...args, script], { cwd: root });
      answers.set(name, stdout);
    }),
  );
  const [first] = answers.values();
  expect(JSON.parse(first as string)).toHaveLength(10);
  for (const [name, answer] of answers) expect(`${name} ${answer}`).toBe(`${name} ${first}`);
}, 60_000);
