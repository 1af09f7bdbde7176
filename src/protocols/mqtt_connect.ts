/**
 * CONNECT and its answer.
 *
 * @module
 */
import { randomId } from "../lib/clock.ts";
import type { GivenCredentials } from "./credentials.ts";
import type { ClientChannel, ClientLimits } from "./protocol.ts";
import { requestCredentials, utf8Text } from "./request_credentials.ts";
import { connackReturnCode, type MqttVersion, REASON } from "./mqtt_codes.ts";
import { encodePacket } from "./mqtt_codec.ts";
import type { ConnectPacket, Will } from "./mqtt_packets.ts";
import type { MqttPeer } from "./mqtt_peer.ts";
import { isRoomName } from "./room_name.ts";

/** Keep-alive is one and a half times what the client says (MQTT 5, section 3.1.2.10). */
const KEEPALIVE_MS_PER_SECOND = 1500;
const ASSIGNED_ID_LENGTH = 20;
/** Room for a packet's fixed parts and for properties that are read over. */
const PACKET_MARGIN_BYTES = 4096;

/** What a CONNECT asks for, checked. */
export interface Hello {
  /** Client identifier, assigned where the client gave none. */
  readonly clientId: string;
  /** The identifier was assigned here. */
  readonly assigned: boolean;
  /** For {@linkcode ClientChannel.open}. */
  readonly credentials: GivenCredentials;
  /** Milliseconds of silence before the session ends; 0 is never. */
  readonly keepaliveMs: number;
  /** The will, unless its topic cannot be a room. */
  readonly will: Will | undefined;
  /** Unacknowledged deliveries that the client takes. */
  readonly receiveMaximum: number;
}

/** A CONNECT that is refused: the code for CONNACK, and why. */
export interface HelloRefusal {
  /** Reason code of MQTT 5. */
  readonly refused: number;
  /** In words. */
  readonly reason: string;
}

/** Largest packet that a session may send, in bytes: a message, its topic, and the rest. */
export function maxPacketBytes(limits: ClientLimits): number {
  return limits.maxMessageBytes + limits.maxRoomBytes + PACKET_MARGIN_BYTES;
}

/** Checks a CONNECT. */
export function readHello(packet: ConnectPacket, channel: ClientChannel): Hello | HelloRefusal {
  if (packet.authenticationMethod !== undefined) {
    return { refused: REASON.badAuthenticationMethod, reason: "use a user name and a password instead" };
  }
  if (packet.version === 4 && packet.clientId === "" && !packet.clean) {
    return {
      refused: REASON.clientIdentifierNotValid,
      reason: "an empty client identifier needs a clean session",
    };
  }
  const will = packet.will;
  const willIsGood = will === undefined || isRoomName(will.topic, channel.limits.maxRoomBytes);
  if (packet.version === 5 && !willIsGood) {
    return { refused: REASON.topicNameInvalid, reason: "the will's topic cannot be a room" };
  }
  if (!willIsGood) channel.metrics.count("toychat_mqtt_invalid_topics_total");
  if (will?.retain) channel.metrics.count("toychat_mqtt_retain_ignored_total");
  const assigned = packet.clientId === "";
  const clientId = assigned ? randomId(channel.clock, ASSIGNED_ID_LENGTH) : packet.clientId;
  return {
    clientId,
    assigned,
    credentials: {
      username: packet.username || undefined,
      password: packet.password,
      clientId,
      token: utf8Text(packet.password) ?? requestCredentials(channel.request).token,
    },
    keepaliveMs: packet.keepalive * KEEPALIVE_MS_PER_SECOND,
    will: willIsGood ? will : undefined,
    receiveMaximum: packet.receiveMaximum,
  };
}

/** Refuses a client: CONNACK in its version, then the end of the connection. */
export function refuseConnect(peer: MqttPeer, refusal: HelloRefusal): void {
  peer.channel.metrics.count("toychat_mqtt_connects_refused_total");
  peer.sendPacket(
    peer.version === 5
      ? {
        cmd: "connack",
        sessionPresent: false,
        reasonCode: refusal.refused,
        properties: { reasonString: refusal.reason },
      }
      : { cmd: "connack", sessionPresent: false, returnCode: connackReturnCode(refusal.refused) },
  );
  peer.close(refusal.refused, refusal.reason);
}

/**
 * CONNACK for a client that is in; there is never a session from before. Maximum QoS is left out: with 1, clients would
 * refuse to send a message with QoS 2, which is taken here.
 */
export function connackFrame(version: MqttVersion, hello: Hello, limits: ClientLimits): Uint8Array {
  if (version === 4) return encodePacket({ cmd: "connack", sessionPresent: false, returnCode: 0 }, 4);
  return encodePacket({
    cmd: "connack",
    sessionPresent: false,
    reasonCode: REASON.success,
    properties: {
      sessionExpiryInterval: 0,
      receiveMaximum: inboundReceiveMaximum(limits),
      retainAvailable: false,
      maximumPacketSize: maxPacketBytes(limits),
      assignedClientIdentifier: hello.assigned ? hello.clientId : undefined,
      topicAliasMaximum: 0,
      wildcardSubscriptionAvailable: false,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: false,
    },
  }, 5);
}

/** Messages that a client may have under way before they are acknowledged. */
export function inboundReceiveMaximum(limits: ClientLimits): number {
  return Math.max(1, Math.min(limits.maxInflight, 65535));
}

/** CONNACK for a version that is not spoken here, in the form that every version reads: return code 1. */
export const CONNACK_BAD_VERSION: Uint8Array = new Uint8Array([0x20, 2, 0, 1]);
