/**
 * A network in memory: every host, port and connection lives in one object, and everything that travels is timed by an
 * injected clock. Tests and simulators run whole clusters on it; one process may use it between its own roles.
 *
 * @module
 */

import { ToychatError } from "../src/lib/errors.ts";
import type {
  Address,
  Connection,
  ConnectionHandler,
  ConnectOptions,
  FetchHandler,
  ListenOptions,
  ListenSocket,
  TcpAddress,
  Transport,
} from "../src/lib/transport.ts";
import { DEFAULT_MAX_PAYLOAD } from "./base.ts";
import { createContext } from "./context.ts";
import {
  abortError,
  checkListenPort,
  checkTcpAddress,
  endpoint,
  refusedUpgrade,
  webSocketUrl,
} from "./failures.ts";
import { MemoryConnection } from "./memory_connection.ts";
import { ask, hostOf, nothingServes, portOf, upgradeRequest } from "./memory_http.ts";
import { type MemoryOptions, Network } from "./memory_network.ts";

export type { TransportOptions } from "./base.ts";
export type { Delivery, MemoryOptions } from "./memory_network.ts";

/** A transport in memory, and the levers of the network beneath it. */
export interface MemoryTransport extends Transport {
  /** The same network as seen from another host. */
  at(host: string): MemoryTransport;
  /** Sends an HTTP request to what serves in this network. Throws `connection_refused`. */
  fetch(request: Request): Promise<Response>;
  /** Breaks the connections between hosts for which `which` is true; both ends are told an error. */
  break(which: (from: string, to: string) => boolean): void;
  /** Asks `delay` again for everything that is held. */
  retry(): void;
  /** How many connections and listening sockets there are, for leak checks: each open end counts. */
  count(): { connections: number; listeners: number };
}

/** A network as one of its hosts sees it. */
class View implements MemoryTransport {
  readonly name = "memory";
  readonly #network: Network;
  readonly #host: string;

  constructor(network: Network, host: string) {
    this.#network = network;
    this.#host = host;
  }

  // deno-lint-ignore require-await
  async listen(
    options: ListenOptions,
    accept: (connection: Connection) => ConnectionHandler,
  ): Promise<ListenSocket> {
    checkListenPort(options.port);
    return this.#network.listen({ host: this.#resolve(options.host), port: options.port, accept });
  }

  // deno-lint-ignore require-await
  async serve(options: ListenOptions & { fetch: FetchHandler }): Promise<ListenSocket> {
    checkListenPort(options.port);
    return this.#network.listen({
      host: this.#resolve(options.host),
      port: options.port,
      fetch: options.fetch,
    });
  }

  async connect(
    address: Address,
    handler: (connection: Connection) => ConnectionHandler,
    options: ConnectOptions = {},
  ): Promise<Connection> {
    const to = typeof address === "string"
      ? webSocketUrl(address).href
      : endpoint(address.host, address.port);
    const attempt = typeof address === "string"
      ? this.#connectWebSocket(new URL(to), handler, options)
      : this.#connectTcp(address, handler, options.signal);
    return await abortable(attempt, options.signal, to);
  }

  createContext = createContext;

  at(host: string): MemoryTransport {
    return new View(this.#network, host);
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const host = this.#resolve(hostOf(url));
    await this.#network.travel(this.#host, host);
    const serving = this.#network.find(host, portOf(url))?.fetch;
    if (!serving) throw nothingServes(url.host);
    const { response } = await ask(serving, request, this.#host, this.#network.settings.log);
    await this.#network.travel(host, this.#host);
    return response;
  }

  break(which: (from: string, to: string) => boolean): void {
    for (const end of [...this.#network.connections]) {
      const { localAddress, remoteAddress } = end;
      if (which(localAddress, remoteAddress) || which(remoteAddress, localAddress)) {
        end.break("the network broke");
      }
    }
  }

  retry(): void {
    this.#network.retry();
  }

  count(): { connections: number; listeners: number } {
    return { connections: this.#network.connections.size, listeners: this.#network.listeners.size };
  }

  #resolve(host: string | undefined): string {
    return host === undefined || host === "localhost" ? this.#host : host;
  }

  async #connectTcp(
    address: TcpAddress,
    handler: (connection: Connection) => ConnectionHandler,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    checkTcpAddress(address);
    const host = this.#resolve(address.host);
    await this.#network.travel(this.#host, host);
    const listener = this.#network.find(host, address.port);
    if (!listener?.accept) throw nothingServes(endpoint(address.host, address.port));
    if (signal?.aborted) throw abortError(signal, endpoint(address.host, address.port));
    return await this.#establish("bytes", host, [Infinity, Infinity], listener.accept, handler, signal);
  }

  async #connectWebSocket(
    url: URL,
    handler: (connection: Connection) => ConnectionHandler,
    options: ConnectOptions,
  ): Promise<Connection> {
    const host = this.#resolve(hostOf(url));
    await this.#network.travel(this.#host, host);
    const serving = this.#network.find(host, portOf(url))?.fetch;
    if (!serving) throw nothingServes(url.href);
    const request = upgradeRequest(url, options.protocols ?? [], this.#network.clock);
    const decision = await ask(serving, request, this.#host, this.#network.settings.log);
    if (!decision.accept) throw refusedUpgrade(url.href, decision.response.status);
    const limits: [number, number] = [
      options.maxPayload ?? DEFAULT_MAX_PAYLOAD,
      decision.options?.maxPayload ?? DEFAULT_MAX_PAYLOAD,
    ];
    return await this.#establish("messages", host, limits, decision.accept, handler, options.signal);
  }

  /** Makes both ends, the far one first; `limits` are the largest messages that the near and the far one take. */
  #establish(
    kind: "bytes" | "messages",
    host: string,
    limits: [number, number],
    accept: (connection: Connection) => ConnectionHandler,
    handler: (connection: Connection) => ConnectionHandler,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const [near, far] = MemoryConnection.pair(
      this.#network.wire(kind),
      { host: this.#host, maxPayload: limits[0] },
      { host, maxPayload: limits[1] },
    );
    this.#network.connections.add(near).add(far);
    return new Promise((resolve, reject) => {
      near.onOpen = () => {
        if (near.ended) return reject(new ToychatError("connect_failed", `the network to ${host} broke`));
        if (signal?.aborted) return near.terminate();
        const failure = near.start(handler);
        if (failure) reject(failure.error);
        else resolve(near);
      };
      far.opened();
      far.start(accept);
    });
  }
}

/** Rejects with `connect_aborted` as soon as the signal says so; what the attempt still brings is ended by itself. */
function abortable(
  attempt: Promise<Connection>,
  signal: AbortSignal | undefined,
  to: string,
): Promise<Connection> {
  if (!signal) return attempt;
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal, to));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    attempt.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/**
 * Makes a network in memory and gives the view of one host on it.
 *
 * @example
 * ```ts
 * import { memoryTransport } from "@toychat/toychat/memory";
 *
 * const transport = memoryTransport();
 * const server = await transport.listen({ port: 7001 }, (connection) => ({
 *   data: (chunk) => connection.send(chunk),
 *   drain() {},
 *   close() {},
 * }));
 * const client = await transport.connect({ host: server.host, port: 7001 }, () => ({
 *   data: (chunk) => console.log(chunk),
 *   drain() {},
 *   close() {},
 * }));
 * client.send("hello");
 * ```
 */
export function memoryTransport(options: MemoryOptions = {}): MemoryTransport {
  return new View(new Network(options), options.host ?? "127.0.0.1");
}
