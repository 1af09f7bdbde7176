import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Processes, type Running } from "../support/processes.ts";
import { type Runtime, runtime, runtimes, systemFolders } from "../support/runtimes.ts";
import { mqttUser, until } from "./support.ts";

setDefaultTimeout(90_000);
const processes = new Processes();
const folders: string[] = [];
afterEach(async () => {
  await processes.end();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const program = "examples/serf/hosts.ts";

/** A folder with these programs of the system, and others written as shell scripts. */
function path(programs: readonly string[], scripts: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "toychat-examples-"));
  folders.push(folder);
  for (const name of programs) {
    const from = systemFolders().map((each) => join(each, name)).find((file) => Bun.which(file));
    if (from) symlinkSync(from, join(folder, name));
  }
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

/** Namespaces, and folders with secrets, that a process has made. */
function traces(pid: number): string[] {
  const ours = (name: string): boolean => name.startsWith(`toychat-hosts-${pid}-`);
  mkdirSync("/run/netns", { recursive: true });
  return [...readdirSync("/run/netns"), ...readdirSync(tmpdir())].filter(ours);
}

describe("examples/serf/hosts.ts", () => {
  const bun = runtime("bun").command;

  test("says what it takes to a user who is not root, and exits with 2", async () => {
    const drop = process.getuid?.() === 0
      ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
      : [];
    const running = processes.spawn([...drop, ...bun, program], { env: { HOME: path([]) } });
    expect((await running.exit).code).toBe(2);
    expect(running.stderr).toContain("takes root: run the same command again under sudo");
  });

  test.each([
    [["--hosts", "1"], '--hosts "1": 2 to 9'],
    [["--partition", "no"], '--partition "no": serve or seal'],
    [["--host", "3"], "--hosts N"],
  ])("says what is wrong with %j, and exits with 2", async (args, text) => {
    const running = processes.spawn([...bun, program, ...args]);
    expect((await running.exit).code).toBe(2);
    expect(running.stderr).toContain(text);
  });

  test("says what to install where Serf is missing, and exits with 2", async () => {
    const running = processes.spawn([...bun, program], { env: { PATH: path(["ip"]) } });
    expect((await running.exit).code).toBe(2);
    expect(running.stderr).toContain("not in the PATH: serf. On Debian: apt-get install serf");
  });

  test("leaves nothing behind where something does not start, and says what that was", async () => {
    const broken = path([], { serf: "echo there is no agent today >&2; exit 1" });
    const running = processes.spawn([...bun, program], {
      env: { PATH: `${broken}:${process.env["PATH"]}` },
    });
    expect((await running.exit).code).toBe(1);
    expect(running.stderr).toContain("did not start: there is no agent today");
    expect(traces(running.pid)).toEqual([]);
  });
});

interface HostsReady {
  hosts: { host: number; address: string; mqtt: number; pids: Record<string, number> }[];
}

describe("examples/serf/hosts.ts with its hosts", () => {
  const everybody = [1, 2, 3].flatMap((host) => [`chat-${host}`, `proxy-${host}`]);

  /** Starts it with a console: a pipe that commands are written to. */
  async function start(
    { command }: Runtime,
  ): Promise<{ running: Running; ready: HostsReady; say(line: string): void }> {
    const folder = path([]);
    const fifo = join(folder, "console");
    const made = processes.spawn(["mkfifo", fifo]);
    await made.exit;
    const words = [...command, program].map((word) => `'${word}'`).join(" ");
    const running = processes.spawn(["sh", "-c", `exec ${words} <>'${fifo}'`]);
    const line = await running.until(
      ({ lines }) => lines.find((line) => line.startsWith("ready ")),
      "its ready line",
      60_000,
    );
    const say = (line: string): void => writeFileSync(fifo, `${line}\n`);
    return { running, ready: JSON.parse(line.slice("ready ".length)), say };
  }

  /** What a host has printed that it sees, up to now: the last word about each member. */
  function seen({ lines }: Running, host: number): Set<string> {
    const here = new Set<string>();
    for (const line of lines) {
      const [, number, sign, id = ""] = /host (\d) sees {2}([-+ ]) (\S+)/.exec(line) ?? [];
      if (Number(number) !== host) continue;
      if (sign === "-") here.delete(id);
      else here.add(id);
    }
    return here;
  }

  const sees = (running: Running, host: number, ids: readonly string[]): Promise<unknown> =>
    running.until(
      (running) => [...seen(running, host)].sort().join() === [...ids].sort().join() || undefined,
      `host ${host} sees ${ids}`,
      30_000,
    );

  test("three hosts see each other, one is cut off and comes back, and Ctrl-C removes all", async () => {
    const { running, ready, say } = await start(runtime("deno"));
    await running.until(({ stdout }) => stdout.includes("Ctrl-C ends") || undefined, "its hints");
    expect(running.stdout).toMatch(/^ {2}ip netns exec \S+ serf members -rpc-auth=\S+$/m);
    await Promise.all([1, 2, 3].map((host) => sees(running, host, everybody)));
    const [one, two] = ready.hosts;
    const ann = await mqttUser(one!.mqtt, "ann", ["lobby"], one!.address);
    const bob = await mqttUser(two!.mqtt, "bob", ["lobby"], two!.address);
    await bob.say("lobby", "hello");
    await until(() => ann.heard.length === 1, "what ann hears");

    say("cut 3");
    await Promise.all([1, 2].map((host) => sees(running, host, everybody.filter((id) => !id.endsWith("3")))));
    say("heal");
    await Promise.all([1, 2, 3].map((host) => sees(running, host, everybody)));
    say("kill chat 2");
    await Promise.all(
      [1, 2, 3].map((host) => sees(running, host, everybody.filter((id) => id !== "chat-2"))),
    );
    expect([ann.ended, bob.ended]).toEqual([false, false]);
    await Promise.all([ann.close(), bob.close()]);

    expect(traces(running.pid).length).toBeGreaterThan(3);
    expect(await running.stop("SIGINT")).toEqual({ code: 0, signal: null });
    await until(() => traces(running.pid).length === 0, "the end of the hosts");
  });

  test.each(runtimes())("nothing is left when it is itself killed, on $name", async (runtime) => {
    const { running } = await start(runtime);
    expect(traces(running.pid).length).toBeGreaterThan(3);
    await running.kill();
    await until(() => traces(running.pid).length === 0, "the end of the hosts");
  });
});
