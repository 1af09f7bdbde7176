/**
 * A WebSocket client of the bridge that reads when it is told to: no library's client can be kept from reading.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { until } from "../support/until.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** The client. */
export class SlowReader {
  /** The messages read so far. */
  readonly received: { method?: string; id?: number; params?: Record<string, unknown> }[] = [];
  /** Whether the bridge has ended the connection. */
  ended = false;
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", () => {});
    socket.on("close", () => this.ended = true);
  }

  /** Connects and shows a token in its request. Rejects where the bridge does not upgrade. */
  static async open(address: string, token: string): Promise<SlowReader> {
    const [host = "", port] = address.split(":");
    const socket = connect({ host, port: Number(port) });
    let head = "";
    const opened = new Promise<Buffer>((resolve, reject) => {
      const take = (chunk: Buffer): void => {
        head += chunk.toString("latin1");
        if (!head.includes("\r\n\r\n")) return;
        socket.off("data", take);
        if (head.startsWith("HTTP/1.1 101")) resolve(Buffer.from(head.split("\r\n\r\n")[1] ?? "", "latin1"));
        else reject(new Error(head.split("\r\n")[0]));
      };
      socket.on("data", take);
      socket.on("error", reject);
    });
    const headers =
      `Host: ${address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n`;
    socket.write(
      `GET /rpc HTTP/1.1\r\n${headers}Sec-WebSocket-Key: ${KEY}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    );
    const rest = await opened;
    const reader = new SlowReader(socket);
    reader.#take(rest);
    return reader;
  }

  /** Asks, and waits for the answer. */
  async ask(method: string, params: object = {}): Promise<void> {
    const id = 1 + Math.max(0, ...this.received.map((message) => message.id ?? 0));
    const text = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    // A masked text frame of less than 126 bytes; the mask is zero.
    if (text.length > 125) throw new Error("too long for this client");
    this.#socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
    await until(() => this.received.some((message) => message.id === id), `the answer to ${method}`);
  }

  /** Reads nothing from now on. */
  pause(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Hangs up. */
  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const short = (this.#bytes[1] ?? 0) & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.#bytes.length < header) return;
      const length = short < 126
        ? short
        : short === 126
        ? this.#bytes.readUInt16BE(2)
        : Number(this.#bytes.readBigUInt64BE(2));
      if (this.#bytes.length < header + length) return;
      const opcode = (this.#bytes[0] ?? 0) & 0x0f;
      if (opcode === 1) this.received.push(JSON.parse(this.#bytes.toString("utf8", header, header + length)));
      this.#bytes = this.#bytes.subarray(header + length);
    }
  }
}
