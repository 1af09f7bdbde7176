/**
 * Connections in memory: two ends and a pipe each way.
 *
 * @module
 */

import type { Clock } from "../src/lib/clock.ts";
import { BaseConnection, CLOSED, CLOSING, OPEN, PEER_ENDED, type Settings } from "./base.ts";
import { bytesOf, type Chunk, sizeOf } from "./join.ts";
import { type Parcel, Pipe, type PipeEnd } from "./memory_pipe.ts";
import type { CloseFrame } from "./upgrades.ts";

/** What both ends of a connection share. */
export interface Wire {
  /** The clock that times deliveries. */
  readonly clock: Clock;
  /** Marks and log. */
  readonly settings: Settings;
  /** Bytes or messages. */
  readonly kind: "bytes" | "messages";
  /** Bytes that count as taken by the network, as the buffers of a kernel do. */
  readonly capacity: number;
  /** Milliseconds that a parcel takes from one host to another, `Infinity` to hold it. */
  delay(from: string, to: string, parcel: Parcel): number;
  /** Whether a chunk arrives in pieces, cut at random places. */
  readonly split: boolean;
  /** One end is gone. */
  gone(end: MemoryConnection): void;
}

/** One end of a connection in memory. */
export class MemoryConnection extends BaseConnection implements PipeEnd {
  override readonly kind: "bytes" | "messages";
  override readonly remoteAddress: string;
  /** The host of this end. */
  readonly localAddress: string;
  /** Called when the other end has accepted the connection. */
  onOpen: (() => void) | undefined = undefined;
  readonly #wire: Wire;
  readonly #maxPayload: number;
  #out!: Pipe;
  #in!: Pipe;
  #paused = false;

  private constructor(wire: Wire, local: string, remote: string, maxPayload: number) {
    super(wire.settings);
    this.kind = wire.kind;
    this.localAddress = local;
    this.remoteAddress = remote;
    this.#wire = wire;
    this.#maxPayload = maxPayload;
  }

  /** Makes both ends; `near` is the host that connects, each limit is for what that end receives. */
  static pair(
    wire: Wire,
    near: { host: string; maxPayload: number },
    far: { host: string; maxPayload: number },
  ): [MemoryConnection, MemoryConnection] {
    const a = new MemoryConnection(wire, near.host, far.host, near.maxPayload);
    const b = new MemoryConnection(wire, far.host, near.host, far.maxPayload);
    const towards = (from: MemoryConnection, to: MemoryConnection) =>
      new Pipe(
        wire.clock,
        to,
        (parcel) => wire.delay(from.localAddress, to.localAddress, parcel),
        () => from.drained(from.bufferedAmount),
      );
    a.#out = b.#in = towards(a, b);
    b.#out = a.#in = towards(b, a);
    return [a, b];
  }

  override get bufferedAmount(): number {
    return Math.max(0, this.#out.size - this.#wire.capacity);
  }

  /** Whether this end takes what arrives; an end that is closing reads on, into nothing. */
  get reading(): boolean {
    return !this.#paused || this.state !== OPEN;
  }

  override send(chunk: Chunk): boolean {
    if (this.state !== OPEN) return false;
    this.#put(chunk);
    return this.admit(this.bufferedAmount);
  }

  override sendAll(chunks: readonly Chunk[]): boolean {
    if (this.state !== OPEN) return false;
    for (const chunk of chunks) this.#put(chunk);
    return this.admit(this.bufferedAmount);
  }

  override pause(): void {
    this.#paused = true;
  }

  override resume(): void {
    this.#paused = false;
    this.#in.schedule();
  }

  /** Asks the other end, which answers by itself as soon as it reads. */
  ping(): void {
    if (this.kind === "messages" && this.state === OPEN) this.#out.put({ kind: "ping" });
  }

  /** Tells the other end that it has been accepted. */
  opened(): void {
    this.#out.put({ kind: "open" });
  }

  /** Breaks the connection at both ends, as a fault of the network. */
  break(message: string): void {
    this.#out.clear();
    this.#in.clear();
    this.finish({ kind: "error", message }, false);
    this.#wire.gone(this);
  }

  /** Asks again for the delay of what is held, either way: the other end may have left already. */
  retry(): void {
    this.#out.retry();
    this.#in.retry();
  }

  /** Whether this end is gone. */
  get ended(): boolean {
    return this.state === CLOSED;
  }

  /** One parcel arrives. */
  receive(parcel: Parcel): void {
    if (parcel.kind === "data") this.#arrive(parcel.chunk, parcel.size);
    else if (parcel.kind === "open") this.onOpen?.();
    else if (parcel.kind === "ping") this.#out.put({ kind: "pong" });
    else if (parcel.kind === "pong") this.ponged();
    else if (parcel.kind === "end") this.#peerEnded(parcel.code, parcel.reason);
    else this.#leave({ kind: "error", message: parcel.message, ...this.#lost() }, this.#taken());
  }

  protected override shutdown(frame: CloseFrame): void {
    this.#out.put({ kind: "end", code: frame.code, reason: frame.reason });
    this.#in.schedule();
  }

  protected override destroy(): void {
    this.#out.clear();
    this.#out.put({ kind: "reset", message: "connection reset by peer" });
    this.#leave({ kind: "error" }, false);
  }

  #put(chunk: Chunk): void {
    if (this.kind === "messages") {
      this.#out.put({
        kind: "data",
        chunk: typeof chunk === "string" ? chunk : chunk.slice(),
        size: sizeOf(chunk),
      });
      return;
    }
    // The receiver may do with its bytes what it likes, so it gets a copy.
    let bytes = typeof chunk === "string" ? bytesOf(chunk) : new Uint8Array(chunk);
    while (this.#wire.split && bytes.length > 1) {
      const cut = 1 + Math.floor(this.#wire.clock.random() * (bytes.length - 1));
      this.#out.put({ kind: "data", chunk: bytes.subarray(0, cut), size: cut });
      bytes = bytes.subarray(cut);
    }
    if (bytes.length > 0) this.#out.put({ kind: "data", chunk: bytes, size: bytes.length });
  }

  #arrive(chunk: Chunk, size: number): void {
    if (this.kind === "messages" && size > this.#maxPayload && this.state === OPEN) {
      this.because({
        kind: "error",
        code: 1009,
        message: `a message of more than ${this.#maxPayload} bytes`,
      });
      this.close(1009, "message too large");
    } else this.push(chunk);
  }

  #peerEnded(code: number, reason: string): void {
    const messages = this.kind === "messages";
    if (this.state === OPEN) {
      this.state = PEER_ENDED;
      this.#out.put({ kind: "end", code, reason });
    }
    this.#leave(messages ? { kind: "peer", code, message: reason } : { kind: "peer" }, true);
  }

  #leave(reason: Parameters<BaseConnection["finish"]>[0], flushed: boolean): void {
    this.#in.clear();
    this.finish(reason, flushed);
    this.#wire.gone(this);
  }

  #lost(): { code?: number } {
    return this.kind === "messages" ? { code: 1006 } : {};
  }

  /** Whether the network has taken everything, so that a close counts as done although the peer broke off. */
  #taken(): boolean {
    return this.state === CLOSING && this.#out.size <= this.#wire.capacity;
  }
}
