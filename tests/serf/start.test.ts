import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { systemTransport } from "../../transports/system.ts";
import { cli, Processes, type Ready, type Running } from "../support/processes.ts";
import { runtime } from "../support/runtimes.ts";
import { loopbackAddress, type SerfAgent, SerfAgents } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";

const agents = new SerfAgents();
const processes = new Processes();
const bun = [...runtime("bun").command, cli];
afterAll(async () => {
  await processes.end();
  await agents.end();
});

/** Starts `toychat` and waits for its end, which is to be a failure. */
async function refused(args: readonly string[], env: Record<string, string> = {}): Promise<Running> {
  const running = processes.spawn([...bun, ...args], { env });
  expect([await running.exit, running.stdout]).toEqual([{ code: 1, signal: null }, ""]);
  return running;
}

const ANYWHERE = ["--listen", "127.0.0.1:0"];

describe("a bridge that starts", () => {
  let agent: SerfAgent;
  beforeAll(async () => void (agent = await agents.start({ name: "locked", rpcAuth: "the key" })));

  test("with another key than its agent's ends, and says which key is meant", async () => {
    const wrong = await refused(["bridge", ...ANYWHERE, "--serf", agent.rpc], {
      TOYCHAT_SERF_AUTH: "another",
    });
    expect(wrong.stderr).toContain(`the Serf agent at ${agent.rpc} refused the key: give its rpc_auth key`);
    expect(wrong.stderr).not.toContain("another");
  });

  test("without the key that its agent wants ends, and says so", async () => {
    const none = await refused(["bridge", ...ANYWHERE, "--serf", agent.rpc]);
    expect(none.stderr).toContain(`the Serf agent at ${agent.rpc} refused the key: give its rpc_auth key`);
  });
});

describe("a ChatServer that follows an agent itself", () => {
  test("ends where its agent wants another key, and says so", async () => {
    const agent = await agents.start({ name: "direct", rpcAuth: "the key" });
    const wrong = await refused([
      "chat",
      "--id",
      "c1",
      "--bridge",
      `serf:${agent.rpc}`,
      "--serf-auth",
      "another",
    ]);
    expect(wrong.stderr).toContain("the Serf agent refused the RPC key");
    expect(wrong.stderr).not.toContain("another");
  });
});

test("a role without a bridge that finds no agent for 10 s ends, and says where it looked", async () => {
  const rpc = `${loopbackAddress()}:7373`;
  const chat = await refused(["chat", "--id", "c1", "--bridge", `serf:${rpc}`]);
  expect(chat.stderr).toContain(`no Serf agent at ${rpc}`);
}, 40_000);

describe("a bridge whose agent starts later", () => {
  for (const name of ["bun", "deno", "node"] as const) {
    test(`serves its own host alone until then, on ${name}`, async () => {
      const command = [...runtime(name).command, cli];
      const rpcHost = loopbackAddress();
      const args = ["bridge", ...ANYWHERE, "--serf", `${rpcHost}:7373`];
      const bridge = await processes.start<{ listen: string }>([...command, ...args]);
      await bridge.until(({ stderr }) => stderr.includes("serf_alone") || undefined, "say that it is alone");
      const url = `ws://${bridge.ready.listen}/rpc`;
      const chat = await processes.start([...bun, "chat", "--id", "c1", "--bridge", url]);
      expect(await list(url)).toEqual(["c1"]);
      const second = await processes.start([...bun, "chat", "--id", "c2", "--bridge", url]);
      chat.signal("SIGKILL");
      await until(async () => (await list(url)).join() === "c2", "the bridge withdraws who has died");
      const agent = await agents.start({ name: `late-${name}`, rpcHost });
      await until(async () => (await agent.command(["members"])).includes("c2."), "its agent publishes it");
      expect([await list(url), second.stderr.includes("rejoined")]).toEqual([["c2"], false]);
    }, 60_000);
  }

  test("lets a ChatServer in when it has the agent, with seal", async () => {
    const rpcHost = loopbackAddress();
    const args = ["bridge", ...ANYWHERE, "--partition", "seal", "--serf", `${rpcHost}:7373`];
    const bridge = await processes.start<{ listen: string }>([...bun, ...args]);
    const url = `ws://${bridge.ready.listen}/rpc`;
    const start = (): Running => processes.spawn([...bun, "chat", "--id", "c1", "--bridge", url]);
    let chat = start();
    await until(() => chat.stderr.includes("sealed"), "it is refused");
    expect(await list(url)).toEqual([]);
    await agents.start({ name: "late-seal", rpcHost });
    const ready = (): boolean => {
      // It tries for 10 s, which is little on a busy machine: whoever runs it starts it again.
      if (chat.ended) chat = start();
      return chat.stdout.startsWith("ready ");
    };
    await until(ready, () => `it is let in; it says ${chat.stderr}`, 40_000);
    expect(await list(url)).toEqual(["c1"]);
  }, 60_000);
});

/** The ids of the members that a bridge lists. */
async function list(url: string): Promise<string[]> {
  const running = processes.spawn([...bun, "members", "--json", "--bridge", url]);
  expect(await running.exit).toEqual({ code: 0, signal: null });
  return (JSON.parse(running.stdout) as { id: string }[]).map(({ id }) => id);
}

describe("a host", () => {
  let bridge: Ready<{ listen: string }>;
  const url = (): string => `ws://${bridge.ready.listen}/rpc`;
  const members: BridgeMembership[] = [];

  beforeAll(async () => {
    const advertised = await agents.start({ name: "outside", config: { advertise: "10.9.8.7:7946" } });
    bridge = await processes.start([...bun, "bridge", ...ANYWHERE, "--serf", advertised.rpc]);
  });
  afterAll(() => Promise.all(members.map((member) => member.close())));

  test("whose agent others reach refuses a ChatServer that only the host itself reaches, and says what to write", async () => {
    const loopback = await refused(["chat", "--id", "c1", ...ANYWHERE, "--bridge", url()]);
    expect(loopback.stderr).toContain("start it with --host 10.9.8.7, or --listen 10.9.8.7:0");
  });

  test("has room for 24 processes, and names its limit to the one that does not fit", async () => {
    const transport = await systemTransport();
    const join = async (number: number): Promise<void> => {
      const member = new BridgeMembership({ transport, url: url() });
      members.push(member);
      const id = `member${String(number).padStart(2, "0")}`;
      await member.join({
        id,
        role: number % 4 === 0 ? "proxy" : "chat",
        address: `10.9.8.7:${7000 + number}`,
      });
    };
    await Promise.all(Array.from({ length: 24 }, (_, index) => join(index)));
    let count = 24;
    const full = async (): Promise<string> => {
      try {
        while (count < 64) await join(count++);
        return "never";
      } catch (error) {
        return String(error);
      }
    };
    expect(await full()).toMatch(/\b(505|512|500|49\d) bytes\b/);
    // Whoever was there is still there.
    const listed = (): number | undefined => members[0]?.view.members.length;
    await until(() => listed() === count - 1, () => `${count - 1} members, not ${listed()}`);
  }, 60_000);
});
