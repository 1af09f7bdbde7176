/**
 * Hostile MQTT: sessions that begin well and are spoilt, in both versions.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { generate, type Packet } from "mqtt-packet";
import type { Random } from "../support/virtual_clock.ts";
import { chop, concat, randomBytes, spoil } from "./bytes.ts";
import type { Input } from "./input.ts";
import { hostileName } from "./text.ts";

type Version = 4 | 5;

const KINDS = [
  "publish",
  "publish",
  "subscribe",
  "unsubscribe",
  "puback",
  "pubrec",
  "pubrel",
  "pubcomp",
] as const;
/** First bytes of packets that no client may send, or never twice. */
const FORBIDDEN = [0x00, 0x10, 0x20, 0x90, 0xb0, 0xd0, 0xf0, 0x36, 0x82, 0x80, 0xe5];

function name(random: Random): string {
  return hostileName(random).slice(0, 65_535).toWellFormed();
}

function write(packet: Packet, protocolVersion: Version): Uint8Array {
  try {
    return new Uint8Array(generate(packet, { protocolVersion }));
  } catch {
    // mqtt-packet writes no packet that is too wrong: a bare header stands for it.
    return Uint8Array.of(0x30, 0);
  }
}

function connectPacket(random: Random, version: Version): Uint8Array {
  const will = random.chance(0.3)
    ? { topic: name(random), payload: "will", qos: random.below(3) as 0 | 1 | 2, retain: random.chance(0.2) }
    : undefined;
  const properties = version === 5 && random.chance(0.4)
    ? {
      receiveMaximum: 1 + random.below(70_000) % 65_535,
      maximumPacketSize: random.pick([1, 20, 200, 65_536, 268_435_455]),
      sessionExpiryInterval: random.pick([0, 4_294_967_295]),
      userProperties: { ["__proto__"]: "x", constructor: name(random).slice(0, 100) },
    }
    : undefined;
  const packet = {
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: version,
    clean: true,
    clientId: random.chance(0.5) ? `client-${random.below(1000)}` : name(random),
    keepalive: random.pick([0, 1, 60, 65_535]),
    username: random.chance(0.3) ? name(random) : undefined,
    password: random.chance(0.1) ? "secret" : undefined,
    will,
    properties,
  };
  return write(packet as Packet, version);
}

function properties(random: Random, version: Version): object | undefined {
  if (version === 4 || random.chance(0.7)) return undefined;
  return {
    topicAlias: random.chance(0.2) ? random.below(65_536) : undefined,
    contentType: name(random).slice(0, 200),
    responseTopic: random.chance(0.3) ? name(random) : undefined,
    correlationData: Buffer.from(randomBytes(random, random.below(20))),
    userProperties: { ["__proto__"]: name(random).slice(0, 200), toString: "x" },
    messageExpiryInterval: random.below(4_294_967_296),
  };
}

function sessionPacket(random: Random, version: Version): Uint8Array {
  const messageId = random.below(65_536);
  const topic = name(random);
  const extra = properties(random, version);
  const cmd = random.pick(KINDS);
  if (cmd === "publish") {
    const qos = random.below(3) as 0 | 1 | 2;
    const payload = random.chance(0.01) ? randomBytes(random, 20_000) : randomBytes(random, random.below(60));
    const flags = { dup: qos > 0 && random.chance(0.2), retain: random.chance(0.1), qos };
    return write(
      { cmd, topic, payload: Buffer.from(payload), messageId, ...flags, properties: extra } as Packet,
      version,
    );
  }
  if (cmd === "subscribe") {
    const subscriptions = Array.from({ length: random.chance(0.05) ? 200 : 1 + random.below(3) }, () => ({
      topic: name(random),
      qos: random.below(3) as 0 | 1 | 2,
      nl: random.chance(0.3),
      rap: false,
      rh: 0,
    }));
    return write({ cmd, messageId, subscriptions } as Packet, version);
  }
  if (cmd === "unsubscribe") return write({ cmd, messageId, unsubscriptions: [topic] } as Packet, version);
  return write({ cmd, messageId } as Packet, version);
}

function strangePacket(random: Random): Uint8Array {
  const first = random.pick(FORBIDDEN);
  const length = random.pick([0, 1, 2, 5]);
  return concat([Uint8Array.of(first, length), randomBytes(random, length)]);
}

function rawPacket(random: Random): Uint8Array {
  switch (random.below(4)) {
    case 0:
      return Uint8Array.of(0xc0, 0);
    case 1:
      return Uint8Array.of(0xe0, 0);
    case 2:
      // A length that lies: a packet of 256 MiB that never comes.
      return Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3);
    default:
      return strangePacket(random);
  }
}

/** One client: mostly a CONNECT and some packets, in order or not, whole or spoilt, cut anywhere. */
export function mqttInput(random: Random): Input {
  const version: Version = random.chance(0.5) ? 4 : 5;
  const parts: Uint8Array[] = random.chance(0.9) ? [connectPacket(random, version)] : [];
  for (let left = random.below(6); left > 0; left--) {
    parts.push(random.chance(0.8) ? sessionPacket(random, version) : rawPacket(random));
  }
  if (random.chance(0.05)) parts.reverse();
  const spoilAt = random.chance(0.6) ? random.below(parts.length) : -1;
  const bytes = concat(parts.map((part, at) => at === spoilAt ? spoil(random, part) : part));
  const variant = random.chance(0.8) ? "tcp" : "ws";
  return {
    variant,
    chunks: random.chance(0.03) ? [randomBytes(random, random.below(100))] : chop(random, bytes),
  };
}
