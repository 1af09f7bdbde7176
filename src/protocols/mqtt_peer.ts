/**
 * The client of one MQTT connection, as far as sending to it goes.
 *
 * @module
 */
import type { ClientChannel } from "./protocol.ts";
import { type MqttVersion, REASON } from "./mqtt_codes.ts";
import { encodePacket, type ServerPacket } from "./mqtt_codec.ts";

/** WebSocket close codes that go with a DISCONNECT, for MQTT over WebSocket. */
const CLOSE_CODE: ReadonlyMap<number, number> = new Map([
  [REASON.malformedPacket, 1002],
  [REASON.protocolError, 1002],
  [REASON.receiveMaximumExceeded, 1002],
  [REASON.topicAliasInvalid, 1002],
  [REASON.packetTooLarge, 1009],
  [REASON.quotaExceeded, 1013],
  [REASON.serverShuttingDown, 1001],
]);

/** Sends packets, in the client's version and within what it can take, until the connection ends. */
export class MqttPeer {
  /** The proxy's side of the connection. */
  readonly channel: ClientChannel;
  /** The client's version; 4 until CONNECT has said. */
  version: MqttVersion = 4;
  /** Largest packet that the client takes. */
  maxPacketBytes = Infinity;
  /** Whether the client wants to read reasons in other packets than CONNACK and DISCONNECT. */
  problemInformation = true;
  /** CONNACK has been sent and accepted the client. */
  connected = false;
  /** Nothing is to be sent or read any more. */
  ended = false;

  /** Makes a peer of a channel. */
  constructor(channel: ClientChannel) {
    this.channel = channel;
  }

  /** Sends bytes, unless the client cannot take that many. */
  sendBytes(bytes: Uint8Array): void {
    if (this.ended) return;
    if (bytes.length <= this.maxPacketBytes) this.channel.send(bytes);
    else this.channel.metrics.count("toychat_mqtt_packets_too_large_total");
  }

  /** Sends a packet; one that is too large for the client goes without its reason, or not at all. */
  sendPacket(packet: ServerPacket): void {
    let bytes = encodePacket(packet, this.version);
    if (bytes.length > this.maxPacketBytes && packet.properties?.reasonString !== undefined) {
      const properties = { ...packet.properties, reasonString: undefined };
      bytes = encodePacket({ ...packet, properties } as ServerPacket, this.version);
    }
    this.sendBytes(bytes);
  }

  /** Reason String, where the client wants it and its version has it. */
  why(reasonString: string): { reasonString: string } | undefined {
    return this.version === 5 && this.problemInformation ? { reasonString } : undefined;
  }

  /** Tells the client in MQTT 5 why the server ends the session; in MQTT 3.1.1 there is no such packet. */
  disconnect(reasonCode: number, reasonString: string): void {
    if (this.connected && this.version === 5) {
      this.sendPacket({ cmd: "disconnect", reasonCode, properties: { reasonString } });
    }
    this.ended = true;
  }

  /** Ends the connection because of what the client did. */
  fail(reasonCode: number, reason: string): void {
    if (this.ended) return;
    const { channel } = this;
    channel.log("debug", "mqtt_client_error", { address: channel.remoteAddress, reasonCode, reason });
    channel.metrics.count("toychat_mqtt_client_errors_total");
    if (!this.connected && this.version === 5) {
      this.sendPacket({
        cmd: "connack",
        sessionPresent: false,
        reasonCode,
        properties: { reasonString: reason },
      });
    }
    this.disconnect(reasonCode, reason);
    channel.close(CLOSE_CODE.get(reasonCode) ?? 1008, reason);
  }

  /** Ends the connection quietly. */
  close(reasonCode: number = REASON.success, reason = ""): void {
    this.ended = true;
    const code = reasonCode === REASON.success ? 1000 : CLOSE_CODE.get(reasonCode) ?? 1008;
    this.channel.close(code, reason);
  }
}
