import { beforeEach, describe, expect, test } from "bun:test";
import { TurnClock } from "../../tests/support/turn_clock.ts";
import { bunTransport } from "../../transports/bun.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import type { CloseReason, Connection } from "../lib/transport.ts";
import { BridgeAuth } from "../membership/bridge_auth.ts";
import { bridgeToken } from "../membership/bridge_tokens.ts";
import { BridgeMembership } from "../membership/bridge_client.ts";
import { Bridge, type BridgeOptions } from "./bridge.ts";

let clock: TurnClock;
let transport: MemoryTransport;
let bridge: Bridge;

beforeEach(() => {
  clock = new TurnClock();
  transport = memoryTransport({ clock });
});

async function start(options: Partial<BridgeOptions> = {}): Promise<void> {
  bridge = new Bridge({ transport, clock, listen: { port: 7374 }, ...options });
  await bridge.start();
}

async function finish<T>(work: Promise<T>): Promise<T> {
  let settled = false;
  const done = (): boolean => settled = true;
  work.then(done, done);
  await clock.until(() => settled);
  return await work;
}

function request(body: unknown, headers: Record<string, string> = {}, path = "/rpc"): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return finish(
    transport.fetch(
      new Request(`http://127.0.0.1:7374${path}`, {
        method: "POST",
        body: text,
        headers: { "content-type": "application/json", ...headers },
      }),
    ),
  );
}

const rpc = (method: string, params: object = {}, id = 1): object => ({ jsonrpc: "2.0", id, method, params });

/** A client that speaks by hand. */
class RawClient {
  readonly received: Record<string, unknown>[] = [];
  closed: CloseReason | undefined;
  connection!: Connection;

  static async open(): Promise<RawClient> {
    const client = new RawClient();
    client.connection = await finish(transport.connect(bridge.url, () => ({
      data: (chunk) => client.received.push(JSON.parse(chunk as string)),
      drain: () => {},
      close: (reason) => client.closed = reason,
    })));
    return client;
  }

  async ask(message: unknown): Promise<Record<string, unknown>> {
    const count = this.received.length;
    this.connection.send(typeof message === "string" ? message : JSON.stringify(message));
    await clock.until(() => this.received.length > count);
    return this.received[count] as Record<string, unknown>;
  }
}

const NONCE = "00112233445566778899aabbccddeeff";
const challenge = rpc("auth.challenge", { nonce: NONCE, cluster: "toychat" });

const MEMBER = { id: "a", role: "chat", address: "h:1", incarnation: "1" };

async function joined(id: string): Promise<BridgeMembership> {
  const membership = new BridgeMembership({ transport, clock, url: bridge.url });
  await finish(membership.join({ id, role: "chat", address: "127.0.0.1:7001" }));
  return membership;
}

describe("reading by POST", () => {
  test("gives the view and the owner of a room", async () => {
    await start();
    await joined("chat-1");
    const response = await request([rpc("view.get"), rpc("room.owner", { room: "lobby" }, 2)]);
    expect(response.headers.get("content-type")).toBe("application/json");
    const { digest, revision } = bridge.view;
    expect(await response.json()).toMatchObject([
      {
        id: 1,
        result: { view: { digest, slots: 1, members: [{ id: "chat-1", state: "alive" }] }, settling: true },
      },
      {
        id: 2,
        result: {
          room: "lobby",
          owner: { id: "chat-1", address: "127.0.0.1:7001", slot: 0 },
          digest,
          revision,
        },
      },
    ]);
  });

  test("says that nobody owns a room where no ChatServer is alive", async () => {
    await start();
    const response = await request(rpc("room.owner", { room: "lobby" }));
    expect(await response.json()).toMatchObject({ result: { owner: null } });
  });

  test("waits for the next view where it is asked to, and no longer than asked", async () => {
    await start();
    const { digest } = bridge.view;
    const before = clock.now();
    const same = await (await request(rpc("view.get", { known: digest, waitMs: 5000 }))).json();
    expect(same).toMatchObject({ result: { view: { digest } } });
    expect(clock.now() - before).toBeGreaterThanOrEqual(5000);
    const waiting = request(rpc("view.get", { known: digest, waitMs: 20_000 }));
    const asked = clock.now();
    await joined("chat-1");
    expect(await (await waiting).json()).toMatchObject({ result: { view: { members: [{ id: "chat-1" }] } } });
    expect(clock.now() - asked).toBeLessThan(1000);
  });

  test("takes no member: a lease needs a connection", async () => {
    await start();
    for (
      const method of [
        "cluster.register",
        "cluster.renew",
        "cluster.drain",
        "cluster.leave",
        "view.subscribe",
      ]
    ) {
      expect(await (await request(rpc(method))).json()).toMatchObject({
        error: { data: { code: "needs_websocket" } },
      });
    }
  });

  test("answers what is wrong as JSON-RPC says", async () => {
    await start();
    expect(await (await request("{")).json()).toMatchObject({ error: { code: -32700 } });
    expect(await (await request(rpc("no.such"))).json()).toMatchObject({ error: { code: -32601 } });
    expect(await (await request(rpc("room.owner", { room: 5 }))).json()).toMatchObject({
      error: { code: -32602 },
    });
    expect(await (await request(rpc("view.get", { known: "x", waitMs: 1e9 }))).json())
      .toMatchObject({ error: { code: -32602 } });
    expect((await request({ jsonrpc: "2.0", method: "view.get" })).status).toBe(204);
  });

  test("needs the token of the secret", async () => {
    await start({ secret: "s3cret" });
    const wrong = bridgeToken("other", "read");
    expect((await request(rpc("view.get"))).status).toBe(401);
    expect((await request(rpc("view.get"), { authorization: `Bearer ${wrong}` })).status).toBe(401);
    expect((await request(rpc("view.get"), { authorization: "Bearer s3cret" })).status).toBe(401);
    const token = bridgeToken("s3cret", "read");
    expect((await request(rpc("view.get"), { authorization: `Bearer ${token}` })).status).toBe(200);
  });

  test("refuses pages in browsers, bodies that are too long, and other paths", async () => {
    await start({ origins: ["https://admin.example"] });
    expect((await request(rpc("view.get"), { origin: "http://evil.example" })).status).toBe(403);
    expect((await request(rpc("view.get"), { origin: "https://admin.example" })).status).toBe(200);
    expect((await request("x".repeat(70_000))).status).toBe(413);
    expect((await request(rpc("view.get"), {}, "/other")).status).toBe(404);
    const get = (path: string) => finish(transport.fetch(new Request(`http://127.0.0.1:7374${path}`)));
    expect((await get("/rpc")).status).toBe(426);
    expect(await (await get("/healthz")).json()).toEqual({ status: "ok" });
  });
});

test("a page of an allowed origin may post and read the answers, another one is not even told so", async () => {
  await start({ origins: ["https://admin.example"] });
  const ask = (method: string, origin: string) =>
    finish(transport.fetch(
      new Request("http://127.0.0.1:7374/rpc", {
        method,
        headers: { origin, "access-control-request-method": "POST", "content-type": "application/json" },
        ...(method === "POST" ? { body: JSON.stringify(rpc("status")) } : {}),
      }),
    ));
  const [before, answer] = [
    await ask("OPTIONS", "https://admin.example"),
    await ask("POST", "https://admin.example"),
  ];
  expect([before.status, answer.status]).toEqual([204, 200]);
  expect(before.headers.get("access-control-allow-headers")).toBe("authorization, content-type");
  for (const { headers } of [before, answer]) {
    expect(headers.get("access-control-allow-origin")).toBe("https://admin.example");
  }
  for (const method of ["OPTIONS", "POST"]) {
    const refused = await ask(method, "https://evil.example");
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  }
});

describe("a connection", () => {
  test("must begin with the challenge, else it is ended", async () => {
    await start();
    const client = await RawClient.open();
    expect(await client.ask(rpc("view.get"))).toMatchObject({ error: { data: { code: "unauthorized" } } });
    await clock.until(() => client.closed !== undefined);
    expect(client.closed?.code).toBe(1008);
  });

  test("that does not prove the secret learns nothing, whatever it sends along", async () => {
    await start({ secret: "s3cret" });
    const client = await RawClient.open();
    const proof = rpc("auth.prove", { proof: "00".repeat(32) }, 2);
    const answers = await client.ask(JSON.stringify([challenge, proof, rpc("view.get", {}, 3)]));
    expect(answers).toMatchObject([
      { result: { required: true, cluster: "toychat" } },
      { error: { data: { code: "wrong_secret" } } },
      { error: { data: { code: "connection_ended" } } },
    ]);
    await clock.until(() => client.closed !== undefined);
  });

  test("cannot use the bridge's own proof as its own", async () => {
    await start({ secret: "s3cret" });
    const client = await RawClient.open();
    const { result } = await client.ask(challenge) as { result: { nonce: string; bridge: string } };
    const facts = {
      cluster: "toychat",
      bridge: result.bridge,
      memberNonce: NONCE,
      bridgeNonce: result.nonce,
    };
    const auth = new BridgeAuth("s3cret");
    const answer = await client.ask(rpc("auth.prove", { proof: auth.prove("bridge", facts) }, 2));
    expect(answer).toMatchObject({ error: { data: { code: "wrong_secret" } } });
    const other = await RawClient.open();
    const again = await other.ask(challenge) as { result: { nonce: string } };
    expect(again.result.nonce).not.toBe(result.nonce);
    const proof = auth.prove("member", { ...facts, bridgeNonce: again.result.nonce });
    expect(await other.ask(rpc("auth.prove", { proof }, 2)))
      .toMatchObject({
        result: { proof: auth.prove("bridge", { ...facts, bridgeNonce: again.result.nonce }) },
      });
  });

  test("that says nothing is ended after 5 s, and that proves nothing is told so", async () => {
    await start({ secret: "s3cret" });
    const [mute, slow] = [await RawClient.open(), await RawClient.open()];
    await clock.run(4500);
    await slow.ask(challenge);
    await clock.until(() => mute.closed !== undefined && slow.closed !== undefined, 800);
    const told: CloseReason = { kind: "peer", code: 1008, message: "nothing was proved in time" };
    expect([mute.closed, slow.closed]).toEqual([told, told]);
    expect(bridge.metrics.get("toychat_bridge_refusals_total", { reason: "unproved_timeout" })).toBe(2);
  });

  test("whose member says nothing for 3 s is told so", async () => {
    await start();
    const client = await RawClient.open();
    await client.ask(challenge);
    await client.ask(rpc("cluster.register", { ...MEMBER, slot: 0 }, 2));
    const heard = clock.now();
    await clock.until(() => bridge.view.members.length === 0, 3300);
    expect(clock.now() - heard).toBeGreaterThanOrEqual(3000);
    await clock.until(() => client.closed !== undefined, 50);
    expect(client.closed).toMatchObject({ kind: "peer", code: 4408 });
  });

  test("without a member may be silent for 60 s, and is told so then", async () => {
    await start();
    const client = await RawClient.open();
    await client.ask(challenge);
    await clock.run(59_500);
    expect(client.closed).toBeUndefined();
    await clock.until(() => client.closed !== undefined, 1000);
    expect(client.closed).toMatchObject({ kind: "peer", code: 4408 });
  });

  test("that has not proven the secret makes place for a newer one, and members keep theirs", async () => {
    await start({ secret: "sesame", limits: { maxConnections: 3, maxUnproved: 2 } });
    const member = new BridgeMembership({ transport, clock, url: bridge.url, secret: "sesame" });
    await finish(member.open());
    const [one, two] = [await RawClient.open(), await RawClient.open()];
    const three = await RawClient.open();
    await clock.until(() => one.closed !== undefined);
    expect([two.closed, three.closed]).toEqual([undefined, undefined]);
    const other = new BridgeMembership({ transport, clock, url: bridge.url, secret: "sesame" });
    await finish(other.open());
    expect(two.closed).toBeDefined();
    expect(bridge.metrics.get("toychat_bridge_unproved_evicted_total")).toBe(2);
    const more = new BridgeMembership({ transport, clock, url: bridge.url, secret: "sesame" });
    await finish(more.open());
    const upgrade = new Request("http://127.0.0.1:7374/rpc");
    expect((await finish(transport.fetch(upgrade))).status).toBe(503);
    expect(bridge.metrics.get("toychat_bridge_connections_refused_total")).toBe(1);
    await Promise.all([member, other, more].map((open) => finish(open.close())));
  });

  test("that sends bytes, or too much before the proof, is ended", async () => {
    await start();
    const [bytes, long] = [await RawClient.open(), await RawClient.open()];
    bytes.connection.send(new Uint8Array(3));
    long.connection.send(`"${"x".repeat(5000)}"`);
    await clock.until(() => bytes.closed !== undefined && long.closed !== undefined, 100);
    expect([bytes.closed?.code, long.closed?.code]).toEqual([1003, 1009]);
  });

  test("carries one member, and only with sound numbers", async () => {
    await start();
    const client = await RawClient.open();
    await client.ask(challenge);
    await clock.run(500);
    const member = { id: "a", role: "chat", address: "h:1", incarnation: "1" };
    const register = (params: object) => client.ask(rpc("cluster.register", { ...member, ...params }));
    expect(await register({ slots: 1e9 })).toMatchObject({ error: { data: { code: "invalid_slots" } } });
    expect(await register({ slot: null })).toMatchObject({ error: { data: { code: "invalid_slot" } } });
    expect(await register({ slot: "0" })).toMatchObject({ error: { data: { code: "invalid_slot" } } });
    expect(await register({ incarnation: {} })).toMatchObject({
      error: { data: { code: "invalid_incarnation" } },
    });
    expect(await client.ask(rpc("cluster.drain"))).toMatchObject({
      error: { data: { code: "not_registered" } },
    });
    expect(bridge.view.members).toEqual([]);
    expect(await register({})).toMatchObject({ result: { id: "a", slot: 0, lease: { expireMs: 3000 } } });
    expect(await register({ id: "b" })).toMatchObject({ error: { data: { code: "already_registered" } } });
    expect(bridge.view.members.map((m) => m.id)).toEqual(["a"]);
  });

  test("takes over its member from an earlier connection, which is ended", async () => {
    await start();
    const [first, second] = [await RawClient.open(), await RawClient.open()];
    const register = rpc("cluster.register", {
      id: "a",
      role: "chat",
      address: "h:1",
      incarnation: "1",
      slot: 0,
    });
    for (const client of [first, second]) {
      await client.ask(challenge);
      expect(await client.ask(register)).toMatchObject({ result: { slot: 0 } });
    }
    await clock.until(() => first.closed !== undefined);
    await clock.run(100);
    expect(bridge.view.members.map((m) => m.id)).toEqual(["a"]);
    second.connection.terminate();
    await clock.until(() => bridge.view.members.length === 0, 10);
  });

  test("that subscribed is told of every new view", async () => {
    await start();
    const client = await RawClient.open();
    await client.ask(challenge);
    expect(await client.ask(rpc("view.subscribe"))).toMatchObject({ result: { view: { members: [] } } });
    const membership = await joined("chat-1");
    await clock.until(() => client.received.length >= 3);
    expect(client.received.at(-1)).toMatchObject({
      method: "view.changed",
      params: { view: { digest: membership.view.digest } },
    });
    expect(client.received.at(-1)).not.toHaveProperty("id");
  });
});

describe("starting", () => {
  test("beyond loopback without a secret is refused", async () => {
    const open = new Bridge({ transport, clock, listen: { host: "0.0.0.0", port: 7374 } });
    await expect(open.start()).rejects.toMatchObject({ code: "secret_required" });
    await start({ listen: { host: "0.0.0.0", port: 7374 }, secret: "s" });
    expect(bridge.address).toBe("0.0.0.0:7374");
  });

  test("on a port that is taken says so", async () => {
    await start();
    const second = new Bridge({ transport, clock, listen: { port: 7374 } });
    await expect(second.start()).rejects.toMatchObject({ code: "address_in_use" });
  });

  test("stopping frees the port and ends what waits", async () => {
    await start();
    const waiting = request(rpc("view.get", { known: bridge.view.digest, waitMs: 20_000 }));
    await clock.run(10);
    await bridge.stop();
    expect((await waiting).status).toBe(200);
    expect(transport.count().listeners).toBe(0);
    await start();
  });
});

test("over real sockets: members join, see each other, die and are withdrawn", async () => {
  const real = bunTransport();
  const server = new Bridge({ transport: real, listen: { port: 0 }, secret: "s3cret" });
  await server.start();
  const make = () => new BridgeMembership({ transport: real, url: server.url, secret: "s3cret" });
  const [first, second] = [make(), make()];
  const seen = new Promise<void>((resolve) => {
    first.onView((view) => view.members.length === 2 && resolve());
  });
  await first.join({ id: "chat-1", role: "chat", address: "127.0.0.1:7001" });
  const lease = await second.join({ id: "chat-2", role: "chat", address: "127.0.0.1:7002" });
  await seen;
  expect([lease.slot, lease.held()]).toEqual([1, true]);
  const gone = new Promise<void>((resolve) => {
    first.onView((view) => view.members.length === 1 && resolve());
  });
  await second.close();
  await gone;
  await first.close();
  await server.stop();
});
