/**
 * One MQTT connection, from CONNECT to its end.
 *
 * @module
 */
import { errorMessage } from "../lib/errors.ts";
import type { CloseReason } from "../lib/transport.ts";
import { Keepalive } from "./keepalive.ts";
import { connackCode, END_CODE, OPEN_CODE, OPEN_REASON, REASON } from "./mqtt_codes.ts";
import {
  CONNACK_BAD_VERSION,
  connackFrame,
  type Hello,
  maxPacketBytes,
  readHello,
  refuseConnect,
} from "./mqtt_connect.ts";
import { boundedEncoding, sharedEncoding } from "./mqtt_encoding.ts";
import { PINGRESP } from "./mqtt_frames.ts";
import { Outbox } from "./mqtt_outbox.ts";
import { BadPacket, type ConnectPacket, type Packet, type Will } from "./mqtt_packets.ts";
import type { PayloadMode } from "./mqtt_payload.ts";
import { MqttPeer } from "./mqtt_peer.ts";
import { MqttPublisher } from "./mqtt_publisher.ts";
import { PacketReader } from "./mqtt_reader.ts";
import { MOVED_TOPIC, MqttSubscriptions } from "./mqtt_subscriptions.ts";
import type {
  Chunk,
  ClientChannel,
  ClientHandler,
  Delivery,
  Encoding,
  EndReason,
  OpenedSession,
  OpenRefusal,
  Refusal,
} from "./protocol.ts";

/** The open sessions of each proxy by client identifier, whichever port they came in by. */
const sessionsByProxy = new WeakMap<object, Map<string, MqttSession>>();

/** What there is once the session is open. */
interface Open {
  readonly clientId: string;
  readonly user: string;
  readonly publisher: MqttPublisher;
  readonly subscriptions: MqttSubscriptions;
  readonly outbox: Outbox;
  readonly keepalive: Keepalive | undefined;
  /** Published at the end, unless the client takes its leave. */
  will: Will | undefined;
}

/** The handler of one MQTT connection. */
export class MqttSession implements ClientHandler {
  readonly #channel: ClientChannel;
  readonly #mode: PayloadMode;
  readonly #peer: MqttPeer;
  readonly #reader: PacketReader;
  #encoding: Encoding;
  /** CONNECT has come and is not yet answered. */
  #opening = false;
  /** Packets are being read: what they lead to must not read the next ones. */
  #reading = false;
  #open: Open | undefined;

  /** Waits for CONNECT. */
  constructor(channel: ClientChannel, mode: PayloadMode) {
    this.#channel = channel;
    this.#mode = mode;
    this.#peer = new MqttPeer(channel);
    this.#reader = new PacketReader(channel.limits.maxHelloBytes);
    this.#encoding = sharedEncoding(4, mode);
  }

  /** The encoding for this client's version and what it can take. */
  get encoding(): Encoding {
    return this.#encoding;
  }

  /** Bytes from the client. */
  data(chunk: Chunk): void {
    if (this.#peer.ended) return;
    if (typeof chunk === "string") {
      return this.#peer.fail(REASON.malformedPacket, "MQTT over WebSocket is sent in binary messages");
    }
    this.#open?.keepalive?.heard();
    this.#reader.push(chunk);
    this.#read();
  }

  /** What was kept is read on; while the client was not read, it was not silent. */
  resume(): void {
    if (this.#reading || this.#peer.ended) return;
    this.#open?.keepalive?.heard();
    this.#read();
  }

  /** Packets that are kept. */
  get waiting(): number {
    return this.#reader.complete;
  }

  #read(): void {
    this.#reading = true;
    this.#readPackets();
    this.#reading = false;
    if (this.#peer.ended) this.#reader.clear();
    else if (this.#opening || this.#channel.held) this.#reader.keep();
  }

  #readPackets(): void {
    try {
      while (!this.#opening && !this.#peer.ended && !this.#channel.held) {
        const packet = this.#reader.next();
        if (packet === undefined) break;
        this.#take(packet);
      }
      if (this.#opening && this.#reader.buffered > this.#channel.limits.maxHelloBytes) {
        throw new BadPacket(REASON.packetTooLarge, "too many bytes before the session is open");
      }
    } catch (error) {
      const reason = errorMessage(error);
      if (error instanceof BadPacket) this.#countTooLarge(error.code);
      if (!(error instanceof BadPacket)) this.#channel.log("error", "mqtt_session_failed", { reason });
      this.#peer.fail(error instanceof BadPacket ? error.code : REASON.unspecified, reason);
    }
  }

  #countTooLarge(code: number): void {
    if (code !== REASON.packetTooLarge) return;
    const { metrics } = this.#channel;
    if (this.#peer.connected) metrics.count("toychat_messages_too_large_total");
    else metrics.count("toychat_hellos_too_large_total");
  }

  #take(packet: Packet): void {
    const open = this.#open;
    switch (packet.cmd) {
      case "connect":
        return this.#connect(packet);
      case "unsupported":
        this.#peer.sendBytes(CONNACK_BAD_VERSION);
        return this.#peer.close(REASON.protocolError, "connect with MQTT 3.1.1 or 5");
      case "publish":
        return open?.publisher.publish(packet);
      case "puback":
        return open?.outbox.acknowledged(packet.messageId);
      case "pubrel":
        return open?.publisher.release(packet);
      case "pingreq":
        this.#channel.charge();
        return this.#peer.sendBytes(PINGRESP);
      case "subscribe":
        return open?.subscriptions.subscribe(packet);
      case "unsubscribe":
        return open?.subscriptions.unsubscribe(packet);
      case "disconnect":
        if (open && packet.reasonCode === REASON.success) open.will = undefined;
        return this.#peer.close();
      default:
        return this.#peer.fail(
          REASON.protocolError,
          `nothing was sent that ${packet.cmd.toUpperCase()} could answer`,
        );
    }
  }

  #connect(packet: ConnectPacket): void {
    const peer = this.#peer;
    peer.version = this.#reader.version = packet.version;
    peer.maxPacketBytes = packet.maximumPacketSize;
    peer.problemInformation = packet.problemInformation;
    const hello = readHello(packet, this.#channel);
    if ("refused" in hello) return refuseConnect(peer, hello);
    this.#opening = true;
    const { will } = hello;
    this.#channel.open(hello.credentials, will ? { will: will.topic } : {}).then(
      (session) => this.#opened(hello, session),
      (error) => this.#openFailed(error),
    );
  }

  #openFailed(error: unknown): void {
    if (this.#peer.ended) return;
    this.#channel.log("error", "mqtt_open_failed", { error: errorMessage(error) });
    refuseConnect(this.#peer, {
      refused: REASON.serverUnavailable,
      reason: "the session could not be opened",
    });
  }

  #opened(hello: Hello, session: OpenedSession | OpenRefusal): void {
    const { limits } = this.#channel;
    const peer = this.#peer;
    if (peer.ended) return;
    if ("refused" in session) {
      const { refused, reason } = session;
      return refuseConnect(peer, { refused: OPEN_CODE[refused], reason: reason ?? OPEN_REASON[refused] });
    }
    if (this.#foreign(hello.clientId, session.user)) return this.#refuseTakeover();
    const connack = connackFrame(peer.version, hello, limits);
    if (connack.length > peer.maxPacketBytes) {
      return peer.close(REASON.packetTooLarge, "CONNACK is too large");
    }
    this.#encoding = boundedEncoding(peer.version, this.#mode, peer.maxPacketBytes, this.#channel);
    this.#reader.limit = maxPacketBytes(limits);
    this.#open = this.#makeOpen(hello, session.user);
    this.#register(hello.clientId);
    peer.sendBytes(connack);
    peer.connected = true;
    this.#opening = false;
    this.#read();
  }

  #makeOpen(hello: Hello, user: string): Open {
    const { limits } = this.#channel;
    const peer = this.#peer;
    const inflight = Math.max(1, Math.min(limits.maxInflight, hello.receiveMaximum));
    return {
      clientId: hello.clientId,
      user,
      publisher: new MqttPublisher(peer, this.#mode),
      subscriptions: new MqttSubscriptions(peer),
      outbox: new Outbox(inflight, (frame) => peer.sendBytes(frame), limits.maxQueuedBytes),
      keepalive: hello.keepaliveMs > 0
        ? new Keepalive(this.#channel, hello.keepaliveMs, () => this.#silent())
        : undefined,
      will: hello.will,
    };
  }

  /** A client identifier is one session's: an older one on this proxy ends (MQTT 5, section 3.1.4). */
  #register(clientId: string): void {
    const { proxy } = this.#channel;
    let sessions = sessionsByProxy.get(proxy);
    if (sessions === undefined) sessionsByProxy.set(proxy, sessions = new Map());
    const older = sessions.get(clientId);
    sessions.set(clientId, this);
    if (older === undefined) return;
    this.#channel.metrics.count("toychat_mqtt_sessions_taken_over_total");
    older.end("taken_over");
  }

  /** Whether another user's session has this identifier: nobody may end what is not their own. */
  #foreign(clientId: string, user: string): boolean {
    const older = sessionsByProxy.get(this.#channel.proxy)?.get(clientId);
    return older !== undefined && older.#open?.user !== user;
  }

  #refuseTakeover(): void {
    this.#channel.metrics.count("toychat_mqtt_takeovers_refused_total");
    refuseConnect(this.#peer, {
      refused: REASON.clientIdentifierNotValid,
      reason: "another user is connected with this client identifier: use one of your own, or none",
    });
  }

  #unregister(clientId: string): void {
    const sessions = sessionsByProxy.get(this.#channel.proxy);
    if (sessions?.get(clientId) === this) sessions.delete(clientId);
  }

  #silent(): void {
    this.#channel.metrics.count("toychat_keepalive_timeouts_total");
    this.end("keepalive_timeout");
  }

  /** A delivery with QoS 1; `undefined` where it waits for the client, or is too large for it. */
  encode(delivery: Delivery): Uint8Array | undefined {
    const peer = this.#peer;
    const outbox = this.#open?.outbox;
    if (peer.ended || outbox === undefined) return undefined;
    const template = sharedEncoding(peer.version, this.#mode).template(delivery);
    if (template.bytes.length > peer.maxPacketBytes) {
      this.#channel.metrics.count("toychat_mqtt_deliveries_too_large_total");
      return undefined;
    }
    const frame = outbox.take(template);
    if (outbox.overfull) {
      this.#channel.metrics.count("toychat_mqtt_unacknowledging_clients_total");
      this.end("slow_consumer");
    }
    return frame;
  }

  /** A PUBLISH on `$toychat/moved`, where the client has subscribed to it. */
  moved(room: string, lost: boolean): void {
    if (!this.#open?.subscriptions.wantsMoved || this.#peer.ended) return;
    const frame = this.#encoding.encode({
      room: MOVED_TOPIC,
      from: undefined,
      body: { room, lost },
      acknowledged: false,
    });
    if (frame.length > 0) this.#channel.send(frame);
  }

  /** MQTT has no word for it: the room falls silent. */
  left(room: string, _reason: string): void {
    this.#open?.subscriptions.forget(room);
  }

  /** A message with QoS 0 was refused. */
  refused(_room: string, refusal: Refusal): void {
    this.#open?.publisher.refused(refusal);
  }

  /** DISCONNECT with the reason, or CONNACK where the client still waited for it; MQTT 3.1.1 has only the latter. */
  end(reason: EndReason): void {
    const peer = this.#peer;
    if (peer.ended) return;
    const words = reason.replaceAll("_", " ");
    this.#reader.clear();
    if (this.#opening) return refuseConnect(peer, { refused: connackCode(reason), reason: words });
    peer.disconnect(END_CODE[reason], words);
    peer.close(END_CODE[reason], words);
  }

  /** Publishes the will, unless the client took its leave. */
  close(_reason: CloseReason): void {
    this.#peer.ended = true;
    this.#reader.clear();
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    open.keepalive?.stop();
    this.#unregister(open.clientId);
    if (open.will !== undefined) open.publisher.publishWill(open.will);
  }
}
