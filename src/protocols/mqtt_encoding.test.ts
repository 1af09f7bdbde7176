import { expect, test } from "bun:test";
import fc from "fast-check";
import { publish, unwire } from "../../tests/support/mqtt_wire.ts";
import { accept } from "../../tests/support/fake_channel.ts";
import { mqtt } from "./mqtt.ts";
import { boundedEncoding, MqttEncoding, sharedEncoding } from "./mqtt_encoding.ts";
import { ackFrame, withPacketId } from "./mqtt_frames.ts";
import { TYPE } from "./mqtt_packets.ts";
import { decodePayload, encodePayload } from "./mqtt_payload.ts";
import type { Delivery } from "./protocol.ts";

const room = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 });
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc.integer({ min: 0, max: 70_000 }).map((length) => "x".repeat(length)),
);
const version = fc.constantFrom<4 | 5>(4, 5);

function delivery(room: string, body: Delivery["body"]): Delivery {
  return { room, from: "ada", body, acknowledged: true };
}

test("a delivery is byte for byte the PUBLISH that mqtt-packet writes, with QoS 0 and 1", () => {
  fc.assert(fc.property(version, room, text, fc.integer({ min: 1, max: 65535 }), (v, topic, body, id) => {
    const encoding = new MqttEncoding(v, "text");
    expect(Buffer.from(encoding.encode(delivery(topic, body)))).toEqual(
      Buffer.from(publish(topic, body, {}, v)),
    );
    const frame = withPacketId(encoding.template(delivery(topic, body)), id);
    expect(Buffer.from(frame)).toEqual(Buffer.from(publish(topic, body, { qos: 1, messageId: id }, v)));
  }));
});

test("the same delivery is encoded once, and its copies with identifiers do not touch each other", () => {
  const encoding = new MqttEncoding(4, "text");
  const one = delivery("plaza", "hi");
  expect(encoding.encode(one)).toBe(encoding.encode(one));
  expect(encoding.encode(delivery("plaza", "ho"))).not.toBe(encoding.encode(one));
  const template = encoding.template(one);
  const [first, second] = [withPacketId(template, 1), withPacketId(template, 258)];
  expect(unwire(first)[0]!.messageId).toBe(1);
  expect(unwire(second)[0]!.messageId).toBe(258);
});

test("all sessions of a version and payload mode share one encoding", () => {
  expect(sharedEncoding(4, "text")).toBe(sharedEncoding(4, "text"));
  expect(sharedEncoding(4, "text")).not.toBe(sharedEncoding(5, "text"));
  expect(accept(mqtt()).handler.encoding).toBe(accept(mqtt()).handler.encoding);
});

test("clients with the same Maximum Packet Size share an encoding that leaves out what is longer, and counts it", () => {
  const { channel } = accept(mqtt());
  const encoding = boundedEncoding(5, "text", 20, channel);
  expect(boundedEncoding(5, "text", 20, channel)).toBe(encoding);
  expect(encoding.encode(delivery("a", "x".repeat(14)))).toHaveLength(20);
  expect(encoding.encode(delivery("a", "x".repeat(15)))).toHaveLength(0);
  expect(channel.metrics.get("toychat_mqtt_deliveries_too_large_total")).toBe(1);
});

test("acknowledgements are what mqtt-packet reads", () => {
  for (const cmd of ["puback", "pubrec", "pubrel", "pubcomp"] as const) {
    for (const v of [4, 5] as const) {
      expect(unwire(ackFrame(TYPE[cmd], 513), v)[0]).toMatchObject({ cmd, messageId: 513 });
    }
  }
});

test("text payloads are byte-exact both ways, valid UTF-8 or not", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    expect(Buffer.from(encodePayload(decodePayload(bytes, "text")!, "text"))).toEqual(Buffer.from(bytes));
  }));
  expect(decodePayload(new TextEncoder().encode("\ufeffhi"), "text")).toBe("\ufeffhi");
  expect(decodePayload(Uint8Array.of(0xff), "text")).toEqual(Uint8Array.of(0xff));
});

test("json payloads are JSON values both ways, and bytes pass", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const payload = encodePayload(value as Delivery["body"], "json").slice();
    expect(JSON.stringify(decodePayload(payload, "json"))).toBe(JSON.stringify(value));
  }));
  expect(encodePayload(Uint8Array.of(1, 2), "json")).toEqual(Uint8Array.of(1, 2));
  expect(decodePayload(new TextEncoder().encode("{no"), "json")).toBeUndefined();
});

test("a text payload carries any other JSON value as JSON text", () => {
  expect(new TextDecoder().decode(encodePayload({ x: [1, null] }, "text"))).toBe('{"x":[1,null]}');
});

test("bytes payloads are copies of what came", () => {
  const came = Uint8Array.of(104, 105);
  const body = decodePayload(came, "bytes") as Uint8Array;
  came[0] = 0;
  expect(body).toEqual(Uint8Array.of(104, 105));
});
