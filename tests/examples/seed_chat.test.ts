import { afterEach, describe, expect, test } from "bun:test";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { mqttUser, type TestUser, until, webSocketUser } from "./support.ts";

const processes = new Processes();
afterEach(() => processes.end());

interface ReadyLine {
  proxies: [{ mqtt: number; http: number }, { mqtt: number; http: number }];
}

describe.each(runtimes())("examples/seed_chat.ts on $name", (runtime) => {
  async function start(): Promise<ReadyLine["proxies"]> {
    const command = [...runtime.command, "examples/seed_chat.ts", "0", "0", "0", "0"];
    return (await processes.start<ReadyLine>(command)).ready.proxies;
  }

  async function expectTalk(users: Record<string, TestUser>, room: string): Promise<void> {
    const names = Object.keys(users);
    for (const name of names) await users[name]!.say(room, `this is ${name}`);
    for (const name of names) {
      const others = names.filter((other) => other !== name);
      await until(() => users[name]!.heard.length >= others.length, `what ${name} hears`);
      expect(users[name]!.heard).toEqual(others.map((other) => [room, `this is ${other}`]));
    }
  }

  test("everyone but the sender gets a message, over two proxies and two protocols", async () => {
    const [first, second] = await start();
    await expectTalk({
      ann: await mqttUser(first.mqtt, "ann", ["lobby"]),
      bob: await webSocketUser(first.http, "bob", ["lobby"]),
      cat: await mqttUser(second.mqtt, "cat", ["lobby"]),
      dan: await webSocketUser(second.http, "dan", ["lobby"]),
    }, "lobby");
  });

  test("who has left gets no more", async () => {
    const [first, second] = await start();
    const ann = await mqttUser(first.mqtt, "ann", ["lobby"]);
    const bob = await webSocketUser(second.http, "bob", ["lobby"]);
    const cat = await mqttUser(second.mqtt, "cat", ["lobby"]);
    await bob.close();
    await ann.say("lobby", "anyone?");
    await until(() => cat.heard.length > 0, "the message");
    expect(cat.heard).toEqual([["lobby", "anyone?"]]);
    expect(bob.heard).toEqual([]);
  });

  test("rooms and users may be called as properties that every object has", async () => {
    const [first, second] = await start();
    await expectTalk({
      ["__proto__"]: await mqttUser(first.mqtt, "__proto__", ["__proto__"]),
      constructor: await webSocketUser(second.http, "constructor", ["__proto__"]),
      toString: await mqttUser(second.mqtt, "toString", ["__proto__"]),
    }, "__proto__");
  });
});
