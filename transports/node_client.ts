/**
 * WebSocket clients by `ws`, for Node and Deno.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import net from "node:net";
import tls from "node:tls";
import type {
  ClientTlsOptions,
  Connection,
  ConnectionHandler,
  ConnectOptions,
} from "../src/lib/transport.ts";
import { DEFAULT_MAX_PAYLOAD, type Settings } from "./base.ts";
import { abortError, connectError, refusedUpgrade } from "./failures.ts";
import { WsClientConnection } from "./node_websocket.ts";
import { clientTls } from "./tls_options.ts";
import { openWs } from "./ws_api.ts";

/** How `wss:` is spoken; the same as for TCP, see `openSocket` there. */
function secureOptions(url: URL, secure: ClientTlsOptions | undefined): object {
  if (!secure || url.protocol !== "wss:") return {};
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const name = secure.serverName ?? host;
  return {
    ...clientTls(secure),
    servername: net.isIP(name) ? "" : name,
    checkServerIdentity: (_: string, certificate: tls.PeerCertificate) =>
      tls.checkServerIdentity(name, certificate),
  };
}

/** Connects to a WebSocket server. */
export function connectWs(
  url: URL,
  handler: (connection: Connection) => ConnectionHandler,
  options: ConnectOptions,
  settings: Settings,
): Promise<Connection> {
  const to = url.href;
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(abortError(signal, to));
  return new Promise((resolve, reject) => {
    const ws = openWs(
      url,
      options.protocols ?? [],
      options.maxPayload ?? DEFAULT_MAX_PAYLOAD,
      secureOptions(url, options.tls),
    );
    let answer: IncomingMessage | undefined;
    const abort = () => {
      reject(abortError(signal!, to));
      ws.terminate();
    };
    const settle = () => signal?.removeEventListener("abort", abort);
    const failed = (error: Error) => {
      settle();
      reject(answer ? refusedUpgrade(to, error.message) : connectError(error, to));
    };
    signal?.addEventListener("abort", abort, { once: true });
    ws.on("error", failed);
    ws.once("unexpected-response", (_, response) => {
      settle();
      reject(refusedUpgrade(to, response.statusCode ?? "something else"));
      response.resume();
      ws.terminate();
    });
    ws.once("upgrade", (response) => {
      answer = response;
    });
    ws.once("open", () => {
      settle();
      ws.off("error", failed);
      const connection = new WsClientConnection(ws, answer!.socket, settings);
      const failure = connection.start(handler);
      if (failure) reject(failure.error);
      else resolve(connection);
    });
  });
}
