/**
 * MQTT packets as mqtt-packet reads and writes them, for tests to compare with.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { generate, type Packet, parser } from "mqtt-packet";

export type { Packet } from "mqtt-packet";

/** Bytes of a packet. */
export function wire(packet: Packet, protocolVersion: 4 | 5 = 4): Uint8Array {
  return new Uint8Array(generate(packet, { protocolVersion }));
}

/** CONNECT, with the fields that a test does not name at their plainest. */
export function connect(fields: Record<string, unknown> = {}): Uint8Array {
  const packet = { cmd: "connect", clientId: "c1", protocolVersion: 4, clean: true, keepalive: 0, ...fields };
  return wire(packet as Packet, packet.protocolVersion as 4 | 5);
}

/** PUBLISH. */
export function publish(
  topic: string,
  payload: string | Uint8Array,
  fields: Record<string, unknown> = {},
  version: 4 | 5 = 4,
): Uint8Array {
  const bytes = typeof payload === "string" ? payload : Buffer.from(payload);
  return wire(
    { cmd: "publish", topic, payload: bytes, qos: 0, dup: false, retain: false, ...fields } as Packet,
    version,
  );
}

/** SUBSCRIBE. */
export function subscribe(
  messageId: number,
  topics: Record<string, number>,
  fields: Record<string, unknown> = {},
  version: 4 | 5 = 4,
): Uint8Array {
  const subscriptions = Object.entries(topics).map(([topic, qos]) => ({
    topic,
    qos,
    ...(version === 5 ? { nl: fields.nl ?? false, rap: false, rh: 0 } : {}),
  }));
  return wire(
    { cmd: "subscribe", messageId, subscriptions, properties: fields.properties } as Packet,
    version,
  );
}

/** All packets in some bytes; throws where they are not whole packets. */
export function unwire(bytes: Uint8Array, protocolVersion: 4 | 5 = 4): Packet[] {
  const packets: Packet[] = [];
  const reader = parser({ protocolVersion });
  reader.on("packet", (packet) => packets.push(packet));
  reader.on("error", (error) => {
    throw error;
  });
  if (bytes.length > 0 && reader.parse(Buffer.from(bytes)) !== 0) throw new Error("bytes are left over");
  return packets;
}

/** Cuts bytes at the given places. */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const to of [...at, bytes.length]) {
    if (to > from) chunks.push(bytes.slice(from, to));
    from = Math.max(from, to);
  }
  return chunks;
}
