import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { notice, rpc, RpcBridge, SECRET } from "../../tests/support/rpc_bridge.ts";
import { BridgeMembership } from "../membership/bridge_client.ts";
import { bridgeToken } from "../membership/bridge_tokens.ts";
import type { Scope } from "../membership/rpc_scope.ts";
import { Bridge } from "./bridge.ts";

let world: RpcBridge;
beforeEach(() => {
  world = new RpcBridge();
});
afterEach(() => world.bridge.stop());

const METHODS: Readonly<Record<Scope, readonly string[]>> = {
  read: [
    "view.get",
    "view.subscribe",
    "view.unsubscribe",
    "members.list",
    "room.owner",
    "status",
    "event.get",
    "event.subscribe",
    "event.unsubscribe",
  ],
  member: [
    "cluster.register",
    "cluster.renew",
    "cluster.drain",
    "cluster.leave",
    "event.send",
    "query.send",
    "query.subscribe",
    "query.unsubscribe",
    "query.respond",
  ],
  admin: ["serf.members", "serf.join", "serf.forceLeave"],
};

describe("scopes:", () => {
  const order: readonly Scope[] = ["read", "member", "admin"];

  test("a token may call what its scope covers, and is told which one it lacks", async () => {
    await world.start();
    for (const needed of order) {
      for (const method of METHODS[needed]) {
        for (const held of order) {
          const { status, body } = await world.post(rpc(method), held);
          const lacks = order.indexOf(held) < order.indexOf(needed);
          const forbidden = { code: -32000, data: { code: "forbidden", scope: needed } };
          expect([method, held, status]).toEqual([method, held, lacks ? 403 : 200]);
          if (lacks) expect(body.error).toMatchObject(forbidden);
          else expect(JSON.stringify(body)).not.toContain("forbidden");
        }
      }
    }
    expect(world.metric("toychat_bridge_requests_refused_total", { reason: "forbidden" })).toBe(
      METHODS.member.length + 2 * METHODS.admin.length,
    );
  });

  test("to drain another member takes admin, and who lacks it is told so at once", async () => {
    await world.start();
    const lacks = (held: Scope) => ({
      code: -32000,
      message: expect.stringContaining(
        `cluster.drain {id} needs the scope "admin", and the caller has "${held}"`,
      ),
      data: { code: "forbidden", scope: "admin" },
    });
    for (const held of ["read", "member"] as const) {
      for (const id of ["chat-1", 5, null]) {
        const { status, body } = await world.post(rpc("cluster.drain", { id }), held);
        expect([held, status, body.error]).toEqual([held, 403, lacks(held)]);
      }
      const client = await world.open(held);
      expect(await client.ask(rpc("cluster.drain", { id: "chat-1" }))).toMatchObject({ error: lacks(held) });
    }
    const { body } = await world.post(rpc("cluster.drain"), "read");
    expect(body.error?.data).toEqual({ code: "forbidden", scope: "member" });
    expect((await world.post(rpc("cluster.drain", { id: "chat-1" }), "admin")).body.error?.data).toEqual({
      code: "unknown_member",
    });
  });

  test("a batch is answered one by one, and 200", async () => {
    await world.start();
    const { status, body } = await world.post([
      rpc("serf.members"),
      rpc("status", {}, 2),
      notice("serf.join"),
    ]);
    expect(status).toBe(200);
    expect(body).toMatchObject([{ error: { data: { code: "forbidden" } } }, {
      result: { cluster: "toychat" },
    }]);
    expect(world.agent.calls).toEqual([]);
  });

  test("a WebSocket has the scope of the token that it shows, and may show a higher one", async () => {
    await world.start();
    const client = await world.open("read");
    expect(await client.ask(rpc("event.send", { name: "x" }))).toMatchObject({
      error: { data: { code: "forbidden", scope: "member" } },
    });
    const token = bridgeToken(SECRET, "member");
    expect(await client.ask(rpc("auth.token", { token }))).toMatchObject({ result: { scope: "member" } });
    expect(await client.ask(rpc("event.send", { name: "x" }))).toMatchObject({ result: { name: "x" } });
    const lower = bridgeToken(SECRET, "read");
    expect(await client.ask(rpc("auth.token", { token: lower }))).toMatchObject({
      result: { scope: "member" },
    });
  });

  test("a wrong token, and one for another cluster, end a WebSocket with words", async () => {
    await world.start();
    const token = bridgeToken(SECRET, "read");
    const wrong: [object, string][] = [
      [{ token: "0".repeat(64) }, "wrong_token"],
      [{}, "wrong_token"],
      [{ token, cluster: "other" }, "wrong_cluster"],
    ];
    for (const [params, code] of wrong) {
      const client = await world.open();
      expect(await client.ask(rpc("auth.token", params))).toMatchObject({ error: { data: { code } } });
      await world.clock.until(() => client.closed !== undefined);
      expect(client.closed?.code).toBe(1008);
    }
  });

  test("the request that opens a WebSocket may show the token; a wrong one does not open it", async () => {
    await world.start();
    const wrong = { authorization: `Bearer ${"0".repeat(64)}`, upgrade: "websocket" };
    const refused = await world.ask({ headers: wrong });
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
      401,
      'Bearer realm="toychat"',
    ]);
  });

  test("a bridge with tokens and no secret lets nobody in without one", async () => {
    const tokens = { member: "a-member-of-long-standing" };
    await world.start({ secret: undefined, tokens });
    const { transport, clock, bridge: { url } } = world;
    const member = new BridgeMembership({ transport, clock, url, token: tokens.member });
    await world.finish(member.join({ id: "chat-1", role: "chat", address: "127.0.0.1:7001" }));
    expect(world.bridge.view.members.map(({ id }) => id)).toEqual(["chat-1"]);
    const stranger = new BridgeMembership({ transport, clock, url });
    await expect(world.finish(stranger.open())).rejects.toMatchObject({
      code: "bridge_refused",
      message:
        `the bridge at ${url} has no secret and demands a token: give one that it knows by --token-file ` +
        "or TOYCHAT_TOKEN",
    });
    const proving = new BridgeMembership({ transport, clock, url, secret: SECRET });
    await expect(world.finish(proving.open())).rejects.toMatchObject({
      code: "bridge_refused",
      message: expect.stringMatching(/has no secret .* the secret that this process has, or .*--token-file/),
    });
    const liar = new BridgeMembership({
      transport,
      clock,
      url,
      token: "a-member-of-no-standing",
    });
    await expect(world.finish(liar.open())).rejects.toMatchObject({ code: "bridge_refused" });
    const posted = await world.ask({ method: "POST" });
    expect([posted.status, await posted.text()]).toEqual([401, expect.not.stringContaining("toychat token")]);
    await world.finish(member.close());
  });

  test("the answer to the challenge says what the bridge takes", async () => {
    const challenge = rpc("auth.challenge", { nonce: "0".repeat(32), cluster: "toychat" });
    const tokens = { read: "a-reader-of-long-standing" };
    const cases = [
      [{}, { required: true, takes: ["secret", "token"] }],
      [{ tokens }, { required: true, takes: ["secret", "token"] }],
      [{ secret: undefined, tokens }, { required: true, takes: ["token"] }],
      [{ secret: undefined }, { required: false }],
    ] as const;
    for (const [options, says] of cases) {
      await world.start(options);
      const client = await world.open();
      const { result } = await client.ask(challenge) as { result: { takes?: string[] } };
      expect(result).toMatchObject(says);
      expect("takes" in result).toBe("takes" in says);
      await world.bridge.stop();
    }
  });

  test("a bridge with tokens may listen beyond loopback", async () => {
    await world.start();
    const { transport, clock } = world;
    const tokens = { read: "a-reader-of-long-standing" };
    const open = new Bridge({ transport, clock, listen: { host: "0.0.0.0", port: 7375 }, tokens });
    await open.start();
    expect(open.address).toBe("0.0.0.0:7375");
    await open.stop();
    const broken = { transport, clock, tokens: { read: "short" } };
    expect(() => new Bridge(broken)).toThrow(/16 to 512/);
  });
});

describe("HTTP:", () => {
  const headers = {
    authorization: `Bearer ${bridgeToken(SECRET, "read")}`,
    "content-type": "application/json",
  };

  test("other methods, other types and too much are refused in JSON-RPC's form", async () => {
    await world.start();
    for (const method of ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]) {
      const answer = await world.ask({ method, headers });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, POST"]);
    }
    const types = ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""];
    for (const type of types) {
      const answer = await world.ask({
        method: "POST",
        body: "{}",
        headers: { ...headers, "content-type": type },
      });
      expect(answer.status).toBe(415);
      expect(await answer.json()).toMatchObject({
        id: null,
        error: { data: { code: "wrong_content_type" } },
      });
    }
    const body = JSON.stringify(rpc("status"));
    for (const type of ["Application/JSON; charset=utf-8", "application/json-rpc"]) {
      const answer = await world.ask({ method: "POST", body, headers: { ...headers, "content-type": type } });
      expect(answer.status).toBe(200);
    }
    const long = await world.ask({ method: "POST", body: "x".repeat(70_000), headers });
    expect([long.status, await long.json()]).toMatchObject([413, { error: { data: { code: "too_large" } } }]);
  });

  test("what was not understood is 400, what was and failed 200, notifications 204", async () => {
    await world.start();
    const cases: [unknown, number, number | undefined][] = [
      ["{", 400, -32700],
      ["", 400, -32700],
      ["[]", 400, -32600],
      ["5", 400, -32600],
      [Array.from({ length: 17 }, () => rpc("status")), 400, -32600],
      [rpc("no.such"), 200, -32601],
      [rpc("__proto__"), 200, -32601],
      [rpc("room.owner"), 200, -32602],
      [notice("status"), 204, undefined],
      [[notice("status"), notice("no.such")], 204, undefined],
    ];
    for (const [body, status, code] of cases) {
      const answer = await world.post(body);
      expect([body, answer.status, answer.body.error?.code]).toEqual([body, status, code]);
    }
    expect((await world.post([[rpc("status")], rpc("status")])).body).toMatchObject([
      { id: null, error: { code: -32600 } },
      { id: 1, result: {} },
    ]);
    expect(world.metric("toychat_bridge_requests_total", { method: "unknown" })).toBe(3);
  });

  test("how many requests a batch may have can be set", async () => {
    await world.start({ limits: { maxBatch: 2 } });
    const batch = (n: number) => Array.from({ length: n }, () => rpc("status"));
    expect((await world.post(batch(2))).status).toBe(200);
    expect((await world.post(batch(3))).body.error?.message).toBe("a batch has 1 to 2 requests, not 3");
  });
});

describe("waiting for a change", () => {
  test("since a revision ends with the next one, or at once where there is another one", async () => {
    await world.start();
    const { bridge: life, revision } = await world.result("read", "view.get");
    const before = world.clock.now();
    const waiting = world.posting(rpc("view.get", { since: { bridge: life, revision }, waitMs: 20_000 }));
    await world.waits(1);
    await world.joined("chat-1");
    const { body } = await world.finish(waiting);
    expect(body.result).toMatchObject({ view: { members: [{ id: "chat-1" }] } });
    expect(body.result?.revision as number).toBeGreaterThan(revision as number);
    for (
      const since of [{ bridge: life, revision }, { bridge: "another", revision: body.result?.revision }]
    ) {
      expect(await world.result("read", "view.get", { since, waitMs: 20_000 })).toEqual(body.result ?? {});
    }
    expect(world.clock.now() - before).toBeLessThan(1000);
    await world.waits(0);
  });

  test("ends when the bridge has settled, for who has a view that was not", async () => {
    await world.start();
    const { digest, settling } = await world.result("read", "view.get");
    expect(settling).toBe(true);
    const before = world.clock.now();
    const settled = await world.result("read", "view.get", { known: digest, settling, waitMs: 20_000 });
    expect(settled.settling).toBe(false);
    expect(world.clock.now() - before).toBeLessThan(3000);
  });

  test("is for so many at a time, and for none whose caller has gone", async () => {
    await world.start({ limits: { maxWaiters: 2 } });
    const { digest } = world.bridge.view;
    const waiting = rpc("view.get", { known: digest, waitMs: 20_000 });
    const client = await world.open("read");
    client.send(waiting);
    client.send(waiting);
    await world.waits(2);
    expect((await world.post(waiting)).body.error?.data).toEqual({ code: "too_many_waiters" });
    expect(world.metric("toychat_bridge_requests_refused_total", { reason: "too_many_waiters" })).toBe(
      1,
    );
    client.connection.terminate();
    await world.waits(0);
  });

  test("is for so many of one connection", async () => {
    await world.start({ limits: { maxCalls: 3 } });
    const client = await world.open("read");
    const waiting = (id: number) => rpc("view.get", { known: world.bridge.view.digest, waitMs: 500 }, id);
    for (const id of [1, 2, 3, 4]) client.send(waiting(id));
    await world.clock.until(() => client.received.length === 2);
    expect(client.received[1]).toMatchObject({ id: 4, error: { data: { code: "too_many_calls" } } });
    await world.clock.until(() => client.received.length === 5);
    expect(await client.ask(waiting(5))).toMatchObject({ id: 5, result: {} });
  });

  test("every result names the bridge's life, the digest and the revision", async () => {
    await world.start();
    await world.joined("chat-1");
    const { digest, revision } = world.bridge.view;
    const identity = { bridge: expect.stringMatching(/^[a-z0-9]{12}$/), digest, revision };
    const answers = ["view.get", "members.list", "status", "event.get"].map((method) =>
      world.result("read", method)
    );
    for (const answer of answers) expect(await answer).toMatchObject(identity);
    expect(await world.result("read", "room.owner", { room: "r" })).toMatchObject(identity);
    expect(await world.result("member", "event.send", { name: "x" })).toMatchObject(identity);
  });
});

test("without an agent there are none, and that is said", async () => {
  await world.start({ agent: undefined });
  const client = await world.open("admin");
  const params = { name: "x", id: 1, addresses: ["x"] };
  const all = [...METHODS.read, ...METHODS.member, ...METHODS.admin].filter((name) =>
    /^(event|query|serf)/.test(name)
  );
  for (const method of all) {
    const answer = await client.ask(rpc(method, params));
    expect([method, answer]).toMatchObject([method, { error: { data: { code: "no_agent" } } }]);
  }
  expect(await world.result("read", "status")).toMatchObject({
    agent: null,
    onPartition: null,
    sealed: false,
  });
});
