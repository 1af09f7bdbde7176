import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { Processes } from "../support/processes.ts";
import { runtime, runtimes } from "../support/runtimes.ts";

const processes = new Processes();
afterEach(() => processes.end());

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "toychat-dev-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

interface DevReady {
  role: string;
  ids: string[];
  mqtt: number;
  http: number;
  proxies: { id: string; mqtt: number; http: number }[];
  chats: { id: string; listen: string; slot: number }[];
}

const SHOUT = `export default async (chat: { on: Function; broadcast: Function }): Promise<void> => {
  await Promise.resolve();
  chat.on("message", (_user: unknown, room: string, body: string) => chat.broadcast(room, body.toUpperCase()));
};`;

/** What a member of a room hears when it says "hello" there. */
async function echo(port: number): Promise<string> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
  try {
    const heard = new Promise<string>((resolve) =>
      client.on("message", (_topic, body) => resolve(body.toString()))
    );
    await client.subscribeAsync("lobby");
    await client.publishAsync("lobby", "hello", { qos: 1 });
    return await heard;
  } finally {
    await client.endAsync(true);
  }
}

describe.each(runtimes().map((on) => [on.name, on] as const))("dev on %s", (_, on) => {
  test("runs an application on as many servers as asked for, and users of any proxy meet", async () => {
    const app = write("shout.ts", SHOUT);
    const dev = await processes.role<DevReady>(on, [
      "dev",
      app,
      ..."--mqtt 0 --http 0 --proxies 2 --chats 3".split(" "),
    ]);
    const { ready } = dev;
    expect(ready.role).toBe("dev");
    expect(ready.ids).toEqual(["chat-1", "chat-2", "chat-3", "proxy-1", "proxy-2"]);
    expect(ready.chats.map(({ slot }) => slot)).toEqual([0, 1, 2]);
    expect(ready.proxies[0]).toEqual({ id: "proxy-1", mqtt: ready.mqtt, http: ready.http });
    for (const { mqtt } of ready.proxies) expect(await echo(mqtt)).toBe("HELLO");
    expect((await fetch(`http://127.0.0.1:${ready.http}/readyz`)).status).toBe(200);
    expect(await dev.stop("SIGINT")).toEqual({ code: 0, signal: null });
    expect(dev.lines).toHaveLength(1);
  });

  test("an error that the application did not catch is logged and ends it with 1", async () => {
    const app = write(
      "bomb.ts",
      `export default (chat: { on: Function }): void => {
        chat.on("message", (_user: unknown, _room: string, body: string) => {
          if (body === "throw") throw new Error("in the listener");
          if (body === "later") setTimeout(() => { throw new Error("out of the blue"); });
          if (body === "reject") void Promise.reject(new Error("out of a promise"));
        });
      };`,
    );
    for (const [word, message] of [["later", "out of the blue"], ["reject", "out of a promise"]] as const) {
      const dev = await processes.role<DevReady>(on, ["dev", app, "--mqtt", "0", "--http", "off"]);
      const client = await connectAsync(`mqtt://127.0.0.1:${dev.ready.mqtt}`, { reconnectPeriod: 0 });
      client.on("error", () => {});
      await client.subscribeAsync("lobby");
      client.publish("lobby", "throw");
      await dev.until(
        ({ stderr }) => stderr.includes("in the listener") || undefined,
        "the listener's error",
      );
      client.publish("lobby", word);
      expect(await dev.exit).toEqual({ code: 1, signal: null });
      expect(dev.stderr).toMatch(new RegExp(`error uncaught_(error|rejection) .*${message}`));
      await client.endAsync(true);
    }
  });

  test.each([
    [
      "without a default export",
      "export const a = 1;",
      "has no default export: write export default (chat) =>",
    ],
    ["whose default export is no function", "export default {};", "has a default export that is no function"],
    ["that throws while it is loaded", `throw new Error("boom");`, "boom"],
    ["whose default export throws", `export default () => { throw new Error("boom"); };`, "threw:\n"],
    ["whose default export rejects", `export default async () => { throw new Error("boom"); };`, "threw:\n"],
  ])("an application %s ends it with 1 and says so", async (name, text, expected) => {
    const app = write(`${name.replaceAll(" ", "-")}.ts`, text);
    const { code, stdout, stderr } = await processes.run(on, ["dev", app, "--mqtt", "0", "--http", "0"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(expected);
    expect(stderr).toContain(app);
  });
});

test("an application that is not there ends it with 1 and says so", async () => {
  const { code, stderr } = await processes.run(runtime("bun"), ["dev", "/no/such/app.ts"]);
  expect(code).toBe(1);
  expect(stderr).toBe(
    "toychat dev: there is no file /no/such/app.ts: give the path of a module, such as app.ts\n",
  );
});

test("the application and ports can stand in the file of --config", async () => {
  write("shout2.ts", SHOUT);
  const config = write(
    "toychat.json",
    JSON.stringify({ mqtt: 0, http: 0, dev: { app: "shout2.ts", http: false } }),
  );
  const dev = await processes.role<DevReady>(runtime("bun"), ["dev", "--config", config]);
  expect(dev.ready.http).toBeUndefined();
  expect(await echo(dev.ready.mqtt)).toBe("HELLO");
});
