import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes, type Ready } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { HostilePeer } from "./hostile.ts";
import { Talker, upgrade } from "./support.ts";

const SECRET = "the cluster's own";

describe.each(runtimes().map((on) => [on.name, on] as const))("a cluster on %s", (_, on) => {
  const processes = new Processes();
  const folder = mkdtempSync(join(tmpdir(), "toychat-trust-"));
  const [secretFile, otherFile] = [join(folder, "secret"), join(folder, "other")];
  let bridge: Ready<{ listen: string }>;
  let chat: Ready<{ listen: string }>;
  let proxy: Ready<{ http: number }>;
  let ada: Talker;
  let adasSession = "";

  beforeAll(async () => {
    writeFileSync(secretFile, SECRET);
    writeFileSync(otherFile, "another one");
    const secret = ["--secret-file", secretFile];
    bridge = await processes.role(on, ["bridge", "--listen", "127.0.0.1:0", ...secret]);
    const url = `ws://${bridge.ready.listen}/rpc`;
    chat = await processes.role(on, ["chat", "--id", "c1", "--bridge", url, ...secret]);
    proxy = await processes.role(on, [
      "proxy",
      "--id",
      "p1",
      "--mqtt",
      "off",
      "--http",
      "0",
      "--bridge",
      url,
      ...secret,
    ]);
    ada = await Talker.connect(`ws://127.0.0.1:${proxy.ready.http}/ws?user=ada`);
    adasSession = String(ada.said[0]?.["session"]);
    ada.send({ type: "join", room: "plaza", id: 1 });
    await ada.hears(({ type }) => type === "joined");
  });
  afterAll(async () => {
    await processes.end();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Ada is in the room, and hears what she says there. */
  let words = 0;
  async function adaIsWell(): Promise<void> {
    const body = `word ${++words}`;
    ada.send({ type: "message", room: "plaza", body });
    expect(await ada.hears((said) => said.body === body)).toMatchObject({ room: "plaza", from: "ada" });
  }

  test("a peer without the secret, or with another, is told so and nothing that it sends is read", async () => {
    const guise = { role: "proxy", id: "p9" } as const;
    const message = {
      type: "message",
      room: "plaza",
      session: "p9.x.1",
      seq: 1,
      user: "eve",
      body: "hi",
      n: 1,
    };
    const tries: [(peer: HostilePeer) => object | string, string, RegExp][] = [
      [(peer) => peer.hello(guise), "wrong_secret", /the peer has none: start both with the same secret/],
      [(peer) => peer.hello(guise, "guess"), "wrong_secret", /cluster secret is another one/],
      [() => message, "out_of_order", /a message frame came before the handshake was complete/],
      // Not even what is wrong with it is looked at.
      [() => ({ type: "announce", members: 7 }), "out_of_order", /an? announce frame came before/],
      [() => ({ type: "__proto__" }), "out_of_order", /__proto__/],
      [() => "x".repeat(10_000), "line_too_long", /4096/],
    ];
    for (const [say, code, words] of tries) {
      const peer = await HostilePeer.dial(chat.ready.listen);
      // The rest of what is sent at once is not read either.
      const said = say(peer);
      peer.write(typeof said === "string" ? said : `${JSON.stringify(said)}\n${JSON.stringify(message)}\n`);
      expect(await peer.goodbye()).toMatchObject({ code, message: expect.stringMatching(words) });
    }
    expect(chat.stderr).toMatch(/link_refused/);
    await adaIsWell();
    expect(ada.said.filter(({ from }) => from === "eve")).toEqual([]);
  });

  test("a proxy with the secret cannot speak for another proxy's user", async () => {
    const own = ["p9.x.1", "mallory"];
    const announce = { type: "announce", room: "plaza", members: [own], attach: 1 };
    const frames: object[] = [
      { ...announce, members: [own, [adasSession, "ada"]] },
      { type: "join", room: "plaza", member: [adasSession, "ada"] },
      { type: "leave", room: "plaza", session: adasSession, reason: "left" },
      { type: "gone", session: adasSession, reason: "gone" },
      {
        type: "message",
        room: "plaza",
        session: adasSession,
        seq: 1_000_000,
        user: "ada",
        body: "forged",
        ack: true,
      },
    ];
    for (const frame of frames) {
      const peer = await HostilePeer.trusted(chat.ready.listen, SECRET, { role: "proxy", id: "p9" });
      peer.send(announce);
      await peer.gets("opened");
      peer.send({ ...frame });
      expect(await peer.goodbye()).toMatchObject({
        code: "foreign_session",
        message: `p9 may not speak for session ${adasSession}`,
      });
      await adaIsWell();
    }
    expect(ada.said.filter(({ body, type }) => body === "forged" || type === "left")).toEqual([]);
    expect(chat.stderr).toContain("frame_forbidden");
  });

  test("a proxy cannot speak for an application, hand rooms over, or give its user another name", async () => {
    const own = { room: "plaza", session: "p9.x.1", seq: 1, body: "forged" };
    const frames: object[] = [
      { type: "message", ...own },
      { type: "message", ...own, user: "mallory", cause: [adasSession, 1_000_000] },
      { type: "handing", digest: "0".repeat(32), rooms: ["plaza"] },
      { type: "handoff", room: "plaza", epoch: "e1", offset: 9, term: 9, senders: [], proxies: [] },
    ];
    const announce = { type: "announce", room: "plaza", members: [["p9.x.1", "mallory"]], attach: 1 };
    for (const frame of frames) {
      const peer = await HostilePeer.trusted(chat.ready.listen, SECRET, { role: "proxy", id: "p9" });
      peer.send(announce);
      peer.send({ ...frame });
      expect(await peer.goodbye()).toMatchObject({ code: "unexpected_frame" });
    }
    const peer = await HostilePeer.trusted(chat.ready.listen, SECRET, { role: "proxy", id: "p9" });
    peer.send(announce);
    await peer.gets("opened");
    peer.send({ type: "message", ...own, user: "ada", body: "who am I" });
    expect(await ada.hears(({ body }) => body === "who am I")).toMatchObject({ from: "mallory" });
    peer.close();
    await adaIsWell();
    expect(ada.said.filter(({ body }) => body === "forged")).toEqual([]);
  });

  test("a ChatServer with the secret cannot speak for a user, or have any", async () => {
    const frames: object[] = [
      { type: "message", room: "plaza", session: "c9.x", seq: 1, user: "ada", body: "forged" },
      { type: "announce", room: "plaza", members: [["c9.x.1", "ada"]], attach: 1 },
      { type: "join", room: "plaza", member: ["c9.x.1", "ada"] },
      { type: "leave", room: "plaza", session: adasSession, reason: "left" },
      { type: "gone", session: adasSession, reason: "gone" },
    ];
    for (const frame of frames) {
      const peer = await HostilePeer.trusted(chat.ready.listen, SECRET, { role: "chat", id: "c9" });
      peer.send({ ...frame });
      expect(await peer.goodbye()).toMatchObject({ code: "unexpected_frame" });
    }
    const peer = await HostilePeer.trusted(chat.ready.listen, SECRET, { role: "chat", id: "c9" });
    peer.send({ type: "announce", room: "plaza", members: [], attach: 1 });
    peer.send({ type: "message", room: "plaza", session: "c1.x", seq: 1, body: "forged" });
    expect(await peer.goodbye()).toMatchObject({ code: "foreign_session" });
    await adaIsWell();
    expect(ada.said.filter(({ body, type }) => body === "forged" || type === "left")).toEqual([]);
  });

  test("the bridge answers nobody who has not proved the secret, on any of its doors", async () => {
    const at = bridge.ready.listen;
    const post = (headers: Record<string, string>, body: string) =>
      fetch(`http://${at}/rpc`, { method: "POST", headers, body });
    const ask = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "view.get" });
    for (
      const headers of [{}, { authorization: "Bearer guess" }, { authorization: `Bearer ${"0".repeat(64)}` }]
    ) {
      const answer = await post(headers as Record<string, string>, ask);
      expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining("Authorization")]);
    }
    expect((await post({ origin: "https://evil.example" }, ask)).status).toBe(403);
    const port = Number(at.split(":")[1]);
    expect(await upgrade(port, "/rpc", { origin: "http://127.0.0.1" })).toMatchObject({ status: 403 });
    for (const method of ["cluster.register", "cluster.renew", "view.subscribe", "auth.prove"]) {
      const socket = new WebSocket(`ws://${at}/rpc`);
      const said: string[] = [];
      socket.onmessage = ({ data }) => void said.push(String(data));
      const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => resolve(code));
      await new Promise((resolve) => socket.onopen = resolve);
      const params = { id: "c1", role: "chat", address: "h:1", proof: "0".repeat(64) };
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }));
      expect(await closed).toBe(1008);
      expect(said.join()).toMatch(/begin with auth.challenge|not this bridge's/);
    }
    await adaIsWell();
  });

  test("a role with another secret is refused with words that say what to do", async () => {
    const url = `ws://${bridge.ready.listen}/rpc`;
    const none = { env: { TOYCHAT_SECRET: undefined } };
    const other = await processes.run(on, ["members", "--bridge", url, "--secret-file", otherFile]);
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("secret is not this bridge's")]);
    const bare = await processes.run(on, ["members", "--bridge", url], none);
    expect([bare.code, bare.stderr]).toEqual([1, expect.stringContaining("demands the cluster secret")]);
  });

  test("without a secret nothing but users' ports may be reached from other hosts", async () => {
    const none = { env: { TOYCHAT_SECRET: undefined } };
    for (
      const args of [["bridge", "--listen", "0.0.0.0:0"], ["chat", "--listen", "[::]:0"], [
        "chat",
        "--host",
        "0.0.0.0",
      ]]
    ) {
      const refused = await processes.run(on, args, none);
      expect([args, refused.code]).toEqual([args, 2]);
      expect(refused.stderr).toMatch(/can be reached from other hosts and has no secret.*--secret-file/s);
    }
    const open = await processes.role<{ mqtt: number }>(
      on,
      ["dev", "--host", "0.0.0.0", "--mqtt", "0", "--http", "0"],
      none,
    );
    expect(open.ready.mqtt).toBeGreaterThan(0);
    expect(open.stderr).not.toMatch(/"?chat"?.*0\.0\.0\.0/);
  });
});
