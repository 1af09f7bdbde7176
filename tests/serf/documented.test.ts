import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hosts, type SeenHost } from "../support/hosts.ts";
import { cli, Processes, type Running } from "../support/processes.ts";
import { runtime } from "../support/runtimes.ts";
import { gossipKey } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";
import { commands, execStart, file, inLanguage } from "./documented.ts";

const folder = mkdtempSync(join(tmpdir(), "toychat-documented-"));
const processes = new Processes();
afterAll(async () => {
  await processes.end();
  rmSync(folder, { recursive: true, force: true });
});

describe("the hosts that docs/serf.md sets up", () => {
  const key = gossipKey();
  const env = { SERF_RPC_AUTH: "an-rpc-key" };
  let hosts: Hosts;
  const agents: Running[] = [];

  /** What the document calls host `a`'s, as the host of a number has it. */
  function ours(text: string, host: number): string {
    return text
      .replaceAll("10.0.0.1", hosts.address(host))
      .replaceAll("10.0.0.2", hosts.address(host % 3 + 1))
      .replaceAll("10.0.0.3", hosts.address((host + 1) % 3 + 1))
      .replaceAll('"node_name": "a"', `"node_name": "${"abc"[host - 1]}"`)
      .replaceAll("/var/lib/serf", join(folder, `lib-${host}`))
      .replaceAll("RPC-KEY", env.SERF_RPC_AUTH);
  }

  function startAgent(host: number): Running {
    const etc = join(folder, `etc-${host}`);
    mkdirSync(etc, { recursive: true });
    writeFileSync(join(etc, "toychat.json"), ours(file("/etc/serf/toychat.json"), host));
    return hosts.spawn(host, ["serf", "agent", `-config-dir=${etc}/`]);
  }

  async function members(host: number): Promise<string[]> {
    const { code, stdout } = await hosts.run(host, ["serf", "members", "-format=json"], { env });
    if (code !== 0) return [];
    const { members } = JSON.parse(stdout) as { members: SeenHost[] };
    return members.map(({ name, status }) => `${name} ${status}`).sort();
  }

  const whole = (host: number): Promise<unknown> =>
    until(async () => (await members(host)).join() === "a alive,b alive,c alive", `host ${host} to see all`);

  /** The keyring that an agent keeps. */
  function keyring(host: number): string[] {
    return JSON.parse(readFileSync(join(folder, `lib-${host}/keyring.json`), "utf8"));
  }

  beforeAll(async () => {
    hosts = await Hosts.open(3, { agents: false });
    for (const host of hosts.numbers) {
      mkdirSync(join(folder, `lib-${host}`));
      writeFileSync(join(folder, `lib-${host}/keyring.json`), JSON.stringify([key]), { mode: 0o600 });
      agents[host] = startAgent(host);
    }
    await Promise.all(hosts.numbers.map(whole));
  });
  afterAll(() => hosts.end());

  test("have found each other, and their agents want the RPC key", async () => {
    const stranger = await hosts.run(1, ["serf", "members"], { env: { SERF_RPC_AUTH: undefined } });
    expect(stranger.code).toBe(1);
    expect(stranger.stdout + stranger.stderr).toContain("Authentication required");
  });

  test("rotate their gossip key by the commands shown, and remember it over a restart", async () => {
    const shown = ours(commands("Rotate the gossip key"), 1).replace("GOSSIP-KEY", key);
    const script = `set -e\n${shown}`;
    const rotated = await hosts.run(1, ["sh", "-c", script]);
    expect([rotated.code, rotated.stdout + rotated.stderr]).toEqual([0, expect.stringContaining("[3/3]")]);
    const fresh = keyring(1);
    expect(fresh).toHaveLength(1);
    expect(fresh).not.toEqual([key]);
    expect([keyring(2), keyring(3)]).toEqual([fresh, fresh]);
    await agents[2]!.stop("SIGTERM");
    agents[2] = startAgent(2);
    await Promise.all(hosts.numbers.map(whole));
  });

  test("run the processes of the units shown, which find each other by the bridge", async () => {
    const credentials = join(folder, "credentials");
    mkdirSync(credentials, { recursive: true, mode: 0o700 });
    writeFileSync(join(credentials, "secret"), "a secret of many words\n", { mode: 0o600 });
    writeFileSync(join(credentials, "bridge.json"), ours(file("/etc/toychat/bridge.json"), 1));
    const variables: Record<string, string> = { "${CREDENTIALS_DIRECTORY}": credentials, "%i": "7401" };
    for (const line of file("/etc/toychat/host.env").trim().split("\n")) {
      const [name = "", value = ""] = line.split("=");
      variables[`\${${name}}`] = ours(value, 1);
    }
    const start = (unit: string): Promise<Running> => {
      const words = execStart(file(`/etc/systemd/system/${unit}`), variables);
      expect(words[0]).toBe("/usr/bin/toychat");
      const rest = words.slice(1).filter((word) => word !== "/opt/app/app.js");
      return hosts.start(1, [...runtime("bun").command, cli, ...rest]);
    };
    await start("toychat-bridge.service");
    const [chat, proxy] = await Promise.all([start("toychat-chat@.service"), start("toychat-proxy.service")]);
    const asked = await hosts.run(1, [
      ...runtime("bun").command,
      ...[cli, "members", "--json", "--secret-file", join(credentials, "secret")],
    ]);
    const list = JSON.parse(asked.stdout) as { id: string; address: string; state: string }[];
    expect(list.map(({ id, state }) => `${id} ${state}`).sort()).toEqual(["a-7401 alive", "a-proxy alive"]);
    expect(list.map(({ address }) => address)).toContain(`${hosts.address(1)}:7401`);
    for (const port of [17401, 9100, 9101]) {
      expect((await fetch(`http://${hosts.address(1)}:${port}/readyz`)).status).toBe(200);
    }
    expect(await proxy.stop()).toEqual({ code: 0, signal: null });
    expect(await chat.stop()).toEqual({ code: 0, signal: null });
  });
});

describe("what docs/serf.md says of restarts", () => {
  let hosts: Hosts;
  beforeAll(async () => void (hosts = await Hosts.open(2)));
  afterAll(() => hosts.end());
  const log = (): string => hosts.agent(1).running.stdout;

  test("an agent that ends without a word and is back soon is never missed", async () => {
    const tags = async () => (await hosts.members(1)).find(({ name }) => name === "host-2")?.tags["life"];
    await hosts.agent(2).command(["tags", "-set", "life=first"]);
    await until(async () => await tags() === "first", "the tags of the first life");
    await hosts.agent(2).kill("SIGTERM");
    await hosts.agent(2).restart();
    await until(async () => await tags() === undefined, "the second life, which has no tags");
    await hosts.sees(1, { "host-2": "alive" });
    expect(log()).not.toMatch(/EventMember(Leave|Failed): host-2/);
  });

  test("an agent that leaves is called so at once", async () => {
    await hosts.agent(2).command(["leave"]);
    await hosts.sees(1, { "host-2": "left" });
    expect(log()).not.toContain("EventMemberFailed: host-2");
  });
});

const units = ["toychat-bridge.service", "toychat-chat@.service", "toychat-proxy.service"];
const analyze = Bun.which("systemd-analyze");

test.if(analyze !== null)("the units in docs/serf.md are right to systemd", async () => {
  const found = mkdtempSync(join(folder, "units-"));
  // It looks whether the programs are there.
  const program = join(found, "toychat");
  writeFileSync(program, "#!/bin/sh\n");
  chmodSync(program, 0o755);
  for (const unit of units) {
    const text = file(`/etc/systemd/system/${unit}`).replace(
      "ExecStart=/usr/bin/toychat",
      `ExecStart=${program}`,
    );
    writeFileSync(join(found, unit), text);
  }
  mkdirSync(join(found, "serf.service.d"));
  writeFileSync(join(found, "serf.service"), "[Service]\nExecStart=/bin/true\n");
  writeFileSync(
    join(found, "serf.service.d/toychat.conf"),
    file("/etc/systemd/system/serf.service.d/toychat.conf"),
  );
  const names = [...units.map((unit) => unit.replace("@.", "@7401.")), "serf.service"];
  const verified = processes.spawn([
    "systemd-analyze",
    "verify",
    "--man=no",
    ...names.map((name) => join(found, name)),
  ], {
    env: { SYSTEMD_UNIT_PATH: `${found}:` },
  });
  const { code } = await verified.exit;
  expect([code, verified.stdout + verified.stderr]).toEqual([0, ""]);
});

test("the firewall in docs/serf.md knows every port of the table that is for hosts", () => {
  const rules = inLanguage("nft");
  for (const port of ["7373", "7374", "7946", "7401-7424"]) expect(rules).toContain(port);
});
