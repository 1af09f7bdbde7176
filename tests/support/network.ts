/**
 * A network in memory for tests of what runs over byte connections: it splits and joins what is sent, takes its time,
 * and can be cut, held up and clogged.
 *
 * @module
 */
import type { Clock } from "../../src/lib/clock.ts";
import { ToychatError } from "../../src/lib/errors.ts";
import type {
  Address,
  AsyncContext,
  CloseReason,
  Connection,
  ConnectionHandler,
  ConnectOptions,
  ListenOptions,
  ListenSocket,
  Transport,
} from "../../src/lib/transport.ts";

const encoder = new TextEncoder();

/** One end of a connection in memory. */
export class TestConnection implements Connection {
  readonly kind = "bytes";
  readonly remoteAddress = "test";
  handler: ConnectionHandler | undefined;
  peer!: TestConnection;
  /** Every chunk given to `send`, decoded. */
  readonly sent: string[] = [];
  /** Bytes on their way to this end. */
  #inbox: Uint8Array[] = [];
  #ended: CloseReason | undefined;
  #scheduled = false;
  #finished = false;
  #closing = false;
  #wantsDrain = false;
  readonly #network: TestNetwork;

  constructor(network: TestNetwork) {
    this.#network = network;
  }

  get bufferedAmount(): number {
    return this.peer.#inbox.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  send(chunk: Uint8Array | string): boolean {
    if (this.#finished || this.#closing) return false;
    const bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
    this.sent.push(new TextDecoder().decode(bytes));
    this.peer.#inbox.push(bytes);
    this.peer.#schedule();
    if (this.bufferedAmount <= this.#network.highMark) return true;
    this.#wantsDrain = true;
    return false;
  }

  sendAll(chunks: readonly (Uint8Array | string)[]): boolean {
    let taken = true;
    for (const chunk of chunks) taken = this.send(chunk);
    return taken;
  }

  pause(): void {}

  resume(): void {}

  close(): void {
    if (this.#finished || this.#closing) return;
    this.#closing = true;
    this.peer.#finish({ kind: "peer" });
    this.#finish({ kind: "local" });
  }

  terminate(): void {
    if (this.#finished) return;
    this.#inbox = [];
    this.peer.#cut({ kind: "error", message: "connection reset" });
    this.#cut({ kind: "terminated" });
  }

  /** Breaks the connection: what is on its way is lost, both ends hear of it. */
  cut(): void {
    this.#cut({ kind: "error", message: "cut" });
    this.peer.#cut({ kind: "error", message: "cut" });
  }

  get readable(): ReadableStream<Uint8Array> {
    throw new Error("not needed in these tests");
  }

  get writable(): WritableStream<Uint8Array> {
    throw new Error("not needed in these tests");
  }

  /** Takes what is on its way, in chunks of any size. */
  deliver(): void {
    this.#scheduled = false;
    if (this.#network.held || this.#finished) return;
    while (this.#inbox.length > 0 && !this.#finished) {
      const [chunk] = this.#inbox as [Uint8Array];
      const size = this.#network.split(chunk.length);
      if (size >= chunk.length) this.#inbox.shift();
      else this.#inbox[0] = chunk.subarray(size);
      this.handler?.data(chunk.slice(0, size));
    }
    if (this.peer.#wantsDrain && !this.peer.#finished) {
      this.peer.#wantsDrain = false;
      this.peer.handler?.drain();
    }
    if (this.#ended) this.#cut(this.#ended);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#network.clock.after(this.#network.latency, () => this.deliver());
  }

  #finish(reason: CloseReason): void {
    this.#ended ??= reason;
    this.#schedule();
  }

  #cut(reason: CloseReason): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#inbox = [];
    this.#network.open.delete(this);
    this.#network.clock.after(0, () => this.handler?.close(reason));
  }
}

/** Connects and listens in memory. */
export class TestNetwork implements Transport {
  readonly name = "test";
  readonly clock: Clock;
  /** Ends of connections that stand. */
  readonly open: Set<TestConnection> = new Set();
  /** Dialling ends, in the order in which they were made. */
  readonly dialled: TestConnection[] = [];
  /** Milliseconds on the way. */
  latency = 1;
  /** Bytes on the way from which on `send` returns false. */
  highMark = 1 << 20;
  /** Nothing arrives while it is true, though connections stand. */
  held = false;
  /** Connects are refused while it is true. */
  down = false;
  /** How much of a chunk of so many bytes arrives at a time. */
  split: (length: number) => number = (length) => length;
  #accept: ((connection: Connection) => ConnectionHandler) | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  listen(
    options: ListenOptions,
    accept: (connection: Connection) => ConnectionHandler,
  ): Promise<ListenSocket> {
    this.#accept = accept;
    return Promise.resolve({ host: "test", port: options.port, close: () => Promise.resolve() });
  }

  connect(
    _address: Address,
    handler: (connection: Connection) => ConnectionHandler,
    options?: ConnectOptions,
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      this.clock.after(this.latency, () => {
        if (options?.signal?.aborted) return reject(new ToychatError("connect_aborted", "aborted"));
        if (this.down || !this.#accept) return reject(new ToychatError("connection_refused", "refused"));
        const near = new TestConnection(this);
        const far = new TestConnection(this);
        near.peer = far;
        far.peer = near;
        this.open.add(near).add(far);
        this.dialled.push(near);
        near.handler = handler(near);
        far.handler = this.#accept(far);
        resolve(near);
      });
    });
  }

  /** Lets arrive what was held. */
  release(): void {
    this.held = false;
    for (const connection of [...this.open]) connection.deliver();
  }

  /** Breaks every connection. */
  cut(): void {
    for (const connection of [...this.open]) connection.cut();
  }

  serve(): Promise<ListenSocket> {
    return Promise.reject(new Error("not needed in these tests"));
  }

  createContext<T>(): AsyncContext<T> {
    throw new Error("not needed in these tests");
  }
}
