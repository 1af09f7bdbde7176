import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rpc, RpcBridge } from "../../tests/support/rpc_bridge.ts";
import { ToychatError } from "../lib/errors.ts";

const RPC_KEY = "the-rpc-key-of-the-agent";

let world: RpcBridge;
beforeEach(() => {
  world = new RpcBridge();
});
afterEach(() => world.bridge.stop());

describe("events and queries:", () => {
  test("a subscriber gets the events whose names begin so, each once, and none of toychat's own", async () => {
    await world.start();
    const client = await world.open("read");
    await client.ask(rpc("event.subscribe", { prefix: "deploy" }));
    await client.ask(rpc("event.subscribe", { prefix: "dep" }));
    for (const name of ["deploy:1", "other", "tc", "tc-live", "_serf_x", "depot"]) {
      world.agent.event(name, "ü");
    }
    await world.clock.until(() => client.told("event").length >= 2);
    expect(client.told("event")).toEqual([
      { number: 1, name: "deploy:1", payload: "ü" },
      { number: 3, name: "depot", payload: "ü" },
    ]);
    await client.ask(rpc("event.unsubscribe", { prefix: "dep" }));
    world.agent.event("depot");
    world.agent.event("deploy:2");
    await world.clock.until(() => client.told("event").length >= 3);
    expect(client.told("event")[2]).toMatchObject({ number: 5, name: "deploy:2" });
  });

  test("by long-poll none is missed, and what is lost is said", async () => {
    await world.start({ limits: { maxEvents: 4 } });
    const first = await world.result("read", "event.get");
    expect(first).toMatchObject({ events: [], number: 0, lost: false });
    const since = (number: unknown) => ({ since: { bridge: first.bridge, number }, waitMs: 20_000 });
    const waiting = world.posting(rpc("event.get", { ...since(0), prefix: "b" }));
    await world.waits(1);
    world.agent.event("a");
    world.agent.event("b");
    expect((await world.finish(waiting)).body.result).toMatchObject({
      events: [{ number: 2, name: "b" }],
      number: 2,
      lost: false,
    });
    for (const name of ["c", "d", "e"]) world.agent.event(name);
    expect(await world.result("read", "event.get", since(2))).toMatchObject({
      events: [{ name: "c" }, { name: "d" }, { name: "e" }],
      number: 5,
      lost: false,
    });
    world.agent.event("f");
    expect(await world.result("read", "event.get", since(1))).toMatchObject({ lost: true, number: 6 });
    for (const other of [{ since: { bridge: "another", number: 6 } }, since(99)]) {
      const all = await world.result("read", "event.get", other);
      expect(all).toMatchObject({ lost: true, number: 6 });
      expect((all.events as { name: string }[]).map(({ name }) => name)).toEqual(["c", "d", "e", "f"]);
    }
  });

  test("an event is sent with its payload, and refused where it is toychat's own or too large", async () => {
    await world.start();
    await world.result("member", "event.send", { name: "x", payload: "/wA=", encoding: "base64" });
    await world.result("member", "event.send", { name: "y" });
    expect(world.agent.calls).toEqual([
      ["userEvent", "x", new Uint8Array([255, 0])],
      ["userEvent", "y", new Uint8Array()],
    ]);
    const wrong: [object, unknown][] = [
      [{ name: "tc-live" }, { data: { code: "reserved_name" } }],
      [{ name: "_serf_ping" }, { data: { code: "reserved_name" } }],
      [{ name: "x", payload: "ü".repeat(224) }, { data: { code: "payload_too_large" } }],
      [{ name: "a b" }, { code: -32602 }],
      [{ name: "x".repeat(65) }, { code: -32602 }],
      [{ name: "x", payload: 5 }, { code: -32602 }],
      [{ name: "x", payload: "%", encoding: "base64" }, { code: -32602 }],
      [{ name: "x", payload: "x", encoding: "hex" }, { code: -32602 }],
    ];
    for (const [params, error] of wrong) {
      expect((await world.post(rpc("event.send", params), "member")).body.error).toMatchObject(
        error as object,
      );
    }
    expect(world.agent.calls.length).toBe(2);
  });

  test("a query is asked, and its answers come back", async () => {
    await world.start();
    const answers = [{ from: "host-b", payload: new Uint8Array([0x31]) }];
    world.agent.answer = () => Promise.resolve({ acks: ["host-a", "host-b"], answers });
    const params = { name: "load", payload: "?", timeoutMs: 250, agents: ["host-b"] };
    expect(await world.result("member", "query.send", params)).toMatchObject({
      acks: ["host-a", "host-b"],
      answers: [{ from: "host-b", payload: "1" }],
    });
    const payload = new Uint8Array([0x3f]);
    expect(world.agent.calls).toEqual([["query", {
      name: "load",
      payload,
      timeoutMs: 250,
      agents: ["host-b"],
    }]]);
    for (const bad of [{ timeoutMs: 0 }, { timeoutMs: "1" }, { agents: [] }, { agents: [5] }]) {
      const { body } = await world.post(rpc("query.send", { name: "load", ...bad }), "member");
      expect(body.error?.code).toBe(-32602);
    }
  });

  test("a query is answered once, in its time, by who subscribed", async () => {
    await world.start();
    const [one, two] = [await world.open("member"), await world.open("member")];
    for (const client of [one, two]) await client.ask(rpc("query.subscribe", { prefix: "load" }));
    for (const [id, name] of [[7, "load"], [8, "tc-live"], [9, "other"]] as const) world.agent.ask(id, name);
    await world.clock.until(() => one.told("query").length > 0 && two.told("query").length > 0);
    expect(one.told("query")).toEqual([{ id: 7, name: "load", payload: "", timeoutMs: 1000 }]);
    expect(await one.ask(rpc("query.respond", { id: 7, payload: "0.5" }))).toMatchObject({ result: {} });
    for (const id of [7, 8, 9]) {
      expect(await two.ask(rpc("query.respond", { id }))).toMatchObject({
        error: { data: { code: "query_over" } },
      });
    }
    world.agent.ask(10, "load");
    await world.clock.run(1100);
    expect(await one.ask(rpc("query.respond", { id: 10 }))).toMatchObject({ error: {} });
    expect(world.agent.calls).toEqual([["respond", 7, new TextEncoder().encode("0.5")]]);
  });

  test("one connection subscribes to so many prefixes", async () => {
    await world.start({ limits: { maxSubscriptions: 2 } });
    const client = await world.open("member");
    for (const method of ["event.subscribe", "query.subscribe"]) {
      for (const prefix of ["a", "b", "a"]) {
        expect(await client.ask(rpc(method, { prefix }))).toMatchObject({ result: {} });
      }
      expect(await client.ask(rpc(method, { prefix: "c" }))).toMatchObject({
        error: { data: { code: "too_many_subscriptions" } },
      });
    }
  });
});

describe("operators", () => {
  test("see how the bridge stands", async () => {
    await world.start();
    await world.joined("chat-1");
    expect(await world.result("read", "status")).toMatchObject({
      cluster: "toychat",
      members: 1,
      slots: 1,
      settling: true,
      agent: { connected: true, name: "host-a" },
      onPartition: "seal",
      sealed: false,
    });
  });

  test("ask a member to drain, which is told, and only that one", async () => {
    await world.start();
    const [one, two] = [await world.joined("chat-1"), await world.joined("chat-2")];
    const asked: string[] = [];
    for (const member of [one, two]) member.onDrain((id) => asked.push(id));
    const { incarnation } = world.bridge.view.members[0] ?? {};
    expect(await world.result("admin", "cluster.drain", { id: "chat-1" })).toMatchObject({
      id: "chat-1",
      incarnation,
    });
    await world.clock.until(() => asked.length > 0);
    expect(asked).toEqual(["chat-1"]);
    const none = await world.post(rpc("cluster.drain", { id: "chat-9" }), "admin");
    expect(none.body.error).toMatchObject({ data: { code: "unknown_member" } });
    expect((await world.post(rpc("cluster.drain", { id: "chat-1" }), "member")).status).toBe(403);
    expect(world.logged).toContain("member_drain_asked");
  });

  test("have the agent join others and give one up", async () => {
    await world.start();
    world.agent.answer = () => Promise.resolve(2);
    expect(await world.result("admin", "serf.join", { addresses: ["10.0.0.2", "10.0.0.3:7946"] }))
      .toMatchObject({
        joined: 2,
      });
    expect(await world.result("admin", "serf.forceLeave", { name: "host-b" })).toMatchObject({
      name: "host-b",
    });
    await world.result("admin", "serf.forceLeave", { name: "host-c", prune: true });
    expect(world.agent.calls.slice(1)).toEqual([["forceLeave", "host-b", false], [
      "forceLeave",
      "host-c",
      true,
    ]]);
    const tags = new Map([["__proto__", "x"], ["tc", "1"]]);
    world.agent.answer = () =>
      Promise.resolve([{ name: "host-a", address: "10.0.0.1:7946", status: "alive", tags }]);
    const { agents } = await world.result("admin", "serf.members") as { agents: { tags: object }[] };
    expect(Object.entries(agents[0]?.tags ?? {})).toEqual([["__proto__", "x"], ["tc", "1"]]);
    for (const addresses of [[], "10.0.0.2", [5], Array(33).fill("x")]) {
      expect((await world.post(rpc("serf.join", { addresses }), "admin")).body.error?.code).toBe(-32602);
    }
  });

  test("are told what Serf said, and nothing that nobody meant for them", async () => {
    await world.start({ limits: { maxAgentCalls: 1 } });
    world.agent.answer = () => Promise.reject(new ToychatError("serf_refused", "Serf said no"));
    const said = await world.post(rpc("serf.members"), "admin");
    expect(said.body.error).toEqual({
      code: -32000,
      message: "Serf said no",
      data: { code: "serf_refused" },
    });
    world.agent.answer = () => Promise.reject(new Error(`auth failed with ${RPC_KEY}`));
    const fault = await world.post(rpc("serf.members"), "admin");
    expect(fault.body.error).toEqual({ code: -32603, message: "internal error" });
    const sockets = await world.open("admin");
    await sockets.ask(rpc("serf.members"));
    expect(JSON.stringify([fault, sockets.received]) + world.logged).not.toContain(RPC_KEY);
    world.agent.answer = () => new Promise(() => {});
    sockets.send(rpc("serf.members", {}, 2));
    await world.clock.run(10);
    const busy = await world.post(rpc("serf.members"), "admin");
    expect(busy.body.error?.data).toEqual({ code: "too_many_agent_calls" });
  });
});
