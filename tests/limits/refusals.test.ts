import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, publish, subscribe } from "../support/mqtt_wire.ts";
import { Processes, type Ready } from "../support/processes.ts";
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
  Raw,
  RawMqtt,
  resident,
  startDev,
  textFrame,
  upgrade,
} from "./support.ts";

const QUOTA_EXCEEDED = 0x97;

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  const processes = new Processes();
  afterAll(() => processes.end());

  describe("sizes and rooms", () => {
    let server: Ready<Ports>;
    let ports: Ports;
    beforeAll(async () => {
      // A slow machine may take its time to read what a hundred clients offer.
      const patience = "authenticationMs=60000";
      server = await startDev(
        processes,
        on,
        `maxMessageBytes=1000,maxHelloBytes=4096,maxRooms=2,${patience}`,
      );
      ports = server.ready;
    });

    test("what comes before a client has said who it is has an end, however many do so", async () => {
      const before = resident(server);
      const junk = new Uint8Array(MIB).fill(7);
      // CONNECT, of which 200 MiB are claimed and ten are offered.
      const claim = Uint8Array.of(0x10, 0x80, 0x80, 0x80, 0x64);
      const clients = await Promise.all(Array.from({ length: 100 }, () => Raw.open(ports.mqtt)));
      for (const client of clients) {
        client.write(claim);
        for (let mib = 0; mib < 10; mib++) client.write(junk);
      }
      await Promise.all(clients.map((client) => client.gone()));
      expect(await metric(ports, "toychat_hellos_too_large_total")).toBe(100);
      // What the kernel hands over before a socket is closed, of the gigabyte offered.
      expect(peak(server) - before).toBeLessThan(500 * MIB);
    });

    test("MQTT 5 is told the largest packet; a longer message gets 0x97, a longer packet 0x95", async () => {
      const client = await RawMqtt.start(ports, 5, "m5");
      const { properties } = await client.packet("connack");
      const most = 1000 + 512 + 4096;
      expect(properties?.maximumPacketSize).toBe(most);
      client.raw.write(publish("r", "x".repeat(1001), { qos: 1, messageId: 1 }, 5));
      expect((await client.packet("puback")).reasonCode).toBe(QUOTA_EXCEEDED);
      client.raw.write(publish("r", "x".repeat(1000), { qos: 1, messageId: 2 }, 5));
      expect((await client.packet("puback")).reasonCode ?? 0).toBe(0);
      client.raw.write(publish("r", "x".repeat(most), { qos: 1, messageId: 3 }, 5));
      expect((await client.packet("disconnect")).reasonCode).toBe(0x95);
      await client.raw.gone();
    });

    test("MQTT 3.1.1 has no word for a packet that is too long: the connection closes", async () => {
      const client = await RawMqtt.open(ports, 4, "m4");
      client.raw.write(publish("r", "x".repeat(10_000), { qos: 1, messageId: 1 }));
      await client.raw.gone();
      expect(client.packets).toEqual([]);
    });

    test("a WebSocket gets too_large, and for far more the close code 1009", async () => {
      const before = await metric(ports, "toychat_messages_too_large_total");
      const client = await Json.open(ports, "ws");
      client.send({ type: "message", room: "r", body: "x".repeat(1001), id: 1 });
      expect(await client.hears("error")).toMatchObject({ code: "too_large", id: 1 });
      client.send({ type: "message", room: "r", body: "x".repeat(1000), id: 2 });
      expect(await client.hears("ack")).toMatchObject({ id: 2 });
      client.send({ type: "message", room: "r", body: "x".repeat(20_000), id: 3 });
      expect(await client.code()).toBe(1009);
      await metricIs(ports, "toychat_messages_too_large_total", (value) => value === before + 2);
      // Over what Bun's server takes at all.
      const huge = await Json.open(ports, "huge");
      huge.send({ type: "message", room: "r", body: "x".repeat(2_000_000), id: 1 });
      await huge.code();
      await metricIs(ports, "toychat_messages_too_large_total", (value) => value === before + 3);
    });

    test("a session that is in as many rooms as it may be is let into no other", async () => {
      const before = resident(server);
      const rooms = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`many/${n}`, 0]));
      const codes = async (version: 4 | 5): Promise<(number | object)[]> => {
        const client = await RawMqtt.open(ports, version, `rooms${version}`);
        client.raw.write(subscribe(1, rooms, {}, version));
        const { granted } = await client.packet("suback");
        client.raw.close();
        return granted as number[];
      };
      expect(await codes(5)).toEqual([0, 0, ...new Array<number>(198).fill(QUOTA_EXCEEDED)]);
      expect(await codes(4)).toEqual([0, 0, ...new Array<number>(198).fill(0x80)]);
      const client = await Json.open(ports, "rooms");
      for (const room of ["a", "b", "c"]) client.send({ type: "join", room });
      expect(await client.hears("error")).toMatchObject({ code: "too_many_rooms" });
      client.send({ type: "leave", room: "a" });
      client.send({ type: "join", room: "c", id: 5 });
      await until(() => client.heard.some(({ type, id }) => type === "joined" && id === 5), "a place for c");
      client.socket.close();
      expect(await metric(ports, "toychat_joins_refused_total", "too_many_rooms")).toBe(198 * 2 + 1);
      expect(peak(server) - before).toBeLessThan(80 * MIB);
    });
  });

  describe("numbers", () => {
    test("a proxy that is full says so: 0x89, return code 3, 503; and takes the next when one has gone", async () => {
      const { ready: ports } = await startDev(processes, on, "maxSessions=2");
      const first = await RawMqtt.open(ports, 5, "first");
      const second = await RawMqtt.open(ports, 4, "second");
      expect((await (await RawMqtt.start(ports, 5, "third")).packet("connack")).reasonCode).toBe(0x89);
      const old = await RawMqtt.start(ports, 4, "fourth");
      expect((await old.packet("connack")).returnCode).toBe(3);
      await old.raw.gone();
      const web = await Raw.open(ports.http);
      web.write(upgrade("/ws?user=fifth"));
      await until(() => web.bytes.includes("server_busy"), "a refusal");
      expect(web.bytes.toString()).toMatch(/^HTTP\/1.1 503 [^]*retry-after: /i);
      expect(await metric(ports, "toychat_sessions_refused_total")).toBe(3);
      first.raw.close();
      await until(async () => {
        const client = await RawMqtt.start(ports, 5, "sixth");
        return (await client.packet("connack")).reasonCode === 0;
      }, "a place");
      second.raw.close();
    });

    test("an address has so many connections, and a client of it is told", async () => {
      const { ready: ports } = await startDev(processes, on, "maxConnectionsPerAddress=2");
      const silent = await Raw.open(ports.mqtt);
      const first = await RawMqtt.open(ports, 5, "first");
      const busy = await RawMqtt.start(ports, 5, "second");
      expect((await busy.packet("connack")).reasonCode).toBe(QUOTA_EXCEEDED);
      await busy.raw.gone();
      const web = await Raw.open(ports.http);
      web.write(upgrade("/mqtt").replace("\r\n\r\n", "\r\nsec-websocket-protocol: mqtt\r\n\r\n"));
      await until(() => web.bytes.includes("too_many_connections"), "a refusal");
      expect(web.bytes.toString()).toStartWith("HTTP/1.1 429 ");
      silent.close();
      await until(async () => {
        const client = await RawMqtt.start(ports, 4, "third");
        const { returnCode } = await client.packet("connack");
        return returnCode === 0;
      }, "a place");
      first.raw.close();
      expect(await metric(ports, "toychat_address_connections_refused_total")).toBeGreaterThan(1);
    });

    test("of connections that say nothing the oldest goes where there are too many; who speaks gets in", async () => {
      const { ready: ports } = await startDev(processes, on, "maxUnauthenticated=20,authenticationMs=60000");
      const silent: Raw[] = [];
      for (let n = 0; n < 100; n++) {
        silent.push(await Raw.open(ports.mqtt));
        if (n % 25 === 0) (await RawMqtt.open(ports, 4, `c${n}`)).raw.close();
      }
      await until(() => silent.filter(({ ended }) => ended).length === 80, "all but 20 to be gone");
      expect(silent.slice(0, 80).every(({ ended }) => ended)).toBe(true);
      expect(await metric(ports, "toychat_unauthenticated_evicted_total")).toBe(80);
      expect(await metric(ports, "toychat_unauthenticated_connections")).toBe(20);
      for (const client of silent) client.close();
    });

    test("a ChatServer that has its rooms lets users into those, and into no other", async () => {
      const server = await startDev(processes, on, "maxOpenRooms=2,maxRooms=5000,messageRate=off");
      const { ready: ports } = server;
      const client = await RawMqtt.open(ports, 5, "five");
      client.raw.write(subscribe(1, { a: 0, b: 0 }, {}, 5));
      expect((await client.packet("suback")).granted as unknown).toEqual([0, 0]);
      const before = resident(server);
      const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`many/${n}`, 0]));
      client.raw.write(subscribe(2, many, {}, 5));
      expect((await client.packet("suback")).granted as unknown).toEqual(
        new Array<number>(5000).fill(QUOTA_EXCEEDED),
      );
      expect(peak(server) - before).toBeLessThan(120 * MIB);
      client.raw.write(publish("d", "x", { qos: 1, messageId: 3 }, 5));
      expect((await client.packet("puback")).reasonCode).toBe(QUOTA_EXCEEDED);
      const old = await RawMqtt.open(ports, 4, "four");
      old.raw.write(subscribe(1, { c: 0, a: 0 }));
      expect((await old.packet("suback")).granted as unknown).toEqual([0x80, 0]);
      const web = await Json.open(ports, "web");
      web.send({ type: "join", room: "c", id: 1 });
      expect(await web.hears("error")).toMatchObject({ code: "server_full", id: 1 });
      web.send({ type: "message", room: "c", body: "x", id: 2 });
      expect(await web.hears("error")).toMatchObject({ code: "server_full", id: 2 });
      web.send({ type: "message", room: "a", body: "x", id: 3 });
      expect(await web.hears("ack")).toMatchObject({ id: 3 });
      for (const { raw } of [client, old]) raw.close();
      web.socket.close();
    });

    test("a room that has its users lets no other in, until one has left", async () => {
      const { ready: ports } = await startDev(processes, on, "maxRoomMembers=2");
      const one = await Json.open(ports, "one");
      const two = await RawMqtt.open(ports, 5, "two");
      one.send({ type: "join", room: "r" });
      await one.hears("joined");
      two.raw.write(subscribe(1, { r: 1 }, {}, 5));
      expect((await two.packet("suback")).granted as unknown).toEqual([1]);
      const three = await Json.open(ports, "three");
      three.send({ type: "join", room: "r" });
      expect(await three.hears("error")).toMatchObject({ code: "room_full" });
      const four = await RawMqtt.open(ports, 5, "four");
      four.raw.write(subscribe(1, { r: 1 }, {}, 5));
      expect((await four.packet("suback")).granted as unknown).toEqual([QUOTA_EXCEEDED]);
      one.send({ type: "leave", room: "r" });
      await one.hears("left");
      await until(async () => {
        three.send({ type: "join", room: "r" });
        await until(() => three.heard.length > 0, "an answer");
        return three.heard.splice(0).at(-1)?.["type"] === "joined";
      }, "a place");
      for (const { socket } of [one, three]) socket.close();
      for (const { raw } of [two, four]) raw.close();
    });
  });

  describe("rates", () => {
    test("a session over its rate is not read for a while: nothing is lost, and others are not held up", async () => {
      const { ready: ports } = await startDev(processes, on, "messageRate=200,messageBurst=20");
      const listener = await Json.open(ports, "ears");
      listener.send({ type: "join", room: "r" });
      await listener.hears("joined");
      const fast = await RawMqtt.open(ports, 5, "fast");
      const flood = Array.from({ length: 150 }, (_, n) => publish("r", String(n), {}, 5));
      fast.raw.write(Buffer.concat(flood));
      const other = await Json.open(ports, "other");
      other.send({ type: "message", room: "s", body: "hi", id: 1 });
      await other.hears("ack");
      await until(() => listener.heard.length === 150, () => `150 messages, not ${listener.heard.length}`);
      expect(listener.heard.map(({ body }) => Number(body))).toEqual(
        Array.from({ length: 150 }, (_, n) => n),
      );
      expect(await metric(ports, "toychat_rate_limited_total")).toBeGreaterThan(0);
      fast.raw.write(publish("r", "more", { qos: 1, messageId: 1 }, 5));
      expect((await fast.packet("puback")).reasonCode ?? 0).toBe(0);
      for (const { socket } of [listener, other]) socket.close();
      fast.raw.close();
    });

    test("a session sends no more at once than two bursts, whatever is in one write", async () => {
      const { ready: ports } = await startDev(processes, on, "messageRate=1,messageBurst=20");
      const listener = await Json.open(ports, "ears");
      listener.send({ type: "join", room: "r" });
      await listener.hears("joined");
      const mqtt = await RawMqtt.open(ports, 5, "mqtt");
      mqtt.raw.write(Buffer.concat(Array.from({ length: 70 }, () => publish("r", "mqtt", {}, 5))));
      const web = await bareWebSocket(ports, "web");
      const text = textFrame(JSON.stringify({ type: "message", room: "r", body: "web" }));
      web.write(Buffer.concat(Array.from({ length: 70 }, () => text)));
      const heard = (from: string): number => listener.heard.filter(({ body }) => body === from).length;
      await until(() => heard("mqtt") >= 20 && heard("web") >= 20, "a burst of each");
      const other = await Json.open(ports, "other");
      other.send({ type: "message", room: "r", body: "x", id: 1 });
      await other.hears("ack");
      // Thirty more would take half a minute.
      expect(Math.max(heard("mqtt"), heard("web"))).toBeLessThan(55);
      expect(await metric(ports, "toychat_rate_limited_total")).toBe(2);
      for (const { socket } of [listener, other]) socket.close();
      for (const raw of [mqtt.raw, web]) raw.close();
    });

    test("one that goes on far too fast is ended: 0x96, 4429", async () => {
      const { ready: ports } = await startDev(processes, on, "messageRate=1,messageBurst=1");
      const client = await RawMqtt.open(ports, 5, "fast");
      client.raw.write(Buffer.concat(Array.from({ length: 100 }, () => publish("r", "x", {}, 5))));
      expect((await client.packet("disconnect")).reasonCode).toBe(0x96);
      await client.raw.gone();
      expect(await metric(ports, "toychat_rate_exceeded_total")).toBe(1);
      expect(await metric(ports, "toychat_messages_in_total")).toBeLessThan(70);
    });
  });

  describe("silence", () => {
    let ports: Ports;
    beforeAll(async () => {
      // A client of this very process must answer within half of the first, and nobody has to be quick for the second.
      ports = (await startDev(processes, on, "keepaliveMs=6000")).ready;
    });

    test("a client that MQTT's Keep Alive or a ping shows to be gone is ended, and one that answers is not", async () => {
      const quiet = await Json.open(ports, "quiet");
      quiet.send({ type: "join", room: "r" });
      await quiet.hears("joined");
      const mutes = await Promise.all([0, 1, 2].map((n) => bareWebSocket(ports, `mute${n}`)));
      const mute = await RawMqtt.open(ports, 5, "mute", { keepalive: 1 });
      expect((await mute.packet("disconnect")).reasonCode).toBe(0x8d);
      await Promise.all(mutes.map((raw) => raw.gone()));
      expect(quiet.closed).toBeUndefined();
      const speaker = await Json.open(ports, "speaker");
      speaker.send({ type: "message", room: "r", body: "still there?" });
      expect(await quiet.hears("message")).toMatchObject({ body: "still there?" });
      await metricIs(ports, "toychat_keepalive_timeouts_total", (value) => value === 4);
      for (const { socket } of [quiet, speaker]) socket.close();
    });

    test("a connection that never says who it is is ended in time", async () => {
      const { ready: ports } = await startDev(processes, on, "authenticationMs=500");
      const silent = await Promise.all(Array.from({ length: 50 }, () => Raw.open(ports.mqtt)));
      const halves = await Promise.all(Array.from({ length: 50 }, () => Raw.open(ports.mqtt)));
      for (const half of halves) half.write(connect().subarray(0, 9));
      await Promise.all([...silent, ...halves].map((client) => client.gone()));
      expect(await metric(ports, "toychat_authentication_timeouts_total")).toBe(100);
    });
  });
});
