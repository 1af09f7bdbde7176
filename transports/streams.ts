/**
 * Any pair of Web Streams of bytes as a connection: a WinterTC socket, a TLS wrapper, the ends of a pipe.
 *
 * @module
 */

import type { CloseReason, Connection, ConnectionHandler } from "../src/lib/transport.ts";
import { errorMessage } from "../src/lib/errors.ts";
import {
  BaseConnection,
  CLOSING,
  OPEN,
  PEER_ENDED,
  settingsOf,
  TERMINATED,
  type TransportOptions,
} from "./base.ts";
import { bytesOf, type Chunk, concat } from "./join.ts";

export type { TransportOptions } from "./base.ts";

/** How much of the queue is joined for one write. */
const BATCH = 262144;

/** Two streams of bytes; the shape of a WinterTC socket. */
export interface StreamPair {
  /** What arrives. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What is sent. */
  readonly writable: WritableStream<Uint8Array>;
}

/** Options of {@linkcode fromStreams}. */
export interface StreamOptions extends TransportOptions {
  /** The peer's address, where known; default `""`. */
  readonly remoteAddress?: string;
}

/** A connection over two Web Streams. */
class StreamConnection extends BaseConnection {
  override readonly kind = "bytes";
  override readonly remoteAddress: string;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #queue: Uint8Array[] = [];
  #buffered = 0;
  #writing = false;
  #paused = false;
  #wake: (() => void) | undefined = undefined;

  constructor(pair: StreamPair, options: StreamOptions) {
    super(settingsOf(options));
    this.remoteAddress = options.remoteAddress ?? "";
    this.#reader = pair.readable.getReader();
    this.#writer = pair.writable.getWriter();
  }

  override get bufferedAmount(): number {
    return this.#buffered;
  }

  override send(chunk: Chunk): boolean {
    if (this.state !== OPEN) return false;
    this.#enqueue(chunk);
    this.#flush();
    return this.admit(this.#buffered);
  }

  override sendAll(chunks: readonly Chunk[]): boolean {
    if (this.state !== OPEN) return false;
    for (const chunk of chunks) this.#enqueue(chunk);
    this.#flush();
    return this.admit(this.#buffered);
  }

  override pause(): void {
    this.#paused = true;
  }

  override resume(): void {
    this.#paused = false;
    this.#wakeUp();
  }

  /** Begins to read; once, after `start`. */
  async run(): Promise<void> {
    // A writable that breaks while nothing is written is noticed here.
    this.#writer.closed.catch((error: unknown) => this.#broke(error));
    try {
      while (await this.#mayRead()) {
        const { done, value } = await this.#reader.read();
        if (done) return this.#peerEnded();
        await this.#mayRead();
        this.push(value);
      }
    } catch (error) {
      this.#broke(error);
    }
  }

  protected override shutdown(): void {
    this.#wakeUp();
    this.#flush();
  }

  protected override destroy(): void {
    this.#end({ kind: "terminated" }, false);
    const reason = new Error("the connection was terminated");
    this.#writer.abort(reason).catch(() => {});
    this.#reader.cancel(reason).catch(() => {});
  }

  #enqueue(chunk: Chunk): void {
    const bytes = bytesOf(chunk);
    if (bytes.byteLength === 0) return;
    this.#queue.push(bytes);
    this.#buffered += bytes.byteLength;
  }

  /** One write at a time: what is queued meanwhile leaves together in the next. */
  #flush(): void {
    if (this.#writing) return;
    if (this.#queue.length === 0) return this.#settle();
    const batch = this.#takeBatch();
    this.#writing = true;
    this.#writer.write(batch).then(() => {
      if (this.state >= TERMINATED) return;
      this.#writing = false;
      this.#buffered -= batch.byteLength;
      this.#flush();
      this.drained(this.#buffered);
    }, (error: unknown) => this.#broke(error));
  }

  #takeBatch(): Uint8Array {
    let count = 1;
    let size = this.#queue[0]!.byteLength;
    while (count < this.#queue.length && size + this.#queue[count]!.byteLength <= BATCH) {
      size += this.#queue[count++]!.byteLength;
    }
    const batch = this.#queue.splice(0, count);
    return batch.length === 1 ? batch[0]! : concat(batch);
  }

  /** Everything is written: ends the writable if this end or the peer wants the end. */
  #settle(): void {
    if (this.state !== CLOSING && this.state !== PEER_ENDED) return;
    this.#writing = true;
    const reason: CloseReason = { kind: "peer" };
    this.#writer.close().then(() => this.#end(reason, true), (error: unknown) => this.#broke(error));
    // Nothing more is wanted from the peer; a stream that cannot be cancelled does no harm.
    this.#reader.cancel().catch(() => {});
  }

  #peerEnded(): void {
    if (this.state !== OPEN) return;
    this.state = PEER_ENDED;
    this.#flush();
  }

  #broke(error: unknown): void {
    if (this.state > CLOSING) return;
    this.#end({ kind: "error", message: errorMessage(error) }, false);
    this.#writer.abort(error).catch(() => {});
    this.#reader.cancel(error).catch(() => {});
  }

  #end(reason: CloseReason, flushed: boolean): void {
    this.finish(reason, flushed);
    this.#queue = [];
    this.#buffered = 0;
    this.#wakeUp();
  }

  /** Waits while paused; `false` once nothing is to be read any more. */
  #mayRead(): Promise<boolean> | boolean {
    if (this.state !== OPEN) return false;
    if (!this.#paused) return true;
    return new Promise<void>((resolve) => this.#wake = resolve).then(() => this.#mayRead());
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/**
 * Makes a connection of two Web Streams of bytes. They belong to it from here on.
 *
 * The end of `readable` is the peer's FIN; `close` closes `writable`, `terminate` aborts it.
 *
 * @example
 * ```ts
 * import { fromStreams } from "@toychat/toychat/streams";
 *
 * const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
 * const loop = fromStreams({ readable, writable }, () => ({
 *   data: (chunk) => console.log(chunk),
 *   drain() {},
 *   close() {},
 * }));
 * loop.send("hello");
 * ```
 */
export function fromStreams(
  pair: StreamPair,
  handler: (connection: Connection) => ConnectionHandler,
  options: StreamOptions = {},
): Connection {
  const connection = new StreamConnection(pair, options);
  connection.start(handler);
  void connection.run();
  return connection;
}
