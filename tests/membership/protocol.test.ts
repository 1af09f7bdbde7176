import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cli, Processes } from "../support/processes.ts";
import { runtime, runtimes } from "../support/runtimes.ts";
import { difference, differences, type Example, play, readExamples } from "./protocol_examples.ts";

const script = fileURLToPath(new URL("./documented_bridge.ts", import.meta.url));
const examples = readExamples();
const processes = new Processes();
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "toychat-rpc-"));
  writeFileSync(join(folder, "secret.txt"), "correct horse\n");
});
afterAll(async () => {
  await processes.end();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a program of the shell in which `toychat` and the bridge's address stand as in the document. */
async function shell({ script }: Example, address: string): Promise<string[]> {
  const toychat = `toychat() { ${
    [...runtime("bun").command, cli].map((word) => `'${word}'`).join(" ")
  } "$@"; }`;
  const program = `set -e\n${toychat}\n${script.replaceAll("127.0.0.1:7374", address)}`;
  const running = processes.spawn(["bash", "-c", program], { cwd: folder });
  const { code } = await running.exit;
  if (code !== 0) throw running.failure(`ended with ${code}`);
  return running.lines;
}

test("docs/protocol.md has examples of the bridge, of every kind", () => {
  expect(new Set(examples.map(({ kind }) => kind))).toEqual(new Set(["GET", "POST", "sh"]));
  expect(examples.flatMap(({ lines }) => lines).length).toBeGreaterThan(50);
});

test("an example that says something else is found out", () => {
  expect(difference({ a: "…", b: ["x…", 1] }, { a: { c: 1 }, b: ["xyz", 1] })).toBeUndefined();
  const wrong: [unknown, unknown][] = [
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [{ a: 1, b: "…" }, { a: 1 }],
    [[1], [1, 2]],
    [[], {}],
    ["x…", "y"],
    [null, {}],
  ];
  for (const [expected, actual] of wrong) expect(difference(expected, actual)).toBeDefined();
  const lines = [{ sent: false, text: '200 {"a":1}' }];
  const example: Example = { where: "", kind: "POST", headers: {}, script: "", lines };
  expect(differences(example, ['200 {"a":1}'])).toEqual([]);
  for (const answers of [[], ['403 {"a":1}'], ['200 {"a":1}', "204"]]) {
    expect(differences(example, answers).length).toBeGreaterThan(0);
  }
});

test.each(runtimes().map((on) => [on.name, on] as const))(
  "the examples of the bridge in docs/protocol.md are answered so on %s",
  async (_, on) => {
    const command = [...on.command, script, String(examples.length)];
    const { ready } = await processes.start<{ addresses: string[] }>(command);
    const troubles = await Promise.all(examples.map(async (example, n) => {
      const address = ready.addresses[n] as string;
      const answers = await (example.kind === "sh" ? shell(example, address) : play(example, address));
      return differences(example, answers).map((trouble) => `${example.where}: ${trouble}`);
    }));
    expect(troubles.flat()).toEqual([]);
  },
  60_000,
);
