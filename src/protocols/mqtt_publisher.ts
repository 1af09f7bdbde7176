/**
 * Messages from an MQTT client on their way to a room.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import { bodyBytes, JSON_GROWTH } from "../lib/body_size.ts";
import { encodePacket } from "./mqtt_codec.ts";
import { PUBLISH_CODE, PUBLISH_REASON, type PublishRefusal, REASON } from "./mqtt_codes.ts";
import { inboundReceiveMaximum } from "./mqtt_connect.ts";
import { ackFrame } from "./mqtt_frames.ts";
import { Inbox, type Received } from "./mqtt_inbox.ts";
import { type AckPacket, type PublishPacket, TYPE, type Will } from "./mqtt_packets.ts";
import { decodePayload, type PayloadMode } from "./mqtt_payload.ts";
import type { MqttPeer } from "./mqtt_peer.ts";
import type { Refusal } from "./protocol.ts";
import { isRoomName } from "./room_name.ts";

/** Refusals after which a client of MQTT 3.1.1 gets no PUBACK: it may send the message again. */
const UNANSWERED: ReadonlySet<PublishRefusal> = new Set(["unavailable", "gone"]);

/** Takes PUBLISH, PUBREL, and in the end the will. */
export class MqttPublisher {
  readonly #peer: MqttPeer;
  readonly #mode: PayloadMode;
  readonly #inbox: Inbox;
  readonly #receiveMaximum: number;
  /** The last topic that was found good; none before the first, as the empty one is not. */
  #goodTopic: string | undefined;

  /** Makes the publisher of a client whose version is known. */
  constructor(peer: MqttPeer, mode: PayloadMode) {
    this.#peer = peer;
    this.#mode = mode;
    this.#inbox = new Inbox(peer.version === 5, (frame) => peer.sendBytes(frame));
    this.#receiveMaximum = peer.version === 5 ? inboundReceiveMaximum(peer.channel.limits) : Infinity;
  }

  /** PUBLISH. */
  publish(packet: PublishPacket): void {
    const { channel } = this.#peer;
    if (packet.topicAlias !== undefined) {
      return this.#peer.fail(REASON.topicAliasInvalid, "topic aliases are not supported");
    }
    if (packet.retain) channel.metrics.count("toychat_mqtt_retain_ignored_total");
    if (packet.qos > 0) return this.#publishAnswered(packet, packet.qos as 1 | 2);
    const body = this.#read(packet);
    if (typeof body === "string") {
      channel.charge();
      return this.#countRefusal(body);
    }
    channel.publish(packet.topic, body.body);
  }

  #publishAnswered(packet: PublishPacket, qos: 1 | 2): void {
    const known = this.#inbox.get(packet.messageId);
    if (packet.dup) this.#peer.channel.metrics.count("toychat_mqtt_repeated_publishes_total");
    if (known !== undefined) {
      this.#peer.channel.charge();
      if (known.qos === qos) return this.#inbox.repeat(known);
      return this.#peer.fail(REASON.protocolError, `packet identifier ${packet.messageId} is in use`);
    }
    if (this.#inbox.size >= this.#receiveMaximum) {
      const most = this.#receiveMaximum;
      return this.#peer.fail(
        REASON.receiveMaximumExceeded,
        `more than ${most} messages without acknowledgement`,
      );
    }
    const message = this.#inbox.begin(packet.messageId, qos);
    const body = this.#read(packet);
    if (typeof body === "string") {
      this.#peer.channel.charge();
      return this.#refuse(message, body);
    }
    this.#peer.channel.publish(packet.topic, body.body, (refusal) => {
      if (refusal === undefined) this.#inbox.succeed(message);
      else this.#refuse(message, refusal);
    });
  }

  /** PUBREL ends the handshake of QoS 2; it is always answered. */
  release(packet: AckPacket): void {
    const id = packet.messageId;
    if (this.#inbox.release(id) || this.#peer.version === 4) {
      return this.#peer.sendBytes(ackFrame(TYPE.pubcomp, id));
    }
    this.#peer.sendPacket({ cmd: "pubcomp", messageId: id, reasonCode: REASON.packetIdentifierNotFound });
  }

  /** A message with QoS 0 was refused: there is no packet to say so in. */
  refused(refusal: Refusal): void {
    this.#countRefusal(refusal);
  }

  /** Publishes the will of a client that is gone. */
  publishWill(will: Will): void {
    const body = this.#read(will);
    if (typeof body === "string") return this.#countRefusal(body);
    const counted = (refusal: Refusal | undefined): void => {
      if (refusal !== undefined) this.#countRefusal(refusal);
    };
    this.#peer.channel.publish(will.topic, body.body, will.qos === 0 ? undefined : counted, true);
  }

  /** The body of a message, in a box as it may be a string, or why it cannot be sent. */
  #read(message: { topic: string; payload: Uint8Array | string }): { body: Body } | PublishRefusal {
    const { limits } = this.#peer.channel;
    if (message.topic !== this.#goodTopic) {
      if (!isRoomName(message.topic, limits.maxRoomBytes)) return "invalid_room";
      this.#goodTopic = message.topic;
    }
    if (message.payload.length > limits.maxMessageBytes) return "too_large";
    const body = decodePayload(message.payload, this.#mode);
    if (body === undefined) return "bad_payload";
    // A value is written anew on its way, longer than it came where it has numbers such as 1e20.
    const long = this.#mode === "json" && message.payload.length * JSON_GROWTH > limits.maxMessageBytes;
    return long && bodyBytes(body) > limits.maxMessageBytes ? "too_large" : { body };
  }

  #refuse(message: Received, refusal: PublishRefusal): void {
    this.#countRefusal(refusal);
    if (this.#peer.version === 5) return this.#inbox.refuse(message, this.#refusalFrame(message, refusal));
    if (UNANSWERED.has(refusal)) return this.#inbox.refuse(message, undefined);
    this.#inbox.succeed(message);
  }

  #refusalFrame(message: Received, refusal: PublishRefusal): Uint8Array {
    const cmd = message.qos === 1 ? "puback" : "pubrec";
    const packet = { messageId: message.id, reasonCode: PUBLISH_CODE[refusal] };
    const frame = encodePacket({ cmd, ...packet, properties: this.#peer.why(PUBLISH_REASON[refusal]) }, 5);
    return frame.length <= this.#peer.maxPacketBytes ? frame : encodePacket({ cmd, ...packet }, 5);
  }

  #countRefusal(refusal: PublishRefusal): void {
    const { metrics } = this.#peer.channel;
    if (refusal === "too_large") metrics.count("toychat_messages_too_large_total");
    metrics.count("toychat_mqtt_publishes_refused_total", 1, { reason: refusal });
    if (refusal === "invalid_room") metrics.count("toychat_mqtt_invalid_topics_total");
  }
}
