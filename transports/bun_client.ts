/**
 * WebSocket clients on Bun, over Bun's own `WebSocket`, which can pause. It tells neither drain nor flush, so the
 * buffer is looked at from time to time while something waits for it.
 *
 * @module
 */

import type { Cancel, Clock } from "../src/lib/clock.ts";
import type {
  ClientTlsOptions,
  Connection,
  ConnectionHandler,
  ConnectOptions,
} from "../src/lib/transport.ts";
import { BaseConnection, CLOSING, DEFAULT_MAX_PAYLOAD, OPEN, type Settings } from "./base.ts";
import { type BunClientTls, type BunWebSocket, openWebSocket } from "./bun_api.ts";
import { abortError, connectError, refusedUpgrade } from "./failures.ts";
import { type Chunk, sizeOf } from "./join.ts";
import { clientTls } from "./tls_options.ts";
import type { CloseFrame } from "./upgrades.ts";

/** Milliseconds between two looks at the buffer. */
const LOOK_MS = 2;

/** One WebSocket to a server. */
class BunClientConnection extends BaseConnection {
  override readonly kind = "messages";
  override readonly remoteAddress: string;
  readonly #socket: BunWebSocket;
  readonly #clock: Clock;
  readonly #maxPayload: number;
  #look: Cancel | undefined = undefined;
  #lastFrame: CloseFrame | undefined = undefined;
  #sentClose = false;

  constructor(socket: BunWebSocket, settings: Settings, clock: Clock, host: string, maxPayload: number) {
    super(settings);
    this.#socket = socket;
    this.#clock = clock;
    this.#maxPayload = maxPayload;
    this.remoteAddress = host;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#onClose(event.code, event.reason);
    socket.onerror = null;
  }

  override get bufferedAmount(): number {
    return this.state >= CLOSING && this.#sentClose ? 0 : this.#socket.bufferedAmount;
  }

  override send(chunk: Chunk): boolean {
    if (!this.#open()) return false;
    this.#socket.send(chunk);
    return this.#admit();
  }

  override sendAll(chunks: readonly Chunk[]): boolean {
    if (!this.#open()) return false;
    for (let i = 0; i < chunks.length; i++) this.#socket.send(chunks[i]!);
    return this.#admit();
  }

  override pause(): void {
    if (this.#open()) this.#socket.pause();
  }

  override resume(): void {
    if (this.#open()) this.#socket.resume();
  }

  protected override shutdown(frame: CloseFrame): void {
    this.#lastFrame = frame;
    this.#socket.resume();
    this.#checkBuffer();
  }

  protected override destroy(): void {
    this.#look?.();
    this.#socket.terminate();
  }

  #open(): boolean {
    return this.state === OPEN && this.#socket.readyState === 1;
  }

  #admit(): boolean {
    const below = this.admit(this.#socket.bufferedAmount);
    if (!below && !this.#look) this.#lookLater();
    return below;
  }

  #lookLater(): void {
    this.#look = this.#clock.after(LOOK_MS, () => this.#checkBuffer());
  }

  #checkBuffer(): void {
    this.#look = undefined;
    const buffered = this.#socket.bufferedAmount;
    if (this.state === CLOSING && buffered === 0) return this.#sendClose();
    this.drained(buffered);
    if ((this.waiting || this.state === CLOSING) && !this.#look) this.#lookLater();
  }

  #sendClose(): void {
    this.#sentClose = true;
    this.#socket.close(this.#lastFrame?.code, this.#lastFrame?.reason);
  }

  #receive(data: string | Uint8Array): void {
    if (sizeOf(data) <= this.#maxPayload) return this.push(data);
    this.because({ kind: "error", code: 1009, message: `a message of more than ${this.#maxPayload} bytes` });
    this.close(1009, "message too large");
  }

  #onClose(code: number, reason: string): void {
    this.#look?.();
    this.#look = undefined;
    if (code === 1006) {
      this.finish({ kind: "error", code, message: reason || "lost without a close frame" }, this.#sentClose);
    } else this.finish({ kind: "peer", code, message: reason }, this.#sentClose);
  }
}

/** TLS as Bun's clients take it. */
export function bunClientTls(options: ClientTlsOptions): BunClientTls {
  const { serverName } = options;
  return serverName === undefined ? clientTls(options) : { ...clientTls(options), serverName };
}

/** Connects to a WebSocket server with Bun's client. */
export function connectWebSocket(
  url: URL,
  handler: (connection: Connection) => ConnectionHandler,
  options: ConnectOptions,
  settings: Settings,
  clock: Clock,
): Promise<Connection> {
  const to = url.href;
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(abortError(signal, to));
  return new Promise((resolve, reject) => {
    const socket = openWebSocket(to, options.protocols ?? [], options.tls && bunClientTls(options.tls));
    // A plain Uint8Array or Buffer per message, not an ArrayBuffer or a Blob.
    socket.binaryType = "nodebuffer";
    const abort = () => {
      socket.onerror = socket.onclose = null;
      socket.terminate();
      reject(abortError(signal!, to));
    };
    signal?.addEventListener("abort", abort, { once: true });
    socket.onopen = () => {
      signal?.removeEventListener("abort", abort);
      const maxPayload = options.maxPayload ?? DEFAULT_MAX_PAYLOAD;
      const connection = new BunClientConnection(socket, settings, clock, url.hostname, maxPayload);
      const failure = connection.start(handler);
      if (failure) reject(failure.error);
      else resolve(connection);
    };
    socket.onerror = (event) => {
      signal?.removeEventListener("abort", abort);
      reject(clientError(event, to));
    };
  });
}

function clientError(event: { message?: string; error?: unknown }, to: string): Error {
  const answered = /status code:? (\d+)/i.exec(event.message ?? "") ??
    (/\b101\b|Mismatch|protocol/i.exec(event.message ?? ""));
  if (answered) return refusedUpgrade(to, answered[1] ?? "something else");
  return connectError(event.error ?? new Error(event.message ?? "the connection broke"), to);
}
