/**
 * Whole MQTT packets to objects and back, by mqtt-packet. The only file that knows that library.
 *
 * Its parser is given exactly one whole packet at a time: it cannot read into the next one, never waits for a length that
 * a client only claims, and holds nothing of a client afterwards.
 *
 * @module
 */
import { generate, type Packet as RawPacket, type Parser, parser, writeToStream } from "mqtt-packet";
import { errorMessage } from "../lib/errors.ts";
import { type MqttVersion, REASON } from "./mqtt_codes.ts";
import {
  BadPacket,
  type ConnectPacket,
  type Packet,
  type PublishPacket,
  type UnsupportedPacket,
  type Will,
} from "./mqtt_packets.ts";

// The cache would be 65,536 buffers, made at the first packet.
writeToStream.cacheNumbers = false;

class OnePacketParser {
  readonly #parser: Parser;
  #packet: RawPacket | undefined;
  #error: unknown;

  constructor(version?: MqttVersion) {
    this.#parser = parser(version === undefined ? undefined : { protocolVersion: version });
    this.#parser.on("packet", (packet) => this.#packet = packet);
    this.#parser.on("error", (error) => this.#error = error);
  }

  /** Parses bytes that hold exactly one packet. After a throw the parser is not to be used again. */
  parse(bytes: Uint8Array): RawPacket {
    this.#packet = undefined;
    const left = this.#parser.parse(bytes as Parameters<Parser["parse"]>[0]);
    const packet = this.#packet as RawPacket | undefined;
    this.#packet = undefined;
    if (this.#error !== undefined) throw this.#error;
    if (packet === undefined || left > 0) throw new Error("the packet's fields do not fill its length");
    return packet;
  }
}

// CONNECT goes to a parser of its own: it keeps the packet, password included, as its settings.
const parsers: Partial<Record<MqttVersion, OnePacketParser>> = {};

function parseRaw(bytes: Uint8Array, version: MqttVersion | undefined): RawPacket {
  try {
    if (version === undefined) return new OnePacketParser().parse(bytes);
    return (parsers[version] ??= new OnePacketParser(version)).parse(bytes);
  } catch (error) {
    if (version !== undefined) delete parsers[version];
    throw new BadPacket(REASON.malformedPacket, errorMessage(error));
  }
}

/**
 * Parses one whole packet of an open session.
 *
 * @throws {BadPacket} where it is malformed, or no packet that a client may send now.
 */
export function parsePacket(bytes: Uint8Array, version: MqttVersion): Packet {
  const raw = parseRaw(bytes, version);
  switch (raw.cmd) {
    case "publish":
      return publishPacket(raw, bytes);
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return { cmd: raw.cmd, messageId: messageId(raw) };
    case "subscribe": {
      const filters = raw.subscriptions.map((s) => ({ topic: s.topic, qos: s.qos, noLocal: s.nl === true }));
      checkFilters(filters.map((filter) => filter.topic), bytes);
      const identified = raw.properties?.subscriptionIdentifier !== undefined;
      return { cmd: "subscribe", messageId: messageId(raw), filters, identified };
    }
    case "unsubscribe":
      checkFilters(raw.unsubscriptions, bytes);
      return { cmd: "unsubscribe", messageId: messageId(raw), topics: raw.unsubscriptions };
    case "disconnect":
      return { cmd: "disconnect", reasonCode: raw.reasonCode ?? 0 };
    case "pingreq":
    case "auth":
      return { cmd: raw.cmd };
    default:
      throw new BadPacket(REASON.protocolError, `a client may not send ${raw.cmd} now`);
  }
}

function publishPacket(raw: RawPacket & { cmd: "publish" }, bytes: Uint8Array): PublishPacket {
  checkText([raw.topic], bytes.subarray(0, bytes.length - raw.payload.length));
  const alias = raw.properties?.topicAlias;
  return {
    cmd: "publish",
    topic: raw.topic,
    payload: raw.payload as Uint8Array,
    qos: raw.qos,
    dup: raw.dup,
    retain: raw.retain,
    messageId: raw.qos === 0 ? 0 : messageId(raw),
    topicAlias: alias,
  };
}

function messageId(raw: RawPacket): number {
  const id = raw.messageId ?? 0;
  if (id < 1) throw new BadPacket(REASON.protocolError, `${raw.cmd} needs a packet identifier of 1 to 65535`);
  return id;
}

function checkFilters(topics: readonly string[], bytes: Uint8Array): void {
  if (topics.length === 0) throw new BadPacket(REASON.protocolError, "the packet names no topic filter");
  checkText(topics, bytes);
}

/** mqtt-packet turns ill-formed UTF-8 into U+FFFD; MQTT wants it refused (section 1.5.4). */
function checkText(texts: readonly (string | undefined)[], bytes: Uint8Array): void {
  let shown = 0;
  for (const text of texts) {
    for (let at = text?.indexOf("\ufffd") ?? -1; at >= 0; at = text!.indexOf("\ufffd", at + 1)) shown++;
  }
  if (shown === 0) return;
  let sent = 0;
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] === 0xef && bytes[i + 1] === 0xbf && bytes[i + 2] === 0xbd) sent++;
  }
  if (shown > sent) throw new BadPacket(REASON.malformedPacket, "text is not well-formed UTF-8");
}

/** Name and level of the protocol that a CONNECT names; `undefined` where it is too short or not MQTT. */
export function connectLevel(bytes: Uint8Array, bodyAt: number): number | undefined {
  const length = (bytes[bodyAt] ?? 0) * 256 + (bytes[bodyAt + 1] ?? 0);
  const name = String.fromCharCode(...bytes.subarray(bodyAt + 2, bodyAt + 2 + Math.min(length, 6)));
  const known = (name === "MQTT" && length === 4) || (name === "MQIsdp" && length === 6);
  return known ? bytes[bodyAt + 2 + length] : undefined;
}

/**
 * Parses a whole CONNECT whose variable header begins at `bodyAt`.
 *
 * @throws {BadPacket} where it is malformed or names another protocol.
 */
export function parseConnect(bytes: Uint8Array, bodyAt: number): ConnectPacket | UnsupportedPacket {
  const level = connectLevel(bytes, bodyAt);
  if (level === undefined) {
    throw new BadPacket(REASON.malformedPacket, "CONNECT does not name the protocol MQTT");
  }
  if (level !== 4 && level !== 5) return { cmd: "unsupported", level };
  const raw = parseRaw(bytes, undefined);
  if (raw.cmd !== "connect") throw new BadPacket(REASON.protocolError, "the first packet must be CONNECT");
  checkText([raw.clientId, raw.username, raw.will?.topic], bytes);
  if (raw.clientId.includes("\0") || raw.username?.includes("\0")) {
    throw new BadPacket(REASON.malformedPacket, "text has a NUL character");
  }
  return {
    cmd: "connect",
    version: level,
    clientId: raw.clientId,
    clean: raw.clean === true,
    keepalive: raw.keepalive ?? 0,
    username: raw.username,
    password: raw.password === undefined ? undefined : new Uint8Array(raw.password),
    will: raw.will && readWill(raw.will),
    receiveMaximum: positive(raw.properties?.receiveMaximum, 65535, "Receive Maximum"),
    maximumPacketSize: positive(raw.properties?.maximumPacketSize, Infinity, "Maximum Packet Size"),
    problemInformation: raw.properties?.requestProblemInformation !== false,
    authenticationMethod: raw.properties?.authenticationMethod,
  };
}

type RawWill = NonNullable<(RawPacket & { cmd: "connect" })["will"]>;

function readWill(raw: RawWill): Will {
  const qos = raw.qos ?? 0;
  if (qos > 2) throw new BadPacket(REASON.malformedPacket, `the will's QoS is ${qos}: use 0 or 1`);
  return {
    topic: raw.topic,
    payload: new Uint8Array(raw.payload as Uint8Array),
    qos,
    retain: raw.retain === true,
  };
}

function positive(value: unknown, absent: number, name: string): number {
  if (value === undefined) return absent;
  if (typeof value === "number" && value > 0) return value;
  throw new BadPacket(REASON.protocolError, `${name} must be sent once, and not be 0`);
}

/** A packet from the server that is built by mqtt-packet: everything that is not sent by the thousand. */
export type ServerPacket = Extract<
  RawPacket,
  {
    cmd:
      | "connack"
      | "suback"
      | "unsuback"
      | "disconnect"
      | "puback"
      | "pubrec"
      | "pubrel"
      | "pubcomp";
  }
>;

/** Encodes a packet from the server. */
export function encodePacket(packet: ServerPacket, version: MqttVersion): Uint8Array {
  const bytes = generate(packet, { protocolVersion: version });
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
