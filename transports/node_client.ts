/**
 * WebSocket clients by `ws`, for Node and Deno.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Connection, ConnectionHandler, ConnectOptions } from "../src/lib/transport.ts";
import { DEFAULT_MAX_PAYLOAD, type Settings } from "./base.ts";
import { abortError, connectError, refusedUpgrade } from "./failures.ts";
import { WsClientConnection } from "./node_websocket.ts";
import { openWs } from "./ws_api.ts";

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
    const ws = openWs(url, options.protocols ?? [], options.maxPayload ?? DEFAULT_MAX_PAYLOAD);
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
