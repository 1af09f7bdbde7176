import { afterAll, describe, expect, test } from "bun:test";
import { publish, subscribe } from "../support/mqtt_wire.ts";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { Json, metric, RawMqtt, startDev } from "./support.ts";

const MOST = 1 << 20;
const LIMITS = `maxMessageBytes=${MOST},maxQueuedBytes=${8 * MOST}`;

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  const processes = new Processes();
  afterAll(() => processes.end());

  test("a message of the largest size that may be set goes from WebSocket and MQTT to both", async () => {
    const { ready } = await startDev(processes, on, LIMITS);
    const ada = await Json.open(ready, "ada");
    const bob = await RawMqtt.open(ready, 5, "bob");
    bob.raw.write(subscribe(1, { r: 0 }, {}, 5));
    await bob.packet("suback");
    ada.send({ type: "join", room: "r" });
    await ada.hears("joined");
    const text = "x".repeat(MOST);
    ada.send({ type: "message", room: "r", body: text, id: 1 });
    await ada.hears("ack");
    expect((await bob.packet("publish")).payload.length).toBe(MOST);
    expect(await ada.hears("message")).toMatchObject({ body: text });
    // JSON escapes make six bytes of each: nothing is longer on a link.
    const escaped = "\x01".repeat(MOST);
    bob.raw.write(publish("r", escaped, { qos: 1, messageId: 2 }, 5));
    expect((await bob.packet("puback")).reasonCode ?? 0).toBe(0);
    expect(await ada.hears("message")).toMatchObject({ body: escaped });
    expect(await metric(ready, "toychat_links_reset_total")).toBe(0);
  });
});
