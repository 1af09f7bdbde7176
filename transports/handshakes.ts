/**
 * Connections of a listener that are in their TLS handshake: how many there may be, and for how long. No runtime bounds
 * their number, and a server of `node:tls` only reports one that takes too long and leaves it open
 * (https://nodejs.org/api/tls.html#event-tlsclienterror), as Deno's does; Bun's TCP sockets know no such time at all.
 *
 * @module
 */

import type { Cancel, Clock } from "../src/lib/clock.ts";
import type { HandshakeOptions } from "../src/lib/transport.ts";

/** Milliseconds that a peer has for its handshake. */
const LIMIT_MS = 10_000;
/** Handshakes at a time. */
const MOST = 1024;

/** The handshakes under way on one listener, the one that began first at the head. */
export class Handshakes<Socket> {
  readonly #limitMs: number;
  readonly #most: number;
  readonly #cut: HandshakeOptions["cut"];
  readonly #clock: Clock;
  readonly #drop: (socket: Socket) => void;
  /** When each began. */
  readonly #began: Map<Socket, number> = new Map();
  #timer: Cancel | undefined = undefined;

  /** None is under way. `drop` closes a socket. */
  constructor(options: HandshakeOptions | undefined, clock: Clock, drop: (socket: Socket) => void) {
    this.#limitMs = options?.limitMs ?? LIMIT_MS;
    this.#most = options?.most ?? MOST;
    this.#cut = options?.cut;
    this.#clock = clock;
    this.#drop = drop;
  }

  /** How many are under way. */
  get size(): number {
    return this.#began.size;
  }

  /** One begins. Where that makes too many, the first is cut off: a peer that knows its part is done in a moment. */
  begin(socket: Socket): void {
    this.#began.set(socket, this.#clock.now());
    if (this.#began.size > this.#most) {
      const [first] = this.#began.keys();
      this.#end(first as Socket, "evicted");
    }
    this.#timer ??= this.#clock.after(this.#limitMs, () => this.#sweep());
  }

  /** One is done with it, or gone; `false` where it is known no more, as it was cut off. */
  end(socket: Socket): boolean {
    const known = this.#began.delete(socket);
    if (this.#began.size === 0) {
      this.#timer?.();
      this.#timer = undefined;
    }
    return known;
  }

  #end(socket: Socket, why: "evicted" | "timeout"): void {
    this.end(socket);
    this.#drop(socket);
    this.#cut?.(why);
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const [socket, began] of this.#began) {
      const left = began + this.#limitMs - now;
      if (left > 0) {
        this.#timer = this.#clock.after(left, () => this.#sweep());
        return;
      }
      this.#end(socket, "timeout");
    }
  }
}
