/**
 * Servers as processes and clients as bare sockets, for tests of limits.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { type Packet, parser } from "mqtt-packet";
import { connect } from "../support/mqtt_wire.ts";
import type { Processes, Ready, Running } from "../support/processes.ts";
import type { Runtime } from "../support/runtimes.ts";
import { until } from "../support/until.ts";

/** What the ready lines of `dev` and of a proxy say. */
export interface Ports {
  readonly mqtt: number;
  readonly http: number;
}

/** Bytes of a mebibyte. */
export const MIB: number = 1 << 20;

/** Starts everything in one process. */
export function startDev(processes: Processes, on: Runtime, limits: string): Promise<Ready<Ports>> {
  return processes.role<Ports>(on, ["dev", "--mqtt", "0", "--http", "0", "--limits", limits]);
}

/** The value of a counter or a gauge that a process shows at `/metrics`; 0 where it is not there. */
export async function metric({ http }: Ports, name: string, label = ""): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.filter((line) => line.includes(label)).reduce(
    (sum, line) => sum + Number(line.split(" ").at(-1)),
    0,
  );
}

/** Waits until a counter or a gauge is as it should be. */
export function metricIs(ports: Ports, name: string, is: (value: number) => boolean): Promise<unknown> {
  let last = NaN;
  return until(async () => is(last = await metric(ports, name)), () => `${name}, which is ${last}`);
}

function memory({ pid }: Running, field: string): number {
  const line = readFileSync(`/proc/${pid}/status`, "utf8").split("\n").find((row) => row.startsWith(field));
  return Number(line?.match(/\d+/)?.[0]) * 1024;
}

/** Bytes that a process has in memory now; from now on its {@linkcode peak} is measured anew. */
export function resident(running: Running): number {
  // Of a server of several tests, what an earlier one took is not this one's.
  writeFileSync(`/proc/${running.pid}/clear_refs`, "5");
  return memory(running, "VmRSS");
}

/** Most bytes that it has had in memory since {@linkcode resident}. */
export function peak(running: Running): number {
  return memory(running, "VmHWM");
}

/** A TCP connection on which a test writes what it likes. */
export class Raw {
  readonly socket: Socket;
  /** Whether the server has ended it. */
  ended = false;
  /** Everything that has come. */
  bytes: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => this.bytes = Buffer.concat([this.bytes, chunk]));
    socket.on("error", () => {});
    socket.on("close", () => this.ended = true);
    socket.on("end", () => this.ended = true);
  }

  /** Connects. */
  static async open(port: number): Promise<Raw> {
    const socket = connectTcp({ port, host: "127.0.0.1", noDelay: true });
    const raw = new Raw(socket);
    await until(() => !socket.connecting, "a connection");
    return raw;
  }

  /** Waits for the end. */
  async gone(): Promise<void> {
    await until(() => this.ended, "the end of a connection");
  }

  /** Writes bytes. */
  write(bytes: Uint8Array | string): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** Ends it. */
  close(): void {
    this.socket.destroy();
  }
}

/** A raw connection that speaks MQTT. */
export class RawMqtt {
  readonly raw: Raw;
  readonly version: 4 | 5;
  /** What has come, in order. */
  readonly packets: Packet[] = [];

  private constructor(raw: Raw, version: 4 | 5) {
    this.raw = raw;
    this.version = version;
    const reader = parser({ protocolVersion: version });
    reader.on("packet", (packet) => this.packets.push(packet));
    raw.socket.removeAllListeners("data");
    raw.socket.on("data", (chunk) => reader.parse(chunk));
  }

  /** Connects and sends CONNECT; does not wait for the answer. */
  static async start(
    ports: Ports,
    version: 4 | 5,
    name: string,
    fields: Record<string, unknown> = {},
  ): Promise<RawMqtt> {
    const client = new RawMqtt(await Raw.open(ports.mqtt), version);
    client.raw.write(connect({ clientId: name, protocolVersion: version, ...fields }));
    return client;
  }

  /** Connects, and waits until it is let in. */
  static async open(
    ports: Ports,
    version: 4 | 5,
    name: string,
    fields: Record<string, unknown> = {},
  ): Promise<RawMqtt> {
    const client = await RawMqtt.start(ports, version, name, fields);
    const { reasonCode, returnCode } = await client.packet("connack");
    if ((reasonCode ?? returnCode) !== 0) throw new Error(`${name} was refused`);
    return client;
  }

  /** The next packet of a kind, which is taken out. */
  async packet<T extends Packet["cmd"]>(cmd: T): Promise<Packet & { cmd: T }> {
    const packet = await until(
      () => this.packets.find((packet) => packet.cmd === cmd),
      () => `${cmd}; there were ${this.packets.map((packet) => packet.cmd).slice(-20)}`,
    );
    this.packets.splice(this.packets.indexOf(packet), 1);
    return packet as Packet & { cmd: T };
  }
}

/** What a WebSocket client of JSON has heard. */
export class Json {
  readonly socket: WebSocket;
  /** Messages, in order. */
  readonly heard: Record<string, unknown>[] = [];
  /** The close code. */
  closed: number | undefined;

  /** Connects. */
  constructor({ http }: Ports, name: string) {
    this.socket = new WebSocket(`ws://127.0.0.1:${http}/ws?user=${name}`);
    this.socket.onmessage = ({ data }) => this.heard.push(JSON.parse(String(data)));
    this.socket.onclose = ({ code }) => this.closed = code;
  }

  /** Connects, and waits for the welcome. */
  static async open(ports: Ports, name: string): Promise<Json> {
    const client = new Json(ports, name);
    await client.hears("welcome");
    return client;
  }

  /** Sends a message. */
  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message of a type, which is taken out. */
  async hears(type: string): Promise<Record<string, unknown>> {
    const message = await until(
      () => this.heard.find((message) => message["type"] === type),
      () => `${type}; there were ${JSON.stringify(this.heard.slice(-10))}`,
    );
    this.heard.splice(this.heard.indexOf(message), 1);
    return message;
  }

  /** The close code, once it is closed. */
  code(): Promise<number> {
    return until(() => this.closed, "the close of a WebSocket");
  }
}

/** Opens a WebSocket by hand on a bare socket, that answers nothing by itself. */
export async function bareWebSocket({ http }: Ports, name: string): Promise<Raw> {
  const raw = await Raw.open(http);
  raw.write(upgrade(`/ws?user=${name}`));
  await until(() => raw.bytes.includes("welcome"), "a welcome");
  return raw;
}

/** The request that opens a WebSocket. */
export function upgrade(path: string): string {
  const lines = [`GET ${path} HTTP/1.1`, "host: 127.0.0.1", "connection: Upgrade", "upgrade: websocket"];
  lines.push("sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "", "");
  return lines.join("\r\n");
}

/** A text message as a client sends it, masked with zeros. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = payload.length < 126
    ? Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0])
    : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
}
