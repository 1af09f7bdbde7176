/**
 * Users of a cluster, on MQTT 3.1.1, MQTT 5 and WebSocket, who remember all that they hear.
 *
 * @module
 */
import { connectAsync, type MqttClient } from "mqtt";
import { until } from "./until.ts";

/** What a client speaks: MQTT 3.1.1, MQTT 5, or JSON over WebSocket. */
export type ClientKind = "mqtt4" | "mqtt5" | "ws";

/** A message that was heard. `from` is known on WebSocket only. */
export interface Heard {
  readonly room: string;
  readonly body: string;
  readonly from: string | undefined;
}

/** The word that a room has moved. */
export interface Moved {
  readonly room: string;
  readonly lost: boolean;
}

/** How a connection ended: the code of MQTT 5's DISCONNECT or of WebSocket's close frame, where there was one. */
export interface ClientEnd {
  readonly code: number | undefined;
}

/** A request that the server refused: the reason code of MQTT 5, or the code of WebSocket's `error`. */
export class Refused extends Error {
  readonly code: number | string | undefined;

  /** `what` was refused. */
  constructor(what: string, code: number | string | undefined) {
    super(`${what} was refused with ${code}`);
    this.code = code;
  }
}

/** A user on one connection, which is never made again by itself. */
export abstract class RecordingClient {
  readonly name: string;
  readonly kind: ClientKind;
  /** All messages, in the order in which they came. */
  readonly heard: Heard[] = [];
  /** All words of rooms that have moved. */
  readonly moved: Moved[] = [];
  /** Rooms that the server put it out of, and why; WebSocket only. */
  readonly putOut: { readonly room: string; readonly reason: string }[] = [];
  /** How the connection ended; undefined while it stands. */
  end: ClientEnd | undefined;
  /** Called with each message. */
  onHeard: (heard: Heard) => void = () => {};

  /** Made by `connectClient`. */
  constructor(name: string, kind: ClientKind) {
    this.name = name;
    this.kind = kind;
  }

  /** Notes a message. */
  protected hear(room: string, body: string, from?: string): void {
    const heard: Heard = { room, body, from };
    this.heard.push(heard);
    this.onHeard(heard);
  }

  /** The bodies heard in a room. */
  bodies(room: string): string[] {
    return this.heard.filter((heard) => heard.room === room).map(({ body }) => body);
  }

  /** Waits until something was heard in a room, and gives its body. */
  hears(room: string, what: string | ((body: string) => boolean)): Promise<string> {
    const wanted = typeof what === "string" ? (body: string) => body === what : what;
    const find = () => this.heard.find((heard) => heard.room === room && wanted(heard.body))?.body;
    return until(
      find,
      () => `${this.name} hears ${what} in ${room}; it heard ${this.bodies(room).slice(-20)}`,
    );
  }

  /** Joins a room; rejects with {@linkcode Refused}. */
  abstract join(room: string): Promise<void>;

  /** Leaves a room. */
  abstract leave(room: string): Promise<void>;

  /**
   * Sends a message. An acknowledged one (QoS 1, or with an `id`) resolves with its acknowledgement, and rejects with
   * {@linkcode Refused} or when the connection ends; any other resolves when it is on its way.
   */
  abstract say(room: string, body: string, acknowledged?: boolean): Promise<void>;

  /** Ends the connection; where `hard`, without waiting for answers to what was sent. */
  abstract close(hard?: boolean): Promise<void>;
}

const connected: Set<RecordingClient> = new Set();

/** Ends the connections of all clients, so that none of a failed test gets in the way of the next. */
export async function closeClients(): Promise<void> {
  const clients = [...connected];
  connected.clear();
  await Promise.allSettled(clients.map((client) => client.close(true)));
}

/** How to connect. */
export interface ConnectClientOptions {
  /** With which QoS an MQTT client subscribes; default 1. */
  readonly qos?: 0 | 1;
  /** Whether an MQTT 5 client subscribes without its own messages; default false. */
  readonly noLocal?: boolean;
}

/** Where a proxy takes users; `host` is 127.0.0.1 where it is not given. */
export interface ProxyPlace {
  readonly mqtt: number;
  readonly http: number;
  readonly host?: string;
}

/** Connects a user to a proxy. */
export async function connectClient(
  place: ProxyPlace,
  kind: ClientKind,
  name: string,
  options: ConnectClientOptions = {},
): Promise<RecordingClient> {
  const client = kind === "ws"
    ? await WebSocketClient.connect(place, name)
    : await MqttJsClient.connect(place, name, kind, options);
  connected.add(client);
  return client;
}

type MqttKind = Exclude<ClientKind, "ws">;

const MOVED = "$toychat/moved";

/** A user on MQTT.js. It hears of rooms that move. */
class MqttJsClient extends RecordingClient {
  readonly #client: MqttClient;
  readonly #subscription: { qos: 0 | 1; nl?: boolean };

  private constructor(
    client: MqttClient,
    name: string,
    kind: MqttKind,
    { qos = 1, noLocal }: ConnectClientOptions,
  ) {
    super(name, kind);
    this.#client = client;
    this.#subscription = noLocal ? { qos, nl: true } : { qos };
    let code: number | undefined;
    client.on("message", (topic, payload) => {
      if (topic === MOVED) this.moved.push(JSON.parse(payload.toString()));
      else this.hear(topic, payload.toString());
    });
    client.on("error", () => {});
    client.on("disconnect", (packet) => code = packet.reasonCode);
    client.on("close", () => this.end ??= { code });
  }

  static async connect(
    { host = "127.0.0.1", mqtt: port }: ProxyPlace,
    name: string,
    kind: "mqtt4" | "mqtt5",
    options: ConnectClientOptions,
  ): Promise<MqttJsClient> {
    const client = await connectAsync({
      host,
      port,
      clientId: name,
      protocolVersion: kind === "mqtt5" ? 5 : 4,
      reconnectPeriod: 0,
      connectTimeout: 30_000,
    });
    const self = new MqttJsClient(client, name, kind, options);
    await client.subscribeAsync(MOVED, { qos: 0 });
    return self;
  }

  async join(room: string): Promise<void> {
    const granted = await this.#client.subscribeAsync(room, this.#subscription);
    const code = granted[0]?.qos ?? 128;
    if (code >= 128) throw new Refused(`${this.name} joining ${room}`, code);
  }

  async leave(room: string): Promise<void> {
    await this.#client.unsubscribeAsync(room);
  }

  async say(room: string, body: string, acknowledged = true): Promise<void> {
    try {
      await this.#client.publishAsync(room, body, { qos: acknowledged ? 1 : 0 });
    } catch (error) {
      throw new Refused(`${body} of ${this.name} to ${room}`, (error as { code?: number }).code);
    }
  }

  async close(hard = false): Promise<void> {
    await this.#client.endAsync(hard || this.end !== undefined);
  }
}

interface Answer {
  resolve(): void;
  reject(error: Error): void;
}

/** What the server sends, each kind with its own of these. */
interface ServerMessage {
  readonly type: string;
  readonly room: string;
  readonly body: unknown;
  readonly from?: string;
  readonly id?: number;
  readonly code?: string;
  readonly reason?: string;
  readonly lost: boolean;
}

/** A user on the runtime's own WebSocket. */
class WebSocketClient extends RecordingClient {
  readonly #socket: WebSocket;
  readonly #answers: Map<number, Answer> = new Map();
  #ids = 0;

  private constructor(socket: WebSocket, name: string) {
    super(name, "ws");
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#message(JSON.parse(String(data)));
    socket.onclose = ({ code }) => {
      this.end ??= { code };
      for (const answer of this.#answers.values()) answer.reject(new Refused(`what ${name} asked`, "closed"));
      this.#answers.clear();
    };
  }

  static async connect(
    { host = "127.0.0.1", http: port }: ProxyPlace,
    name: string,
  ): Promise<WebSocketClient> {
    const socket = new WebSocket(`ws://${host}:${port}/ws?user=${encodeURIComponent(name)}`);
    const self = new WebSocketClient(socket, name);
    await until(
      () => socket.readyState === WebSocket.OPEN || self.end !== undefined,
      `a WebSocket for ${name}`,
    );
    if (self.end) throw new Refused(`a WebSocket for ${name} on port ${port}`, self.end.code);
    return self;
  }

  #message(message: ServerMessage): void {
    const { type, room, id } = message;
    if (type === "message") this.hear(room, String(message.body), message.from);
    else if (type === "moved") this.moved.push({ room, lost: message.lost });
    else if (type === "left" && id === undefined) this.putOut.push({ room, reason: message.reason ?? "" });
    if (id === undefined) return;
    const answer = this.#answers.get(id);
    this.#answers.delete(id);
    if (type === "error") answer?.reject(new Refused(`request ${id} of ${this.name}`, message.code));
    else answer?.resolve();
  }

  #ask(request: object): Promise<void> {
    if (this.end) return Promise.reject(new Refused(JSON.stringify(request), "closed"));
    const id = ++this.#ids;
    this.#socket.send(JSON.stringify({ ...request, id }));
    return new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }));
  }

  join(room: string): Promise<void> {
    return this.#ask({ type: "join", room });
  }

  leave(room: string): Promise<void> {
    return this.#ask({ type: "leave", room });
  }

  say(room: string, body: string, acknowledged = true): Promise<void> {
    if (acknowledged) return this.#ask({ type: "message", room, body });
    if (this.end) return Promise.reject(new Refused(`${body} to ${room}`, "closed"));
    this.#socket.send(JSON.stringify({ type: "message", room, body }));
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#socket.close();
    await until(() => this.end, `the end of ${this.name}'s WebSocket`);
  }
}
