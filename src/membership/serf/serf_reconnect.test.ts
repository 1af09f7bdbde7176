import { afterEach, describe, expect, test } from "bun:test";
import { FakeSerf } from "../../../tests/support/fake_serf_client.ts";

let serf: FakeSerf;
afterEach(() => serf.client.stop());

async function started(options: ConstructorParameters<typeof FakeSerf>[0] = {}): Promise<FakeSerf> {
  serf = new FakeSerf(options);
  await serf.start();
  return serf;
}

const failures = (reason: string): number =>
  serf.client.metrics.get("toychat_serf_connection_failures_total", { reason });

describe("an agent that goes", () => {
  test("is told at once, ends the calls under way, and is connected to again with its stream when it is back", async () => {
    const { agent, client } = await started();
    agent.hanging.add("members");
    const hanging = client.members();
    hanging.catch(() => {});
    await serf.clock.run(100);
    const before = serf.clock.now();
    await agent.kill();
    expect(await serf.codeOf(hanging)).toBe("serf_connection_lost");
    expect(serf.clock.now()).toBe(before);
    expect([client.connected, serf.told.at(-1)]).toEqual([false, "down serf_connection_lost"]);
    expect(await serf.codeOf(client.members())).toBe("serf_not_connected");

    await serf.clock.run(10_000);
    expect(serf.told).toEqual(["up", "down serf_connection_lost", "down serf_unreachable"]);
    const attempts = failures("unreachable");
    expect(attempts).toBeGreaterThan(10);
    expect(attempts).toBeLessThan(30);

    agent.hanging.clear();
    await agent.start();
    await serf.clock.until(() => client.connected, 1100);
    expect(serf.told.at(-1)).toBe("up");
    agent.deliverUserEvent({ name: "n", payload: new Uint8Array(0), coalesce: false });
    await serf.clock.settle();
    expect(serf.events).toMatchObject([{ type: "user", name: "n" }]);
  });

  test("and returns within 50 ms is back that soon", async () => {
    const { agent, client } = await started();
    await serf.clock.run(5000);
    await agent.restart();
    await serf.clock.until(() => client.connected && serf.told.length === 3, 60);
    expect(serf.told).toEqual(["up", "down serf_connection_lost", "up"]);
  });

  test("again and again is not called without pause", async () => {
    const { agent, client } = await started();
    client.on("up", () => void agent.restart());
    await agent.restart();
    await serf.clock.run(20_000);
    expect(client.metrics.get("toychat_serf_connects_total")).toBeLessThan(45);
  });

  test("takes both connections with it where one of them ends", async () => {
    const { agent, client } = await started();
    agent.connections.find(({ stream }) => stream === undefined)?.terminate();
    await serf.clock.until(() => !client.connected, 100);
    await serf.clock.until(() => client.connected, 100);
    expect(serf.told).toEqual(["up", "down serf_connection_lost", "up"]);
    expect(agent.connections).toHaveLength(2);
  });
});

describe("an agent that hangs", () => {
  test("is given up when a call is not answered in time, and every call behind it with it", async () => {
    const { agent, client } = await started({ client: { timeoutMs: 2000 } });
    agent.hanging.add("members");
    const calls = [client.members(), client.members(), client.stats()];
    const before = serf.clock.now();
    expect(await serf.codesOf(calls)).toEqual(["serf_timeout", "serf_timeout", "serf_timeout"]);
    expect(serf.clock.now() - before).toBe(2000);
    expect(serf.told).toEqual(["up", "down serf_timeout"]);
  });

  test("while it is connected to is given up as well, and tried again", async () => {
    serf = new FakeSerf({ client: { timeoutMs: 1000 } });
    await serf.agent.start();
    serf.agent.hanging.add("stats");
    serf.client.start();
    await serf.clock.run(5000);
    expect(serf.told).toEqual(["down serf_timeout"]);
    expect(serf.transport.count().connections).toBeLessThanOrEqual(2);
    serf.agent.hanging.clear();
    await serf.end(serf.client.ready());
  });

  test("does not gather calls without end", async () => {
    const { agent, client } = await started();
    agent.hanging.add("members");
    const calls = Array.from({ length: 1100 }, () => client.members());
    const codes = await serf.codesOf(calls);
    expect(new Set(codes)).toEqual(new Set(["serf_busy", "serf_timeout"]));
  });

  test("does not end a query before its time is up, and ends it then", async () => {
    const { agent, client } = await started({ client: { timeoutMs: 2000 } });
    agent.hanging.add("query");
    const before = serf.clock.now();
    expect(await serf.codeOf(client.query("q", new Uint8Array(0), { timeoutMs: 10_000 }))).toBe(
      "serf_timeout",
    );
    expect(serf.clock.now() - before).toBe(12_000);
  });
});

describe("the agent's key", () => {
  test("that is right is taken, and no body but it goes out before", async () => {
    const { agent, client } = await started({ agent: { authKey: "k" }, client: { authKey: "k" } });
    await serf.end(client.members());
    expect(agent.requests).toEqual(["stats", "stats", "stream", "members"]);
    const apart = client.join(["10.0.0.2"]);
    expect(await serf.end(apart)).toBe(1);
  });

  test.each([
    ["is wrong", "k", "other", "Invalid authentication token"],
    ["is missing", "k", undefined, "Authentication required"],
    ["is not wanted", undefined, "k", "Invalid authentication token"],
  ])("that %s is a clear error, said again with each slow attempt", async (_, theirs, ours, words) => {
    serf = new FakeSerf({
      agent: theirs === undefined ? {} : { authKey: theirs },
      client: ours === undefined ? {} : { authKey: ours },
    });
    await serf.agent.start();
    serf.client.start();
    await expect(serf.end(serf.client.ready())).rejects.toThrow(`refused the RPC key: "${words}"`);
    await serf.clock.run(30_000);
    expect(serf.told).toEqual(["down serf_auth_refused"]);
    expect(serf.client.lastError?.code).toBe("serf_auth_refused");
    const said = serf.logs.filter((line) => line === "error serf_auth_refused").length;
    expect(said).toBe(failures("auth_refused"));
    expect(said).toBeGreaterThan(4);
    expect(said).toBeLessThan(14);
    expect(serf.agent.requests).toEqual([]);
    expect(await serf.codeOf(serf.client.members())).toBe("serf_not_connected");
  });
});

describe("stopping", () => {
  test("ends calls and connections, and starting begins anew", async () => {
    const { agent, client } = await started();
    agent.hanging.add("members").add("join");
    const calls = [client.members(), client.join(["10.0.0.2"])];
    for (const call of calls) call.catch(() => {});
    await serf.clock.run(10);
    client.stop();
    expect(await serf.codesOf(calls)).toEqual(["serf_stopped", "serf_stopped"]);
    await serf.clock.run(20_000);
    expect(serf.transport.count().connections).toBe(0);
    expect(serf.told).toEqual(["up"]);
    expect(await serf.codeOf(client.join(["10.0.0.2"]))).toBe("serf_stopped");

    agent.hanging.clear();
    client.start();
    client.start();
    await serf.end(client.ready());
    expect(await serf.end(client.members())).toHaveLength(1);
    expect(agent.connections).toHaveLength(2);
  });

  test("while it connects leaves nothing behind", async () => {
    serf = new FakeSerf();
    await serf.agent.start();
    serf.agent.hanging.add("stats");
    serf.client.start();
    await serf.clock.run(100);
    serf.client.stop();
    await serf.clock.settle();
    expect(serf.transport.count().connections).toBe(0);
    expect(await serf.codeOf(serf.client.ready(100))).toBe("serf_stopped");
  });
});

test("whether it is connected can be seen", async () => {
  const { agent, client } = await started();
  const gauge = (): number | undefined =>
    client.metrics.families().find(({ name }) => name === "toychat_serf_connected")?.samples[0]?.value;
  expect(gauge()).toBe(1);
  await agent.kill();
  await serf.clock.settle();
  expect(gauge()).toBe(0);
});
