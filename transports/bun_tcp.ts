/**
 * TCP on Bun. `socket.write` takes what the kernel takes and forgets the rest, so a connection keeps a queue.
 *
 * Sockets are half-open towards Bun (`allowHalfOpen`), because Bun otherwise closes at the peer's FIN and drops what is
 * still queued here; the connection itself ends both ways.
 *
 * @module
 */

import { errorMessage } from "../src/lib/errors.ts";
import type { CloseReason } from "../src/lib/transport.ts";
import { BaseConnection, CLOSING, OPEN, PEER_ENDED, type Settings } from "./base.ts";
import type { BunSocket, BunSocketHandler } from "./bun_api.ts";
import { plainAddress } from "./failures.ts";
import type { Handshakes } from "./handshakes.ts";
import { bytesOf, type Chunk, concat, join } from "./join.ts";

/** How much of the queue is joined for one write. */
const BATCH = 262144;

/** What Bun carries for us on a socket: nothing before it is open. */
export type Slot = BunTcpConnection | undefined;

/** One TCP connection on Bun. */
export class BunTcpConnection extends BaseConnection {
  override readonly kind = "bytes";
  override readonly remoteAddress: string;
  readonly #socket: BunSocket<Slot>;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #sentFin = false;

  /** Wraps an open socket. */
  constructor(socket: BunSocket<Slot>, settings: Settings) {
    super(settings);
    this.#socket = socket;
    this.remoteAddress = plainAddress(socket.remoteAddress);
  }

  override get bufferedAmount(): number {
    return this.#queued;
  }

  override send(chunk: Chunk): boolean {
    if (this.state !== OPEN) return false;
    this.#write(chunk);
    return this.admit(this.#queued);
  }

  override sendAll(chunks: readonly Chunk[]): boolean {
    if (this.state !== OPEN) return false;
    if (chunks.length === 1) this.#write(chunks[0]!);
    else if (chunks.length > 0) this.#write(join(chunks));
    return this.admit(this.#queued);
  }

  override pause(): void {
    if (this.state === OPEN) this.#socket.pause();
  }

  override resume(): void {
    if (this.state === OPEN) this.#socket.resume();
  }

  /** The kernel takes bytes again. Bun says so at other times too. */
  onDrain(): void {
    if (this.#queued === 0) return;
    this.#flush();
    this.drained(this.#queued);
  }

  /** Bytes arrived. Bun gives each callback an array of its own, so nothing is copied. */
  onData(chunk: Uint8Array): void {
    this.push(chunk);
  }

  /** The peer sent a FIN: what is queued still leaves, then both ways are closed. */
  onEnd(): void {
    if (this.state === OPEN) {
      this.state = PEER_ENDED;
      this.because({ kind: "peer" });
    }
    if (this.#queued === 0) this.#socket.end();
  }

  /** The socket is gone. */
  onClose(error: unknown): void {
    const reason: CloseReason = error === undefined || error === null
      ? { kind: "peer" }
      : { kind: "error", message: errorMessage(error) };
    this.finish(reason, this.#sentFin);
    this.#queue = [];
    this.#queued = 0;
  }

  /** An error of the socket; Bun closes it afterwards. */
  onError(error: unknown): void {
    this.fail(error);
  }

  protected override shutdown(): void {
    // Reads on, into nothing: only so is the peer's FIN seen, and a close with unread bytes would be a reset.
    this.#socket.resume();
    if (this.#queued === 0) this.#sendFin();
  }

  protected override destroy(): void {
    this.#queue = [];
    this.#queued = 0;
    this.#socket.terminate();
  }

  #sendFin(): void {
    if (this.#sentFin) return;
    this.#sentFin = true;
    this.#socket.shutdown();
  }

  #write(chunk: Chunk): void {
    if (this.#queued > 0) return this.#enqueue(bytesOf(chunk));
    // A string is encoded here, once: to know how much of it was taken its length in bytes is needed anyway.
    const bytes = bytesOf(chunk);
    if (bytes.byteLength === 0) return;
    const taken = this.#socket.write(bytes);
    if (taken < bytes.byteLength) this.#enqueue(bytes.subarray(Math.max(0, taken)));
  }

  #enqueue(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return;
    this.#queue.push(bytes);
    this.#queued += bytes.byteLength;
  }

  #flush(): void {
    while (this.#queued > 0) {
      const batch = this.#takeBatch();
      const taken = Math.max(0, this.#socket.write(batch));
      this.#queued -= taken;
      if (taken < batch.byteLength) {
        this.#queue.unshift(batch.subarray(taken));
        return;
      }
    }
    if (this.state === CLOSING) this.#sendFin();
    else if (this.state === PEER_ENDED) this.#socket.end();
  }

  /** The head of the queue, joined up to {@linkcode BATCH} bytes. */
  #takeBatch(): Uint8Array {
    let count = 1;
    let size = this.#queue[0]!.byteLength;
    while (count < this.#queue.length && size + this.#queue[count]!.byteLength <= BATCH) {
      size += this.#queue[count++]!.byteLength;
    }
    const batch = this.#queue.splice(0, count);
    return batch.length === 1 ? batch[0]! : concat(batch);
  }
}

/** The callbacks of all sockets of one listener or connect; `opened` gets each new connection. */
export function tcpCallbacks(
  settings: Settings,
  opened: (connection: BunTcpConnection) => void,
): BunSocketHandler<Slot> {
  return {
    open(socket) {
      socket.setNoDelay(true);
      const connection = new BunTcpConnection(socket, settings);
      socket.data = connection;
      opened(connection);
    },
    data: (socket, chunk) => socket.data?.onData(chunk),
    drain: (socket) => socket.data?.onDrain(),
    end: (socket) => socket.data?.onEnd(),
    error: (socket, error) => socket.data?.onError(error),
    close: (socket, error) => socket.data?.onClose(error),
  };
}

/**
 * The callbacks of a listener with TLS. Bun tells `open` before the handshake: it is a connection only once that is done,
 * and with `demanding` only where the client has shown a certificate that holds.
 */
export function secureServerCallbacks(
  settings: Settings,
  handshakes: Handshakes<BunSocket<Slot>>,
  demanding: boolean,
  opened: (connection: BunTcpConnection) => void,
): BunSocketHandler<Slot> {
  const callbacks = tcpCallbacks(settings, opened);
  return {
    ...callbacks,
    open: (socket) => handshakes.begin(socket),
    handshake(socket, success, error) {
      // It tells of those too that were cut off, or have gone.
      if (!handshakes.end(socket)) return;
      if (success && !(demanding && error)) callbacks.open(socket);
      else socket.terminate();
    },
    close(socket, error) {
      handshakes.end(socket);
      callbacks.close(socket, error);
    },
  };
}

/**
 * The callbacks of a TLS connection that is made. Bun tells `open` before the handshake: it is a connection only once the
 * server has proved who it is; `failed` gets why it did not.
 */
export function secureCallbacks(
  settings: Settings,
  opened: (connection: BunTcpConnection) => void,
  failed: (error: unknown) => void,
): BunSocketHandler<Slot> {
  const callbacks = tcpCallbacks(settings, opened);
  return {
    ...callbacks,
    open() {},
    handshake(socket, success, error) {
      if (success) return callbacks.open(socket);
      failed(error ?? new Error("the TLS handshake failed"));
      socket.terminate();
    },
    error(socket, error) {
      if (socket.data) callbacks.error(socket, error);
      else failed(error);
    },
    close(socket, error) {
      if (socket.data) callbacks.close(socket, error);
      else failed(error ?? new Error("the connection ended during the TLS handshake"));
    },
  };
}
