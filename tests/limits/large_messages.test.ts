/**
 * Messages of the largest size, and such as are longer by themselves than what may wait for a client.
 *
 * @module
 */
import { afterAll, describe, expect, test } from "bun:test";
import { connectClient } from "../support/clients.ts";
import { publish, subscribe } from "../support/mqtt_wire.ts";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { Json, metric, MIB, type Ports, RawMqtt, startDev } from "./support.ts";

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

  test("a message longer than what may wait reaches whoever reads, and so does what follows it", async () => {
    const { ready: ports } = await startDev(processes, on, "maxMessageBytes=1048576");
    const readers = await Promise.all([
      connectClient(ports, "mqtt4", "four", { qos: 0 }),
      connectClient(ports, "mqtt5", "five", { qos: 1 }),
      connectClient(ports, "ws", "web"),
    ]);
    for (const reader of readers) await reader.join("r");
    const speaker = await Json.open(ports, "speaker");
    const bodies = ["x".repeat(1_000_000), "short", "語".repeat(340_000), "\0".repeat(340_000), "last"];
    for (const [id, body] of bodies.entries()) {
      // Two large ones may not wait together: a reader that is behind has read the first before the next is sent.
      const behind = () => readers.map(({ heard }) => heard.length).join();
      if (body.length > 100) {
        await until(
          () => readers.every(({ heard }) => heard.length === id),
          () => `${id} each, not ${behind()}`,
        );
      }
      speaker.send({ type: "message", room: "r", body, id });
      expect(await speaker.hears("ack")).toMatchObject({ id });
    }
    for (const reader of readers) {
      await until(() => reader.heard.length >= 5, () => `${reader.heard.length} messages`);
      expect(reader.bodies("r").map((body) => body.length)).toEqual(bodies.map((body) => body.length));
    }
    expect(await metric(ports, "toychat_slow_consumers_total")).toBe(0);
    for (const client of readers) await client.close();
    speaker.socket.close();
  });

  test(
    "users cannot together send more than a proxy's link holds: all of it comes, and no link ends",
    async () => {
      const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"]);
      const url = `ws://${bridge.ready.listen}/rpc`;
      const chat = await processes.role<Ports>(on, ["chat", "--bridge", url, "--http", "0"]);
      const start = () => processes.role<Ports>(on, ["proxy", "--bridge", url, "--mqtt", "0", "--http", "0"]);
      const proxies = [await start(), await start()];
      const readers = await Promise.all(
        proxies.map(({ ready }, n) => connectClient(ready, "mqtt5", `reader${n}`, { qos: 1 })),
      );
      for (const reader of readers) await reader.join("r");
      const quiet = await Json.open(proxies[0]!.ready, "quiet");
      quiet.send({ type: "join", room: "quiet" });
      await quiet.hears("joined");
      // In JSON each takes six times as much.
      const body = "\x01".repeat(MIB / 4);
      const talkers: RawMqtt[] = [];
      for (let n = 0; n < 16; n++) talkers.push(await RawMqtt.open(proxies[n % 2]!.ready, 5, `talker${n}`));
      for (const { raw } of talkers) raw.write(publish("r", body, { qos: 1, messageId: 1 }, 5));
      for (const talker of talkers) expect((await talker.packet("puback")).reasonCode ?? 0).toBe(0);
      for (const reader of readers) {
        await until(() => reader.heard.length >= talkers.length, () => `${reader.heard.length} messages`);
      }
      expect(await metric(chat.ready, "toychat_links_reset_total")).toBe(0);
      expect(await metric(chat.ready, "toychat_rooms_pushed_back_total")).toBeGreaterThan(0);
      expect(quiet.heard.filter(({ type }) => type === "moved")).toEqual([]);
      for (const { raw } of talkers) raw.close();
      for (const reader of readers) await reader.close();
      quiet.socket.close();
    },
  );
});
