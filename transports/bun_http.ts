/**
 * HTTP on Bun: `Bun.serve`, whose own WebSockets take the upgrades.
 *
 * @module
 */

import { errorMessage, ToychatError } from "../src/lib/errors.ts";
import type { ListenSocket, ServeEnvironment, ServeOptions } from "../src/lib/transport.ts";
import { DEFAULT_MAX_PAYLOAD, type Settings } from "./base.ts";
import type { BunApi, BunServer } from "./bun_api.ts";
import { type BunUpgrade, BunWebSocketConnection, webSocketCallbacks } from "./bun_websocket.ts";
import { bindHost, plainAddress } from "./failures.ts";
import { serverTls } from "./tls_options.ts";
import { badRequest, checkUpgrade, failedResponse, loggedPath, upgradedResponse } from "./upgrades.ts";

/** Seconds after which Bun ends an HTTP connection on which nothing moves; a long poll must answer sooner. */
const HTTP_IDLE_SECONDS = 120;

/** Starts an HTTP server; `most` is the most that an upgrade may ask for where `options` do not say more. */
export function serveBun(
  bun: BunApi,
  options: ServeOptions,
  settings: Settings,
  most: number,
): ListenSocket {
  const maxPayload = Math.max(most, options.maxPayload ?? 0);
  const server = bun.serve<BunUpgrade>({
    hostname: bindHost(options),
    port: options.port,
    ...(options.tls ? { tls: serverTls(options.tls) } : {}),
    idleTimeout: HTTP_IDLE_SECONDS,
    development: false,
    // Without this a second server on the same port would quietly share it outside development.
    reusePort: false,
    fetch: (request, server) => answer(request, server, options, settings, maxPayload),
    error: () => failedResponse(),
    websocket: webSocketCallbacks(maxPayload),
  });
  const { hostname, port } = server;
  return {
    host: hostname,
    port,
    close() {
      // The port is free when stop() returns; its promise waits for the open connections, which live on.
      void server.stop(false);
      return Promise.resolve();
    },
  };
}

async function answer(
  request: Request,
  server: BunServer<BunUpgrade>,
  options: ServeOptions,
  settings: Settings,
  maxPayload: number,
): Promise<Response | undefined> {
  // Bun hands on what it cannot make a URL of, as with spaces in Host, and handlers take it for one.
  if (!URL.canParse(request.url)) return badRequest();
  const state = { upgraded: false };
  try {
    const response = await options.fetch(request, environment(request, server, settings, maxPayload, state));
    return state.upgraded ? undefined : response;
  } catch (error) {
    settings.log("error", "fetch_failed", { error: errorMessage(error), path: loggedPath(request) });
    return state.upgraded ? undefined : failedResponse();
  }
}

function environment(
  request: Request,
  server: BunServer<BunUpgrade>,
  settings: Settings,
  maxPayload: number,
  state: { upgraded: boolean },
): ServeEnvironment {
  return {
    get remoteAddress(): string {
      return plainAddress(server.requestIP(request)?.address);
    },
    upgrade(accept, options) {
      checkUpgrade(request, state.upgraded, options);
      const limit = options?.maxPayload ?? DEFAULT_MAX_PAYLOAD;
      if (limit > maxPayload) {
        throw new RangeError(
          `maxPayload ${limit} is over the transport's ${maxPayload}: raise bunTransport({ maxPayload })`,
        );
      }
      const data: BunUpgrade = {
        connection: undefined,
        open(socket) {
          const connection = new BunWebSocketConnection(socket, settings, limit);
          data.connection = connection;
          connection.start(accept);
          return connection;
        },
      };
      // An empty value keeps Bun from selecting the first subprotocol by itself.
      const headers = { "sec-websocket-protocol": options?.protocol ?? "" };
      state.upgraded = server.upgrade(request, { data, headers });
      if (!state.upgraded) {
        throw new ToychatError("not_an_upgrade", "the client went before its upgrade was answered");
      }
      return upgradedResponse();
    },
  };
}
