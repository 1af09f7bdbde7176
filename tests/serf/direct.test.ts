import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { closeClients, connectClient, type RecordingClient } from "../support/clients.ts";
import type { ClientPorts } from "../support/crowd.ts";
import { cli, Processes, type Ready } from "../support/processes.ts";
import { root, runtime } from "../support/runtimes.ts";
import { loopbackAddress, type SerfAgent, SerfAgents } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";

const app = join(root, "tests/cluster/app.mjs");
const TEST_MS = 110_000;
const SERF_MS = 60_000;

interface ChatReady {
  readonly slot: number;
  /** Where its health is served. */
  readonly http: number;
}

describe("roles that follow their agents themselves, without a bridge", () => {
  const agents = new SerfAgents();
  const processes = new Processes();
  let hosts: SerfAgent[] = [];
  const chats: Ready<ChatReady>[] = [];
  let proxy: Ready<ClientPorts>;
  let anna: RecordingClient;
  let said = 0;

  const command = [...runtime("bun").command, cli];
  const agent = (number: number): SerfAgent => hosts[number - 1] as SerfAgent;
  const chat = (number: number): Ready<ChatReady> => chats[number - 1] as never;

  async function startChat(number: number): Promise<void> {
    const { bind, rpc } = agent(number);
    const args = [
      "chat",
      app,
      "--id",
      `c${number}`,
      "--listen",
      `${bind}:0`,
      "--http",
      "0",
      "--bridge",
      `serf:${rpc}`,
    ];
    chats[number - 1] = await processes.start([...command, ...args]);
  }

  /** The ChatServer that answers in a room. */
  async function server(room: string): Promise<string> {
    const before = anna.heard.length;
    await anna.say(room, "!who");
    const answer = (): string | undefined =>
      anna.heard.slice(before).find((heard) => heard.room === room && heard.body.startsWith("{"))?.body;
    return JSON.parse(await until(answer, `who serves ${room}`)).server;
  }

  /** Rooms of which each is served by another of two ChatServers. */
  async function roomOf(id: string, prefix: string): Promise<string> {
    for (let n = 0;; n++) {
      const room = `${prefix}/${n}`;
      await anna.join(room);
      if (await server(room) === id) return room;
    }
  }

  /** Waits until a ChatServer answers in a room. */
  function servedBy(id: string, room: string): Promise<unknown> {
    return until(
      async () => {
        try {
          return await server(room) === id;
        } catch {
          return false;
        }
      },
      `${id} serves ${room}`,
      SERF_MS,
    );
  }

  /** What users say arrives. */
  async function talks(room: string): Promise<void> {
    const word = `word ${said++}`;
    await anna.say(room, word);
    await anna.hears(room, word);
  }

  beforeAll(async () => {
    const binds = [1, 2, 3].map(() => loopbackAddress());
    hosts = await Promise.all(
      binds.map((bind, index) =>
        agents.start({ name: `direct-${index + 1}`, bind, join: binds.filter((other) => other !== bind) })
      ),
    );
    await Promise.all([startChat(1), startChat(2)]);
    proxy = await processes.start([
      ...command,
      "proxy",
      "--mqtt",
      "0",
      "--http",
      "0",
      "--id",
      "p3",
      "--bridge",
      `serf:${agent(3).rpc}`,
    ]);
    anna = await connectClient(proxy.ready, "ws", "anna");
  }, TEST_MS);
  afterEach(() => expect(anna.end).toBeUndefined());
  afterAll(async () => {
    await closeClients();
    await processes.end();
    await agents.end();
  });

  test("find each other, with slots of their own", async () => {
    expect(chats.map(({ ready }) => ready.slot).sort()).toEqual([0, 1]);
    for (const id of ["c1", "c2"]) await talks(await roomOf(id, "found"));
  }, TEST_MS);

  test("a ChatServer that is killed is gone for the others, and its rooms go on elsewhere", async () => {
    const room = await roomOf("c2", "killed");
    await chat(2).kill();
    await servedBy("c1", room);
    await talks(room);
    expect(anna.moved).toContainEqual({ room, lost: true });
    await startChat(2);
    await servedBy("c2", room);
  }, TEST_MS);

  test("a ChatServer whose agent dies accepts nothing, and comes back with it as a new one", async () => {
    const room = await roomOf("c2", "agentless");
    const readiness = async (): Promise<string> =>
      await (await fetch(`http://127.0.0.1:${chat(2).ready.http}/readyz`)).text();
    expect(await readiness()).toContain("ready");
    await agent(2).kill();
    await until(async () => (await readiness()).includes("its lease has run out"), "its lease has run out");
    await servedBy("c1", room);
    await talks(room);
    await agent(2).restart();
    await chat(2).until(({ stderr }) => stderr.includes("rejoined") || undefined, "join again", SERF_MS);
    await servedBy("c2", room);
    await talks(room);
  }, TEST_MS);

  test("a ChatServer that falls asleep owns nothing when it wakes, before it has joined again", async () => {
    const room = await roomOf("c2", "asleep");
    const rejoins = (): number => chat(2).stderr.split("rejoined").length;
    const before = rejoins();
    chat(2).signal("SIGSTOP");
    await servedBy("c1", room);
    chat(2).signal("SIGCONT");
    await until(() => rejoins() > before, "it joins again");
    await servedBy("c2", room);
    await talks(room);
  }, TEST_MS);

  test("a proxy whose agent dies keeps its users, and goes on with them", async () => {
    const room = await roomOf("c1", "proxy");
    await agent(3).kill();
    await until(() => proxy.stderr.includes("serf_connection_ended") || undefined, "it has noticed");
    await talks(room);
    await agent(3).restart();
    await until(() => proxy.stderr.split("serf_connected").length > 2, "it follows its agent again");
    await talks(room);
  }, TEST_MS);

  test("a second role on an agent is refused, and told to use a bridge", async () => {
    const second = processes.spawn([...command, "chat", "--id", "c9", "--bridge", `serf:${agent(1).rpc}`]);
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.stderr).toContain('the Serf agent "direct-1" serves another bridge already');
    await talks(await roomOf("c1", "still"));
  }, TEST_MS);

  test("a ChatServer that is told to end hands its rooms over and leaves", async () => {
    const room = await roomOf("c2", "ended");
    expect(await chat(2).stop("SIGTERM")).toEqual({ code: 0, signal: null });
    await servedBy("c1", room);
    expect(anna.moved.filter((moved) => moved.room === room)).toEqual([{ room, lost: false }]);
  }, TEST_MS);
});
