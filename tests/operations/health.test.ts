import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes, type Ready } from "../support/processes.ts";
import { root, type Runtime, runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { readiness, scrape, untilReadiness } from "./watch.ts";

const processes = new Processes();
const folder = mkdtempSync(join(tmpdir(), "toychat-operations-"));
afterEach(() => processes.end());
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

interface Cluster {
  readonly bridge: Ready<{ listen: string }>;
  readonly port: number;
  readonly url: string;
}

async function startBridge(on: Runtime, ...args: string[]): Promise<Cluster> {
  const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0", ...args]);
  const port = Number(bridge.ready.listen.split(":")[1]);
  return { bridge, port, url: `ws://${bridge.ready.listen}/rpc` };
}

type ProxyReady = Ready<{ http: number; metrics?: number }>;
type ChatReady = Ready<{ http: number }>;

const startProxy = (on: Runtime, url: string, ...args: string[]): Promise<ProxyReady> =>
  processes.role(on, ["proxy", "--bridge", url, "--id", "p1", "--mqtt", "off", "--http", "0", ...args]);
const startChat = (on: Runtime, url: string, id: string, ...args: string[]): Promise<ChatReady> =>
  processes.role(on, ["chat", ...args, "--bridge", url, "--id", id, "--http", "0"]);

/** A user on JSON over WebSocket. */
async function user(port: number): Promise<{
  send(message: object): void;
  next(type: string): Promise<void>;
  closed: Promise<number>;
}> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?user=ann`);
  const heard: string[] = [];
  let wake = (): void => {};
  socket.addEventListener("message", ({ data }) => {
    heard.push(JSON.parse(String(data)).type);
    wake();
  });
  const closed = new Promise<number>((resolve) =>
    socket.addEventListener("close", ({ code }) => resolve(code))
  );
  const next = async (type: string): Promise<void> => {
    for (;;) {
      const at = heard.indexOf(type);
      if (at >= 0) return void heard.splice(at, 1);
      await new Promise<void>((resolve) => wake = resolve);
    }
  };
  await next("welcome");
  return { send: (message) => socket.send(JSON.stringify(message)), next, closed };
}

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (name, on) => {
  test("every role lives at once, and is ready when it has what it needs", async () => {
    const { port, url } = await startBridge(on);
    expect(await readiness(port)).toEqual({
      status: 503,
      body: { status: "waiting", reason: "no member has registered" },
    });
    const proxy = await startProxy(on, url);
    const { http } = proxy.ready;
    expect((await fetch(`http://127.0.0.1:${http}/healthz`)).status).toBe(200);
    expect(await readiness(http)).toEqual({
      status: 503,
      body: { status: "waiting", id: "p1", reason: "no ChatServer is in the list of members" },
    });
    const chat = await startChat(on, url, "c1");
    expect(await readiness(chat.ready.http)).toEqual({ status: 200, body: { status: "ready", id: "c1" } });
    expect(await untilReadiness(http, 200)).toEqual({ status: 200, body: { status: "ready", id: "p1" } });
    expect((await readiness(port)).status).toBe(200);

    await chat.kill();
    expect((await untilReadiness(http, 503)).body.status).toBe("waiting");
  });

  test("/metrics of each role says who it is, what it has and what its process takes", async () => {
    const { port, url } = await startBridge(on);
    const chat = await startChat(on, url, "c1");
    const proxy = await startProxy(on, url);
    await untilReadiness(proxy.ready.http, 200);
    const ann = await user(proxy.ready.http);
    ann.send({ type: "join", room: "lobby" });
    await ann.next("joined");
    ann.send({ type: "message", room: "lobby", body: "hello", id: 1 });
    await ann.next("ack");

    const ofProxy = await scrape(proxy.ready.http);
    expect(ofProxy.get("toychat_sessions")).toBe(1);
    expect(ofProxy.get('toychat_connections_total{protocol="websocket"}')).toBe(1);
    expect(ofProxy.get("toychat_messages_in_total")).toBe(1);
    expect(ofProxy.get("toychat_acknowledgement_seconds_count")).toBe(1);
    expect(ofProxy.get('toychat_joins_refused_total{reason="unavailable"}')).toBe(0);
    expect(ofProxy.get("toychat_bridge_connected")).toBe(1);
    const ofChat = await scrape(chat.ready.http);
    expect(ofChat.get("toychat_rooms")).toBe(1);
    expect(ofChat.get('toychat_rooms_opened_total{reason="first-join"}')).toBe(1);
    expect(ofChat.get('toychat_room_opening_seconds_count{reason="first-join"}')).toBe(1);
    expect(ofChat.get("toychat_lease_held")).toBe(1);
    const ofBridge = await scrape(port);
    expect(ofBridge.get('toychat_member_registrations_total{member_role="proxy"}')).toBe(1);
    for (const [page, id] of [[ofProxy, "p1"], [ofChat, "c1"], [ofBridge, ""]] as const) {
      expect(page.get('toychat_members{member_role="chat",state="alive"}')).toBe(1);
      expect(page.get(`toychat_build_info{id="${id}",runtime="${name}",version="0.1.0"}`)).toBe(1);
      expect(page.get("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
      expect(page.get("process_cpu_seconds_total")).toBeGreaterThan(0);
      expect(page.has("process_event_loop_delay_seconds_count")).toBe(true);
      expect(page.get("toychat_log_events_suppressed_total")).toBe(0);
    }
  });

  test("a proxy that is told to stop says so while its users stay, and takes in those who come", async () => {
    const { url } = await startBridge(on);
    await startChat(on, url, "c1");
    // Longer than all of this takes.
    const proxy = await startProxy(on, url, "--metrics", "0", "--grace", "60");
    const { http, metrics = 0 } = proxy.ready;
    await untilReadiness(http, 200);
    expect((await fetch(`http://127.0.0.1:${http}/metrics`)).status).toBe(404);
    expect((await scrape(metrics)).get("toychat_sessions")).toBe(0);
    const ann = await user(http);
    proxy.signal("SIGTERM");
    const drained = {
      status: 503,
      body: { status: "draining", id: "p1", reason: "it has been told to stop" },
    };
    expect(await untilReadiness(http, 503)).toEqual(drained);
    expect(await readiness(metrics)).toEqual(drained);
    ann.send({ type: "ping" });
    await ann.next("pong");
    const late = await user(http);
    late.send({ type: "ping" });
    await late.next("pong");
    expect(proxy.ended).toBe(false);
  });

  test("a proxy that is told to stop ends when its grace is over, and tells its users", async () => {
    const { url } = await startBridge(on);
    await startChat(on, url, "c1");
    const proxy = await startProxy(on, url, "--grace", "1");
    const ann = await user(proxy.ready.http);
    proxy.signal("SIGTERM");
    expect(await ann.closed).toBe(1001);
    expect(await proxy.exit).toEqual({ code: 0, signal: null });
    expect(proxy.stderr).toContain("draining graceMs=1000");
  });

  test("a ChatServer is not ready while it hands its rooms over", async () => {
    const { url } = await startBridge(on);
    const release = join(folder, `release-${name}`);
    const app = join(root, "tests/operations/busy_app.mjs");
    // Both run before there is work: what takes long while a server works takes from the time that it has for it.
    const chats = await Promise.all(
      ["c1", "c2"].map((id) =>
        processes.role<{ id: string; http: number }>(
          on,
          ["chat", app, "--bridge", url, "--id", id, "--http", "0"],
          { env: { TOYCHAT_TEST_RELEASE: release } },
        )
      ),
    );
    const proxy = await startProxy(on, url);
    await untilReadiness(proxy.ready.http, 200);
    const ann = await user(proxy.ready.http);
    ann.send({ type: "join", room: "lobby" });
    await ann.next("joined");
    ann.send({ type: "message", room: "lobby", body: "work" });
    const chat = await until(() => chats.find(({ lines }) => lines.includes("busy")), "work");
    const next = chats.find((other) => other !== chat);
    chat.signal("SIGTERM");
    const { body } = await untilReadiness(chat.ready.http, 503);
    expect(body).toEqual({ status: "draining", id: chat.ready.id, reason: "it has been told to stop" });
    expect((await fetch(`http://127.0.0.1:${chat.ready.http}/healthz`)).status).toBe(200);
    writeFileSync(release, "");
    await ann.next("moved");
    expect(await chat.exit).toEqual({ code: 0, signal: null });
    const moved = await scrape(proxy.ready.http);
    expect(moved.get('toychat_rooms_moved_total{lost="false"}')).toBe(1);
    expect(moved.get('toychat_room_move_seconds_count{lost="false"}')).toBe(1);
    expect((await scrape(next?.ready.http ?? 0)).get('toychat_rooms_opened_total{reason="hand-off"}')).toBe(
      1,
    );
  });
});

describe("the log", () => {
  const [on] = runtimes() as [Runtime];
  const events = (stderr: string): { level: string; event: string; fields: Record<string, unknown> }[] =>
    stderr.split("\n").filter(Boolean).map((line) => JSON.parse(line));

  test("has what is as serious as asked for, as JSON where that is asked for", async () => {
    const quiet = await startBridge(on, "--log", "json", "--log-level", "warn");
    const loud = await startBridge(on, "--log", "json");
    for (const { url } of [quiet, loud]) {
      const chat = await startChat(on, url, "c1", "--log", "json", "--log-level", "error");
      await chat.stop();
      expect(chat.stderr).toBe("");
    }
    expect(await quiet.bridge.stop()).toEqual({ code: 0, signal: null });
    expect(await loud.bridge.stop()).toEqual({ code: 0, signal: null });
    expect(quiet.bridge.stderr).toBe("");
    expect(events(loud.bridge.stderr).map(({ level, event }) => `${level} ${event}`)).toEqual([
      "info member_registered",
      "info member_draining",
      "info member_withdrawn",
      "info stopping",
    ]);
  });

  test("cannot be flooded: what is left out is counted", async () => {
    const secret = join(folder, "secret");
    writeFileSync(secret, "s3cret");
    const { bridge, port } = await startBridge(on, "--secret-file", secret, "--log", "json");
    // At once: so many more are logged when ten seconds have gone by.
    const answers = await Promise.all(Array.from({ length: 70 }, async (_, n) => {
      const request = { method: "POST", body: "x".repeat(n) };
      return (await fetch(`http://127.0.0.1:${port}/rpc`, request)).status;
    }));
    expect(answers).toEqual(new Array<number>(70).fill(401));
    const page = await scrape(port);
    expect(page.get('toychat_bridge_refusals_total{reason="wrong_token"}')).toBe(70);
    expect(page.get("toychat_log_events_suppressed_total")).toBe(20);
    await bridge.stop();
    const refusals = events(bridge.stderr).filter(({ event }) => event === "bridge_refused");
    expect(refusals.length).toBe(50);
    expect(refusals[0]).toMatchObject({
      level: "warn",
      fields: { address: "127.0.0.1", reason: "wrong_token" },
    });
  });
});

test("in dev, roles on one page are told apart", async () => {
  const [on] = runtimes() as [Runtime];
  const dev = await processes.role<{ http: number }>(on, [
    "dev",
    "--mqtt",
    "off",
    "--http",
    "0",
    "--chats",
    "2",
  ]);
  let page = new Map<string, number>();
  const links = (): number => page.get('toychat_links{direction="in",role="chat"}') ?? NaN;
  await until(
    async () => (page = await scrape(dev.ready.http), links() >= 3),
    () => `links of each to each, not ${links()}`,
  );
  expect(page.get('toychat_rooms{role="proxy"}')).toBe(0);
  expect(page.get('toychat_build_info{id="chat-2",runtime="' + on.name + '",version="0.1.0",role="chat"}'))
    .toBe(1);
});

test("a port for health stays on loopback in a cluster without a secret, whatever --host says", async () => {
  const [on] = runtimes() as [Runtime];
  const { url } = await startBridge(on);
  const args = ["proxy", "--bridge", url, "--host", "0.0.0.0", "--mqtt", "0", "--http", "off"];
  const open = await processes.role<{ metrics: number }>(on, [...args, "--metrics", "0"]);
  expect((await readiness(open.ready.metrics)).status).toBe(503);
  const line = await open.until(
    ({ stderr }) => stderr.split("\n").slice(0, -1).find((text) => text.includes("health_listening")),
    "its word of where its health is",
  );
  expect(line).toContain(`address=127.0.0.1:${open.ready.metrics}`);
});
