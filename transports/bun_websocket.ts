/**
 * WebSockets of Bun's server. Bun queues a message that meets back-pressure and drops later ones past a limit, so this
 * side stops at the first one that was queued and keeps the others itself.
 *
 * @module
 */

import { BaseConnection, CLOSING, OPEN, type Settings } from "./base.ts";
import type { BunServerWebSocket, BunWebSocketHandler } from "./bun_api.ts";
import { plainAddress } from "./failures.ts";
import { type Chunk, sizeOf } from "./join.ts";
import type { CloseFrame } from "./upgrades.ts";

/** What an upgrade hands to Bun's `open`. */
export interface BunUpgrade {
  /** The connection, once open. */
  connection: BunWebSocketConnection | undefined;
  /** Makes the connection. */
  open(socket: BunServerWebSocket<BunUpgrade>): BunWebSocketConnection;
}

/** Bun's `send` returns this when it had to queue the message. */
const QUEUED = -1;

/** Why a WebSocket ended, in Bun's words, where a message was longer than `maxPayloadLength`. */
const TOO_BIG = "Received too big message";

/** One WebSocket of `Bun.serve`. */
export class BunWebSocketConnection extends BaseConnection {
  override readonly kind = "messages";
  override readonly remoteAddress: string;
  readonly #socket: BunServerWebSocket<BunUpgrade>;
  readonly #maxPayload: number;
  #queue: Chunk[] = [];
  #queued = 0;
  #blocked = false;
  #lastFrame: CloseFrame | undefined = undefined;
  #sentClose = false;

  /** Wraps an open WebSocket. */
  constructor(socket: BunServerWebSocket<BunUpgrade>, settings: Settings, maxPayload: number) {
    super(settings);
    this.#socket = socket;
    this.#maxPayload = maxPayload;
    this.remoteAddress = plainAddress(socket.remoteAddress);
  }

  override get bufferedAmount(): number {
    return this.#blocked ? this.#queued + this.#socket.getBufferedAmount() : 0;
  }

  override send(chunk: Chunk): boolean {
    if (this.state !== OPEN) return false;
    this.#write(chunk);
    return this.#blocked ? this.admit(this.bufferedAmount) : true;
  }

  override sendAll(chunks: readonly Chunk[]): boolean {
    if (this.state !== OPEN) return false;
    if (chunks.length === 1) this.#write(chunks[0]!);
    else if (chunks.length > 0) this.#writeCorked(chunks);
    return this.#blocked ? this.admit(this.bufferedAmount) : true;
  }

  override pause(): void {
    if (this.state === OPEN) this.#socket.pause();
  }

  override resume(): void {
    if (this.state === OPEN) this.#socket.resume();
  }

  /** A message arrived. Bun's own limit is one for the whole server, so this connection's is checked here. */
  onMessage(message: string | Uint8Array): void {
    const large = message.length > this.#maxPayload ||
      (typeof message === "string" && message.length * 3 > this.#maxPayload &&
        sizeOf(message) > this.#maxPayload);
    if (large) this.#refuseLarge();
    else this.push(message);
  }

  /** Sends a ping frame. */
  ping(): void {
    if (this.state === OPEN) this.#socket.ping();
  }

  /** The peer answered one. */
  onPong(): void {
    this.ponged();
  }

  /** Bun's buffer shrank. */
  onDrain(): void {
    if (!this.#blocked || this.#socket.getBufferedAmount() > this.settings.lowMark) return;
    this.#blocked = this.#socket.getBufferedAmount() > 0;
    if (!this.#blocked) this.#flush();
    if (this.state === CLOSING && !this.#blocked) this.#sendClose();
    else this.drained(this.bufferedAmount);
  }

  /** The WebSocket is gone. 1006 stands for an end without a close frame. */
  onClose(code: number, reason: string): void {
    if (code === 1006) {
      // A message over the server's own limit is known by Bun's words for it alone.
      const lost = reason === TOO_BIG ? 1009 : code;
      this.finish(
        { kind: "error", code: lost, message: reason || "lost without a close frame" },
        this.#sentClose,
      );
    } else this.finish({ kind: "peer", code, message: reason }, this.#sentClose);
    this.#drop();
  }

  protected override shutdown(frame: CloseFrame): void {
    this.#lastFrame = frame;
    this.#socket.resume();
    if (!this.#blocked) this.#sendClose();
  }

  protected override destroy(): void {
    this.#drop();
    this.#socket.terminate();
  }

  #refuseLarge(): void {
    const message = `a message of more than ${this.#maxPayload} bytes`;
    this.because({ kind: "error", code: 1009, message });
    this.close(1009, "message too large");
  }

  #drop(): void {
    this.#queue = [];
    this.#queued = 0;
    this.#blocked = false;
  }

  #sendClose(): void {
    if (this.#sentClose) return;
    this.#sentClose = true;
    this.#socket.close(this.#lastFrame?.code, this.#lastFrame?.reason);
  }

  #write(chunk: Chunk): void {
    if (this.#blocked) this.#enqueue(chunk);
    else this.#blocked = this.#socket.send(chunk) === QUEUED;
  }

  #writeCorked(chunks: readonly Chunk[]): void {
    this.#socket.cork(() => {
      for (let i = 0; i < chunks.length; i++) this.#write(chunks[i]!);
    });
    // What was corked leaves only now, and may meet a full socket then.
    if (!this.#blocked && this.#socket.getBufferedAmount() > 0) this.#blocked = true;
  }

  #enqueue(chunk: Chunk): void {
    this.#queue.push(chunk);
    this.#queued += sizeOf(chunk);
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    if (queue.length > 0) this.#writeCorked(queue);
  }
}

/** The callbacks of all WebSockets of one server; `maxPayload` is the largest message that any of them takes. */
export function webSocketCallbacks(maxPayload: number): BunWebSocketHandler<BunUpgrade> {
  return {
    open(socket) {
      socket.data.connection = socket.data.open(socket);
    },
    message: (socket, message) => socket.data.connection?.onMessage(message),
    drain: (socket) => socket.data.connection?.onDrain(),
    pong: (socket) => socket.data.connection?.onPong(),
    close: (socket, code, reason) => socket.data.connection?.onClose(code, reason),
    maxPayloadLength: maxPayload,
    // Heartbeats are the protocols' business.
    idleTimeout: 0,
    sendPings: false,
    backpressureLimit: 2 ** 31 - 1,
    closeOnBackpressureLimit: false,
    perMessageDeflate: false,
  };
}
