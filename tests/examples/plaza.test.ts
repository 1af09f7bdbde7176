import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Processes, type Ready, type Running } from "../support/processes.ts";
import { root, runtime, runtimes, systemFolders } from "../support/runtimes.ts";
import { until, webSocketUser } from "./support.ts";

interface PlazaReady {
  role: string;
  http: number;
  mqtt: number;
  proxies: { id: string; http: number; mqtt: number; runtime: string; pid: number }[];
  chats: { id: string; listen: string; runtime: string; pid: number }[];
  bridge: { listen: string; runtime: string; pid: number };
}

setDefaultTimeout(90_000);
const READY = { readyMs: 40_000 };
const processes = new Processes();
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
  await processes.end();
});

function start(name: "bun" | "deno" | "node"): Promise<Ready<PlazaReady>> {
  return processes.start<PlazaReady>([...runtime(name).command, "examples/plaza.ts"], READY);
}

function pidsOf({ bridge, proxies, chats }: PlazaReady): number[] {
  return [bridge, ...proxies, ...chats].map(({ pid }) => pid);
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Takes a port, unless somebody has it already. */
function take(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      cleanUp.push(() => new Promise((done) => server.close(done)));
      resolve(server);
    });
  });
}

/** Subscribes by mosquitto_sub, which keeps its words to itself in a pipe unless told; resolves when it is in the room. */
async function subscribe(port: number, topic: string): Promise<Running> {
  const sub = processes.spawn(["stdbuf", "-oL", "mosquitto_sub", "-d", "-p", `${port}`, "-t", topic, "-v"]);
  await sub.until(({ stdout }) => stdout.includes("Subscribed") || undefined, "its subscription");
  return sub;
}

async function publish(port: number, topic: string, text: string): Promise<void> {
  const pub = processes.spawn(["mosquitto_pub", "-p", `${port}`, "-q", "1", "-t", topic, "-m", text]);
  const { code } = await pub.exit;
  if (code !== 0) throw pub.failure(`ended with ${code}`);
}

describe.each(runtimes())("examples/plaza.ts on $name", ({ name }) => {
  test("six processes start, on every runtime that is there, and Ctrl-C ends all of them", async () => {
    const plaza = await start(name as "bun" | "deno" | "node");
    const { role, http, mqtt, proxies, chats, bridge } = plaza.ready;
    expect(role).toBe("plaza");
    expect([http, mqtt]).toEqual([proxies[0]!.http, proxies[0]!.mqtt]);
    expect([proxies.length, chats.length]).toEqual([2, 3]);
    expect(chats.map(({ runtime }) => runtime).sort()).toEqual(["bun", "deno", "node"]);
    expect(bridge.runtime).toBe(name);
    expect(plaza.stdout.split("\n").filter((line) => line.startsWith("ready "))).toHaveLength(1);
    await plaza.until(({ stdout }) => stdout.includes("Ctrl-C closes the plaza") || undefined, "its hints");
    for (const { id, pid } of [...proxies, ...chats]) {
      expect(plaza.stdout).toMatch(new RegExp(`${id} .*pid ${pid}`));
    }
    expect(plaza.stdout).toContain(`mosquitto_sub -p ${mqtt} -t plaza/fountain -v`);

    const pids = pidsOf(plaza.ready);
    expect(new Set(pids).size).toBe(6);
    expect(pids.every(lives)).toBe(true);
    expect(await plaza.stop("SIGINT")).toEqual({ code: 0, signal: null });
    expect(pids.filter(lives)).toEqual([]);
  });

  test("nothing is left when it is itself killed", async () => {
    const plaza = await start(name as "bun" | "deno" | "node");
    const pids = pidsOf(plaza.ready);
    await plaza.kill();
    await until(() => !pids.some(lives), "the end of all its processes");
  });
});

describe("examples/plaza.ts", () => {
  test.each(runtimes())(
    "says what it takes where it is given something else, on $name",
    async ({ command }) => {
      const plaza = processes.spawn([...command, "examples/plaza.ts", "--http", "8090"]);
      expect(await plaza.exit).toEqual({ code: 2, signal: null });
      expect(plaza.stderr).toContain("'--http'");
      expect(plaza.stderr).toContain("usage: plaza.ts [--verbose]");
      expect(plaza.stdout).toBe("");
    },
  );

  test("takes free ports where the usual ones are taken", async () => {
    const usual = [1883, 1884, 8080, 8081, 7374];
    for (const port of usual) await take(port);
    const { ready } = await start("deno");
    const ports = ready.proxies.flatMap(({ mqtt, http }) => [mqtt, http]);
    ports.push(Number(ready.bridge.listen.split(":").at(-1)));
    expect(ports.filter((port) => usual.includes(port))).toEqual([]);
    expect(new Set(ports).size).toBe(5);
  });

  test("mosquitto's tools talk on an area and on any other topic, from one proxy to the other", async () => {
    const { ready } = await start("deno");
    const [first, second] = ready.proxies as [PlazaReady["proxies"][0], PlazaReady["proxies"][0]];
    for (const topic of ["plaza/fountain", "my/own topic/ünïcode"]) {
      const sub = await subscribe(first.mqtt, topic);
      await publish(second.mqtt, topic, "hello");
      await sub.until(({ lines }) => lines.includes(`${topic} hello`) || undefined, "the message");
      const user = await webSocketUser(second.http, "ann", [topic]);
      await user.say(topic, "hello from a socket");
      await sub.until(
        ({ lines }) => lines.includes(`${topic} hello from a socket`) || undefined,
        "the message",
      );
      expect(user.heard).toEqual([[topic, "hello from a socket"]]);
      await user.close();
    }
  });

  test("the page, the proxy's own paths and the feed are on one port; other sites cannot kill", async () => {
    const { ready } = await start("deno");
    for (const { http, id } of ready.proxies) {
      const at = `http://127.0.0.1:${http}`;
      const page = await fetch(`${at}/`);
      expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
      const text = await page.text();
      expect(text).toContain("<h1>The plaza</h1>");
      for (const [, path] of text.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
        expect((await fetch(at + path)).status).toBe(200);
      }
      expect(await (await fetch(`${at}/healthz`)).json()).toEqual({ status: "ok", id });
      const body = JSON.stringify({ id: "chat-1" });
      const plain = await fetch(`${at}/plaza/kill`, { method: "POST", body });
      expect(plain.status).toBe(415);
      const headers = { "content-type": "application/json", origin: "http://evil.example" };
      const foreign = await fetch(`${at}/plaza/kill`, { method: "POST", body, headers });
      expect(foreign.status).toBe(403);
    }
    expect(pidsOf(ready).every(lives)).toBe(true);
  });

  test("a clone with nothing installed runs on Deno alone", async () => {
    const clone = mkdtempSync(join(tmpdir(), "plaza-"));
    cleanUp.push(() => rmSync(clone, { recursive: true }));
    for (
      const path of ["mod.ts", "src", "transports", "examples", "deno.json", "package.json", "bunfig.toml"]
    ) {
      cpSync(join(root, path), join(clone, path), { recursive: true });
    }
    const PATH = systemFolders().join(":");
    const plaza = await processes.start<PlazaReady>([...runtime("deno").command, "examples/plaza.ts"], {
      ...READY,
      cwd: clone,
      env: { PATH },
    });
    const { proxies, chats } = plaza.ready;
    expect(new Set([...proxies, ...chats].map(({ runtime }) => runtime))).toEqual(new Set(["deno"]));
    const sub = await subscribe(proxies[0]!.mqtt, "plaza/garden");
    await publish(proxies[1]!.mqtt, "plaza/garden", "hello");
    await sub.until(({ lines }) => lines.includes("plaza/garden hello") || undefined, "the message");
    await plaza.stop("SIGTERM");
  });
});
