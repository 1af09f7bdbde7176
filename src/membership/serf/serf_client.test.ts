import { afterEach, describe, expect, test } from "bun:test";
import { fakeMember } from "../../../tests/support/fake_serf_agent.ts";
import { FakeSerf } from "../../../tests/support/fake_serf_client.ts";
import type { SerfQueryEvent } from "./serf_types.ts";

let serf: FakeSerf;
afterEach(() => serf.client.stop());

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (array: Uint8Array | undefined): string => new TextDecoder().decode(array);

async function started(options: ConstructorParameters<typeof FakeSerf>[0] = {}): Promise<FakeSerf> {
  serf = new FakeSerf(options);
  await serf.start();
  return serf;
}

describe("a client", () => {
  test("reads the members with their tags, whatever those are called", async () => {
    const { agent, client } = await started();
    const tags = new Map([["__proto__", "1"], ["constructor", "2"], ["role", "web"]]);
    agent.members.push(fakeMember("b", { address: "10.0.0.2", port: 7000, tags, status: "failed" }));
    const members = await serf.end(client.members());
    expect(members.map(({ name, status }) => [name, status])).toEqual([["a", "alive"], ["b", "failed"]]);
    expect(members[1]).toEqual({
      ...{ name: "b", address: "10.0.0.2", port: 7000, tags, status: "failed", protocol: 2 },
    });
    const failed = await serf.end(
      client.membersFiltered({ status: "failed|left", tags: new Map([["role", "w.*"]]) }),
    );
    expect(failed.map(({ name }) => name)).toEqual(["b"]);
  });

  test("whose filter makes the agent hang up stays connected", async () => {
    const { client } = await started();
    expect(await serf.codeOf(client.membersFiltered({ name: "([" }))).toBe("serf_connection_lost");
    expect(client.connected).toBe(true);
    expect(serf.told).toEqual(["up"]);
    expect(serf.transport.count().connections).toBe(4);
  });

  test("sets tags and deletes others, and knows its own", async () => {
    const { agent, client } = await started();
    await serf.end(client.setTags(new Map([["a", "1"], ["__proto__", "2"]])));
    await serf.end(client.setTags(new Map([["b", "3"]]), ["a"]));
    expect(agent.self.tags).toEqual(new Map([["__proto__", "2"], ["b", "3"]]));
    expect(client.ownTags).toEqual(agent.self.tags);
    expect(client.agentName).toBe("a");
  });

  test("does not ask for tags that Serf has no room for, but believes the agent about what is there", async () => {
    const { agent, client } = await started();
    await serf.end(client.setTags(new Map([["k", "v".repeat(400)]])));
    const more = new Map([["m", "v".repeat(300)]]);
    await expect(serf.end(client.setTags(more))).rejects.toThrow(
      "would take 712 bytes, Serf has room for 512",
    );
    expect(agent.tagCalls).toHaveLength(1);
    agent.self.tags = new Map();
    await serf.end(client.setTags(more));
    expect(agent.self.tags).toEqual(more);
  });

  test("sends user events and gets those of others, empty ones too", async () => {
    const { agent, client } = await started();
    await serf.end(client.userEvent("hint", bytes("1")));
    await serf.end(client.userEvent("late", new Uint8Array(0), { coalesce: true }));
    expect(agent.userEvents.map(({ name, coalesce }) => [name, coalesce])).toEqual([["hint", false], [
      "late",
      true,
    ]]);
    agent.deliverMembers("member-failed", [fakeMember("b")]);
    await serf.clock.settle();
    expect(serf.events).toMatchObject([
      { type: "user", name: "hint", payload: bytes("1"), coalesce: false },
      { type: "user", name: "late", payload: new Uint8Array(0), coalesce: true },
      { type: "member-failed", members: [{ name: "b" }] },
    ]);
  });

  test("asks a query and gathers who got it and who answered, until its time is up", async () => {
    const heard: string[] = [];
    const { client } = await started({
      agent: {
        onQuery: (query) => {
          query.ack("b");
          query.answer("b", bytes("from b"));
        },
      },
    });
    client.on("event", (event) => event.type === "query" && client.respond(event.id, bytes("from a")));
    const before = serf.clock.now();
    const result = await serf.end(client.query("who", bytes("?"), {
      ...{ acks: true, timeoutMs: 700 },
      onAck: (from) => heard.push(`ack ${from}`),
      onResponse: (from, payload) => heard.push(`${from}: ${text(payload)}`),
    }));
    expect(serf.clock.now() - before).toBe(700);
    expect([...result.acks].sort()).toEqual(["a", "b"]);
    expect(result.responses.map(({ from, payload }) => `${from}: ${text(payload)}`).sort())
      .toEqual(["a: from a", "b: from b"]);
    expect(heard).toHaveLength(4);
  });

  test("gathers nothing of nobody, which an agent may send in the moment of a query's end", async () => {
    const heard: string[] = [];
    const { client } = await started({
      agent: {
        onQuery: (query) => {
          query.answer("b", bytes("from b"));
          for (let i = 0; i < 200; i++) query.ack("");
          for (let i = 0; i < 200; i++) query.answer("", new Uint8Array(0));
        },
      },
    });
    const result = await serf.end(client.query("who", bytes("?"), {
      ...{ acks: true, timeoutMs: 700 },
      onAck: (from) => heard.push(`ack ${from}`),
      onResponse: (from) => heard.push(`answer ${from}`),
    }));
    expect(result).toEqual({ acks: ["a"], responses: [{ from: "b", payload: bytes("from b") }] });
    expect(heard.sort()).toEqual(["ack a", "answer b"]);
  });

  test("does not answer a query that came before it had to reconnect, though numbers begin again", async () => {
    const { agent, client } = await started();
    agent.deliverQuery("old", bytes(""), 60_000, () => {});
    await serf.clock.settle();
    await agent.restart();
    await serf.clock.until(() => client.connected && serf.told.length > 2, 5000);
    const answers: string[] = [];
    agent.deliverQuery("new", bytes(""), 60_000, (_, payload) => answers.push(text(payload)));
    await serf.clock.settle();
    const [first, second] = serf.events as SerfQueryEvent[];
    expect(await serf.codeOf(client.respond(first?.id ?? 0, bytes("late")))).toBe("serf_query_gone");
    expect(await serf.codeOf(client.respond(99, bytes("never asked")))).toBe("serf_query_gone");
    await serf.end(client.respond(second?.id ?? 0, bytes("right")));
    expect(answers).toEqual(["right"]);
  });

  test("joins, takes others out, leaves, and reads what the agent knows", async () => {
    const { agent, client } = await started();
    agent.members.push(fakeMember("b", { status: "failed" }), fakeMember("c", { status: "failed" }));
    expect(await serf.end(client.join(["10.0.0.2", "10.0.0.3:7000"], true))).toBe(2);
    await serf.end(client.forceLeave("b"));
    await serf.end(client.forceLeave("c", { prune: true }));
    const members = await serf.end(client.members());
    expect(members.map(({ name, status }) => [name, status])).toEqual([["a", "alive"], ["b", "left"]]);
    expect((await serf.end(client.stats())).get("agent")?.get("name")).toBe("a");
    expect(await serf.end(client.coordinate("a"))).toMatchObject({ vector: [0.5, 0], height: 0.25 });
    expect(await serf.end(client.coordinate("nobody"))).toBeUndefined();
    expect((await serf.end(client.listKeys())).keys).toEqual(new Map([["a2V5", 2]]));
    for (const command of ["installKey", "useKey", "removeKey"] as const) {
      expect(await serf.end(client[command]("a2V5"))).toMatchObject({ nodes: 2, responses: 2, errors: 0 });
    }
    await serf.end(client.leave());
    await serf.clock.until(() => !client.connected, 1000);
    expect(serf.told).toEqual(["up", "down serf_connection_lost"]);
  });

  test("gives a refusal in the agent's own words", async () => {
    const { agent, client } = await started();
    agent.refusals.set("tags", "no\n\tnot \u001b[31mnow");
    agent.refusals.set("install-key", "1/1 nodes reported failure");
    await expect(serf.end(client.setTags(new Map([["a", "1"]])))).rejects.toMatchObject({
      code: "serf_refused",
      message: 'the Serf agent refused "tags": no not \\u001b[31mnow',
    });
    await expect(serf.end(client.installKey("x"))).rejects.toThrow(
      "1/1 nodes reported failure; a: no such key",
    );
    await expect(serf.end(client.userEvent("big", new Uint8Array(600)))).rejects.toThrow(
      "exceeds configured limit",
    );
    expect(client.ownTags).toEqual(new Map());
    expect(client.metrics.get("toychat_serf_calls_total", { outcome: "refused" })).toBe(3);
  });

  test("refuses a query whose numbers no agent could take", async () => {
    const { client } = await started();
    for (
      const options of [{ timeoutMs: -1 }, { timeoutMs: NaN }, { timeoutMs: 1e12 }, { relayFactor: 256 }]
    ) {
      expect(await serf.codeOf(client.query("q", bytes(""), options))).toBe("invalid_query");
    }
    expect(await serf.codeOf(client.query("q", bytes(""), { timeoutMs: 0.3 }))).toBe("ok");
    expect(client.connected).toBe(true);
  });
});

describe("nothing quick waits behind something slow:", () => {
  test("members are read while tags, joins and keys are on their way, and tags while others join", async () => {
    const { agent, client } = await started();
    agent.delays.set("tags", 4000);
    agent.delays.set("join", 9000);
    agent.delays.set("list-keys", 9000);
    const done: string[] = [];
    const all = Promise.all([
      client.join(["10.0.0.2"]).then(() => done.push("join")),
      client.listKeys().then(() => done.push("keys")),
      client.setTags(new Map([["a", "1"]])).then(() => done.push("tags")),
    ]);
    await serf.clock.run(10);
    const before = serf.clock.now();
    await serf.end(client.members());
    expect(serf.clock.now() - before).toBe(0);
    await serf.end(all);
    expect(done[0]).toBe("tags");
  });
});

describe("a listener that throws", () => {
  test("is logged and harms neither the connection nor the others", async () => {
    const { agent, client } = await started();
    const fail = (): never => {
      throw new Error("mine");
    };
    client.on("event", fail);
    client.on("event", (event) => serf.told.push(event.type));
    agent.deliverUserEvent({ name: "n", payload: bytes(""), coalesce: false });
    await serf.clock.settle();
    expect(serf.told).toEqual(["up", "user"]);
    const result = await serf.end(client.query("q", bytes(""), { acks: true, timeoutMs: 100, onAck: fail }));
    expect(result.acks).toEqual(["a"]);
    expect(client.connected).toBe(true);
    expect(serf.logs.filter((line) => line === "error serf_listener_failed").length).toBeGreaterThan(1);
  });
});
