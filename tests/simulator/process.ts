/**
 * One process of a model cluster: its clock, its place in the list, and its sockets, all of which can freeze and die.
 *
 * @module
 */
import type { Connection, ConnectionHandler, ListenSocket, Transport } from "../../src/lib/transport.ts";
import type { ChatServer } from "../../src/chat/chat_server.ts";
import type { ProxyServer } from "../../src/proxy/proxy_server.ts";
import type { MemoryTransport } from "../../transports/memory.ts";
import type { ProcessMembership } from "./lists.ts";
import type { ProcessClock } from "../support/virtual_clock.ts";

/** One process. */
export interface Process {
  readonly id: string;
  readonly clock: ProcessClock;
  readonly membership: ProcessMembership;
  readonly sockets: ProcessSockets;
  /** Whether it is to serve until the end. */
  running: boolean;
  /** Whether it stands still. */
  frozen: boolean;
}

/** A ChatServer in its process. */
export interface Chat extends Process {
  readonly server: ChatServer;
}

/** A proxy in its process. */
export interface Proxy extends Process {
  readonly server: ProxyServer;
}

/** What was seen of a connection from the side that took it. */
export interface Witness {
  /** Most bytes that were queued to the peer. */
  peak: number;
  /** Most bytes that were sent at once. */
  largest: number;
  /** When the taking side ended it. */
  endedAt: number | undefined;
}

/** The sockets of one process: what happens on them waits while it is frozen, and is lost on it once it is dead. */
export class ProcessSockets implements Transport {
  readonly name: string;
  /** What became of the connections that were taken, by the host they came from. */
  readonly witnesses: Map<string, Witness> = new Map();
  readonly #host: MemoryTransport;
  readonly #clock: ProcessClock;
  readonly #listening: ListenSocket[] = [];

  constructor(host: MemoryTransport, clock: ProcessClock) {
    this.name = host.name;
    this.#host = host;
    this.#clock = clock;
  }

  connect: Transport["connect"] = (address, handler, options) => {
    return this.#host.connect(address, (connection) => this.#gate(handler(connection)), options);
  };

  createContext: Transport["createContext"] = () => this.#host.createContext();

  listen: Transport["listen"] = async (options, accept) => {
    return this.#keep(await this.#host.listen(options, (connection) => this.#take(connection, accept)));
  };

  serve: Transport["serve"] = async (options) => {
    const { fetch } = options;
    return this.#keep(
      await this.#host.serve({
        ...options,
        fetch: (request, env) =>
          fetch(request, {
            ...env,
            upgrade: (accept, choices) =>
              env.upgrade((connection) => this.#take(connection, accept), choices),
          }),
      }),
    );
  };

  #keep(socket: ListenSocket): ListenSocket {
    this.#listening.push(socket);
    return socket;
  }

  #take(connection: Connection, accept: (connection: Connection) => ConnectionHandler): ConnectionHandler {
    const witness: Witness = { peak: 0, largest: 0, endedAt: undefined };
    this.witnesses.set(connection.remoteAddress, witness);
    const { send, sendAll, close, terminate } = connection;
    const sent = (taken: boolean, bytes: number): boolean => {
      witness.peak = Math.max(witness.peak, connection.bufferedAmount);
      witness.largest = Math.max(witness.largest, bytes);
      return taken;
    };
    const ended = (): void => {
      witness.endedAt ??= this.#clock.now();
    };
    return this.#gate(accept(Object.assign(connection, {
      send: (chunk: Uint8Array | string) => sent(send.call(connection, chunk), chunk.length),
      sendAll: (chunks: readonly (Uint8Array | string)[]) =>
        sent(sendAll.call(connection, chunks), chunks.reduce((bytes, { length }) => bytes + length, 0)),
      close: (code?: number, reason?: string) => {
        ended();
        close.call(connection, code, reason);
      },
      terminate: () => {
        ended();
        terminate.call(connection);
      },
    })));
  }

  #gate(handler: ConnectionHandler): ConnectionHandler {
    const clock = this.#clock;
    return {
      data: (chunk) => clock.outside(() => handler.data(chunk)),
      drain: () => clock.outside(() => handler.drain()),
      close: (reason) => clock.outside(() => handler.close(reason)),
    };
  }

  /** Closes its listening sockets, as the death of a process does. */
  close(): void {
    for (const socket of this.#listening) void socket.close();
  }
}
