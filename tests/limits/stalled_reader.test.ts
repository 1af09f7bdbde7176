import { afterAll, describe, expect, test } from "bun:test";
import { publish, subscribe } from "../support/mqtt_wire.ts";
import { connectClient } from "../support/clients.ts";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import {
  bareWebSocket,
  Json,
  metric,
  metricIs,
  MIB,
  peak,
  type Ports,
  type Raw,
  RawMqtt,
  resident,
  startDev,
  textFrame,
} from "./support.ts";

const STALLED = 20;
const MESSAGES = 1000;
const BODY = "x".repeat(32_000);

/** Clients in a room that read nothing any more: half of them speak MQTT, half WebSocket. */
async function stalled(ports: Ports, room: string): Promise<Raw[]> {
  const all: Raw[] = [];
  for (let n = 0; n < STALLED; n++) {
    if (n % 2 === 0) {
      const client = await RawMqtt.open(ports, 5, `stalled${n}`);
      client.raw.write(subscribe(1, { [room]: 0 }, {}, 5));
      await client.packet("suback");
      all.push(client.raw);
    } else {
      const client = await bareWebSocket(ports, `stalled${n}`);
      client.write(textFrame(JSON.stringify({ type: "join", room })));
      await until(() => client.bytes.includes("joined"), "a place");
      all.push(client);
    }
  }
  for (const { socket } of all) socket.pause();
  return all;
}

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  const processes = new Processes();
  afterAll(() => processes.end());

  test("clients that do not read cost their cap, and their neighbours get everything", async () => {
    const server = await startDev(processes, on, "messageRate=off");
    const { ready: ports } = server;
    const neighbours = await Promise.all([
      connectClient(ports, "mqtt4", "four", { qos: 0 }),
      connectClient(ports, "mqtt5", "five", { qos: 1 }),
      connectClient(ports, "ws", "web"),
    ]);
    for (const neighbour of neighbours) await neighbour.join("r");
    const asleep = await stalled(ports, "r");
    const before = resident(server);
    const speaker = await connectClient(ports, "mqtt5", "speaker");
    for (let n = 0; n < MESSAGES; n++) await speaker.say("r", `${n} ${BODY}`);
    const whole = Array.from({ length: MESSAGES }, (_, n) => n);
    for (const neighbour of neighbours) {
      await until(() => neighbour.heard.length >= MESSAGES, () => `${neighbour.heard.length} messages`);
      expect(neighbour.bodies("r").map((body) => Number.parseInt(body))).toEqual(whole);
    }
    // 600 MiB were for those who slept; each may have had one of them.
    expect(peak(server) - before).toBeLessThan((STALLED + 130) * MIB);
    expect(await metric(ports, "toychat_deliveries_dropped_total")).toBeGreaterThan(STALLED / 2 * 500);
    expect(await metric(ports, "toychat_slow_consumers_total")).toBe(STALLED / 2);
    await metricIs(ports, "toychat_sessions", (value) => value === 4 + STALLED / 2);
    for (const raw of asleep) raw.close();
    for (const client of [...neighbours, speaker]) await client.close();
  });

  test("a message longer than what may wait reaches whoever reads, and so does what follows it", async () => {
    const { ready: ports } = await startDev(processes, on, "maxMessageBytes=2000000");
    const readers = await Promise.all([
      connectClient(ports, "mqtt4", "four", { qos: 0 }),
      connectClient(ports, "mqtt5", "five", { qos: 1 }),
      connectClient(ports, "ws", "web"),
    ]);
    for (const reader of readers) await reader.join("r");
    const speaker = await Json.open(ports, "speaker");
    const bodies = ["x".repeat(1_900_000), "short", "語".repeat(600_000), "\0".repeat(600_000), "last"];
    for (const [id, body] of bodies.entries()) {
      speaker.send({ type: "message", room: "r", body, id });
      expect(await speaker.hears("ack")).toMatchObject({ id });
    }
    for (const reader of readers) {
      await until(() => reader.heard.length >= 5, () => `${reader.heard.length} messages`);
      expect(reader.bodies("r").map((body) => body.length)).toEqual(bodies.map((body) => body.length));
    }
    expect(await metric(ports, "toychat_slow_consumers_total")).toBe(0);
    const escaped = await RawMqtt.open(ports, 5, "escaped");
    escaped.raw.write(publish("r", "\0".repeat(900_000), { qos: 0 }, 5));
    escaped.raw.write(publish("r", "\0".repeat(900_000), { qos: 1, messageId: 1 }, 5));
    expect((await escaped.packet("puback")).reasonCode).toBe(0x97);
    expect(await metric(ports, "toychat_messages_too_large_total")).toBe(2);
    escaped.raw.close();
    for (const client of readers) await client.close();
    speaker.socket.close();
  });

  test("MQTT that must be acknowledged is not left out: who takes none is ended", async () => {
    const server = await startDev(processes, on, "messageRate=off,maxInflight=10");
    const { ready: ports } = server;
    const taker = await RawMqtt.open(ports, 5, "taker");
    taker.raw.write(subscribe(1, { r: 1 }, {}, 5));
    await taker.packet("suback");
    const speaker = await connectClient(ports, "mqtt5", "speaker");
    for (let n = 0; n < 100; n++) await speaker.say("r", BODY);
    expect((await taker.packet("disconnect")).reasonCode).toBe(0x97);
    expect(taker.packets.filter(({ cmd }) => cmd === "publish").length).toBe(10);
    await taker.raw.gone();
    await speaker.close();
  });

  test("who asks and asks and does not read the answers is ended", async () => {
    const server = await startDev(processes, on, "messageRate=off");
    const { ready: ports } = server;
    const before = resident(server);
    const client = await bareWebSocket(ports, "asker");
    client.socket.pause();
    const wrong = textFrame(JSON.stringify({ type: "x".repeat(60) }));
    const many = Buffer.concat(new Array<Buffer>(500).fill(wrong));
    let written = 0;
    await until(async () => {
      if (client.socket.writableLength === 0 && written++ < 600) client.write(many);
      return await metric(ports, "toychat_slow_consumers_total") === 1;
    }, "the end of one that does not read");
    expect(peak(server) - before).toBeLessThan(150 * MIB);
    await metricIs(ports, "toychat_sessions", (value) => value === 0);
    const pings = await RawMqtt.open(ports, 5, "pings");
    pings.raw.write(publish("r", "x", { qos: 1, messageId: 1 }, 5));
    await pings.packet("puback");
    const json = await Json.open(ports, "json");
    json.send({ type: "ping" });
    await json.hears("pong");
    json.socket.close();
    pings.raw.close();
    client.close();
  });
});
