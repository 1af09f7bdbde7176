/**
 * A client that speaks MQTT 3.1.1 or 5, over TCP or WebSocket.
 *
 * @module
 */
import { type Parser, parser } from "mqtt-packet";
import type { Connection, ConnectionHandler } from "../../src/lib/transport.ts";
import { connect, type Packet, publish, subscribe, wire } from "../support/mqtt_wire.ts";
import { type ClientOptions, type Publication, readNote, type Stay } from "./client.ts";
import { WireClient } from "./client_wire.ts";
import { type Cluster, HTTP_PORT, MQTT_PORT, type Proxy } from "./cluster.ts";

const MOVED = "$toychat/moved";

/** What the reason codes of MQTT 5 say, in the words of refusals; 3.1.1 has but one. */
const REFUSALS: Readonly<Record<number, "unavailable" | "not_authorized">> = {
  0x83: "unavailable",
  0x87: "not_authorized",
};

/** What is read of an answer, of any type. */
interface Answer {
  readonly cmd: string;
  readonly messageId: number;
  readonly reasonCode?: number;
  readonly returnCode?: number;
  readonly granted?: readonly number[];
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: number;
}

/** Over the network, as MQTT is spoken. */
export class MqttClient extends WireClient {
  readonly #version: 4 | 5;
  readonly #parser: Parser;
  #id = 0;
  readonly #joining: Map<number, Stay> = new Map();
  readonly #publishing: Map<number, Publication> = new Map();

  constructor(user: string, cluster: Cluster, proxy: Proxy, options: ClientOptions) {
    super(user, cluster, proxy, options);
    this.#version = options.speaks === "mqtt4" ? 4 : 5;
    this.#parser = parser({ protocolVersion: this.#version });
    this.#parser.on("packet", (packet: Packet) => this.#take(packet as unknown as Answer));
    this.#parser.on("error", (error: Error) => {
      throw error;
    });
    if (options.speaks === "mqtt5-ws") this.dial(`ws://${proxy.id}:${HTTP_PORT}/mqtt`, ["mqtt"]);
    else this.dial({ host: proxy.id, port: MQTT_PORT }, []);
  }

  protected override begin(connection: Connection): Pick<ConnectionHandler, "data"> {
    const { receiveMaximum } = this.options;
    const properties = receiveMaximum === undefined ? undefined : { receiveMaximum };
    connection.send(connect({
      clientId: this.login,
      protocolVersion: this.#version,
      ...(properties ? { properties } : {}),
    }));
    connection.send(subscribe(++this.#id, { [MOVED]: 0 }, {}, this.#version));
    return { data: (chunk) => this.#parser.parse(chunk as Buffer) };
  }

  #take(packet: Answer): void {
    if (packet.cmd === "connack") this.opened = (packet.reasonCode ?? packet.returnCode) === 0;
    else if (packet.cmd === "publish") this.#delivered(packet);
    else if (packet.cmd === "suback") this.#joined(packet);
    else if (packet.cmd === "puback") this.#acknowledged(packet);
    else if (packet.cmd !== "unsuback" && packet.cmd !== "disconnect") {
      throw new Error(`${this.user} got ${packet.cmd}`);
    }
  }

  #delivered({ topic, payload, qos, messageId }: Answer): void {
    const body = new TextDecoder().decode(payload);
    if (topic === MOVED) this.arrived(JSON.parse(body));
    else this.arrived({ room: topic, note: readNote(body), acknowledged: qos === 1 });
    if (qos === 1) this.#send({ cmd: "puback", messageId });
  }

  #joined({ messageId, granted }: Answer): void {
    const stay = this.#joining.get(messageId);
    if (!stay) return;
    this.#joining.delete(messageId);
    const code = granted?.[0] as number;
    this.answered(stay, code < 0x80 ? undefined : REFUSALS[code] ?? "failed");
  }

  #acknowledged({ messageId, reasonCode = 0 }: Answer): void {
    const publication = this.#publishing.get(messageId);
    if (!publication) throw new Error(`${this.user} got an answer to ${messageId}, which was not asked`);
    this.#publishing.delete(messageId);
    this.done(publication, reasonCode < 0x80 ? undefined : REFUSALS[reasonCode] ?? "failed");
  }

  #send(packet: object): void {
    this.connection?.send(wire(packet as Packet, this.#version));
  }

  protected override askJoin(stay: Stay): void {
    const id = ++this.#id;
    this.#joining.set(id, stay);
    this.connection?.send(
      subscribe(id, { [stay.room]: this.options.acknowledged ? 1 : 0 }, {}, this.#version),
    );
  }

  protected override askLeave(room: string): void {
    this.#send({ cmd: "unsubscribe", messageId: ++this.#id, unsubscriptions: [room] });
  }

  protected override send(publication: Publication): void {
    const { room, note, acknowledged } = publication;
    const fields = acknowledged ? { qos: 1, messageId: ++this.#id } : {};
    if (acknowledged) this.#publishing.set(this.#id, publication);
    this.connection?.send(publish(room, JSON.stringify(note), fields, this.#version));
  }

  protected override hangUp(inOrder: boolean): void {
    if (inOrder && this.ready) this.#send({ cmd: "disconnect" });
    super.hangUp(inOrder);
  }
}
