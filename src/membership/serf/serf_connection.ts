/**
 * One connection to the RPC of a Serf agent: handshake, authentication, and calls by their numbers.
 *
 * What comes in may be anything: a reply that makes no sense ends the connection, and nothing else.
 *
 * @module
 */
import type { Clock } from "../../lib/clock.ts";
import { errorMessage, printable, ToychatError } from "../../lib/errors.ts";
import type {
  CloseReason,
  Connection,
  ConnectionHandler,
  TcpAddress,
  Transport,
} from "../../lib/transport.ts";
import { encodeObjects, fieldOf, isFields, ObjectReader } from "./serf_codec.ts";
import { type SerfCall, SerfExchange } from "./serf_exchange.ts";
import { readStats } from "./serf_read.ts";
import { badReply } from "./serf_scan.ts";
import type { SerfStats } from "./serf_types.ts";

/** Where and how to connect. */
export interface SerfConnectionOptions {
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** The agent's RPC. */
  readonly address: TcpAddress;
  /** The agent's RPC key; undefined where it has none. */
  readonly authKey: string | undefined;
  /** Time. */
  readonly clock: Clock;
  /** Milliseconds for connecting with handshake and authentication. */
  readonly timeoutMs: number;
  /** Bytes of one object of a reply. */
  readonly maxReplyBytes: number;
  /** The connection has ended; called once, before the calls under way are told. */
  readonly onEnd?: (reason: ToychatError) => void;
  /** Ends the connection, also one that is still being made, by the signal's reason, which is a {@linkcode ToychatError}. */
  readonly signal?: AbortSignal;
}

/** The version of the RPC. */
const VERSION = 1;
/** Calls that may be under way on one connection: an agent that hangs must not fill memory. */
const MOST_CALLS = 1024;

/** An open connection. */
export class SerfConnection implements ConnectionHandler {
  /** Why the connection has ended; undefined while it lives. */
  over: ToychatError | undefined;
  readonly #options: SerfConnectionOptions;
  readonly #connection: Connection;
  readonly #name: string;
  readonly #reader: ObjectReader;
  readonly #exchanges: Map<number, SerfExchange<unknown>> = new Map();
  /** The call whose body comes next. */
  #expected: SerfExchange<unknown> | undefined;
  /** Whether the next object may be a body that nobody wants. */
  #perhapsBody = false;
  #seq = 0;

  /** Takes over a connection. */
  constructor(connection: Connection, options: SerfConnectionOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#name = `${options.address.host}:${options.address.port}`;
    this.#reader = new ObjectReader({ maxBytes: options.maxReplyBytes });
  }

  /**
   * Makes a call; resolves with what `read` makes of the answer's body.
   *
   * Rejects with `serf_refused` or `serf_auth_refused` (in the agent's words), `serf_busy`, `serf_timeout`,
   * `serf_connection_lost`, `serf_bad_reply`, or what `end` was given. A call that is not answered in time ends the
   * connection, as the agent answers one call after the other.
   */
  call<T>(call: SerfCall<T>): Promise<T> {
    if (this.over) return Promise.reject(this.over);
    if (this.#exchanges.size >= MOST_CALLS) return Promise.reject(this.#busy());
    const seq = this.#seq++;
    const exchange = new SerfExchange(seq, call, (ms) => this.#startTimer(call.command, ms));
    this.#exchanges.set(seq, exchange as unknown as SerfExchange<unknown>);
    const header = { Command: call.command, Seq: seq };
    this.#connection.send(call.body ? encodeObjects(header, call.body) : encodeObjects(header));
    return exchange.result;
  }

  /** Takes what arrives. Never throws. */
  data(chunk: Uint8Array | string): void {
    try {
      if (typeof chunk === "string") throw badReply("it sends text messages");
      this.#reader.push(chunk, (object) => this.#take(object));
    } catch (error) {
      this.end(error instanceof ToychatError ? error : badReply(errorMessage(error)));
    }
  }

  /** Requests are small: nothing waits. */
  drain(): void {}

  /** The connection has ended. */
  close(reason: CloseReason): void {
    const why = reason.message ? ` (${printable(reason.message)})` : "";
    const waiting = [...new Set([...this.#exchanges.values()].map(({ command }) => command))].join(", ");
    this.end(
      new ToychatError(
        "serf_connection_lost",
        `the Serf agent at ${this.#name} closed the connection${why}` +
          (waiting ? `; what it had not answered: ${waiting}` : ""),
      ),
    );
  }

  /** Ends the connection, and every call on it, by an error. */
  end(reason: ToychatError): void {
    if (this.over) return;
    this.over = reason;
    this.#reader.stop();
    this.#connection.terminate();
    this.#options.onEnd?.(reason);
    for (const exchange of this.#exchanges.values()) exchange.fail(reason);
    this.#exchanges.clear();
  }

  #take(object: unknown): void {
    const expected = this.#expected;
    if (!expected) {
      if (!this.#isStrayBody(object)) this.#takeHeader(object);
      return;
    }
    this.#expected = undefined;
    expected.body(object);
    if (expected.over) this.#exchanges.delete(expected.seq);
  }

  #isStrayBody(object: unknown): boolean {
    const stray = this.#perhapsBody && isFields(object) && !Object.hasOwn(object, "Seq");
    this.#perhapsBody = false;
    return stray;
  }

  #takeHeader(object: unknown): void {
    const seq = fieldOf(object, "Seq");
    const error = fieldOf(object, "Error");
    if (typeof seq !== "number" || typeof error !== "string") {
      throw badReply("where a reply should begin there is something else");
    }
    const exchange = this.#exchanges.get(seq);
    if (!exchange) throw badReply(`an answer to call ${seq}, which was never made or has ended`);
    const following = exchange.header(error);
    if (following === "body") this.#expected = exchange;
    this.#perhapsBody = following === "perhaps";
    if (exchange.over) this.#exchanges.delete(seq);
  }

  #startTimer(command: string, ms: number): () => void {
    const { clock } = this.#options;
    let ended = false;
    const cancel = clock.after(ms, () => {
      // A process that slept finds its timers due before it has read what came meanwhile.
      clock.defer(() => {
        if (!ended) this.end(timeOut(this.#name, command, ms));
      });
    });
    return () => {
      ended = true;
      cancel();
    };
  }

  #busy(): ToychatError {
    return new ToychatError(
      "serf_busy",
      `the Serf agent at ${this.#name} has not answered ${MOST_CALLS} calls yet: wait for some of them`,
    );
  }
}

function timeOut(name: string, what: string, ms: number): ToychatError {
  return new ToychatError(
    "serf_timeout",
    `the Serf agent at ${name} did not answer "${what}" within ${ms} ms: it hangs, or is overloaded`,
  );
}

/** A connection that is ready for calls. */
export interface OpenSerfConnection {
  /** The connection. */
  readonly connection: SerfConnection;
  /** What the agent said about itself. */
  readonly stats: SerfStats;
}

/**
 * Connects, shakes hands and authenticates. No body but these two is sent before the agent has accepted the key: it would
 * take it for a request. Whether it wants a key shows with a call that has no body.
 *
 * @throws {ToychatError} `serf_unreachable`, `serf_auth_refused`, and what calls reject with.
 */
export async function openSerfConnection(options: SerfConnectionOptions): Promise<OpenSerfConnection> {
  const { authKey, timeoutMs } = options;
  const connection = await connect(options);
  try {
    await connection.call({ command: "handshake", body: { Version: VERSION }, timeoutMs });
    if (authKey !== undefined) {
      await connection.call({ command: "auth", body: { AuthKey: authKey }, timeoutMs });
    }
    const stats = await connection.call({ command: "stats", read: readStats, timeoutMs });
    return { connection, stats };
  } catch (error) {
    const reason = error instanceof ToychatError ? error : badReply(errorMessage(error));
    connection.end(reason);
    throw reason;
  }
}

async function connect(options: SerfConnectionOptions): Promise<SerfConnection> {
  const { clock, signal, timeoutMs } = options;
  const abort = new AbortController();
  const cancel = clock.after(timeoutMs, () => abort.abort());
  let made: SerfConnection | undefined;
  const stop = (): void => {
    abort.abort();
    made?.end(signal?.reason);
  };
  const onEnd = (reason: ToychatError): void => {
    signal?.removeEventListener("abort", stop);
    options.onEnd?.(reason);
  };
  const handler = (connection: Connection): SerfConnection =>
    made = new SerfConnection(connection, { ...options, onEnd });
  signal?.addEventListener("abort", stop);
  try {
    if (signal?.aborted) throw signal.reason;
    await options.transport.connect(options.address, handler, { signal: abort.signal });
    // The handler was made before connect resolved.
    return made as unknown as SerfConnection;
  } catch (error) {
    signal?.removeEventListener("abort", stop);
    throw signal?.aborted ? signal.reason : unreachable(options, error);
  } finally {
    cancel();
  }
}

function unreachable({ address, timeoutMs }: SerfConnectionOptions, error: unknown): ToychatError {
  const timedOut = error instanceof ToychatError && error.code === "connect_aborted";
  const why = timedOut ? `it did not answer within ${timeoutMs} ms` : errorMessage(error);
  return new ToychatError(
    "serf_unreachable",
    `no Serf agent at ${address.host}:${address.port} (${why}): start "serf agent", or give its rpc_addr`,
    { cause: error },
  );
}
