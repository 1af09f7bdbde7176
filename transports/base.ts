/**
 * What every connection has in common: its states, the marks of back-pressure, a handler that may throw, a close that
 * is told exactly once and last, and Web Streams made on first access.
 *
 * @module
 */

import { errorMessage } from "../src/lib/errors.ts";
import { type Logger, noLog } from "../src/lib/log.ts";
import type { CloseReason, Connection, ConnectionHandler } from "../src/lib/transport.ts";
import { type CloseFrame, closeFrame } from "./upgrades.ts";
import { ReadableSide, WritableSide } from "./web_streams.ts";

/** Options of every transport. */
export interface TransportOptions {
  /** `send` returns `false` while more bytes than this are buffered; default 65536. */
  readonly highMark?: number;
  /** `drain` comes when no more bytes than this are buffered; default 16384. */
  readonly lowMark?: number;
  /** Hears of listeners that throw where nobody else could be told; default none. */
  readonly log?: Logger;
}

/** {@linkcode TransportOptions} with the defaults filled in; one object for all connections of a transport. */
export interface Settings {
  /** See {@linkcode TransportOptions.highMark}. */
  readonly highMark: number;
  /** See {@linkcode TransportOptions.lowMark}. */
  readonly lowMark: number;
  /** See {@linkcode TransportOptions.log}. */
  readonly log: Logger;
}

/** Fills in the defaults. */
export function settingsOf(options: TransportOptions): Settings {
  const highMark = options.highMark ?? 65536;
  return { highMark, lowMark: Math.min(options.lowMark ?? 16384, highMark), log: options.log ?? noLog };
}

/** Largest WebSocket message taken where nothing else is said, in bytes. */
export const DEFAULT_MAX_PAYLOAD = 262144;

/** Sends and receives. */
export const OPEN = 0;
/** The peer has ended; what is queued still leaves. */
export const PEER_ENDED = 1;
/** `close()` was called; what is queued still leaves. */
export const CLOSING = 2;
/** `terminate()` was called, or the handler threw. */
export const TERMINATED = 3;
/** `close` has been told, or is about to be. */
export const CLOSED = 4;

const noFrame: CloseFrame = { code: 1000, reason: "" };
const nothing: ConnectionHandler = { data() {}, drain() {}, close() {} };

/**
 * Base of all connections. A subclass moves bytes: it calls `push` with what arrives, `drained` when its buffer
 * shrank, and `finish` when its socket is gone; it implements sending, `shutdown` and `destroy`.
 */
export abstract class BaseConnection implements Connection {
  abstract readonly kind: "bytes" | "messages";
  abstract readonly remoteAddress: string;
  abstract readonly bufferedAmount: number;

  /** One of the states above. */
  protected state: number = OPEN;
  /** `send` has returned `false`, so a `drain` is owed. */
  protected waiting = false;
  /** Marks and log of the transport. */
  protected readonly settings: Settings;
  #handler: ConnectionHandler = nothing;
  #readable: ReadableSide | undefined = undefined;
  #writable: WritableSide | undefined = undefined;
  #cause: CloseReason | undefined = undefined;

  /** Makes a connection without a handler; `start` gives it one. */
  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** Sends one chunk or message. */
  abstract send(chunk: Uint8Array | string): boolean;
  /** Sends many in one go. */
  abstract sendAll(chunks: readonly (Uint8Array | string)[]): boolean;
  /** Stops reading. */
  abstract pause(): void;
  /** Reads again. */
  abstract resume(): void;
  /** Flushes what is queued, then ends the connection with a FIN or `frame`; called once, the state is CLOSING already. */
  protected abstract shutdown(frame: CloseFrame): void;
  /** Drops the socket now; called once, with the state already TERMINATED. Leads to `finish`. */
  protected abstract destroy(): void;

  /** Asks the application for its handler. A factory that throws ends this connection alone; the result is its error. */
  start(accept: (connection: Connection) => ConnectionHandler): { error: unknown } | undefined {
    try {
      this.#setHandler(accept(this));
    } catch (error) {
      this.settings.log("error", "accept_failed", {
        error: errorMessage(error),
        address: this.remoteAddress,
      });
      this.fail(error);
      return { error };
    }
  }

  close(code?: number, reason?: string): void {
    if (this.state !== OPEN) return;
    const frame = this.kind === "messages" ? closeFrame(code, reason) : noFrame;
    this.state = CLOSING;
    this.shutdown(frame);
  }

  terminate(): void {
    if (this.state >= TERMINATED) return;
    this.state = TERMINATED;
    this.destroy();
  }

  get readable(): ReadableStream<Uint8Array> {
    if (!this.#readable) {
      this.#readable = new ReadableSide(this, this.state === CLOSED);
      this.#handler = this.#readable.wrap(this.#handler);
    }
    return this.#readable.stream;
  }

  get writable(): WritableStream<Uint8Array> {
    if (!this.#writable) {
      this.#writable = new WritableSide(this, this.state !== OPEN);
      this.#handler = this.#writable.wrap(this.#handler);
    }
    return this.#writable.stream;
  }

  /** Hands what arrived to the handler; after the end it goes nowhere. */
  protected push(chunk: Uint8Array | string): void {
    if (this.state !== OPEN) return;
    try {
      this.#handler.data(chunk);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The peer has answered a ping. */
  protected ponged(): void {
    if (this.state !== OPEN) return;
    try {
      this.#handler.pong?.();
    } catch (error) {
      this.fail(error);
    }
  }

  /** What `send` returns; notes that a `drain` is owed when the buffer is over the high mark. */
  protected admit(buffered: number): boolean {
    if (buffered <= this.settings.highMark) return true;
    this.waiting = true;
    return false;
  }

  /** The buffer shrank to `buffered`: tells the handler if it waits and the low mark is reached. */
  protected drained(buffered: number): void {
    if (!this.waiting || buffered > this.settings.lowMark || this.state !== OPEN) return;
    this.waiting = false;
    try {
      this.#handler.drain();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the connection because of a fault on this side; `close` is told the error. */
  protected fail(error: unknown, code?: number): void {
    if (this.state >= TERMINATED) return;
    this.state = TERMINATED;
    this.#cause = { kind: "error", message: errorMessage(error), ...(code === undefined ? {} : { code }) };
    this.destroy();
  }

  /** Fixes the reason that `close` will be told, where the socket itself goes through an orderly end. */
  protected because(reason: CloseReason): void {
    this.#cause ??= reason;
  }

  /**
   * The socket is gone. `peer` is the reason where this side did not end it; `flushed` says whether everything sent
   * has left.
   */
  protected finish(peer: CloseReason, flushed: boolean): void {
    if (this.state === CLOSED) return;
    const reason = this.#cause ?? this.#ownReason(peer, flushed);
    this.state = CLOSED;
    // Told from a fresh stack: some runtimes report the end from inside terminate() or a write.
    queueMicrotask(() => this.#tellClose(reason));
  }

  #ownReason(peer: CloseReason, flushed: boolean): CloseReason {
    if (this.state === TERMINATED) return { kind: "terminated" };
    if (this.state !== CLOSING) return peer;
    if (flushed) return { kind: "local" };
    return { kind: "error", message: peer.message ?? "the peer went before everything was sent" };
  }

  #tellClose(reason: CloseReason): void {
    const handler = this.#handler;
    this.#handler = nothing;
    try {
      handler.close(reason);
    } catch (error) {
      this.settings.log("error", "close_handler_failed", { error: errorMessage(error) });
    }
  }

  #setHandler(handler: ConnectionHandler): void {
    let wrapped = handler;
    if (this.#readable) wrapped = this.#readable.wrap(wrapped);
    if (this.#writable) wrapped = this.#writable.wrap(wrapped);
    this.#handler = wrapped;
  }
}
