/**
 * What a proxy with the secret sends that nobody else could take: its link ends, or its message is refused, and no link of
 * another.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes, type Ready } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { HostilePeer } from "./hostile.ts";
import { type Said, Talker } from "./support.ts";

const SECRET = "the cluster's own";
const SESSION = "p9.hostile.1";
const MESSAGE = { type: "message", room: "plaza", session: SESSION, user: "mallory" };
const APPLICATION = `export default (chat) => {
  chat.on("message", (_user, room, body) => void chat.broadcast(room, body));
};\n`;

/** Fields of a message as they stand in its line, and what becomes of it. */
const MESSAGES:
  readonly (readonly [what: string, fields: () => string, answer: "bad_frame" | "too_large"])[] = [
    ["base64 of wrong characters", () => '"body":"@@@","encoding":"base64"', "bad_frame"],
    ["base64 without padding", () => '"body":"AA","encoding":"base64"', "bad_frame"],
    [
      "3 MB of numbers that are 13 MB when written",
      () => `"body":[${"1e20,".repeat(600_000)}1]`,
      "bad_frame",
    ],
    ["a text of 7 MB", () => `"body":"${"a".repeat(7_000_000)}"`, "bad_frame"],
    ["half a megabyte of numbers", () => `"body":[${"1e20,".repeat(100_000)}1]`, "too_large"],
    ["a text of 300 kB", () => `"body":"${"a".repeat(300_000)}"`, "too_large"],
    ["bytes over the limit", () => `"body":"${"AAAA".repeat(90_000)}","encoding":"base64"`, "too_large"],
  ];

const ROLES = [["a relay", false], ["an application", true]] as const;
const SETUPS = runtimes().flatMap((on) =>
  ROLES.map(([name, app]) => [`${on.name}, ${name}`, on, app] as const)
);

describe.each(SETUPS)("a cluster on %s", (_, on, application) => {
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "toychat-frames-"));
  let chat: Ready<{ listen: string }>;
  const proxies: Ready<{ http: number }>[] = [];
  const users: Talker[] = [];

  beforeAll(async () => {
    const [secretFile, app] = [join(folder, "secret"), join(folder, "app.mjs")];
    writeFileSync(secretFile, SECRET);
    writeFileSync(app, APPLICATION);
    const secret = ["--secret-file", secretFile];
    const bridge = await processes.role<{ listen: string }>(on, [
      "bridge",
      "--listen",
      "127.0.0.1:0",
      ...secret,
    ]);
    const common = ["--bridge", `ws://${bridge.ready.listen}/rpc`, ...secret];
    chat = await processes.role(on, ["chat", ...(application ? [app] : []), "--id", "c1", ...common]);
    for (const id of ["p1", "p2"]) {
      const proxy = await processes.role<{ http: number }>(
        on,
        ["proxy", "--id", id, "--mqtt", "off", "--http", "0", ...common],
      );
      const user = await Talker.connect(`ws://127.0.0.1:${proxy.ready.http}/ws?user=of-${id}`);
      user.send({ type: "join", room: "plaza" });
      await user.hears(({ type }) => type === "joined");
      proxies.push(proxy);
      users.push(user);
    }
  });
  afterAll(async () => {
    await processes.end();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Both users hear the first one, nothing else has reached them, and no link has ended but the hostile one. */
  async function allIsWell(words: string): Promise<void> {
    users[0]?.send({ type: "message", room: "plaza", body: words, id: 1 });
    for (const user of users) {
      await user.hears(({ body }) => body === words);
      const odd = ({ from, type }: Said) => type === "moved" || (type === "message" && from !== "of-p1");
      expect(user.said.filter(odd)).toEqual([]);
      expect(user.closed).toBeUndefined();
    }
    for (const { stderr } of proxies) expect(stderr).not.toMatch(/link_(ended|reset|goodbye|handler_failed)/);
    expect(chat.stderr).not.toMatch(/handler_failed/);
  }

  async function mallory(name = "mallory"): Promise<HostilePeer> {
    const peer = await HostilePeer.trusted(chat.ready.listen, SECRET, { role: "proxy", id: "p9" });
    peer.send({ type: "announce", room: "plaza", members: [[SESSION, name]], attach: 1 });
    return peer;
  }

  const TITLE = "a proxy's message that nobody could take ends its own link, or is refused: %s";
  test.each(MESSAGES)(TITLE, async (what, fields, answer) => {
    const peer = await mallory();
    await peer.gets("opened");
    const start = JSON.stringify({ n: 2, ...MESSAGE, seq: 1 });
    peer.write(`${start.slice(0, -1)},"ack":true,${fields()}}\n`);
    if (answer === "too_large") expect(await peer.gets("ack")).toMatchObject({ seq: 1, error: answer });
    else {
      const message = expect.stringContaining('"body" in frame "message"');
      expect(await peer.goodbye()).toMatchObject({ code: answer, message });
    }
    peer.close();
    await allIsWell(`after ${what}`);
  });

  test("a name that would make small messages more than another link holds ends the link of who says it", async () => {
    const peer = await mallory("\u0001".repeat(65_535));
    for (let seq = 1; seq <= 500; seq++) peer.send({ ...MESSAGE, seq, body: "x" });
    const message = expect.stringContaining('"members" in frame "announce"');
    expect(await peer.goodbye()).toMatchObject({ code: "bad_frame", message });
    await allIsWell("after a long name");
  });
});
