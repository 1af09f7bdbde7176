import { expect, test } from "bun:test";
import fc from "fast-check";
import { cut, type Packet as WirePacket, publish, unwire, wire } from "../../tests/support/mqtt_wire.ts";
import { BadPacket, type Packet } from "./mqtt_packets.ts";
import { PacketReader } from "./mqtt_reader.ts";

const topic = fc.string({ unit: "binary", minLength: 1, maxLength: 12 }).map((text) => text.toWellFormed());
const id = fc.integer({ min: 1, max: 65535 });
const version = fc.constantFrom<4 | 5>(4, 5);

function properties(v: 4 | 5): fc.Arbitrary<Record<string, unknown> | undefined> {
  if (v === 4) return fc.constant(undefined);
  return fc.oneof(
    fc.constant(undefined),
    fc.record({ contentType: fc.string({ unit: "grapheme-ascii" }), messageExpiryInterval: fc.nat(1000) }),
    fc.record({ topicAlias: id }),
  );
}

/** Packets that a client sends in an open session, in mqtt-packet's terms. */
function packet(v: 4 | 5): fc.Arbitrary<WirePacket> {
  const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const published = fc.record({
    cmd: fc.constant("publish"),
    topic,
    payload,
    qos: fc.constantFrom(0, 1, 2),
    dup: fc.boolean(),
    retain: fc.boolean(),
    messageId: id,
    properties: properties(v),
  });
  const subscription = fc.record({
    topic,
    qos: fc.constantFrom(0, 1, 2),
    nl: fc.boolean(),
    rap: fc.boolean(),
    rh: fc.nat(2),
  });
  return fc.oneof(
    { weight: 4, arbitrary: published },
    fc.record({ cmd: fc.constantFrom("puback", "pubrel"), messageId: id }),
    fc.record({ cmd: fc.constant("pingreq") }),
    fc.record({
      cmd: fc.constant("subscribe"),
      messageId: id,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
    }),
    fc.record({
      cmd: fc.constant("unsubscribe"),
      messageId: id,
      unsubscriptions: fc.array(topic, { minLength: 1, maxLength: 4 }),
    }),
  ) as fc.Arbitrary<WirePacket>;
}

const session = version.chain((v) =>
  fc.record({
    v: fc.constant(v),
    packets: fc.array(packet(v), { minLength: 1, maxLength: 8 }),
    places: fc.array(fc.nat(4000)),
  })
);

function openReader(v: 4 | 5, limit = 100_000): PacketReader {
  const reader = new PacketReader(limit);
  reader.version = v;
  return reader;
}

function readAll(reader: PacketReader, chunks: readonly Uint8Array[]): Packet[] {
  const packets: Packet[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) packets.push(next);
  }
  return packets;
}

/** The same packet in the terms of both libraries. */
function plain(p: Packet | WirePacket): unknown {
  const raw = p as unknown as Record<string, unknown>;
  switch (p.cmd) {
    case "publish": {
      const alias = raw.topicAlias ?? (raw.properties as Record<string, unknown> | undefined)?.topicAlias;
      const messageId = p.qos === 0 ? 0 : p.messageId;
      const { cmd, topic, qos, dup, retain } = p;
      return { cmd, topic, qos, dup, retain, messageId, alias, payload: [...(p.payload as Uint8Array)] };
    }
    case "subscribe": {
      const filters = (raw.filters ?? raw.subscriptions) as {
        topic: string;
        qos: number;
        nl?: boolean;
        noLocal?: boolean;
      }[];
      return [p.cmd, p.messageId, filters.map((f) => [f.topic, f.qos, f.noLocal ?? f.nl ?? false])];
    }
    case "unsubscribe":
      return [p.cmd, p.messageId, raw.topics ?? raw.unsubscriptions];
    default:
      return [p.cmd, raw.messageId];
  }
}

test("any packets, cut anywhere, are read as mqtt-packet reads them", () => {
  fc.assert(
    fc.property(session, ({ v, packets, places }) => {
      const bytes = Buffer.concat(packets.map((p) => wire(p, v)));
      const read = readAll(openReader(v), cut(bytes, places));
      expect(read.map(plain)).toEqual(unwire(bytes, v).map(plain));
    }),
    { numRuns: 300 },
  );
});

test("a packet that comes byte by byte is read", () => {
  const bytes = publish("plaza", "hello", { qos: 1, messageId: 7 });
  const read = readAll(openReader(4), [...bytes].map((byte) => Uint8Array.of(byte)));
  expect(read).toHaveLength(1);
  expect(read[0]).toMatchObject({ topic: "plaza", messageId: 7 });
});

test("garbage is refused as a bad packet, and by nothing else", () => {
  fc.assert(
    fc.property(version, fc.uint8Array({ maxLength: 80 }), fc.array(fc.nat(80)), (v, bytes, places) => {
      try {
        readAll(openReader(v), cut(bytes, places));
      } catch (error) {
        expect(error).toBeInstanceOf(BadPacket);
      }
    }),
    { numRuns: 1000 },
  );
});

test("a damaged packet is refused as a bad packet, or read within its bounds", () => {
  const damaged = session.chain((s) => fc.record({ s: fc.constant(s), at: fc.nat(2000), to: fc.nat(255) }));
  fc.assert(
    fc.property(damaged, ({ s, at, to }) => {
      const bytes = Buffer.concat(s.packets.map((p) => wire(p, s.v)));
      bytes[at % bytes.length] = to;
      try {
        readAll(openReader(s.v), cut(bytes, s.places));
      } catch (error) {
        expect(error).toBeInstanceOf(BadPacket);
      }
    }),
    { numRuns: 500 },
  );
});

test("a bad packet of one client does not disturb another client's packets", () => {
  const bad = openReader(5);
  const good = openReader(5);
  const bytes = wire(
    { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 0 }] } as WirePacket,
    5,
  );
  good.push(bytes.slice(0, 4));
  expect(good.next()).toBeUndefined();
  bad.push(Uint8Array.of(0x82, 4, 0, 1, 0, 9));
  expect(() => bad.next()).toThrow(BadPacket);
  good.push(bytes.slice(4));
  expect(good.next()).toMatchObject({ cmd: "subscribe", messageId: 1 });
});

test("a packet longer than the limit is refused by its header, before its bytes have come", () => {
  const reader = openReader(4, 1000);
  reader.push(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0));
  expect(() => reader.next()).toThrow("268435455 bytes: at most 1000");
});

test("a length that is only claimed allocates nothing", () => {
  const reader = openReader(4, 1 << 28);
  reader.push(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0));
  expect(reader.next()).toBeUndefined();
  expect(reader.buffered).toBe(6);
});

test("a remaining length of five bytes is malformed", () => {
  const reader = openReader(4);
  reader.push(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 1));
  expect(() => reader.next()).toThrow("four bytes");
});

test("before CONNECT nothing else is taken, and CONNECT is taken once", () => {
  const fresh = new PacketReader(1000);
  fresh.push(new TextEncoder().encode("GET / HTTP/1.1\r\n"));
  expect(() => fresh.next()).toThrow("first packet must be CONNECT");
  const open = openReader(4);
  open.push(Uint8Array.of(0x10, 0));
  expect(() => open.next()).toThrow("once only");
});

test("packets that only servers send are malformed", () => {
  for (const type of [0x20, 0x90, 0xb0, 0xd0, 0x00]) {
    const reader = openReader(5);
    reader.push(Uint8Array.of(type, 0));
    expect(() => reader.next()).toThrow(BadPacket);
  }
});

test("text that is not UTF-8 is malformed in topics and in filters", () => {
  const publishing = openReader(4);
  publishing.push(Uint8Array.of(0x30, 4, 0, 2, 0xc3, 0x28));
  expect(() => publishing.next()).toThrow("UTF-8");
  const subscribing = openReader(4);
  subscribing.push(Uint8Array.of(0x82, 7, 0, 1, 0, 2, 0xc3, 0x28, 0));
  expect(() => subscribing.next()).toThrow("UTF-8");
});

test("the character that stands for ill-formed text is itself a character", () => {
  const bytes = wire({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "\ufffd", qos: 0 }] });
  expect(readAll(openReader(4), [bytes])[0]).toMatchObject({ filters: [{ topic: "\ufffd" }] });
});

test("a packet identifier of 0 is refused", () => {
  for (const bytes of [[0x32, 5, 0, 1, 97, 0, 0], [0x40, 2, 0, 0], [0x82, 6, 0, 0, 0, 1, 97, 0]]) {
    const reader = openReader(4);
    reader.push(Uint8Array.from(bytes));
    expect(() => reader.next()).toThrow("packet identifier");
  }
});

test("a PUBLISH whose topic runs into the next packet is malformed", () => {
  const reader = openReader(4);
  reader.push(Uint8Array.of(0x30, 3, 0, 9, 97, 0x30, 8, 0, 1, 98, 99, 99, 99, 99, 99));
  expect(() => reader.next()).toThrow(BadPacket);
});

test("a topic is not taken for an earlier one that begins the same or is as long", () => {
  const topics = ["ab", "abc", "ab", "a", "xb", "ab"];
  const read = readAll(openReader(4), topics.map((topic) => publish(topic, "x")));
  expect(read.map((packet) => packet.cmd === "publish" && packet.topic)).toEqual(topics);
});

test("a packet that begins in the middle of a chunk and ends in the next is read from its own beginning", () => {
  // Read from any other place, the zeros and lengths in the payload would make another PUBLISH.
  const inner = publish("evil", "x").slice(2);
  const bytes = publish("p", new Uint8Array(Buffer.concat([inner, inner, inner])));
  for (let length = 1; length < 20; length++) {
    const first = publish("a".repeat(length), "b");
    const both = new Uint8Array(Buffer.concat([first, bytes]));
    const read = readAll(openReader(4), [both.slice(0, first.length + 8), both.slice(first.length + 8)]);
    expect(read.map((packet) => packet.cmd === "publish" && packet.topic)).toEqual(["a".repeat(length), "p"]);
  }
});
