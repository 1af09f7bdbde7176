/**
 * WebSockets of the `ws` package, for Node and Deno. `ws` reads and does the handshakes; a server's messages are framed
 * here and written straight to the socket, in one write for any number of them.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { BaseConnection, OPEN, type Settings } from "./base.ts";
import { plainAddress } from "./failures.ts";
import type { Chunk } from "./join.ts";
import { marksFor, reset } from "./node_tcp.ts";
import type { CloseFrame } from "./upgrades.ts";
import type { Ws } from "./ws_api.ts";
import { frameHeader, frames } from "./ws_frames.ts";

/** Messages of this many bytes and more are not copied behind their header. */
const COPY_BELOW = 16384;

/** `readyState` of an open WebSocket. */
const WS_OPEN = 1;

/** The close code that `ws` uses for each of its complaints about a peer (RFC 6455, 7.4.1). */
function complaintCode(error: Error & { code?: string }): number {
  if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return 1009;
  return error.code === "WS_ERR_INVALID_UTF8" ? 1007 : 1002;
}

const owner = Symbol("connection");
type OwnedSocket = Socket & { [owner]: WsConnection };
type OwnedWebSocket = Ws & { [owner]: WsConnection };

/** One WebSocket, of a server or of a client. */
export abstract class WsConnection extends BaseConnection {
  override readonly kind = "messages";
  override readonly remoteAddress: string;
  /** The WebSocket. */
  protected readonly ws: Ws;
  /** The socket beneath it. */
  protected readonly socket: Socket;

  /** Wraps an open WebSocket and its socket. */
  constructor(ws: Ws, socket: Socket, settings: Settings) {
    super(marksFor(socket, settings));
    this.ws = ws;
    this.socket = socket;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    (socket as OwnedSocket)[owner] = this;
    (ws as OwnedWebSocket)[owner] = this;
    socket.on("drain", onDrain);
    ws.on("message", onMessage);
    ws.on("error", onError);
    ws.on("close", onClose);
    ws.on("pong", onPong);
  }

  override get bufferedAmount(): number {
    return this.socket.destroyed ? 0 : this.socket.writableLength;
  }

  override pause(): void {
    if (this.state === OPEN) this.ws.pause();
  }

  override resume(): void {
    if (this.state === OPEN) this.ws.resume();
  }

  /** A message arrived. */
  onMessage(data: Buffer, isBinary: boolean): void {
    this.push(isBinary ? data : data.toString());
  }

  /** Sends a ping frame. */
  ping(): void {
    if (this.canSend()) this.ws.ping();
  }

  /** The peer answered one. */
  onPong(): void {
    this.ponged();
  }

  /** The socket's buffer is empty. */
  onDrain(): void {
    this.drained(this.socket.writableLength);
  }

  /** The peer broke the protocol; `ws` answers with the close code and `onClose` follows. */
  onError(error: Error): void {
    this.because({ kind: "error", code: complaintCode(error), message: error.message });
  }

  /** The WebSocket is gone. 1006 stands for an end without a close frame. */
  onClose(code: number, reason: Buffer): void {
    if (code === 1006) {
      const flushed = this.socket.writableLength === 0;
      this.finish({ kind: "error", code, message: "lost without a close frame" }, flushed);
    } else this.finish({ kind: "peer", code, message: reason.toString() }, true);
  }

  protected override shutdown(frame: CloseFrame): void {
    this.ws.close(frame.code, frame.reason);
    // Reads on, into nothing, to see the peer's close frame.
    this.ws.resume();
  }

  protected override destroy(): void {
    if (this.socket.destroyed) this.ws.terminate();
    else reset(this.socket);
  }

  /** Whether messages may be sent: not after either side's close frame. */
  protected canSend(): boolean {
    return this.state === OPEN && this.ws.readyState === WS_OPEN;
  }
}

/** A WebSocket that a client opened to us. */
export class WsServerConnection extends WsConnection {
  override send(chunk: Chunk): boolean {
    if (!this.canSend()) return false;
    if (chunk.length < COPY_BELOW) this.socket.write(frames([chunk]));
    else this.#writeLarge([chunk]);
    return this.admit(this.socket.writableLength);
  }

  override sendAll(chunks: readonly Chunk[]): boolean {
    if (!this.canSend()) return false;
    let size = 0;
    for (let i = 0; i < chunks.length; i++) size += chunks[i]!.length;
    if (size >= chunks.length * COPY_BELOW) this.#writeLarge(chunks);
    else if (chunks.length > 0) this.socket.write(frames(chunks));
    return this.admit(this.socket.writableLength);
  }

  #writeLarge(chunks: readonly Chunk[]): void {
    this.socket.cork();
    for (let i = 0; i < chunks.length; i++) {
      this.socket.write(frameHeader(chunks[i]!));
      if (chunks[i]!.length > 0) this.socket.write(chunks[i]!);
    }
    this.socket.uncork();
  }
}

/** A WebSocket that we opened; its frames are masked one by one, by `ws`. */
export class WsClientConnection extends WsConnection {
  override send(chunk: Chunk): boolean {
    return this.sendAll([chunk]);
  }

  override sendAll(chunks: readonly Chunk[]): boolean {
    if (!this.canSend()) return false;
    this.socket.cork();
    for (let i = 0; i < chunks.length; i++) this.ws.send(chunks[i]!);
    this.socket.uncork();
    return this.admit(this.socket.writableLength);
  }
}

function onDrain(this: Socket): void {
  (this as OwnedSocket)[owner].onDrain();
}

function onMessage(this: Ws, data: Buffer, isBinary: boolean): void {
  (this as OwnedWebSocket)[owner].onMessage(data, isBinary);
}

function onPong(this: Ws): void {
  (this as OwnedWebSocket)[owner].onPong();
}

function onError(this: Ws, error: Error): void {
  (this as OwnedWebSocket)[owner].onError(error);
}

function onClose(this: Ws, code: number, reason: Buffer): void {
  (this as OwnedWebSocket)[owner].onClose(code, reason);
}
