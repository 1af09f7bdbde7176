import { afterEach, describe, expect, test } from "bun:test";
import type { SerfClient } from "../../src/membership/serf/serf_client.ts";
import { encodedTagsLength } from "../../src/membership/serf/serf_tags.ts";
import type { SerfQueryOptions, SerfQueryResult } from "../../src/membership/serf/serf_types.ts";
import { gossipKey, loopbackAddress, SerfAgents } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";
import { bytes, Clients, sees, text } from "./support.ts";

const agents = new SerfAgents();
const clients = new Clients();
afterEach(async () => {
  clients.end();
  await agents.end();
});

/** Answers all queries. Where a query's time is up already its agent refuses the answer, or the test has ended. */
function answer(client: SerfClient): void {
  const late = ({ code }: { code: string }) => expect(["serf_refused", "serf_stopped"]).toContain(code);
  client.on("event", (event) => {
    if (event.type === "query") client.respond(event.id, bytes("here")).catch(late);
  });
}

/** Asks until so many acks and answers come of one query: whoever hears of it late is too late. */
function answered(client: SerfClient, count: number, options: SerfQueryOptions): Promise<SerfQueryResult> {
  return until(async () => {
    const result = await client.query("who", bytes(""), { ...options, acks: true });
    return result.acks.length + result.responses.length >= count && result;
  }, `${count} acks and answers`);
}

describe("on a cluster with encryption", () => {
  test("what one client does the other one sees: tags, user events, queries and their answers", async () => {
    const key = gossipKey();
    const [a, b] = await agents.cluster([
      { name: "a", encryptKey: key, rpcAuth: "k" },
      { name: "b", encryptKey: key },
    ]);
    const one = await clients.connect(a!, { authKey: "k" });
    const two = await clients.connect(b!);
    await sees(one.client, "a alive, b alive");

    await two.client.setTags(new Map([["role", "web"], ["constructor", "1"]]));
    const tagsOfB = async (): Promise<unknown> =>
      (await one.client.members()).find(({ name }) => name === "b")?.tags;
    await until(async () => Bun.deepEquals(await tagsOfB(), two.client.ownTags), "the tags of b at a");
    const [found] = await one.client.membersFiltered({ tags: new Map([["role", "w.*"]]) });
    expect(found).toMatchObject({ name: "b", address: b!.bind, port: 7946, status: "alive" });

    await two.client.userEvent("hint", Uint8Array.of(0, 255, 1));
    const hint = await until(() => one.events.find(({ type }) => type === "user"), "the user event");
    expect(hint).toMatchObject({ name: "hint", payload: Uint8Array.of(0, 255, 1), coalesce: false });

    answer(two.client);
    const all = await answered(one.client, 3, { timeoutMs: 1000 });
    expect([...all.acks].sort()).toEqual(["a", "b"]);
    expect(all.responses.map(({ from, payload }) => [from, text(payload)])).toEqual([["b", "here"]]);
    const filtered = await answered(one.client, 2, {
      ...{ timeoutMs: 500, relayFactor: 1, filterNodes: ["b", "nobody"] },
      filterTags: new Map([["role", "^web$"]]),
    });
    expect(filtered.acks).toEqual(["b"]);
    expect(filtered.responses.map(({ from }) => from)).toEqual(["b"]);
    const coordinate = await one.client.coordinate("a");
    expect(coordinate?.vector).toHaveLength(8);
    expect(await one.client.coordinate("nobody")).toBeUndefined();
  });

  test("queries in great number end with the acks and answers of agents that there are", async () => {
    const agent = await agents.start({ name: "a" });
    const { client } = await clients.connect(agent);
    answer(client);
    const ask = () => client.query("who", bytes(""), { acks: true, timeoutMs: 200 });
    const names = new Set<string>();
    for (let round = 0; round < 5; round++) {
      for (const { acks, responses } of await Promise.all(Array.from({ length: 40 }, ask))) {
        for (const name of [...acks, ...responses.map(({ from }) => from)]) names.add(name);
      }
    }
    expect([...names]).toEqual(["a"]);
  });

  test("keys are added, used, listed and removed while events go on", async () => {
    const [old, next] = [gossipKey(), gossipKey()];
    const [a, b] = await agents.cluster([{ name: "a", encryptKey: old }, { name: "b", encryptKey: old }]);
    const one = await clients.connect(a!);
    const two = await clients.connect(b!);
    await sees(one.client, "a alive, b alive");
    const installed = await one.client.installKey(next);
    expect(installed).toMatchObject({ nodes: 2, responses: 2, errors: 0 });
    expect((await one.client.listKeys()).keys).toEqual(new Map([[old, 2], [next, 2]]));
    await one.client.useKey(next);
    await expect(one.client.removeKey(next)).rejects.toThrow("Removing the primary key is not allowed");
    await one.client.removeKey(old);
    expect((await two.client.listKeys()).keys).toEqual(new Map([[next, 2]]));
    await two.client.userEvent("after", bytes(""));
    await until(() => one.events.some((event) => event.type === "user"), "the event with the new key");
  });
});

describe("an agent's refusals", () => {
  test("come in its own words, and the client's count of a tag's room is the agent's", async () => {
    const agent = await agents.start({ name: "a" });
    const { client, told } = await clients.connect(agent);
    const fits = new Map([["tc", "v".repeat(504)]]);
    expect(encodedTagsLength(fits)).toBe(512);
    await client.setTags(fits);
    await expect(agent.command(["tags", "-set", `tc=${"v".repeat(505)}`])).rejects.toThrow("ended with 1");
    await expect(client.setTags(new Map([["tc", "v".repeat(505)]]))).rejects.toThrow("would take 513 bytes");
    await agent.command(["tags", "-delete", "tc"]);
    await client.setTags(new Map([["other", "v".repeat(400)]]));
    const sixteen = new Map(Array.from({ length: 16 }, (_, i) => [`tag-${i}`, "v".repeat(20)]));
    await client.setTags(sixteen, ["other"]);

    const refused: [() => Promise<unknown>, string][] = [
      [() => client.userEvent("e", new Uint8Array(600)), "exceeds configured limit of 512 bytes"],
      [() => client.query("q", new Uint8Array(2000)), "query exceeds limit of 1024 bytes"],
      [
        () => client.join(["127.0.0.1:1"]),
        "Failed to join 127.0.0.1: dial tcp 127.0.0.1:1: connect: connection refused",
      ],
      [() => client.installKey("x"), "illegal base64 data"],
      [() => client.listKeys(), "Keyring is empty (encryption not enabled)"],
    ];
    for (const [call, words] of refused) {
      await expect(call()).rejects.toThrow(words);
    }
    expect(told).toEqual(["up"]);
  });

  test("of a filter that is no regular expression end that call alone", async () => {
    const agent = await agents.start({ name: "a" });
    const { client, told } = await clients.connect(agent);
    await expect(client.membersFiltered({ name: "([" })).rejects.toMatchObject({
      code: "serf_connection_lost",
    });
    const query = await client.query("q", bytes(""), {
      acks: true,
      timeoutMs: 200,
      filterTags: new Map([["a", "(["]]),
    });
    expect(query).toEqual({ acks: [], responses: [] });
    expect(told).toEqual(["up"]);
  });

  test("of a key are clear, whichever side has none", async () => {
    const locked = await agents.start({ name: "a", rpcAuth: "k" });
    const open = await agents.start({ name: "b" });
    for (
      const [agent, options] of [[locked, {}], [locked, { authKey: "x" }], [open, { authKey: "k" }]] as const
    ) {
      const { client } = await clients.make(agent, options);
      client.start();
      await expect(client.ready()).rejects.toMatchObject({ code: "serf_auth_refused" });
    }
  });
});

describe("agents come and go", () => {
  test("join, leave, fail, are forced to leave and forgotten, as the client tells them to", async () => {
    const a = await agents.start({ name: "a" });
    const b = await agents.start({ name: "b" });
    const c = await agents.start({ name: "c" });
    const [one, two] = [await clients.connect(a), await clients.connect(b)];
    expect(await one.client.join([b.bind, c.bind])).toBe(2);
    await sees(one.client, "a alive, b alive, c alive");
    await until(() => one.events.some(({ type }) => type === "member-join"), "a member-join");

    await two.client.leave();
    expect(await b.running.exit).toMatchObject({ code: 0 });
    await until(() => !two.client.connected, "the end of the connection to b");
    await sees(one.client, "a alive, b left, c alive");
    await c.kill();
    await sees(one.client, "a alive, b left, c failed");
    await one.client.forceLeave("c");
    await sees(one.client, "a alive, b left, c left");
    await one.client.forceLeave("c", { prune: true });
    await sees(one.client, "a alive, b left");
    await one.client.forceLeave("nobody");
  }, 40_000);
});

describe("an agent that dies", () => {
  test("is noticed, and when it is back everything goes on by itself; its tags are gone", async () => {
    const a = await agents.start({ name: "a" });
    const { client, told, events } = await clients.connect(a);
    await client.setTags(new Map([["x", "1"]]));
    client.on("up", () => void client.setTags(new Map([["x", "2"]])));
    await a.kill();
    await until(() => !client.connected, "the end of the connection");
    await expect(client.members()).rejects.toMatchObject({ code: "serf_not_connected" });
    await a.restart({ bind: loopbackAddress() });
    await client.ready();
    expect(client.ownTags.size).toBe(0);
    await until(async () => (await client.members())[0]?.tags.get("x") === "2", "the tags of the new life");
    expect((await client.members())[0]?.address).toBe(a.bind);
    expect([told[0], told[1], told.at(-1)]).toEqual(["up", "down serf_connection_lost", "up"]);
    await client.userEvent("again", bytes(""));
    await until(() => events.some((event) => event.type === "user" && event.name === "again"), "the event");
  });

  test("or is frozen is given up in time, and comes back when it wakes", async () => {
    const a = await agents.start({ name: "a" });
    const { client, told } = await clients.connect(a, { timeoutMs: 500 });
    await a.kill("SIGSTOP");
    const failed = async (): Promise<string | undefined> => {
      // The signal takes a moment: a call may still be answered.
      return await client.members().then(() => undefined, (error) => error.code);
    };
    expect(await until(failed, "a call that fails")).toBe("serf_timeout");
    expect([client.connected, told.at(-1)]).toEqual([false, "down serf_timeout"]);
    await a.kill("SIGCONT");
    await client.ready();
    // So short a time may be too short once more, for an agent that has just woken.
    const count = (): Promise<number> => client.members().then(({ length }) => length, () => 0);
    await until(async () => await count() === 1, "the one member");
  });
});
