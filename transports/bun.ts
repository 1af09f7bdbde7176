/**
 * The transport for Bun, on Bun's own sockets: `Bun.listen`, `Bun.connect` and `Bun.serve`.
 *
 * What is peculiar to Bun: a socket's `write` may take fewer bytes than it was given, so connections keep a queue; its
 * HTTP server has one limit on WebSocket messages for all connections (`maxPayload`), beyond which it ends a connection
 * with 1009 or without a close frame, while smaller limits of single connections are kept here.
 *
 * @module
 */

import { type Clock, systemClock } from "../src/lib/clock.ts";
import { ToychatError } from "../src/lib/errors.ts";
import type {
  Address,
  Connection,
  ConnectionHandler,
  ConnectOptions,
  ListenOptions,
  ListenSocket,
  TcpAddress,
  Transport,
} from "../src/lib/transport.ts";
import { type Settings, settingsOf, type TransportOptions } from "./base.ts";
import { bun, type BunApi } from "./bun_api.ts";
import { bunClientTls, connectWebSocket } from "./bun_client.ts";
import { serveBun } from "./bun_http.ts";
import { type BunTcpConnection, secureCallbacks, tcpCallbacks } from "./bun_tcp.ts";
import { createContext } from "./context.ts";
import {
  abortError,
  bindHost,
  checkListenPort,
  checkTcpAddress,
  connectError,
  endpoint,
  listenError,
  webSocketUrl,
} from "./failures.ts";
import { serverTls } from "./tls_options.ts";

export type { TransportOptions } from "./base.ts";

/** Options of {@linkcode bunTransport}. */
export interface BunTransportOptions extends TransportOptions {
  /** The most that `maxPayload` of an upgrade may be, in bytes, where `serve` is not told of more; default 1048576. */
  readonly maxPayload?: number;
  /** Times the looks at a WebSocket client's buffer; default the runtime's clock. */
  readonly clock?: Clock;
}

/**
 * Makes the transport for Bun.
 *
 * @example
 * ```ts
 * import { bunTransport } from "@toychat/toychat/bun";
 *
 * const transport = bunTransport();
 * const server = await transport.listen({ port: 0 }, (connection) => ({
 *   data: (chunk) => connection.send(chunk),
 *   drain() {},
 *   close() {},
 * }));
 * console.log(`echo on ${server.port}`);
 * ```
 *
 * @throws {ToychatError} `wrong_runtime` where there is no Bun.
 */
export function bunTransport(options: BunTransportOptions = {}): Transport {
  const api = bun;
  if (!api) {
    throw new ToychatError(
      "wrong_runtime",
      "this is not Bun: use denoTransport, nodeTransport or systemTransport",
    );
  }
  const settings = settingsOf(options);
  const maxPayload = options.maxPayload ?? 1 << 20;
  return {
    name: "bun",
    // deno-lint-ignore require-await
    async listen(where, accept) {
      return guarded(where, () => listen(api, where, accept, settings));
    },
    connect: (address, handler, choices = {}) =>
      connect(api, address, handler, choices, settings, options.clock),
    // deno-lint-ignore require-await
    async serve(where) {
      return guarded(where, () => serveBun(api, where, settings, maxPayload));
    },
    createContext,
  };
}

function guarded(options: ListenOptions, start: () => ListenSocket): ListenSocket {
  checkListenPort(options.port);
  try {
    return start();
  } catch (error) {
    throw listenError(error, options);
  }
}

function listen(
  api: BunApi,
  options: ListenOptions,
  accept: (connection: Connection) => ConnectionHandler,
  settings: Settings,
): ListenSocket {
  const listener = api.listen({
    hostname: bindHost(options),
    port: options.port,
    ...(options.tls ? { tls: serverTls(options.tls) } : {}),
    allowHalfOpen: true,
    socket: tcpCallbacks(settings, (connection) => connection.start(accept)),
  });
  const { hostname, port } = listener;
  return {
    host: hostname,
    port,
    close() {
      listener.stop(false);
      return Promise.resolve();
    },
  };
}

async function connect(
  api: BunApi,
  address: Address,
  handler: (connection: Connection) => ConnectionHandler,
  options: ConnectOptions,
  settings: Settings,
  clock: Clock = systemClock,
): Promise<Connection> {
  if (typeof address === "string") {
    return await connectWebSocket(webSocketUrl(address), handler, options, settings, clock);
  }
  checkTcpAddress(address);
  return await connectTcp(api, address, handler, options, settings);
}

function connectTcp(
  api: BunApi,
  address: TcpAddress,
  handler: (connection: Connection) => ConnectionHandler,
  options: ConnectOptions,
  settings: Settings,
): Promise<Connection> {
  const { signal, tls } = options;
  const to = endpoint(address.host, address.port);
  if (signal?.aborted) return Promise.reject(abortError(signal, to));
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortError(signal!, to));
    const failed = (error: unknown) => {
      signal?.removeEventListener("abort", abort);
      reject(connectError(error, to));
    };
    signal?.addEventListener("abort", abort, { once: true });
    const opened = (connection: BunTcpConnection): void => {
      signal?.removeEventListener("abort", abort);
      // Bun cannot cancel a connect, so one that was given up ends as soon as it stands.
      if (signal?.aborted) return connection.terminate();
      const failure = connection.start(handler);
      if (failure) reject(failure.error);
      else resolve(connection);
    };
    const callbacks = tls ? secureCallbacks(settings, opened, failed) : tcpCallbacks(settings, opened);
    const socket = { ...callbacks, connectError: (_: unknown, error: Error) => failed(error) };
    const where = { hostname: address.host, port: address.port, allowHalfOpen: true };
    api.connect({ ...where, ...(tls ? { tls: bunClientTls(tls) } : {}), socket }).catch(failed);
  });
}
