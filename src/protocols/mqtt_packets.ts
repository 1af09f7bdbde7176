/**
 * The packets that an MQTT client sends, as the rest of the protocol sees them.
 *
 * @module
 */
import type { MqttVersion } from "./mqtt_codes.ts";

/** A packet that breaks the protocol's rules; `code` is the reason code to answer with. */
export class BadPacket extends Error {
  /** Reason code of MQTT 5. */
  readonly code: number;

  /** Makes an error with a reason code and what was wrong. */
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A will, as it stands in CONNECT. */
export interface Will {
  /** Topic to publish to. */
  readonly topic: string;
  /** What to publish. */
  readonly payload: Uint8Array;
  /** 0, 1 or 2. */
  readonly qos: number;
  /** Asked to be retained. */
  readonly retain: boolean;
}

/** CONNECT. */
export interface ConnectPacket {
  /** Kind of packet. */
  readonly cmd: "connect";
  /** 4 or 5. */
  readonly version: MqttVersion;
  /** Client identifier; may be empty. */
  readonly clientId: string;
  /** Clean Session (3.1.1), Clean Start (5). */
  readonly clean: boolean;
  /** Seconds; 0 is off. */
  readonly keepalive: number;
  /** User name. */
  readonly username: string | undefined;
  /** Password. */
  readonly password: Uint8Array | undefined;
  /** Will. */
  readonly will: Will | undefined;
  /** Receive Maximum, 65535 where absent. */
  readonly receiveMaximum: number;
  /** Maximum Packet Size, `Infinity` where absent. */
  readonly maximumPacketSize: number;
  /** Request Problem Information. */
  readonly problemInformation: boolean;
  /** Authentication Method, of extended authentication. */
  readonly authenticationMethod: string | undefined;
}

/** CONNECT of a version that is not spoken here. */
export interface UnsupportedPacket {
  /** Kind of packet. */
  readonly cmd: "unsupported";
  /** The protocol level that the client named. */
  readonly level: number;
}

/** PUBLISH. */
export interface PublishPacket {
  /** Kind of packet. */
  readonly cmd: "publish";
  /** Topic. */
  readonly topic: string;
  /** A view of the bytes received (copy what is to stay), or their text where all are ASCII. */
  readonly payload: Uint8Array | string;
  /** Quality of service. */
  readonly qos: 0 | 1 | 2;
  /** Sent again by the client. */
  readonly dup: boolean;
  /** Asked to be retained. */
  readonly retain: boolean;
  /** Packet identifier; 0 with QoS 0. */
  readonly messageId: number;
  /** Topic Alias, where one was sent. */
  readonly topicAlias: number | undefined;
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export interface AckPacket {
  /** Kind of packet. */
  readonly cmd: "puback" | "pubrec" | "pubrel" | "pubcomp";
  /** Packet identifier. */
  readonly messageId: number;
}

/** One filter of a SUBSCRIBE. */
export interface Filter {
  /** Topic filter. */
  readonly topic: string;
  /** Quality of service asked for. */
  readonly qos: number;
  /** No Local. */
  readonly noLocal: boolean;
}

/** SUBSCRIBE. */
export interface SubscribePacket {
  /** Kind of packet. */
  readonly cmd: "subscribe";
  /** Packet identifier. */
  readonly messageId: number;
  /** The filters, one at least. */
  readonly filters: readonly Filter[];
  /** Has a Subscription Identifier. */
  readonly identified: boolean;
}

/** UNSUBSCRIBE. */
export interface UnsubscribePacket {
  /** Kind of packet. */
  readonly cmd: "unsubscribe";
  /** Packet identifier. */
  readonly messageId: number;
  /** The filters, one at least. */
  readonly topics: readonly string[];
}

/** DISCONNECT. */
export interface DisconnectPacket {
  /** Kind of packet. */
  readonly cmd: "disconnect";
  /** Reason code; 0 in MQTT 3.1.1. */
  readonly reasonCode: number;
}

/** PINGREQ or AUTH. */
export interface PlainPacket {
  /** Kind of packet. */
  readonly cmd: "pingreq" | "auth";
}

/** A packet from a client. */
export type Packet =
  | ConnectPacket
  | UnsupportedPacket
  | PublishPacket
  | AckPacket
  | SubscribePacket
  | UnsubscribePacket
  | DisconnectPacket
  | PlainPacket;

/** Packet types (section 2.1.2) that a client sends. */
export const TYPE = {
  connect: 1,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  unsubscribe: 10,
  pingreq: 12,
  disconnect: 14,
  auth: 15,
} as const;

/** The packet types that only a server sends, or nobody. */
export const SERVER_TYPES: ReadonlySet<number> = new Set([0, 2, 9, 11, 13]);
