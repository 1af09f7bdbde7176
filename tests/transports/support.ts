/**
 * What the contract suite watches connections with.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import type {
  CloseReason,
  Connection,
  ConnectionHandler,
  ServeOptions,
  Transport,
} from "../../src/lib/transport.ts";

/** Registers one case. */
export type Registrar = (name: string, run: () => Promise<void>) => void;

/** A handler that remembers everything, and can be told what to do. */
export class Peer implements ConnectionHandler {
  /** The connection. */
  connection!: Connection;
  /** Everything that arrived, unless `keep` is off. */
  readonly received: (Uint8Array | string)[] = [];
  /** Bytes that arrived. */
  size = 0;
  /** Calls of `drain`. */
  drains = 0;
  /** Calls of `pong`. */
  pongs = 0;
  /** Calls of `close`. */
  readonly closes: CloseReason[] = [];
  /** What must not have happened: calls inside calls, and calls after `close`. */
  readonly faults: string[] = [];
  /** Called with each chunk. */
  onData: ((chunk: Uint8Array | string) => void) | undefined;
  /** Called on each drain. */
  onDrain: (() => void) | undefined;
  #inside = "";
  #keep: boolean;

  constructor(keep = true) {
    this.#keep = keep;
  }

  /** The factory that transports ask. */
  get accept(): (connection: Connection) => ConnectionHandler {
    return (connection) => {
      this.connection = connection;
      return this;
    };
  }

  data(chunk: Uint8Array | string): void {
    this.#enter("data", () => {
      if (this.#keep) this.received.push(chunk);
      this.size += typeof chunk === "string" ? Buffer.byteLength(chunk) : chunk.length;
      this.onData?.(chunk);
    });
  }

  pong(): void {
    this.#enter("pong", () => this.pongs++);
  }

  drain(): void {
    this.#enter("drain", () => {
      this.drains++;
      this.onDrain?.();
    });
  }

  close(reason: CloseReason): void {
    this.#enter("close", () => this.closes.push(reason));
  }

  /** Runs something on the connection and notes whatever is called from inside it. */
  within<T>(work: (connection: Connection) => T): T {
    const before = this.#inside;
    this.#inside = "a method of the connection";
    try {
      return work(this.connection);
    } finally {
      this.#inside = before;
    }
  }

  /** Everything that arrived, as one array. */
  bytes(): Uint8Array {
    return Buffer.concat(this.received.map((chunk) => Buffer.from(chunk as Uint8Array)));
  }

  /** Everything that arrived, as text. */
  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  /** Waits for the end and gives its reason. */
  async ended(): Promise<CloseReason> {
    await until(() => this.closes.length > 0, "the end of a connection");
    return this.closes[0]!;
  }

  #enter(what: string, work: () => void): void {
    if (this.#inside !== "") this.faults.push(`${what} inside ${this.#inside}`);
    if (this.closes.length > 0) this.faults.push(`${what} after close`);
    const before = this.#inside;
    this.#inside = what;
    try {
      work();
    } finally {
      this.#inside = before;
    }
  }
}

/** One turn of the event loop, or a little more. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/** Waits until something is true; fails, saying what did not come, after very many turns. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turns = 0; turns < 15000; turns++) {
    if (condition()) return;
    await turn();
  }
  assert.fail(`waited in vain for ${what}`);
}

/** Waits until a value has stayed the same for many turns, and gives it. */
export async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let same = 0; same < 150;) {
    await turn();
    const now = value();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** Lets whatever would come by mistake come. */
export async function calm(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await turn();
}

/** Two ends of one connection over TCP, or what stands for it. */
export async function pair(transport: Transport, far = new Peer(), near = new Peer()): Promise<[Peer, Peer]> {
  const server = await transport.listen({ port: 0 }, far.accept);
  await transport.connect({ host: server.host, port: server.port }, near.accept);
  await until(() => far.connection !== undefined, "the accepted connection");
  await server.close();
  return [near, far];
}

/** Two ends of one WebSocket. */
export async function webSocketPair(
  transport: Transport,
  limits: { near?: number; far?: number } = {},
  far = new Peer(),
  near = new Peer(),
): Promise<[Peer, Peer]> {
  const most = limits.far === undefined ? {} : { maxPayload: limits.far };
  const fetch: ServeOptions["fetch"] = (_, env) => env.upgrade(far.accept, most);
  const server = await transport.serve({ port: 0, fetch, ...most });
  const options = limits.near === undefined ? {} : { maxPayload: limits.near };
  await transport.connect(`ws://${server.host}:${server.port}/`, near.accept, options);
  await until(() => far.connection !== undefined, "the accepted WebSocket");
  await server.close();
  return [near, far];
}

/** Ends both ends, waits for it, and asserts what holds for every connection: one close, last, never nested. */
export async function done(...peers: Peer[]): Promise<void> {
  for (const peer of peers) peer.connection.terminate();
  for (const peer of peers) await peer.ended();
  await calm();
  for (const peer of peers) {
    assert.equal(peer.closes.length, 1, "close is told exactly once");
    assert.deepEqual(peer.faults, []);
  }
}

/** Bytes that differ by position, so that a lost, doubled or exchanged piece shows. */
export function pattern(size: number, seed = 0): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (i + seed) * 31 + ((i + seed) >> 8) * 7;
  return bytes;
}

/** Whether two arrays hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Asserts that a promise rejects with a code, and that the message is one for people. */
export async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error: Error & { code?: string }) => {
    assert.equal(error.code, code, `${error.code}: ${error.message}`);
    assert.equal(error.name, "ToychatError");
    assert.ok(error.message.length > 10);
    return true;
  });
}

/** Small pseudo-random numbers, the same in each run. */
export function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
