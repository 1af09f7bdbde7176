import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { connectAsync } from "mqtt";
import { Processes, type Ready } from "../support/processes.ts";
import { type Runtime, runtime, runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";

const processes = new Processes();
afterEach(() => processes.end());

interface ChatReady {
  role: string;
  id: string;
  listen: string;
  slot: number;
}

interface ProxyReady {
  role: string;
  id: string;
  mqtt: number;
  http: number;
}

async function startBridge(
  on: Runtime,
  ...args: string[]
): Promise<{ bridge: Ready<{ listen: string }>; url: string }> {
  const bridge = await processes.role<{ role: string; listen: string }>(on, [
    "bridge",
    "--listen",
    "127.0.0.1:0",
    ...args,
  ]);
  return { bridge, url: `ws://${bridge.ready.listen}/rpc` };
}

const proxyArgs = (url: string): string[] => ["proxy", "--bridge", url, "--mqtt", "0", "--http", "0"];

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  test("bridge, chat and proxy say once what they are, answer, and end with 0 when told to", async () => {
    const { bridge, url } = await startBridge(on);
    const [chat, proxy] = await Promise.all([
      processes.role<ChatReady>(on, ["chat", "--bridge", url, "--id", "c1"]),
      processes.role<ProxyReady>(on, [...proxyArgs(url), "--id", "p1"]),
    ]);
    expect(bridge.ready).toEqual(
      { role: "bridge", listen: expect.stringMatching(/^127\.0\.0\.1:\d+$/) } as never,
    );
    expect(chat.ready).toEqual({
      role: "chat",
      id: "c1",
      listen: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      slot: 0,
    });
    expect(proxy.ready).toEqual({
      role: "proxy",
      id: "p1",
      mqtt: expect.any(Number),
      http: expect.any(Number),
    });

    const members = await processes.run(on, ["members", "--json", "--bridge", url]);
    expect(JSON.parse(members.stdout)).toEqual([
      { id: "c1", role: "chat", address: chat.ready.listen, slot: 0, state: "alive" },
      { id: "p1", role: "proxy", address: `127.0.0.1:${proxy.ready.mqtt}`, state: "alive" },
    ]);
    const owner = await processes.run(on, ["owner", "area/1", "--json", "--bridge", url]);
    expect(JSON.parse(owner.stdout)).toEqual({
      room: "area/1",
      id: "c1",
      address: chat.ready.listen,
      slot: 0,
    });
    expect([members.code, owner.code]).toEqual([0, 0]);

    expect(await chat.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(await proxy.stop("SIGINT")).toEqual({ code: 0, signal: null });
    expect(await bridge.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    for (const role of [bridge, chat, proxy]) {
      expect(role.lines).toEqual([expect.stringMatching(/^ready \{/)]);
    }
  });

  test("a ChatServer that is told to stop hands its room over, and users miss nothing", async () => {
    const { url } = await startBridge(on);
    const chats = await Promise.all(
      ["c1", "c2"].map((id) => processes.role<ChatReady>(on, ["chat", "--bridge", url, "--id", id])),
    );
    const proxy = await processes.role<ProxyReady>(on, proxyArgs(url));
    const ann = await connectAsync(`mqtt://127.0.0.1:${proxy.ready.mqtt}`, {
      username: "ann",
      reconnectPeriod: 0,
    });
    try {
      const heard: string[] = [];
      const moves: string[] = [];
      ann.on("message", (topic, body) => (topic === "area/1" ? heard : moves).push(body.toString()));
      await ann.subscribeAsync("$toychat/moved");
      await ann.subscribeAsync("area/1", { qos: 1 });
      await ann.publishAsync("area/1", "before", { qos: 1 });
      const asked = await processes.run(on, ["owner", "area/1", "--json", "--bridge", url]);
      const { id } = JSON.parse(asked.stdout);
      const owner = chats.find((chat) => chat.ready.id === id);
      const stopped = owner?.stop();
      await ann.publishAsync("area/1", "meanwhile", { qos: 1 });
      expect(await stopped).toEqual({ code: 0, signal: null });
      await ann.publishAsync("area/1", "after", { qos: 1 });
      // What was repeated would come before it.
      await ann.publishAsync("area/1", "the end", { qos: 1 });
      await until(() => heard.includes("the end") && moves.length > 0, () => `the end; heard ${heard}`);
      expect(heard).toEqual(["before", "meanwhile", "after", "the end"]);
      expect(moves.map((text) => JSON.parse(text))).toEqual([{ room: "area/1", lost: false }]);
    } finally {
      await ann.endAsync(true);
    }
  });

  test("a proxy says farewell to its users and ends with 0", async () => {
    const dev = await processes.role<DevReady>(on, ["dev", "--mqtt", "0", "--http", "0"]);
    const socket = new WebSocket(`ws://127.0.0.1:${dev.ready.http}/ws?user=ben`);
    const closed = new Promise<number>((resolve) => {
      socket.addEventListener("close", ({ code }) => resolve(code));
    });
    await new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
    expect(await dev.stop()).toEqual({ code: 0, signal: null });
    expect(await closed).toBe(1001);
  });

  test("a second signal ends it at once with 1", async () => {
    const dev = await processes.role<DevReady>(on, ["dev", "--mqtt", "0", "--http", "off"]);
    // A user who does not hang up holds the farewell up.
    const user = connect({ port: dev.ready.mqtt, host: "127.0.0.1", allowHalfOpen: true });
    user.on("error", () => {});
    const welcomed = new Promise((resolve) => user.once("data", resolve));
    user.write(Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 1, 0x75));
    await welcomed;
    const again = setInterval(() => dev.signal("SIGTERM"), 30);
    try {
      expect(await dev.exit).toEqual({ code: 1, signal: null });
    } finally {
      clearInterval(again);
      user.destroy();
    }
  });

  test("a signal before it is ready ends it with 0", async () => {
    const chat = processes.spawn([...on.command, "src/cli.ts", "chat", "--bridge", "ws://127.0.0.1:1/rpc"]);
    await chat.until(
      ({ stderr }) => stderr.includes("bridge_connection_failed") || undefined,
      "its first attempt",
    );
    expect(await chat.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(chat.stdout).toBe("");
  });
});

interface DevReady {
  mqtt: number;
  http: number;
}

describe("on whatever runtime", () => {
  const on = runtime("bun");

  test("roles wait for a bridge that starts after them", async () => {
    const first = await startBridge(on);
    const { listen } = first.bridge.ready;
    await first.bridge.stop();
    const chat = processes.role<ChatReady>(on, ["chat", "--bridge", first.url, "--id", "c1"]);
    await processes.role(on, ["bridge", "--listen", listen]);
    expect((await chat).ready.slot).toBe(0);
  });

  test("a bridge with a secret lets in who knows it, by file or by variable, and nobody else", async () => {
    const env = { TOYCHAT_SECRET: "a secret" };
    const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"], {
      env,
    });
    const url = `ws://${bridge.ready.listen}/rpc`;
    const wrong = await processes.run(on, ["chat", "--bridge", url], { env: { TOYCHAT_SECRET: "another" } });
    const none = await processes.run(on, ["members", "--bridge", url], {
      env: { TOYCHAT_SECRET: undefined },
    });
    expect([wrong.code, none.code]).toEqual([1, 1]);
    expect(none.stderr).toContain("give it by --secret-file or TOYCHAT_SECRET");
    const chat = await processes.role<ChatReady>(on, ["chat", "--bridge", url], { env });
    expect(chat.ready.slot).toBe(0);
  });

  test("a ChatServer open to the network tells others an address that they can reach", async () => {
    const env = { TOYCHAT_SECRET: "a secret" };
    const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"], {
      env,
    });
    const url = `ws://${bridge.ready.listen}/rpc`;
    const [open, named] = await Promise.all([
      processes.role<ChatReady>(on, ["chat", "--bridge", url, "--host", "0.0.0.0"], { env }),
      processes.role<ChatReady>(on, ["chat", "--bridge", url, "--address", "chat.example:7001"], { env }),
    ]);
    expect(open.ready.listen).toMatch(/^(?!0\.0\.0\.0)\d+\.\d+\.\d+\.\d+:[1-9]\d*$/);
    expect(named.ready.listen).toBe("chat.example:7001");
  });

  test("an id that is taken is said with what to do", async () => {
    const { url } = await startBridge(on);
    await processes.role(on, ["chat", "--bridge", url, "--id", "c1"]);
    const second = await processes.run(on, ["chat", "--bridge", url, "--id", "c1"]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain("choose another --id");
  });

  test("without --json, members and owner are tables; a room without ChatServers has no owner", async () => {
    const { url } = await startBridge(on);
    const nobody = await processes.run(on, ["owner", "lobby", "--bridge", url]);
    expect([nobody.code, nobody.stdout]).toEqual([1, ""]);
    expect(nobody.stderr).toContain(`nobody owns "lobby": no ChatServer is alive, start one by toychat chat`);
    await processes.role(on, ["chat", "--bridge", url, "--id", "c1"]);
    const members = await processes.run(on, ["members", "--bridge", url]);
    expect(members.stdout).toMatch(
      /^ID +ROLE +ADDRESS +SLOT +STATE\nc1 +chat +127\.0\.0\.1:\d+ +0 +alive\n$/,
    );
    const owner = await processes.run(on, ["owner", "lobby", "--bridge", url]);
    expect(owner.stdout).toMatch(/^ROOM +OWNER +ADDRESS +SLOT\n"lobby" +c1 +127\.0\.0\.1:\d+ +0\n$/);
  });

  test("a proxy can serve HTTP alone, and is listed with that port", async () => {
    const { url } = await startBridge(on);
    const proxy = await processes.role<ProxyReady>(on, [
      "proxy",
      "--bridge",
      url,
      "--mqtt",
      "off",
      "--http",
      "0",
    ]);
    expect(Object.keys(proxy.ready)).toEqual(["role", "id", "http"]);
    const members = await processes.run(on, ["members", "--json", "--bridge", url]);
    expect(JSON.parse(members.stdout)[0].address).toBe(`127.0.0.1:${proxy.ready.http}`);
    expect((await fetch(`http://127.0.0.1:${proxy.ready.http}/readyz`)).status).toBe(503);
  });

  test("logs are JSON lines on stderr where asked for", async () => {
    const { bridge, url } = await startBridge(on, "--log", "json");
    await processes.role(on, ["chat", "--bridge", url, "--id", "c1"]);
    await bridge.stop();
    const events = bridge.stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
    expect(events).toContainEqual({
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      level: "info",
      event: "member_registered",
      fields: expect.objectContaining({ id: "c1", role: "chat" }),
    });
  });
});
