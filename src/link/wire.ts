/**
 * One connection of a link: bytes in, checked frames out.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import type { CloseReason, Connection, ConnectionHandler } from "../lib/transport.ts";
import { BadLine, decodeHandshake, decodeLine, type Incoming } from "./decode.ts";
import type { ControlFrame } from "./frames.ts";
import { LineReader } from "./line_reader.ts";
import type { LinkEndCode } from "./link.ts";
import { HANDSHAKE_LINE, LINGER_MS } from "./options.ts";

/** Who takes what arrives on a wire: the handshake first, then a link. */
export interface WireReceiver {
  /** Bytes have arrived, whatever they are. */
  heard(): void;
  /** A frame has arrived, in a line of so many UTF-16 code units. */
  incoming(frame: Incoming, length: number): void;
  /** What arrived is not the protocol; the wire still stands, for a `goodbye`. */
  broken(code: LinkEndCode, message: string): void;
  /** The connection takes bytes again after `send` returned false. */
  drain(): void;
  /** The connection has ended, and not by this side. Last. */
  lost(reason: CloseReason): void;
}

/** A connection that carries lines. */
export class Wire implements ConnectionHandler {
  /** The peer's address, for logs. */
  readonly address: string;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #reader = new LineReader(HANDSHAKE_LINE);
  /** Undefined once this side has done with the connection. */
  #receiver: WireReceiver | undefined;
  #linger: Cancel | undefined;
  #closed = false;
  /** Until both sides have proved who they are, nothing but that is read. */
  #proved = false;

  /** Wraps a connection; nothing arrives before `receive`. */
  constructor(connection: Connection, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
    this.address = connection.remoteAddress;
  }

  /**
   * Hands what arrives from here on to `receiver`. With `maxLine` the handshake is complete: lines may be that long from the
   * next one on, and hold any frame.
   */
  receive(receiver: WireReceiver, maxLine?: number): void {
    this.#receiver = receiver;
    if (maxLine === undefined) return;
    this.#reader.limit = maxLine;
    this.#proved = true;
  }

  /** Sends text made of whole lines; false where the connection asks to wait for `drain`. */
  send(text: string): boolean {
    return this.#connection.send(text);
  }

  /** Sends one frame of the link's own. */
  sendFrame(frame: ControlFrame): boolean {
    return this.#connection.send(JSON.stringify(frame) + "\n");
  }

  /** Says why, and ends the connection once that is sent; its receiver hears nothing more. */
  goodbye(code: string, message: string): void {
    if (this.#receiver === undefined) return;
    this.sendFrame({ type: "goodbye", code, message });
    this.end();
  }

  /** Ends the connection once what was sent is out, or after a while; its receiver hears nothing more. */
  end(): void {
    this.#receiver = undefined;
    if (this.#closed) return;
    this.#linger ??= this.#clock.after(LINGER_MS, () => this.#connection.terminate());
    this.#connection.close();
  }

  /** Ends the connection at once; its receiver hears nothing more. */
  terminate(): void {
    this.#receiver = undefined;
    this.#connection.terminate();
  }

  /** Takes what the connection read. */
  data(chunk: Uint8Array | string): void {
    if (this.#receiver === undefined) return;
    if (typeof chunk === "string") {
      this.#receiver.broken("not_json", "a link runs over TCP, not over text messages");
      return;
    }
    this.#receiver.heard();
    const fault = this.#reader.push(chunk, this.#line);
    if (fault === "not_utf8") this.#receiver?.broken(fault, "the bytes of a line are not UTF-8");
    else if (fault) this.#receiver?.broken(fault, `a line is longer than ${this.#reader.limit} bytes`);
  }

  readonly #line = (text: string): boolean => {
    const frame = this.#proved ? decodeLine(text) : decodeHandshake(text);
    if (frame instanceof BadLine) this.#receiver?.broken(frame.code, frame.message);
    else this.#receiver?.incoming(frame, text.length);
    return this.#receiver !== undefined;
  };

  /** The connection takes bytes again. */
  drain(): void {
    this.#receiver?.drain();
  }

  /** The connection has ended. */
  close(reason: CloseReason): void {
    this.#closed = true;
    this.#linger?.();
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.lost(reason);
  }
}
