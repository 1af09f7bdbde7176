/**
 * A message that is longer by itself than what may wait for a client.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { Talker } from "../auth/support.ts";
import { publish } from "../support/mqtt_wire.ts";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { MIB, RawMqtt, startDev } from "./support.ts";

describe.each(runtimes().map((on) => [on.name, on] as const))("a server on %s", (_, on) => {
  const processes = new Processes();
  afterAll(() => processes.end());

  test("a message that is six times as long in JSON ends no client that reads", async () => {
    const { ready } = await startDev(processes, on, "maxSessions=100");
    const bob = await Talker.connect(`ws://127.0.0.1:${ready.http}/ws?user=bob`);
    bob.send({ type: "join", room: "plaza" });
    await bob.hears(({ type }) => type === "joined");
    const ada = await RawMqtt.open(ready, 5, "ada");
    const body = "\u0001".repeat(MIB / 4);
    ada.raw.write(publish("plaza", body, { qos: 1, messageId: 1 }, 5));
    ada.raw.write(publish("plaza", "and after it", { qos: 1, messageId: 2 }, 5));
    await bob.hears((said) => said.body === "and after it");
    expect(bob.said.filter(({ type }) => type === "message").map((said) => said.body)).toEqual([
      body,
      "and after it",
    ]);
    expect(bob.closed).toBeUndefined();
    ada.raw.close();
    bob.close();
  });
});
