import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes } from "../support/processes.ts";
import { runtime, runtimes } from "../support/runtimes.ts";

const processes = new Processes();
afterEach(() => processes.end());

const ADMIN = "730fafc1bbf1af43101493f2a0a1a209a820f201a9cfb26f8f0f6724f8a1687e";
const none = { env: { TOYCHAT_SECRET: undefined, TOYCHAT_TOKEN: undefined } };
let folder = "";
let secret = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "toychat-operator-"));
  secret = write("secret.txt", "correct horse\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

interface Row {
  id: string;
  state: string;
}

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  test("toychat drain makes a ChatServer and a proxy hand over and end with 0", async () => {
    const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"]);
    const at = ["--bridge", `ws://${bridge.ready.listen}/rpc`];
    const [chat, other, proxy] = await Promise.all([
      processes.role(on, ["chat", "--id", "c1", ...at]),
      processes.role(on, ["chat", "--id", "c2", ...at]),
      processes.role(on, ["proxy", "--id", "p1", "--mqtt", "0", "--http", "0", ...at]),
    ]);
    const asked = await processes.run(on, ["drain", "c1", "--json", ...at]);
    expect([asked.code, JSON.parse(asked.stdout)]).toEqual([0, {
      id: "c1",
      incarnation: expect.any(String),
    }]);
    expect(await chat.exit).toEqual({ code: 0, signal: null });
    expect(chat.stderr).toContain("drain_asked");
    const left = /member_draining.*[^]*member_withdrawn.*left/;
    await bridge.until(({ stderr }) => left.test(stderr) || undefined, "its word of who drained and left");
    const text = await processes.run(on, ["drain", "p1", ...at]);
    expect([text.code, text.stdout]).toEqual([0, expect.stringContaining("asked p1 to drain")]);
    expect(await proxy.exit).toEqual({ code: 0, signal: null });
    const members = await processes.run(on, ["members", "--json", ...at]);
    expect((JSON.parse(members.stdout) as Row[]).map(({ id, state }) => [id, state])).toEqual([[
      "c2",
      "alive",
    ]]);
    expect(other.ended).toBe(false);
    const unknown = await processes.run(on, ["drain", "c9", ...at]);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('there is no member "c9"')]);
  });

  test("toychat token prints what the bridge takes, and no more than its scope", async () => {
    const bridge = await processes.role<{ listen: string }>(on, [
      ...["bridge", "--listen", "127.0.0.1:0", "--secret-file", secret],
    ], none);
    const at = ["--bridge", `ws://${bridge.ready.listen}/rpc`];
    const token = async (scope: string): Promise<string> => {
      const printed = await processes.run(on, ["token", scope, "--secret-file", secret], none);
      expect([printed.code, printed.stderr]).toEqual([0, ""]);
      return printed.stdout;
    };
    expect(await token("admin")).toBe(`${ADMIN}\n`);
    const reader = write("read.txt", await token("read"));
    const members = await processes.run(on, ["members", "--json", "--token-file", reader, ...at], none);
    expect([members.code, members.stdout]).toEqual([0, "[]\n"]);
    const drain = await processes.run(on, ["drain", "c1", "--token-file", reader, ...at], none);
    expect([drain.code, drain.stderr]).toEqual([1, expect.stringContaining('needs the scope "admin"')]);
    const stranger = await processes.run(on, ["members", ...at], none);
    const either =
      /demands the cluster secret: .*--secret-file or TOYCHAT_SECRET; .*--token-file or TOYCHAT_TOKEN/;
    expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringMatching(either)]);
  });

  test("a bridge with tokens of one's own lets in who shows one, and nobody else", async () => {
    const tokens = write("tokens.json", JSON.stringify({ member: "a-member-of-long-standing" }));
    const member = write("member.txt", "a-member-of-long-standing\n");
    const bridge = await processes.role<{ listen: string }>(on, [
      ...["bridge", "--listen", "127.0.0.1:0", "--tokens-file", tokens],
    ], none);
    const at = ["--bridge", `ws://${bridge.ready.listen}/rpc`];
    await processes.role(on, ["chat", "--id", "c1", "--token-file", member, ...at], none);
    const env = { env: { ...none.env, TOYCHAT_TOKEN: "a-member-of-long-standing" } };
    const owner = await processes.run(on, ["owner", "lobby", ...at], env);
    expect([owner.code, owner.stdout]).toEqual([0, expect.stringContaining("c1")]);
    const wrong = { env: { ...none.env, TOYCHAT_TOKEN: "a-member-of-no-standing" } };
    const liar = await processes.run(on, ["members", ...at], wrong);
    expect([liar.code, liar.stderr]).toEqual([1, expect.stringContaining("no such token")]);
    const token =
      "has no secret and demands a token: give one that it knows by --token-file or TOYCHAT_TOKEN";
    for (const command of [["members"], ["chat", "--id", "c2"]]) {
      const stranger = await processes.run(on, [...command, ...at], none);
      expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining(token)]);
      expect(stranger.stderr).not.toContain("SECRET");
    }
  });
});

describe("what is wrong with tokens is said:", () => {
  const on = runtime("bun");
  const cases: [string, () => string[], number, string][] = [
    ["no secret", () => ["token", "read"], 2, "give it by --secret-file or TOYCHAT_SECRET"],
    ["no such scope", () => ["token", "amin", "--secret-file", secret], 2, "did you mean admin?"],
    ["no scope", () => ["token"], 2, "token needs a SCOPE"],
    ["no file", () => ["bridge", "--tokens-file", "/no/such"], 1, "cannot read --tokens-file"],
    ["no JSON", () => ["bridge", "--tokens-file", write("a.json", "{")], 2, "it is not JSON"],
    ["none in it", () => ["bridge", "--tokens-file", write("b.json", "{}")], 2, "it has no token"],
    ["a short one", () => ["bridge", "--tokens-file", write("c.json", '{"read":"x"}')], 2, "16 to 512"],
    ["another scope", () => ["bridge", "--tokens-file", write("d.json", '{"root":"x"}')], 2, "read, member"],
  ];
  test.each(cases)("%s", async (_, args, code, text) => {
    const result = await processes.run(on, args(), none);
    expect([result.code, result.stdout]).toEqual([code, ""]);
    expect(result.stderr).toContain(text);
    expect(result.stderr).not.toContain('"x"');
  });
});
