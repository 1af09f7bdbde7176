/**
 * A client's connection as a role sees it, without any network between: a client of a test feeds it, and reads what was
 * sent. It is as unkind as a transport may be: the memory of a chunk is written over as soon as `data` has returned.
 *
 * @module
 */
import type { Clock } from "../../src/lib/clock.ts";
import type { CloseReason, Connection, ConnectionHandler } from "../../src/lib/transport.ts";
import type { Chunk } from "./input.ts";

/** What a chunk's memory holds after its call. */
export const SCRIBBLE = 0xa5;

/** A handler whose chunks are written over as soon as it has returned from them. */
export function scribbling(handler: ConnectionHandler): ConnectionHandler {
  return {
    data: (chunk) => {
      handler.data(chunk);
      if (typeof chunk !== "string") chunk.fill(SCRIBBLE);
    },
    drain: () => handler.drain(),
    close: (reason) => handler.close(reason),
  };
}

interface Sent {
  readonly chunk: Uint8Array;
  readonly copy: Uint8Array;
}

/** The role's end of a connection; its other end is the test. */
export class DirectConnection implements Connection {
  readonly kind: "bytes" | "messages";
  readonly remoteAddress = "203.0.113.7";
  readonly bufferedAmount = 0;
  /** What was sent, in order. */
  readonly received: Chunk[] = [];
  /** How the role ended it, where it did. */
  ending:
    | { readonly how: "closed" | "terminated"; readonly code?: number; readonly reason?: string }
    | undefined;
  /** Whether the client has ended it. */
  hungUp = false;
  /** Hears of what is sent, as it is. */
  onSend: ((chunk: Chunk) => void) | undefined;
  readonly #clock: Clock;
  #handler: ConnectionHandler | undefined;
  #queue: Chunk[] = [];
  #sent: Sent[] = [];
  #paused = false;
  #told = false;

  constructor(clock: Clock, kind: "bytes" | "messages") {
    this.#clock = clock;
    this.kind = kind;
  }

  /** Gives it to a role. */
  attach(accept: (connection: Connection) => ConnectionHandler): this {
    this.#handler = scribbling(accept(this));
    return this;
  }

  /** Whether either side has ended it. */
  get over(): boolean {
    return this.ending !== undefined || this.hungUp;
  }

  /** The client sends something. */
  feed(chunk: Chunk): void {
    this.#queue.push(typeof chunk === "string" ? chunk : new Uint8Array(chunk));
    this.#pump();
  }

  /** The client closes its side. */
  hangUp(): void {
    if (this.over) return;
    this.hungUp = true;
    this.#tell({ kind: "peer" });
  }

  /** Takes what was received so far. */
  take(): Chunk[] {
    return this.received.splice(0);
  }

  /** Forgets what was sent, and says whether any of it was changed afterwards. */
  changedAfterSending(): boolean {
    const sent = this.#sent;
    this.#sent = [];
    return sent.some(({ chunk, copy }) => chunk.some((byte, i) => byte !== copy[i]));
  }

  send(chunk: Chunk): boolean {
    if (this.over) return false;
    this.onSend?.(chunk);
    if (typeof chunk === "string") this.received.push(chunk);
    else {
      const copy = new Uint8Array(chunk);
      this.#sent.push({ chunk, copy });
      this.received.push(copy);
    }
    return true;
  }

  sendAll(chunks: readonly Chunk[]): boolean {
    for (const chunk of chunks) this.send(chunk);
    return !this.over;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#clock.defer(() => this.#pump());
  }

  close(code?: number, reason?: string): void {
    if (this.over) return;
    this.ending = {
      how: "closed",
      ...(code === undefined ? {} : { code }),
      ...(reason === undefined ? {} : { reason }),
    };
    this.#tell({ kind: "local" });
  }

  terminate(): void {
    if (this.over) return;
    this.ending = { how: "terminated" };
    this.#tell({ kind: "terminated" });
  }

  get readable(): never {
    throw new Error("not needed here");
  }

  get writable(): never {
    throw new Error("not needed here");
  }

  #pump(): void {
    while (!this.#paused && !this.over) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) return;
      this.#handler?.data(chunk);
    }
  }

  #tell(reason: CloseReason): void {
    if (this.#told) return;
    this.#told = true;
    this.#queue = [];
    this.#clock.defer(() => this.#handler?.close(reason));
  }
}
