/**
 * Serves a proxy over HTTP.
 *
 * @module
 */
import type { FetchHandler, ListenOptions, ListenSocket, Transport } from "../lib/transport.ts";
import type { ProxyServer } from "../proxy/proxy_server.ts";
import { maxPayloadOf, proxyApp, type ProxyAppOptions } from "./proxy_app.ts";

/** Options of {@linkcode serveHttp}. */
export interface ServeHttpOptions extends ListenOptions, ProxyAppOptions {
  /** The runtime's sockets; default those of the proxy. */
  readonly transport?: Transport;
  /** An application of your own to serve, in which {@linkcode proxyApp} is mounted; default `proxyApp(proxy)` itself. */
  readonly fetch?: FetchHandler;
}

/**
 * Serves {@linkcode proxyApp} on a port of its own, closed when the proxy stops. Called before `proxy.start()`, the proxy
 * shows this port in the list of members if it listens on no other; users who come before it has started are turned away.
 *
 * @throws {ToychatError} as {@linkcode Transport.serve} and {@linkcode proxyApp} do.
 *
 * @example
 * ```ts
 * import { LocalMembership, ProxyServer, serveHttp } from "toychat";
 * import { systemTransport } from "toychat/system";
 *
 * const membership = new LocalMembership();
 * await using proxy = new ProxyServer({ membership, transport: await systemTransport() });
 * const { port } = await serveHttp(proxy, { port: 0 });
 * await proxy.start();
 * console.log(`ws://127.0.0.1:${port}/ws?user=ann`);
 * ```
 */
export async function serveHttp(proxy: ProxyServer, options: ServeHttpOptions): Promise<ListenSocket> {
  const { port, host = "127.0.0.1", tls, transport = proxy.transport } = options;
  const fetch = options.fetch ?? proxyApp(proxy, options).fetch;
  const maxPayload = maxPayloadOf(proxy);
  const socket = await transport.serve({ port, host, fetch, maxPayload, ...(tls ? { tls } : {}) });
  proxy.attach("http", socket, tls !== undefined);
  return socket;
}
