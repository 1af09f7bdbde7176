import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ChatServer } from "../../src/chat/chat_server.ts";
import { healthApp } from "../../src/http/health.ts";
import { serveHttp } from "../../src/http/serve_http.ts";
import type { LogFields } from "../../src/lib/log.ts";
import { LocalMembership } from "../../src/membership/local.ts";
import { ProxyServer } from "../../src/proxy/proxy_server.ts";
import { memoryTransport } from "../../transports/memory.ts";
import { until } from "../support/until.ts";

const transport = memoryTransport();
let membership: LocalMembership;
let proxy: ProxyServer;
let chats: Map<string, ChatServer>;
let logged: { level: string; event: string; fields: LogFields }[];
let port: number;

const log = (level: string, event: string, fields: LogFields = {}): void =>
  void logged.push({ level, event, fields });
const events = (name: string): LogFields[] =>
  logged.filter(({ event }) => event === name).map(({ fields }) => fields);

async function startChat(id: string): Promise<ChatServer> {
  const chat = new ChatServer({ membership, transport, id });
  chats.set(id, chat);
  await chat.start();
  return chat;
}

beforeEach(async () => {
  membership = new LocalMembership();
  chats = new Map();
  logged = [];
  await Promise.all(["c1", "c2"].map(startChat));
  proxy = new ProxyServer({ membership, transport, id: "p1", log });
  port = (await serveHttp(proxy, { port: 0 })).port;
  await proxy.start();
  await until(() => proxy.readiness.status === "ready", "the proxy to be ready");
});

afterEach(async () => {
  await proxy.stop();
  for (const chat of chats.values()) await chat.stop({ drain: false });
});

/** A user on JSON over WebSocket. */
class User {
  readonly heard: Record<string, unknown>[] = [];
  send!: (message: object) => void;

  static async enter(...rooms: string[]): Promise<User> {
    const user = new User();
    const connection = await transport.connect(`ws://127.0.0.1:${port}/ws?user=ann`, () => ({
      data: (chunk) => void user.heard.push(JSON.parse(String(chunk))),
      drain: () => {},
      close: () => {},
    }));
    user.send = (message) => void connection.send(JSON.stringify(message));
    await user.gets("welcome");
    for (const room of rooms) {
      user.send({ type: "join", room });
      await user.gets("joined", { room });
    }
    return user;
  }

  gets(type: string, fields: object = {}): Promise<unknown> {
    const wanted = Object.entries({ type, ...fields });
    return until(
      () => this.heard.find((message) => wanted.every(([key, value]) => message[key] === value)),
      type,
    );
  }
}

/** A room that a server owns. */
function roomOf(id: string): string {
  for (let n = 0;; n++) if (membership.placement.owner(`room-${n}`)?.id === id) return `room-${n}`;
}

describe("a move of a room can be seen:", () => {
  test("a failover, with its time, and what was sent again", async () => {
    const room = roomOf("c1");
    const ann = await User.enter(room);
    const [lost, next] = [chats.get("c1"), chats.get("c2")];
    const release = Promise.withResolvers<void>();
    lost?.on("message", () => release.promise);
    ann.send({ type: "message", room, body: "x", id: 1 });
    await until(
      () => lost?.metrics.get("toychat_messages_accepted_total") === 1,
      "the message to be accepted",
    );
    await lost?.stop({ drain: false });
    await ann.gets("moved", { room, lost: true });
    await ann.gets("ack", { id: 1 });
    release.resolve();

    expect(proxy.metrics.get("toychat_rooms_moved_total", { lost: "true" })).toBe(1);
    expect(proxy.metrics.histogram("toychat_room_move_seconds", { lost: "true" }).count).toBe(1);
    expect(proxy.metrics.get("toychat_messages_redelivered_total")).toBe(1);
    expect(next?.metrics.get("toychat_rooms_opened_total", { reason: "failover" })).toBe(1);
    expect(next?.metrics.histogram("toychat_room_opening_seconds", { reason: "failover" }).count).toBe(1);
    expect(events("messages_redelivered")).toEqual([{ redelivered: 1, lost: 0 }]);
    expect(events("link_reset")).toEqual([{ peer: "c1", reason: expect.any(String) }]);
    expect(events("room_moved")).toEqual([{ room, owner: "c2", lost: true, ms: expect.any(Number) }]);
  });

  test("a hand-off, on both servers, with its time", async () => {
    const room = roomOf("c1");
    const ann = await User.enter(room);
    const [old, next] = [chats.get("c1"), chats.get("c2")];
    expect(old?.readiness).toEqual({ status: "ready" });
    await old?.stop();
    expect(old?.readiness.status).toBe("draining");
    await ann.gets("moved", { room, lost: false });
    expect(old?.metrics.get("toychat_handoffs_total", { outcome: "taken" })).toBe(1);
    expect(old?.metrics.histogram("toychat_handoff_seconds").count).toBe(1);
    expect(old?.metrics.get("toychat_rooms_closed_total", { reason: "hand-off" })).toBe(1);
    expect(next?.metrics.get("toychat_rooms_opened_total", { reason: "hand-off" })).toBe(1);
    expect(proxy.metrics.get("toychat_rooms_moved_total", { lost: "false" })).toBe(1);
  });
});

test("refusals can be seen, with their reasons", async () => {
  const ann = await User.enter();
  ann.send({ type: "join", room: "a/+", id: 1 });
  await ann.gets("error", { id: 1 });
  for (let n = 0; n <= proxy.limits.maxRooms; n++) ann.send({ type: "join", room: `many-${n}`, id: 100 + n });
  await ann.gets("error", { code: "too_many_rooms" });
  expect(proxy.metrics.get("toychat_joins_refused_total", { reason: "too_many_rooms" })).toBe(1);
  expect(proxy.metrics.get("toychat_joins_refused_total", { reason: "invalid_room" })).toBe(1);
  expect(events("join_refused")).toMatchObject([
    { user: "ann", room: "a/+", reason: "invalid_room" },
    { user: "ann", reason: "too_many_rooms" },
  ]);
  ann.send({ type: "message", room: "$x", body: 1, id: 2 });
  ann.send({ type: "message", room: "x".repeat(600), body: 1, id: 3 });
  ann.send({ type: "message", room: "r", body: "z".repeat(300_000), id: 4 });
  await ann.gets("error", { id: 4 });
  const refused = (reason: string) =>
    proxy.metrics.get("toychat_websocket_publishes_refused_total", { reason });
  expect([refused("invalid_room"), refused("too_large")]).toEqual([2, 1]);
  expect(proxy.metrics.get("toychat_messages_too_large_total")).toBe(1);
});

test("failing and slow listeners can be seen; the acknowledgement's time as well", async () => {
  const room = roomOf("c1");
  const chat = chats.get("c1") as ChatServer;
  chat.on("message", async (_user, _room, body) => {
    await Promise.resolve();
    if (body === "bad") throw new Error("no such thing");
  });
  const ann = await User.enter(room);
  ann.send({ type: "message", room, body: "good", id: 1 });
  ann.send({ type: "message", room, body: "bad", id: 2 });
  await ann.gets("ack", { id: 1 });
  await ann.gets("error", { id: 2 });
  expect(chat.metrics.histogram("toychat_listener_seconds").count).toBe(2);
  expect(chat.metrics.get("toychat_listener_errors_total", { event: "message" })).toBe(1);
  expect(proxy.metrics.get("toychat_messages_failed_total", { reason: "listener_failed" })).toBe(1);
  expect(proxy.metrics.get("toychat_websocket_publishes_refused_total", { reason: "listener_failed" })).toBe(
    1,
  );
  expect(proxy.metrics.histogram("toychat_acknowledgement_seconds").count).toBe(1);
});

test("a proxy that drains says so, and goes on", async () => {
  const get = async (path: string): Promise<Response> =>
    await healthApp(proxy).fetch(new Request(`http://x${path}`), {} as never);
  expect([(await get("/healthz")).status, (await get("/readyz")).status]).toEqual([200, 200]);
  proxy.drain();
  expect((await get("/readyz")).status).toBe(503);
  await User.enter("lobby");
  expect(proxy.sessions).toBe(1);
  await proxy.stop();
  expect(await (await get("/readyz")).json()).toMatchObject({ status: "draining" });
  expect((await get("/other")).status).toBe(404);
});

test("a proxy that stops answers those who ask for its readiness until what its users sent is done", async () => {
  const room = roomOf("c1");
  const release = Promise.withResolvers<void>();
  chats.get("c1")?.on("message", () => release.promise);
  const ann = await User.enter(room);
  ann.send({ type: "message", room, body: "x", id: 1 });
  await until(
    () => chats.get("c1")?.metrics.get("toychat_messages_accepted_total") === 1,
    "it to be accepted",
  );
  const stopped = proxy.stop();
  const answer = await transport.fetch(new Request(`http://127.0.0.1:${port}/readyz`));
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ status: "draining" });
  release.resolve();
  await stopped;
  const gone = transport.fetch(new Request(`http://127.0.0.1:${port}/readyz`));
  expect(await gone.then(() => "answered", () => "refused")).toBe("refused");
});
