import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bridgeToken } from "../../src/membership/bridge_tokens.ts";
import { Processes, type Ready } from "../support/processes.ts";
import { type Runtime, runtimes } from "../support/runtimes.ts";
import { type SerfAgent, SerfAgents } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";

const SECRET = "correct horse";
const RPC_KEY = "the-key-of-the-agents-rpc";
const processes = new Processes();
const agents = new SerfAgents();
let [one, two] = [] as unknown as [Bridge, Bridge];
let [alone, first, second] = [] as unknown as [SerfAgent, SerfAgent, SerfAgent];
/** Everything that bridges answered. */
let said = "";

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { message: string; data?: { code: string } };
}

/** A bridge as a process, and a caller of it with every scope. */
class Bridge {
  readonly running: Ready<{ listen: string }>;
  readonly received: Message[] = [];
  readonly #socket: WebSocket;
  #last = 0;

  private constructor(running: Ready<{ listen: string }>, socket: WebSocket) {
    this.running = running;
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      said += data;
      this.received.push(JSON.parse(data));
    };
  }

  static async start(n: number, agent: SerfAgent): Promise<Bridge> {
    const all = runtimes();
    const running = await processes.role<{ listen: string }>(all[n % all.length] as typeof all[0], [
      ...["bridge", "--listen", "127.0.0.1:0", "--serf", agent.rpc, "--serf-auth", RPC_KEY, "--verbose"],
    ], { env: { TOYCHAT_SECRET: SECRET } });
    const socket = new WebSocket(`ws://${running.ready.listen}/rpc`);
    await new Promise((resolve, reject) => [socket.onopen, socket.onerror] = [resolve, reject]);
    const bridge = new Bridge(running, socket);
    await bridge.ask("auth.token", { token: bridgeToken(SECRET, "admin") });
    return bridge;
  }

  /** The answer to a request. */
  async ask(method: string, params: object = {}): Promise<Message> {
    const id = ++this.#last;
    this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return await until(() => this.received.find((message) => message.id === id), `the answer to ${method}`);
  }

  /** What an answer has. */
  async result(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const { result, error } = await this.ask(method, params);
    if (!result) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  /** The parameters of the notifications of one kind. */
  told(method: string): Record<string, unknown>[] {
    return this.received.filter((message) => message.method === method).map(({ params }) => params ?? {});
  }
}

beforeAll(async () => {
  const rpcAuth = RPC_KEY;
  first = await agents.start({ name: "first", rpcAuth });
  second = await agents.start({ name: "second", rpcAuth, join: [first.bind] });
  alone = await agents.start({ name: "alone", rpcAuth });
  [one, two] = await Promise.all([Bridge.start(0, first), Bridge.start(1, second)]);
  const known = async (): Promise<boolean> =>
    ((await one.result("serf.members")).agents as unknown[]).length === 2;
  await until(known, "two agents that know each other");
}, 60_000);
afterAll(async () => {
  await processes.end();
  await agents.end();
});

describe("over real agents", () => {
  test("an event of an application reaches those who subscribed on every host, as it was sent", async () => {
    for (const bridge of [one, two]) await bridge.result("event.subscribe", { prefix: "deploy" });
    const bytes = { payload: btoa("\u00ff\u0000"), encoding: "base64" };
    await one.result("event.send", { name: "deploy:bytes", ...bytes });
    await one.result("event.send", { name: "other", payload: "x" });
    const name = "deploy".padEnd(64, "x");
    const payload = "ü".repeat((448 - 64) / 2);
    await two.result("event.send", { name, payload });
    for (const bridge of [one, two]) {
      await until(() => bridge.told("event").length >= 2, "both events");
      const told = bridge.told("event").map(({ number: _, ...event }) => event);
      expect(told).toContainEqual({ name: "deploy:bytes", ...bytes });
      expect(told).toContainEqual({ name, payload });
      expect(told.length).toBe(2);
      const { events } = await bridge.result("event.get", {
        since: { bridge: (await bridge.result("status")).bridge, number: 0 },
      });
      const names = (events as { name: string }[]).map((event) => event.name).sort();
      expect(names).toEqual(["deploy:bytes", name, "other"].sort());
    }
  });

  test("a query is answered by who subscribed, from every host, with as much as may be said", async () => {
    const name = "load".padEnd(64, "x");
    const answer = "a".repeat(768);
    for (const bridge of [one, two]) await bridge.result("query.subscribe", { prefix: "load" });
    const asked = one.result("query.send", { name, payload: "q".repeat(704 - 64), timeoutMs: 6000 });
    for (const bridge of [one, two]) {
      const query = await until(() => bridge.told("query")[0], "the query");
      expect(query).toMatchObject({ name, payload: "q".repeat(640) });
      await bridge.result("query.respond", { id: query.id, payload: answer });
    }
    const { acks, answers } = await asked as { acks: string[]; answers: { from: string; payload: string }[] };
    expect(acks.toSorted()).toEqual(["first", "second"]);
    expect(answers.map(({ from }) => from).sort()).toEqual(["first", "second"]);
    expect(answers.every(({ payload }) => payload === answer)).toBe(true);
    // Asked again where the other agent heard of it too late.
    const some = await until(async () => {
      const came = await one.result("query.send", { name: "none", timeoutMs: 500, agents: ["second"] });
      return (came.acks as string[]).length > 0 && came;
    }, "an ack");
    expect(some).toMatchObject({ acks: ["second"], answers: [] });
  });

  test("toychat's own events and queries are not shown", async () => {
    await one.result("event.subscribe");
    await one.result("query.subscribe");
    await one.result("event.send", { name: "last" });
    await until(() => one.told("event").some(({ name }) => name === "last"), "the event");
    const names = [...one.told("event"), ...one.told("query")].map(({ name }) => String(name));
    expect(names.filter((name) => name.startsWith("tc") || name.startsWith("_serf"))).toEqual([]);
  });

  test("operators join agents and give up those that failed, and hear Serf's own words", async () => {
    expect(await one.result("status")).toMatchObject({
      agent: { connected: true, name: "first" },
      onPartition: "serve",
      sealed: false,
    });
    expect(await one.result("serf.join", { addresses: [alone.bind] })).toMatchObject({ joined: 1 });
    const status = async (): Promise<unknown> => {
      const { agents } = await two.result("serf.members") as { agents: { name: string; status: string }[] };
      return agents.find(({ name }) => name === "alone")?.status;
    };
    await until(async () => await status() === "alive", "the agent that joined");
    await alone.kill();
    await until(async () => await status() === "failed", "the agent that failed", 30_000);
    await two.result("serf.forceLeave", { name: "alone", prune: true });
    await until(async () => await status() === undefined, "nothing of it");
    const { error } = await one.ask("serf.join", { addresses: ["127.0.0.1:1"] });
    expect(error).toMatchObject({ data: { code: "agent_refused" } });
    expect(error?.message).toContain("connection refused");
  }, 60_000);

  test("operators have members of other hosts drained, with a bridge there and without", async () => {
    const env = { TOYCHAT_SECRET: SECRET };
    const third = await agents.start({ name: "third", rpcAuth: RPC_KEY, join: [first.bind] });
    const [runtime] = runtimes() as [Runtime];
    const listen = (agent: SerfAgent): string[] => ["chat", "--listen", `${agent.bind}:0`];
    const chats = await Promise.all([
      processes.role(runtime, [
        ...listen(second),
        "--id",
        "by-two",
        "--bridge",
        `ws://${two.running.ready.listen}/rpc`,
      ], { env }),
      processes.role(
        runtime,
        [...listen(third), "--id", "direct", "--bridge", `serf:${third.rpc}`, "--serf-auth", RPC_KEY],
        { env },
      ),
    ]);
    const known = async (id: string): Promise<boolean> =>
      ((await one.result("members.list")).members as { id: string; state: string }[])
        .some((member) => member.id === id && member.state === "alive");
    await until(() => known("by-two"), "the member on the other host");
    two.running.signal("SIGSTOP");
    expect((await one.ask("cluster.drain", { id: "by-two" })).error?.data?.code).toBe("member_unreachable");
    two.running.signal("SIGCONT");
    for (const [n, id] of ["by-two", "direct"].entries()) {
      await until(() => known(id), `${id} on the other host`);
      // A bridge that wakes puts its members out first, and they come back as others.
      const asked = await until(
        async () => (await one.ask("cluster.drain", { id })).result,
        `${id} is asked`,
      );
      expect(asked).toMatchObject({ id, incarnation: expect.any(String) });
      expect(await chats[n]?.exit).toEqual({ code: 0, signal: null });
    }
    await third.command(["leave"]);
  });

  test("without its agent a bridge answers what it can, and says what it cannot", async () => {
    await second.kill();
    await until(async () => (await two.result("status")).agent, "the status");
    const gone = async (): Promise<boolean> =>
      ((await two.result("status")).agent as { connected: boolean }).connected === false;
    await until(gone, "the loss of the agent");
    expect((await two.ask("event.send", { name: "x" })).error?.data).toEqual({ code: "agent_unreachable" });
    expect(await two.result("members.list")).toMatchObject({ members: [] });
  });

  test("the key of the agent's RPC was in no answer and no log", () => {
    expect(said.length).toBeGreaterThan(2000);
    const logs = [one, two].map(({ running }) => running.stdout + running.stderr).join();
    expect(logs).toContain("serf");
    expect(said + logs).not.toContain(RPC_KEY);
  });
});
