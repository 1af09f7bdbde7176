import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { readdirSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Hosts } from "../support/hosts.ts";
import { Processes, type Running } from "../support/processes.ts";
import { root, runtime } from "../support/runtimes.ts";
import { until } from "../support/until.ts";

const talk = [...runtime("bun").command, join(root, "tests/serf/talk.mjs")];

/** Sends a datagram from one host to another; from 0, the machine itself. */
async function say(hosts: Hosts, from: number, to: number, text: string): Promise<void> {
  if (from > 0) {
    const { code } = await hosts.run(from, [...talk, "say", hosts.address(to), text]);
    expect(code).toBe(0);
    return;
  }
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.send(text, 5001, hosts.address(to), () => resolve()));
  socket.close();
}

/** Waits until a listener has heard a text, and gives everything that it has heard. */
async function heard(ear: Running, text: string): Promise<string[]> {
  return await ear.until(({ lines }) => {
    const texts = lines.filter((line) => line !== "ready {}");
    return texts.includes(text) ? texts : undefined;
  }, `hear ${text}`);
}

describe("a network of hosts", () => {
  let hosts: Hosts;
  let ears: Running[];

  beforeAll(async () => {
    hosts = await Hosts.open(3, { agents: false });
    ears = await Promise.all(
      hosts.numbers.map((host) => hosts.start(host, [...talk, "hear", hosts.address(host)])),
    );
  });
  afterEach(() => hosts.heal());
  afterAll(() => hosts.end());
  const ear = (host: number): Running => ears[host - 1] as Running;

  test("carries what hosts say to each other, and what the machine itself says to them", async () => {
    await say(hosts, 1, 2, "one to two");
    await say(hosts, 0, 2, "machine to two");
    expect(await heard(ear(2), "machine to two")).toEqual(["one to two", "machine to two"]);
  });

  test("loses what a host says and carries what it hears, where it is cut off that way", async () => {
    await hosts.cut(3, "out");
    expect([hosts.network.cutFrom(3), hosts.network.cutFrom(1)]).toEqual([[1, 2], [3]]);
    await say(hosts, 3, 1, "lost");
    await say(hosts, 1, 3, "carried");
    await heard(ear(3), "carried");
    const call = hosts.spawn(1, [...talk, "call", hosts.address(3)]);
    await say(hosts, 2, 3, "carried as well");
    await heard(ear(3), "carried as well");
    expect(call.stdout).toBe("");
    await hosts.heal(3);
    await call.until(({ lines }) => lines.includes("connected") || undefined, "connect");
    await say(hosts, 3, 1, "healed");
    expect(await heard(ear(1), "healed")).not.toContain("lost");
  });

  test("loses what a host hears and carries what it says, where it is cut off the other way", async () => {
    await hosts.cut(3, "in");
    await say(hosts, 1, 3, "unheard");
    await say(hosts, 3, 1, "said");
    await heard(ear(1), "said");
    await hosts.heal();
    await say(hosts, 1, 3, "heard again");
    expect(await heard(ear(3), "heard again")).not.toContain("unheard");
  });

  test("parts two groups, and users still reach both", async () => {
    await hosts.part([1, 2], [3]);
    await say(hosts, 1, 3, "across");
    await say(hosts, 3, 2, "back across");
    await say(hosts, 1, 2, "within");
    await say(hosts, 0, 3, "by a user");
    expect(await heard(ear(2), "within")).not.toContain("back across");
    expect(await heard(ear(3), "by a user")).not.toContain("across");
  });

  test("an isolated host hears nobody, not even the machine itself", async () => {
    await hosts.isolate(2);
    await say(hosts, 0, 2, "from the machine");
    await say(hosts, 1, 2, "from a host");
    await hosts.heal(2);
    await say(hosts, 1, 2, "after all that");
    const texts = await heard(ear(2), "after all that");
    expect(texts.filter((text) => text.startsWith("from"))).toEqual([]);
  });

  test("a host that has got another address is reached by that one, and stays cut off", async () => {
    await hosts.cut(2);
    await ear(2).kill();
    const before = hosts.address(2);
    const address = await hosts.network.readdress(2);
    expect(address).not.toBe(before);
    ears[1] = await hosts.start(2, [...talk, "hear", address]);
    await say(hosts, 1, 2, "cut off");
    await say(hosts, 0, 2, "by a user");
    await heard(ear(2), "by a user");
    await hosts.heal(2);
    await say(hosts, 1, 2, "healed");
    expect(await heard(ear(2), "healed")).toEqual(["by a user", "healed"]);
  });
});

/** Namespaces and interfaces of this machine that a process has made. */
function traces(pid: number): string[] {
  const names = readdirSync("/run/netns").filter((name) => name.includes(`-${pid}-`));
  const legs = Object.keys(networkInterfaces()).filter((name) => name.startsWith(`tc${pid.toString(36)}x`));
  return [...names, ...legs];
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("a network of hosts whose maker is killed", () => {
  const processes = new Processes();
  afterEach(() => processes.end());

  test("goes, with everything that ran on it", async () => {
    const maker = await processes.start<{ pid: number }>(
      [...runtime("bun").command, join(root, "tests/serf/maker.ts")],
    );
    const { pid } = maker.ready;
    expect(lives(pid)).toBe(true);
    expect(traces(maker.pid)).toHaveLength(4);
    await maker.kill();
    await until(() => traces(maker.pid).length === 0 && !lives(pid), "the end of the network");
  });
});

test("what a process that is gone has left behind goes with the next network", async () => {
  const processes = new Processes();
  const gone = processes.spawn(["true"]);
  await gone.exit;
  const name = `toychat-test-${gone.pid}-1-h1`;
  expect(await processes.spawn(["ip", "netns", "add", name]).exit).toEqual({ code: 0, signal: null });
  const left = processes.spawn(["ip", "netns", "exec", name, "sh", "-c", "echo here; exec sleep 1000"]);
  await left.until(({ lines }) => lines.includes("here") || undefined, "run");
  const hosts = await Hosts.open(1, { agents: false });
  await hosts.end();
  expect(await left.exit).toEqual({ code: null, signal: "SIGKILL" });
  expect(traces(gone.pid)).toEqual([]);
});

describe("hosts with Serf agents", () => {
  let hosts: Hosts;
  beforeAll(async () => void (hosts = await Hosts.open(3)));
  afterAll(() => hosts.end());

  test("find each other, by their addresses", async () => {
    const members = await hosts.members(2);
    expect(members.map(({ name, address, status }) => [name, address, status]).sort()).toEqual(
      hosts.numbers.map((host) => [`host-${host}`, hosts.address(host), "alive"]),
    );
  });

  test("call a host failed that is cut off, and alive once its network is healed", async () => {
    await hosts.cut(3);
    await Promise.all([1, 2].map((host) => hosts.sees(host, { "host-3": "failed" })));
    await hosts.heal();
    await hosts.whole();
  });

  test("call a host failed that died, and alive when its agent is back", async () => {
    await hosts.die(1);
    await hosts.sees(2, { "host-1": "failed", "host-3": "alive" });
    await hosts.agent(1).restart();
    await hosts.whole();
  });
});
