import { expect, test } from "bun:test";
import fc from "fast-check";
import { accept, type FakeChannel, type FakeOptions, settle } from "../../tests/support/fake_channel.ts";
import {
  connect,
  cut,
  type Packet,
  publish,
  subscribe,
  unwire,
  wire,
} from "../../tests/support/mqtt_wire.ts";
import { mqtt, type MqttOptions } from "./mqtt.ts";
import type { ClientHandler, Delivery, Refusal } from "./protocol.ts";

interface Client {
  readonly channel: FakeChannel;
  readonly handler: ClientHandler;
  readonly version: 4 | 5;
  /** What the server has sent since the last call. */
  read(): Packet[];
}

interface ClientOptions extends FakeOptions {
  readonly mqtt?: MqttOptions;
  readonly connect?: Record<string, unknown>;
}

function start(version: 4 | 5, options: ClientOptions = {}): Client {
  const { channel, handler } = accept(mqtt(options.mqtt), options);
  handler.data(connect({ protocolVersion: version, ...options.connect }));
  return { channel, handler, version, read: () => unwire(channel.takeBytes(), version) };
}

/** A client whose session is open; what CONNACK said is read away. */
async function open(version: 4 | 5, options: ClientOptions = {}): Promise<Client> {
  const client = start(version, options);
  await settle();
  expect(client.read()[0]).toMatchObject({ cmd: "connack" });
  return client;
}

function delivery(body: Delivery["body"], acknowledged = true): Delivery {
  return { room: "plaza", from: "ada", body, acknowledged };
}

const BOTH = [4, 5] as const;

test("a client is let in, with what is not supported said in MQTT 5", async () => {
  const old = start(4);
  await settle();
  expect(old.read()).toMatchObject([{ cmd: "connack", returnCode: 0, sessionPresent: false }]);
  const client = start(5, { connect: { clientId: "" } });
  await settle();
  const [connack] = client.read();
  expect(connack).not.toHaveProperty("properties.maximumQoS");
  expect(connack).toMatchObject({
    cmd: "connack",
    reasonCode: 0,
    sessionPresent: false,
    properties: {
      sessionExpiryInterval: 0,
      receiveMaximum: 3,
      maximumPacketSize: 1024 + 64 + 4096,
      retainAvailable: false,
      wildcardSubscriptionAvailable: false,
      sharedSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      topicAliasMaximum: 0,
    },
  });
  const assigned =
    (connack as { properties?: { assignedClientIdentifier?: string } }).properties!.assignedClientIdentifier;
  expect(assigned).toMatch(/^[a-z0-9]{20}$/);
  expect(client.channel.credentials!.clientId).toBe(assigned!);
});

test("the user is the user name, else the client identifier, else assigned", async () => {
  const named = await open(4, {
    connect: { username: "ada", password: Buffer.from("pw"), clientId: "phone" },
  });
  expect(named.channel.credentials).toEqual({
    username: "ada",
    clientId: "phone",
    password: new TextEncoder().encode("pw"),
    token: "pw",
  });
  const unnamed = await open(4, { connect: { clientId: "phone" } });
  expect(unnamed.channel.credentials).toMatchObject({ username: undefined, clientId: "phone" });
  const nobody = await open(4, { connect: { clientId: "" } });
  expect(nobody.channel.credentials!.clientId).toHaveLength(20);
});

test("a password that is no text is no token, and the upgrade request's counts only without a password", async () => {
  const request = new Request("http://h/mqtt", { headers: { authorization: "Bearer abc" } });
  const credentials = async (password?: Uint8Array) => {
    const connect = password ? { username: "ada", password: Buffer.from(password) } : { username: "ada" };
    return (await open(4, { request, connect })).channel.credentials;
  };
  expect(await credentials()).toMatchObject({ token: "abc", password: undefined });
  expect(await credentials(new TextEncoder().encode("pw"))).toMatchObject({ token: "pw" });
  expect(await credentials(Uint8Array.of(0xff))).toMatchObject({ token: "abc" });
  const bytes = await open(4, { connect: { username: "ada", password: Buffer.from([0xff]) } });
  expect(bytes.channel.credentials!.token).toBeUndefined();
});

test("an empty client identifier without a clean session is refused in MQTT 3.1.1", () => {
  const bytes = connect({ clientId: "x", clean: false });
  const empty = new Uint8Array([...bytes.slice(0, 12), 0, 0]);
  empty[1] = 12;
  const { channel, handler } = accept(mqtt());
  handler.data(empty);
  expect(unwire(channel.takeBytes())).toMatchObject([{ cmd: "connack", returnCode: 2 }]);
  expect(channel.closed).toBeDefined();
  expect(channel.credentials).toBeUndefined();
});

test("a client that the proxy refuses is told so", async () => {
  const codes = [["bad_credentials", 4, 0x86], ["not_authorized", 5, 0x87], [
    "unavailable",
    3,
    0x88,
  ]] as const;
  for (const [refused, returnCode, reasonCode] of codes) {
    const refusal = { open: () => Promise.resolve({ refused, reason: "because" }) };
    const [old, client] = [start(4, refusal), start(5, refusal)];
    await settle();
    expect(old.read()).toMatchObject([{ cmd: "connack", returnCode }]);
    expect(client.read()).toMatchObject([{
      cmd: "connack",
      reasonCode,
      properties: { reasonString: "because" },
    }]);
    expect(old.channel.closed && client.channel.closed).toBeTruthy();
  }
});

test("where opening fails the client is told that the server is unavailable", async () => {
  const failure = { open: () => Promise.reject(new Error("no link")) };
  const [old, client] = [start(4, failure), start(5, failure)];
  await settle();
  expect(old.read()).toMatchObject([{ cmd: "connack", returnCode: 3 }]);
  expect(client.read()).toMatchObject([{ cmd: "connack", reasonCode: 0x88 }]);
  expect(client.channel.logged).toContain("mqtt_open_failed");
});

test("other versions of the protocol get return code 1", () => {
  const hello31 = wire({
    cmd: "connect",
    clientId: "c",
    protocolId: "MQIsdp",
    protocolVersion: 3,
    clean: true,
    keepalive: 0,
  });
  const bridge = connect();
  bridge[8] = 0x84;
  const future = connect();
  future[8] = 6;
  for (const bytes of [hello31, bridge, future]) {
    const { channel, handler } = accept(mqtt());
    handler.data(bytes);
    expect(Buffer.from(channel.takeBytes())).toEqual(Buffer.from([0x20, 2, 0, 1]));
    expect(channel.closed).toBeDefined();
  }
});

test("what is not CONNECT, or a second CONNECT, ends the connection", async () => {
  const { channel, handler } = accept(mqtt());
  handler.data(publish("plaza", "hi"));
  expect(channel.closed).toBeDefined();
  expect(channel.takeBytes()).toHaveLength(0);
  for (const version of BOTH) {
    const client = await open(version);
    client.handler.data(connect({ protocolVersion: version }));
    expect(client.channel.closed).toBeDefined();
    expect(client.read()).toMatchObject(version === 5 ? [{ cmd: "disconnect", reasonCode: 0x82 }] : []);
  }
});

test("extended authentication is refused with its own code", () => {
  const client = start(5, { connect: { properties: { authenticationMethod: "SCRAM-SHA-1" } } });
  expect(client.read()).toMatchObject([{ cmd: "connack", reasonCode: 0x8c }]);
});

test("packets that come right behind CONNECT wait until the session is open", async () => {
  const { channel, handler } = accept(mqtt());
  const all = Buffer.concat([connect(), subscribe(1, { plaza: 1 }), publish("plaza", "hi")]);
  handler.data(new Uint8Array(all));
  expect(channel.joins).toHaveLength(0);
  await settle();
  expect(channel.joins).toMatchObject([{ room: "plaza" }]);
  expect(channel.published).toMatchObject([{ room: "plaza", body: "hi" }]);
  expect(unwire(channel.takeBytes()).map((packet) => packet.cmd)).toEqual(["connack", "suback"]);
});

test("before the session is open no more than the limit is kept", () => {
  const late = accept(mqtt());
  late.handler.data(new Uint8Array(Buffer.concat([connect({ protocolVersion: 5 }), new Uint8Array(3000)])));
  expect(late.channel.closed).toMatchObject({ code: 1009 });
  expect(unwire(late.channel.takeBytes(), 5)).toMatchObject([{ cmd: "connack", reasonCode: 0x95 }]);
  const long = accept(mqtt());
  long.handler.data(connect({ clientId: "x".repeat(3000) }).slice(0, 20));
  expect(long.channel.closed).toMatchObject({ code: 1009 });
});

test("subscribing joins, with QoS granted up to 1 and No Local heeded", async () => {
  for (const version of BOTH) {
    const client = await open(version);
    client.handler.data(subscribe(9, { a: 0, b: 1, c: 2 }, { nl: true }, version));
    const echo = version === 4;
    expect(client.channel.joins.map(({ room, options }) => ({ room, ...options }))).toEqual([
      { room: "a", acknowledged: false, echo },
      { room: "b", acknowledged: true, echo },
      { room: "c", acknowledged: true, echo },
    ]);
    expect(client.read()).toMatchObject([{ cmd: "suback", messageId: 9, granted: [0, 1, 1] }]);
  }
});

test("SUBACK waits for every join, and keeps the order of the filters", async () => {
  const client = await open(5, { answersJoins: false });
  client.handler.data(subscribe(1, { a: 1, b: 1, c: 1, d: 0 }, {}, 5));
  const answers: [number, Refusal | undefined][] = [[3, undefined], [1, "not_authorized"], [
    0,
    "too_many_rooms",
  ]];
  for (const [at, refusal] of answers) client.channel.joins[at]!.done(refusal);
  expect(client.read()).toEqual([]);
  client.channel.joins[2]!.done("unavailable");
  expect(client.read()).toMatchObject([{ cmd: "suback", granted: [0x97, 0x87, 0x83, 0] }]);
});

test("filters that cannot be rooms are refused each with its code, and nobody is dropped", async () => {
  const filters = { "a/+": 0, "#": 0, "$share/g/a": 0, "$SYS/uptime": 0, good: 0, ["x".repeat(65)]: 0 };
  const client = await open(5);
  client.handler.data(subscribe(1, filters, {}, 5));
  expect(client.read()).toMatchObject([{ granted: [0xa2, 0xa2, 0x9e, 0x8f, 0, 0x8f] }]);
  expect(client.channel.refusedJoins.length).toBe(5);
  expect(client.channel.refusedJoins).toContain("$SYS/uptime: invalid_room");
  expect(client.channel.metrics.get("toychat_mqtt_invalid_topics_total")).toBe(5);
  const old = await open(4);
  old.handler.data(subscribe(1, filters));
  expect(old.read()).toMatchObject([{ granted: [0x80, 0x80, 0x80, 0x80, 0, 0x80] }]);
  expect(client.channel.closed ?? old.channel.closed).toBeUndefined();
  expect(client.channel.joins.map((join) => join.room)).toEqual(["good"]);
});

test("a room whose join was refused is none to unsubscribe from", async () => {
  const client = await open(5, { answersJoins: false });
  client.handler.data(subscribe(1, { a: 0 }, {}, 5));
  client.channel.joins[0]!.done("not_authorized");
  client.read();
  client.handler.data(wire({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["a"] }, 5));
  expect(client.read()).toMatchObject([{ granted: [0x11] }]);
});

test("a Subscription Identifier is refused for its filters", async () => {
  const client = await open(5);
  client.handler.data(subscribe(1, { a: 0 }, { properties: { subscriptionIdentifier: 5 } }, 5));
  expect(client.read()).toMatchObject([{ granted: [0xa1] }]);
});

test("unsubscribing leaves, and says where there was nothing to leave", async () => {
  const client = await open(5);
  client.handler.data(subscribe(1, { a: 0, b: 0 }, {}, 5));
  client.handler.left("b", "kicked");
  client.read();
  const bytes = wire({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["a", "b", "never", "#"] }, 5);
  client.handler.data(bytes);
  expect(client.channel.leaves).toEqual(["a"]);
  expect(client.read()).toMatchObject([{ cmd: "unsuback", messageId: 2, granted: [0, 0x11, 0x11, 0x11] }]);
  const old = await open(4);
  old.handler.data(wire({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["a"] }));
  expect(old.read()).toMatchObject([{ cmd: "unsuback", messageId: 3 }]);
});

test("QoS 0 messages are sent on without an acknowledgement asked for", async () => {
  const client = await open(4);
  client.handler.data(publish("plaza", "hi"));
  client.handler.data(publish("plaza", Uint8Array.of(0xff, 0), { retain: true }));
  expect(client.channel.published).toEqual([
    { room: "plaza", body: "hi", done: undefined },
    { room: "plaza", body: Uint8Array.of(0xff, 0), done: undefined },
  ]);
  expect(client.channel.metrics.get("toychat_mqtt_retain_ignored_total")).toBe(1);
  expect(client.read()).toEqual([]);
});

test("a QoS 1 message is acknowledged when it is done, not before", async () => {
  for (const version of BOTH) {
    const client = await open(version);
    client.handler.data(publish("plaza", "hi", { qos: 1, messageId: 77 }, version));
    expect(client.read()).toEqual([]);
    client.channel.published[0]!.done!(undefined);
    expect(client.read()).toMatchObject([{ cmd: "puback", messageId: 77 }]);
  }
});

test("MQTT 5 is answered in the order of its messages, MQTT 3.1.1 as they are done", async () => {
  for (const version of BOTH) {
    const client = await open(version);
    for (const messageId of [1, 2, 3]) client.handler.data(publish("p", "x", { qos: 1, messageId }, version));
    const [first, second, third] = client.channel.published;
    third!.done!(undefined);
    first!.done!(undefined);
    second!.done!(undefined);
    expect(client.read().map((packet) => packet.messageId)).toEqual(version === 5 ? [1, 2, 3] : [3, 1, 2]);
  }
});

test("refused messages: a reason code in MQTT 5; in 3.1.1 PUBACK, or nothing where it may be sent again", async () => {
  const cases: [Refusal, number, boolean][] = [
    ["not_authorized", 0x87, true],
    ["listener_failed", 0x80, true],
    ["listener_timeout", 0x80, true],
    ["too_large", 0x97, true],
    ["unavailable", 0x83, false],
    ["gone", 0x83, false],
  ];
  for (const [refusal, reasonCode, answered] of cases) {
    for (const version of BOTH) {
      const client = await open(version);
      client.handler.data(publish("p", "x", { qos: 1, messageId: 5 }, version));
      client.channel.published[0]!.done!(refusal);
      const expected = version === 5
        ? [{ cmd: "puback", reasonCode }]
        : answered
        ? [{ cmd: "puback", messageId: 5 }]
        : [];
      expect(client.read()).toMatchObject(expected);
      expect(client.channel.metrics.get("toychat_mqtt_publishes_refused_total")).toBe(1);
      client.handler.data(publish("p", "again", { qos: 1, messageId: 5, dup: true }, version));
      expect(client.channel.published).toHaveLength(2);
    }
  }
});

test("a JSON payload counts as long as it is when it is written again", async () => {
  const client = await open(5, { mqtt: { payload: "json" } });
  let messageId = 0;
  const say = (payload: string) =>
    client.handler.data(publish("p", payload, { qos: 1, messageId: ++messageId }, 5));
  say(`[${"1e20,".repeat(50)}1]`);
  expect(client.read()).toMatchObject([{ cmd: "puback", reasonCode: 0x97 }]);
  expect(client.channel.metrics.get("toychat_messages_too_large_total")).toBe(1);
  say(`[${"1e20,".repeat(46)}1]`);
  say(`"${"\\u0001".repeat(170)}"`);
  expect(client.channel.published.map(({ body }) => (body as unknown[]).length)).toEqual([47, 170]);
});

test("publishing to a topic that cannot be a room never drops the connection", async () => {
  for (const version of BOTH) {
    const client = await open(version);
    for (const topic of ["$SYS/x", "x".repeat(65), "$toychat/moved", "a\0b"]) {
      client.handler.data(publish(topic, "x", {}, version));
      client.handler.data(publish(topic, "x", { qos: 1, messageId: 4 }, version));
      const expected = { cmd: "puback", messageId: 4, ...(version === 5 ? { reasonCode: 0x90 } : {}) };
      expect(client.read()).toMatchObject([expected]);
    }
    expect(client.channel.published).toEqual([]);
    expect(client.channel.closed).toBeUndefined();
    expect(client.channel.metrics.get("toychat_mqtt_invalid_topics_total")).toBe(8);
  }
});

test("a message over the limit is refused, and a packet far over it ends the connection", async () => {
  const client = await open(5);
  client.handler.data(publish("p", "x".repeat(1025), { qos: 1, messageId: 1 }, 5));
  expect(client.read()).toMatchObject([{ cmd: "puback", reasonCode: 0x97 }]);
  client.handler.data(publish("p", "x".repeat(9000), {}, 5));
  expect(client.read()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x95 }]);
  expect(client.channel.closed).toMatchObject({ code: 1009 });
});

test("a QoS 2 message completes its handshake and is sent on once", async () => {
  for (const version of BOTH) {
    const client = await open(version);
    const bytes = publish("p", "once", { qos: 2, messageId: 8 }, version);
    client.handler.data(bytes);
    client.handler.data(publish("p", "once", { qos: 2, messageId: 8, dup: true }, version));
    expect(client.read()).toEqual([]);
    client.channel.published[0]!.done!(undefined);
    expect(client.read()).toMatchObject([{ cmd: "pubrec", messageId: 8 }]);
    client.handler.data(publish("p", "once", { qos: 2, messageId: 8, dup: true }, version));
    expect(client.read()).toMatchObject([{ cmd: "pubrec", messageId: 8 }]);
    const pubrel = wire({ cmd: "pubrel", messageId: 8 }, version);
    client.handler.data(pubrel);
    expect(client.read()).toMatchObject([{ cmd: "pubcomp", messageId: 8 }]);
    client.handler.data(pubrel);
    expect(client.read()).toMatchObject([{ cmd: "pubcomp", ...(version === 5 ? { reasonCode: 0x92 } : {}) }]);
    expect(client.channel.published).toHaveLength(1);
    client.handler.data(bytes);
    expect(client.channel.published).toHaveLength(2);
  }
});

test("a refused QoS 2 message is over with PUBREC in MQTT 5", async () => {
  const client = await open(5);
  client.handler.data(publish("p", "x", { qos: 2, messageId: 8 }, 5));
  client.channel.published[0]!.done!("not_authorized");
  expect(client.read()).toMatchObject([{ cmd: "pubrec", reasonCode: 0x87 }]);
  client.handler.data(publish("p", "x", { qos: 2, messageId: 8 }, 5));
  expect(client.channel.published).toHaveLength(2);
});

test("the server's Receive Maximum is enforced in MQTT 5", async () => {
  const client = await open(5);
  for (const messageId of [1, 2, 3]) client.handler.data(publish("p", "x", { qos: 1, messageId }, 5));
  expect(client.channel.closed).toBeUndefined();
  client.handler.data(publish("p", "x", { qos: 1, messageId: 4 }, 5));
  expect(client.read()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x93 }]);
});

test("a topic alias is refused with its code", async () => {
  const client = await open(5);
  client.handler.data(publish("p", "x", { properties: { topicAlias: 1 } }, 5));
  expect(client.read()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x94 }]);
});

test("user properties and content type are read over", async () => {
  const client = await open(5);
  client.handler.data(publish("p", "x", { properties: { contentType: "t", userProperties: { a: "b" } } }, 5));
  expect(client.channel.published).toMatchObject([{ room: "p", body: "x" }]);
});

test("a delivery with QoS 0 is one PUBLISH", async () => {
  for (const version of BOTH) {
    const client = await open(version);
    client.channel.send(client.handler.encoding.encode(delivery("hi", false)));
    expect(client.read()).toMatchObject([{
      cmd: "publish",
      topic: "plaza",
      qos: 0,
      payload: Buffer.from("hi"),
    }]);
  }
});

test("acknowledged deliveries wait when the client has as many as it takes, and go out in order", async () => {
  const client = await open(5, { connect: { properties: { receiveMaximum: 2 } } });
  for (const body of ["1", "2", "3", "4", "5"]) {
    const chunk = client.handler.encode(delivery(body));
    if (chunk !== undefined) client.channel.send(chunk);
  }
  const ids: number[] = [];
  const bodies: string[] = [];
  const read = () => {
    for (const packet of client.read()) {
      if (packet.cmd !== "publish") continue;
      ids.push(packet.messageId!);
      bodies.push(String(packet.payload));
    }
  };
  read();
  expect(bodies).toEqual(["1", "2"]);
  while (ids.length > 0) {
    client.handler.data(wire({ cmd: "puback", messageId: ids.shift()! }, 5));
    read();
  }
  expect(bodies).toEqual(["1", "2", "3", "4", "5"]);
});

test("packet identifiers go round without meeting one that is in use", async () => {
  const client = await open(4, { limits: { maxInflight: 2 } });
  const ids = new Set<number>();
  const next = () => unwire(client.handler.encode(delivery("x"))! as Uint8Array)[0]!.messageId!;
  const held = next();
  for (let i = 0; i < 70_000; i++) {
    const id = next();
    expect(id).not.toBe(held);
    ids.add(id);
    client.handler.data(Uint8Array.of(0x40, 2, id >> 8, id & 255));
  }
  expect([Math.min(...ids), Math.max(...ids), ids.size]).toEqual([2, 65535, 65534]);
});

test("a client that never acknowledges is ended as too slow", async () => {
  const client = await open(5, { limits: { maxQueuedBytes: 5000 } });
  for (let i = 0; i < 20 && !client.channel.closed; i++) client.handler.encode(delivery("x".repeat(500)));
  expect(client.read()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x97 }]);
  expect(client.channel.closed).toMatchObject({ code: 1013 });
});

test("a client's Maximum Packet Size is kept to", async () => {
  const client = await open(5, { connect: { properties: { maximumPacketSize: 100 } } });
  expect(client.handler.encode(delivery("x".repeat(100)))).toBeUndefined();
  expect(client.handler.encoding.encode(delivery("x".repeat(100)))).toHaveLength(0);
  expect(client.channel.metrics.get("toychat_mqtt_deliveries_too_large_total")).toBe(2);
  client.handler.data(publish("$x", "x", { qos: 1, messageId: 1 }, 5));
  expect(client.read()).toMatchObject([{ cmd: "puback", reasonCode: 0x90 }]);
  const small = await open(5, { connect: { properties: { maximumPacketSize: 35 } } });
  small.handler.data(publish("p", "x", { properties: { topicAlias: 1 } }, 5));
  const [farewell] = small.read();
  expect(farewell).toMatchObject({ cmd: "disconnect", reasonCode: 0x94 });
  expect(farewell).not.toHaveProperty("properties.reasonString");
  const tiny = start(5, { connect: { properties: { maximumPacketSize: 10 } } });
  await settle();
  expect(tiny.read()).toEqual([]);
  expect(tiny.channel.closed).toBeDefined();
});

test("who subscribes to $toychat/moved hears of rooms that move", async () => {
  for (const payload of ["text", "json", "bytes"] as const) {
    const client = await open(4, { mqtt: { payload } });
    client.handler.moved("plaza", true);
    expect(client.read()).toEqual([]);
    client.handler.data(subscribe(1, { "$toychat/moved": 1 }));
    expect(client.read()).toMatchObject([{ granted: [0] }]);
    client.handler.moved("plaza", true);
    const [packet] = client.read();
    expect(packet).toMatchObject({ cmd: "publish", topic: "$toychat/moved", qos: 0 });
    expect(JSON.parse(String((packet as { payload: Buffer }).payload))).toEqual({
      room: "plaza",
      lost: true,
    });
    client.handler.data(wire({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["$toychat/moved"] }));
    client.read();
    client.handler.moved("plaza", false);
    expect(client.read()).toEqual([]);
    expect(client.channel.joins).toEqual([]);
  }
});

test("PINGREQ is answered", async () => {
  const client = await open(4);
  client.handler.data(wire({ cmd: "pingreq" }));
  expect(client.read()).toMatchObject([{ cmd: "pingresp" }]);
});

test("a client is ended one and a half times its keep-alive after its last word", async () => {
  for (const version of BOTH) {
    const client = await open(version, { connect: { keepalive: 10 } });
    client.channel.clock.advance(14_999);
    client.handler.data(wire({ cmd: "pingreq" }));
    client.channel.clock.advance(14_999);
    expect(client.channel.closed).toBeUndefined();
    client.read();
    client.channel.clock.advance(1);
    expect(client.channel.closed).toBeDefined();
    expect(client.read()).toMatchObject(version === 5 ? [{ cmd: "disconnect", reasonCode: 0x8d }] : []);
  }
});

test("keep-alive 0 is off, and no timer outlives a connection", async () => {
  const off = await open(4, { connect: { keepalive: 0 } });
  expect(off.channel.clock.pending).toBe(0);
  const on = await open(4, { connect: { keepalive: 1 } });
  expect(on.channel.clock.pending).toBe(1);
  on.handler.close({ kind: "peer" });
  expect(on.channel.clock.pending).toBe(0);
});

const will = { topic: "plaza", payload: Buffer.from("gone"), qos: 1, retain: false };

test("a will is published when the client goes without a word", async () => {
  for (const version of BOTH) {
    const client = await open(version, { connect: { will } });
    client.handler.close({ kind: "error" });
    expect(client.channel.published).toMatchObject([{ room: "plaza", body: "gone" }]);
    expect(client.channel.published[0]!.done).toBeDefined();
    const twice = await open(version, { connect: { will: { ...will, qos: 2 } } });
    twice.handler.close({ kind: "error" });
    expect(twice.channel.published).toHaveLength(1);
    const quiet = await open(version, { connect: { will: { ...will, qos: 0 } } });
    quiet.handler.end("kicked");
    quiet.handler.close({ kind: "local" });
    expect(quiet.channel.published).toMatchObject([{ room: "plaza", body: "gone", done: undefined }]);
  }
});

test("a will is not published after DISCONNECT, except where MQTT 5 asks for it", async () => {
  const cases: [4 | 5, number | undefined, number][] = [[4, undefined, 0], [5, 0, 0], [5, 4, 1], [
    5,
    0x80,
    1,
  ]];
  for (const [version, reasonCode, published] of cases) {
    const client = await open(version, { connect: { will } });
    client.handler.data(wire({ cmd: "disconnect", reasonCode } as Packet, version));
    expect(client.channel.closed).toBeDefined();
    expect(client.read()).toEqual([]);
    client.handler.data(publish("plaza", "after", {}, version));
    client.handler.close({ kind: "local" });
    expect(client.channel.published).toHaveLength(published);
  }
});

test("a will is shown when the session is opened, and is sent as a will", async () => {
  const client = await open(4, { connect: { will } });
  expect(client.channel.will).toBe(will.topic);
  client.handler.close({ kind: "peer" });
  expect(client.channel.published).toMatchObject([{ room: will.topic, will: true }]);
});

test("a client that was never let in leaves no will", async () => {
  const client = start(4, {
    connect: { will },
    open: () => Promise.resolve({ refused: "bad_credentials" } as const),
  });
  await settle();
  client.handler.close({ kind: "local" });
  expect(client.channel.published).toEqual([]);
});

test("a will that cannot be kept is refused in MQTT 5 and counted in 3.1.1", async () => {
  const bad = { ...will, topic: "$SYS/x" };
  expect(start(5, { connect: { will: bad } }).read()).toMatchObject([{ cmd: "connack", reasonCode: 0x90 }]);
  const old = await open(4, { connect: { will: bad } });
  expect(old.channel.metrics.get("toychat_mqtt_invalid_topics_total")).toBe(1);
  old.handler.close({ kind: "peer" });
  expect(old.channel.published).toEqual([]);
});

test("the same client identifier again ends the older session on that proxy, and on no other", async () => {
  const proxy = {};
  const older = await open(5, { proxy });
  const elsewhere = await open(5, { proxy: {} });
  const newer = await open(5, { proxy, mqtt: { payload: "json" } });
  expect(older.read()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x8e }]);
  expect(older.channel.closed).toBeDefined();
  expect(elsewhere.channel.closed ?? newer.channel.closed).toBeUndefined();
  older.handler.close({ kind: "local" });
  await open(5, { proxy });
  expect(newer.channel.closed).toBeDefined();
});

test("another user's client identifier is refused, and that user's session lives on", async () => {
  const proxy = {};
  const older = await open(5, { proxy, connect: { username: "ada", clientId: "phone" } });
  const old = start(4, { proxy, connect: { username: "eve", clientId: "phone" } });
  const thief = start(5, { proxy, connect: { username: "eve", clientId: "phone" } });
  await settle();
  expect(old.read()).toMatchObject([{ cmd: "connack", returnCode: 2 }]);
  expect(thief.read()).toMatchObject([{ cmd: "connack", reasonCode: 0x85 }]);
  expect(older.channel.closed).toBeUndefined();
  expect(thief.channel.metrics.get("toychat_mqtt_takeovers_refused_total")).toBe(1);
  await open(5, { proxy, connect: { username: "ada", clientId: "phone" } });
  expect(older.read()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x8e }]);
});

test("a client that comes back after its connection ended takes nothing over", async () => {
  const proxy = {};
  const before = await open(4, { proxy });
  before.handler.close({ kind: "peer" });
  const after = await open(4, { proxy });
  expect(after.channel.metrics.get("toychat_mqtt_sessions_taken_over_total")).toBe(0);
  const again = await open(4, { proxy });
  expect(again.channel.metrics.get("toychat_mqtt_sessions_taken_over_total")).toBe(1);
});

test("a client that is refused takes nobody's session over", async () => {
  const proxy = {};
  const older = await open(4, { proxy });
  start(4, { proxy, open: () => Promise.resolve({ refused: "bad_credentials" } as const) });
  await settle();
  expect(older.channel.closed).toBeUndefined();
});

test("the reasons why a server ends a session have their codes in MQTT 5, and 3.1.1 just ends", async () => {
  const codes = {
    shutting_down: 0x8b,
    slow_consumer: 0x97,
    keepalive_timeout: 0x8d,
    taken_over: 0x8e,
    kicked: 0x98,
    authentication_expired: 0x87,
  } as const;
  for (const [reason, reasonCode] of Object.entries(codes) as [keyof typeof codes, number][]) {
    const [client, old] = [await open(5), await open(4)];
    client.handler.end(reason);
    old.handler.end(reason);
    expect(client.read()).toMatchObject([{ cmd: "disconnect", reasonCode }]);
    expect(old.read()).toEqual([]);
  }
});

test("a client that waits for CONNACK when the server ends it gets one", () => {
  const never = { open: () => new Promise<never>(() => {}) };
  const [client, old] = [start(5, never), start(4, never)];
  client.handler.end("authentication_timeout");
  old.handler.end("authentication_timeout");
  expect(client.read()).toMatchObject([{ cmd: "connack", reasonCode: 0x88 }]);
  expect(old.read()).toMatchObject([{ cmd: "connack", returnCode: 3 }]);
  const silent = accept(mqtt());
  silent.handler.end("authentication_timeout");
  expect(silent.channel.takeBytes()).toHaveLength(0);
});

test("a session that opens after its connection is gone does nothing", async () => {
  const client = start(4, { connect: { will, keepalive: 5 } });
  client.handler.close({ kind: "peer" });
  await settle();
  expect(client.read()).toEqual([]);
  expect(client.channel.clock.pending).toBe(0);
  expect(client.channel.published).toEqual([]);
});

test("a text message on MQTT over WebSocket ends the connection", async () => {
  const client = await open(5);
  client.handler.data("hello");
  expect(client.read()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x81 }]);
  expect(client.channel.closed).toMatchObject({ code: 1002 });
});

test("json payloads become values, and what is not JSON is refused", async () => {
  const client = await open(5, { mqtt: { payload: "json" } });
  client.handler.data(publish("p", '{"x":1}', {}, 5));
  expect(client.channel.published).toMatchObject([{ body: { x: 1 } }]);
  client.handler.data(publish("p", "{x", { qos: 1, messageId: 1 }, 5));
  expect(client.read()).toMatchObject([{ cmd: "puback", reasonCode: 0x99 }]);
});

test("an unknown payload mode is refused with what to write", () => {
  expect(() => mqtt({ payload: "xml" as "json" })).toThrow('"xml": use "text", "json" or "bytes"');
});

test("whatever a client sends, cut anywhere, its handler throws nothing, and goes quiet once it has closed", async () => {
  const script = fc.record({
    version: fc.constantFrom<4 | 5>(4, 5),
    noise: fc.uint8Array({ maxLength: 60 }),
    at: fc.nat(400),
    places: fc.array(fc.nat(400), { maxLength: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(script, async ({ version, noise, at, places }) => {
      const good = Buffer.concat([
        connect({ protocolVersion: version, will, keepalive: 9, username: "u" }),
        subscribe(1, { a: 1, "b/#": 0 }, {}, version),
        publish("a", "hello", { qos: 1, messageId: 3 }, version),
        publish("a", "hello", { qos: 2, messageId: 4, properties: { contentType: "x" } }, version),
        wire({ cmd: "pingreq" }, version),
      ]);
      const cutAt = at % good.length;
      const bytes = new Uint8Array(Buffer.concat([good.subarray(0, cutAt), noise, good.subarray(cutAt)]));
      const { channel, handler } = accept(mqtt());
      for (const chunk of cut(bytes, places)) {
        handler.data(chunk);
        await settle();
      }
      const sent = channel.sent.length;
      const { published } = channel;
      for (const { done } of published) done?.(undefined);
      if (channel.closed) expect(channel.sent).toHaveLength(sent);
      handler.close({ kind: "peer" });
      expect(channel.clock.pending).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test("packets beyond the rate wait, each in its turn, whatever becomes of the memory that they came in", async () => {
  const client = await open(5);
  const { channel, handler } = client;
  const take = channel.publish.bind(channel);
  // Two messages at a time.
  channel.publish = (...message) => {
    take(...message);
    channel.held = channel.published.length % 2 === 0;
  };
  const packets = Array.from({ length: 5 }, (_, n) => publish("r", `+${n}`, {}, 5));
  const chunk = new Uint8Array(
    Buffer.concat([...packets, wire({ cmd: "pingreq" }, 5), packets[0]!.slice(0, 4)]),
  );
  handler.data(chunk);
  chunk.fill(0xff);
  const bodies = (): unknown[] => channel.published.splice(0).map(({ body }) => body);
  expect([bodies(), handler.waiting, client.read()]).toEqual([["+0", "+1"], 4, []]);
  handler.resume?.();
  expect([bodies(), handler.waiting]).toEqual([[], 4]);
  for (const [texts, waiting] of [[["+2", "+3"], 2], [["+4"], 0]] as const) {
    channel.held = false;
    handler.resume?.();
    expect([bodies(), handler.waiting]).toEqual([[...texts], waiting]);
  }
  expect(client.read()).toMatchObject([{ cmd: "pingresp" }]);
  handler.data(packets[0]!.slice(4));
  expect(bodies()).toEqual(["+0"]);
});

test("what leads to nothing counts against the rate as well, but acknowledgements do not", async () => {
  const { channel, handler } = await open(5);
  const moved = "$toychat/moved";
  const twice = publish("r", "x", { qos: 2, messageId: 9 }, 5);
  const packets: [Uint8Array, number][] = [
    [subscribe(1, { [moved]: 0 }, {}, 5), 1],
    [wire({ cmd: "unsubscribe", messageId: 2, unsubscriptions: [moved, "nowhere"] }, 5), 2],
    [twice, 0],
    [twice, 1],
    [wire({ cmd: "puback", messageId: 1 }, 5), 0],
    [wire({ cmd: "pubrel", messageId: 8 }, 5), 0],
  ];
  for (const [packet, cost] of packets) {
    const before = channel.charged;
    handler.data(packet);
    expect(channel.charged - before).toBe(cost);
  }
});

test("acknowledgements that wait behind the rate are none of the messages that it bounds", async () => {
  const { channel, handler } = await open(5);
  const publishAsBefore = channel.publish.bind(channel);
  channel.publish = (...message) => {
    publishAsBefore(...message);
    channel.held = true;
  };
  const acks = Array.from({ length: 100 }, (_, id) => wire({ cmd: "puback", messageId: id + 1 }, 5));
  const release = wire({ cmd: "pubrel", messageId: 7 }, 5);
  const messages = [publish("r", "1", {}, 5), publish("r", "2", {}, 5)];
  handler.data(new Uint8Array(Buffer.concat([...messages, ...acks, release])));
  expect([channel.published.length, handler.waiting]).toEqual([1, 1]);
});

test("a client that was not read was not silent meanwhile", async () => {
  const { channel, handler } = await open(5, { connect: { keepalive: 1 } });
  channel.paused = true;
  channel.clock.advance(1500);
  channel.clock.advance(1499);
  channel.paused = false;
  handler.resume?.();
  channel.clock.advance(1499);
  expect(channel.closed).toBeUndefined();
  channel.clock.advance(1);
  expect(channel.closed).toBeDefined();
});
