import { afterEach, describe, expect, test } from "bun:test";
import { connectAsync } from "mqtt";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { until, webSocketUser } from "./support.ts";

const processes = new Processes();
afterEach(() => processes.end());

describe.each(runtimes())("examples/hono_mount.ts on $name", (runtime) => {
  async function start(): Promise<number> {
    const command = [...runtime.command, "examples/hono_mount.ts", "0"];
    return (await processes.start<{ http: number }>(command)).ready.http;
  }

  test("the application's pages and the proxy's are side by side", async () => {
    const at = `http://127.0.0.1:${await start()}`;
    expect(await (await fetch(`${at}/`)).text()).toContain("My application");
    expect(await (await fetch(`${at}/chat`)).text()).toContain("<title>toychat</title>");
    expect((await fetch(`${at}/chat/healthz`)).status).toBe(200);
    expect((await fetch(`${at}/chat/nothing`)).status).toBe(404);
    expect((await fetch(`${at}/ws`)).status).toBe(404);
    expect((await fetch(`${at}/chat/ws`)).status).toBe(426);
  });

  test("users on WebSocket and on MQTT over WebSocket talk under /chat, and the application sees them", async () => {
    const port = await start();
    const ann = await webSocketUser(port, "ann", ["lobby"], "/chat/ws");
    const bob = await connectAsync(`ws://127.0.0.1:${port}/chat/mqtt`, {
      username: "bob",
      reconnectPeriod: 0,
    });
    await bob.subscribeAsync("lobby");
    const { users } = await (await fetch(`http://127.0.0.1:${port}/rooms/lobby`)).json() as {
      users: string[];
    };
    expect(users.sort()).toEqual(["ann", "bob"]);
    await bob.publishAsync("lobby", "hello", { qos: 1 });
    await until(() => ann.heard.length > 0, "the message");
    expect(ann.heard).toEqual([["lobby", "hello"]]);
    await bob.endAsync(true);
    await ann.close();
  });
});
