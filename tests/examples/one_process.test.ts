import { afterEach, describe, expect, test } from "bun:test";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { mqttUser, until, webSocketUser } from "./support.ts";

const processes = new Processes();
afterEach(() => processes.end());

interface ReadyLine {
  mqtt: number;
  http: number;
}

describe.each(runtimes())("examples/one_process.ts on $name", (runtime) => {
  test("a user on MQTT and one on WebSocket talk in one room", async () => {
    const { ready } = await processes.start<ReadyLine>([
      ...runtime.command,
      "examples/one_process.ts",
      "0",
      "0",
    ]);
    const ann = await mqttUser(ready.mqtt, "ann", ["lobby"]);
    const bob = await webSocketUser(ready.http, "bob", ["lobby"]);
    await ann.say("lobby", "hello");
    await bob.say("lobby", "hello yourself");
    for (const user of [ann, bob]) {
      await until(() => user.heard.length === 2, "both messages");
      expect(user.heard).toEqual([["lobby", "ann: hello"], ["lobby", "bob: hello yourself"]]);
    }
    await ann.close();
    await bob.close();
  });
});
