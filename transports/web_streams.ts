/**
 * A connection as a pair of Web Streams. Nothing of this exists until `readable` or `writable` is first touched.
 *
 * @module
 */

import { ToychatError } from "../src/lib/errors.ts";
import type { CloseReason, Connection, ConnectionHandler } from "../src/lib/transport.ts";

/** Bytes that may wait in `readable` before the peer is pushed back. */
const READ_AHEAD = 65536;

function brokenError(reason: CloseReason): ToychatError {
  const why = reason.kind === "terminated" ? "it was terminated" : reason.message || "the peer ended it";
  return new ToychatError("connection_closed", `the connection ended before its stream did: ${why}`);
}

/** What arrives, as a stream; text messages come as UTF-8. Cancelling it drops what still arrives. */
export class ReadableSide {
  /** The stream. */
  readonly stream: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly #connection: Connection;

  /** Makes the stream of a connection, ended at once where the connection is. */
  constructor(connection: Connection, closed: boolean) {
    this.#connection = connection;
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        if (closed) controller.close();
        else this.#controller = controller;
      },
      pull: () => connection.resume(),
      cancel: () => {
        this.#controller = undefined;
        connection.resume();
      },
    }, new ByteLengthQueuingStrategy({ highWaterMark: READ_AHEAD }));
  }

  /** The handler that feeds the stream in place of `inner.data`. */
  wrap(inner: ConnectionHandler): ConnectionHandler {
    return {
      data: (chunk) => this.#enqueue(chunk),
      drain: () => inner.drain(),
      pong: () => inner.pong?.(),
      close: (reason) => {
        this.#end(reason);
        inner.close(reason);
      },
    };
  }

  #enqueue(chunk: Uint8Array | string): void {
    const controller = this.#controller;
    // A copy: the transport may use a chunk's memory again, and who reads the stream comes later.
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : new Uint8Array(chunk);
    if (!controller || bytes.byteLength === 0) return;
    controller.enqueue(bytes);
    if ((controller.desiredSize ?? 0) <= 0) this.#connection.pause();
  }

  #end(reason: CloseReason): void {
    const controller = this.#controller;
    this.#controller = undefined;
    if (!controller) return;
    if (reason.kind === "peer" || reason.kind === "local") controller.close();
    else controller.error(brokenError(reason));
  }
}

/** What is sent, as a stream: closing it closes the connection once flushed, aborting it terminates. */
export class WritableSide {
  /** The stream. */
  readonly stream: WritableStream<Uint8Array>;
  #ended: ToychatError | undefined;
  #controller: WritableStreamDefaultController | undefined;
  #wake: (() => void) | undefined;
  #closed: (() => void) | undefined;

  /** Makes the stream of a connection, broken at once where the connection has ended. */
  constructor(connection: Connection, ended: boolean) {
    if (ended) this.#ended = brokenError({ kind: "error", message: "it had ended before" });
    this.stream = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      write: async (chunk) => {
        if (!this.#ended && !connection.send(chunk)) await this.#room(connection);
        if (this.#ended) throw this.#ended;
      },
      close: () => {
        if (this.#ended) return;
        connection.close();
        return new Promise<void>((resolve) => this.#closed = resolve);
      },
      abort: () => connection.terminate(),
    });
  }

  /** The handler that wakes a waiting write on `drain`. */
  wrap(inner: ConnectionHandler): ConnectionHandler {
    return {
      data: (chunk) => inner.data(chunk),
      drain: () => {
        this.#wakeUp();
        inner.drain();
      },
      pong: () => inner.pong?.(),
      close: (reason) => {
        this.#end(reason);
        inner.close(reason);
      },
    };
  }

  #room(connection: Connection): Promise<void> | void {
    // A connection that has ended without having told so yet refuses too, and then buffers nothing more.
    return new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (connection.bufferedAmount === 0) queueMicrotask(() => this.#wakeUp());
    });
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #end(reason: CloseReason): void {
    this.#ended = brokenError(reason);
    this.#wakeUp();
    if (this.#closed) this.#closed();
    // After an orderly end writes fail, but closing does not: so `readable.pipeTo(writable)` ends without an error.
    else if (reason.kind === "error" || reason.kind === "terminated") this.#controller?.error(this.#ended);
  }
}
