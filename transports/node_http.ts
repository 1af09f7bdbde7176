/**
 * HTTP over `node:http` with WebSockets by `ws`, for Node and Deno.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import http, { type IncomingMessage, STATUS_CODES } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import { errorMessage, ToychatError } from "../src/lib/errors.ts";
import type { ListenSocket, ServeEnvironment, ServeOptions, UpgradeOptions } from "../src/lib/transport.ts";
import type { Connection, ConnectionHandler } from "../src/lib/transport.ts";
import { DEFAULT_MAX_PAYLOAD, type Settings } from "./base.ts";
import { plainAddress } from "./failures.ts";
import { startListening } from "./node_tcp.ts";
import { secureServer } from "./node_tls.ts";
import { WsServerConnection } from "./node_websocket.ts";
import { badRequest, checkUpgrade, failedResponse, loggedPath, upgradedResponse } from "./upgrades.ts";
import { type WsServer, wsServer } from "./ws_api.ts";

/**
 * A client has 5 s for its request's head, which bounds how long a socket that says nothing stays, and 30 s for the
 * whole of it; what the answer takes is not in it. By default Node would wait for 60 s and 5 min, and look every 30 s.
 */
const PATIENCE = {
  noDelay: true,
  headersTimeout: 5000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1000,
} as const;

/** Starts an HTTP or HTTPS server. Throws as `listen` does. */
export function serveNode(options: ServeOptions, settings: Settings): Promise<ListenSocket> {
  const failed = (error: unknown) => {
    // What the client wrote cannot be made a request: no fault of this side.
    if (error instanceof RequestError) return badRequest();
    settings.log("error", "fetch_failed", { error: errorMessage(error) });
    return failedResponse();
  };
  const plain = getRequestListener((request, bindings) => {
    const { incoming } = bindings as { incoming: IncomingMessage };
    return options.fetch(request, plainEnvironment(request, incoming));
  }, { overrideGlobalObjects: false, errorHandler: failed });
  const server = options.tls
    ? secureServer(options.tls, (material) => https.createServer({ ...material, ...PATIENCE }, plain))
    : http.createServer(PATIENCE, plain);
  const upgrader = new Upgrader(options, settings);
  server.on("upgrade", (incoming, socket, head) => void upgrader.handle(incoming, socket as Socket, head));
  return startListening(server, options);
}

function plainEnvironment(request: Request, incoming: IncomingMessage): ServeEnvironment {
  return {
    remoteAddress: plainAddress(incoming.socket.remoteAddress),
    upgrade(_accept, options) {
      checkUpgrade(request, false, options);
      throw new ToychatError("not_an_upgrade", "this request has no Connection: Upgrade header");
    },
  };
}

/** Answers requests that ask for an upgrade; Node hands their bare sockets over. */
class Upgrader {
  readonly #options: ServeOptions;
  readonly #settings: Settings;
  /** One `ws` server for each message limit in use. */
  readonly #servers = new Map<number, WsServer>();
  #protocol: string | undefined = undefined;

  constructor(options: ServeOptions, settings: Settings) {
    this.#options = options;
    this.#settings = settings;
  }

  async handle(incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const ignore = () => {};
    socket.on("error", ignore);
    const request = requestOf(incoming);
    if (!request) return await writeResponse(socket, badRequest());
    const state = { upgraded: false };
    const env: ServeEnvironment = {
      remoteAddress: plainAddress(socket.remoteAddress),
      upgrade: (accept, options) => {
        checkUpgrade(request, state.upgraded, options);
        this.#upgrade(incoming, socket, head, accept, options ?? {});
        state.upgraded = true;
        return upgradedResponse();
      },
    };
    const response = await this.#answer(request, env);
    if (!state.upgraded) await writeResponse(socket, response);
  }

  async #answer(request: Request, env: ServeEnvironment): Promise<Response> {
    try {
      return await this.#options.fetch(request, env);
    } catch (error) {
      this.#settings.log("error", "fetch_failed", { error: errorMessage(error), path: loggedPath(request) });
      return failedResponse();
    }
  }

  #upgrade(
    incoming: IncomingMessage,
    socket: Socket,
    head: Buffer,
    accept: (connection: Connection) => ConnectionHandler,
    options: UpgradeOptions,
  ): void {
    let done = false;
    this.#protocol = options.protocol;
    this.#server(options.maxPayload ?? DEFAULT_MAX_PAYLOAD).handleUpgrade(incoming, socket, head, (ws) => {
      done = true;
      new WsServerConnection(ws, socket, this.#settings).start(accept);
    });
    if (!done) throw new ToychatError("not_an_upgrade", "the client went before its upgrade was answered");
  }

  #server(maxPayload: number): WsServer {
    let server = this.#servers.get(maxPayload);
    if (!server) {
      // handleUpgrade asks before it returns, so this is the protocol of the upgrade under way.
      server = wsServer(maxPayload, () => this.#protocol ?? false);
      this.#servers.set(maxPayload, server);
    }
    return server;
  }
}

/** The request of an upgrade; `undefined` where its URL or headers are none. */
function requestOf(incoming: IncomingMessage): Request | undefined {
  try {
    const scheme = "encrypted" in incoming.socket ? "https" : "http";
    const url = new URL(incoming.url ?? "/", `${scheme}://${incoming.headers.host ?? "localhost"}`);
    const headers = new Headers();
    const raw = incoming.rawHeaders;
    for (let i = 0; i < raw.length; i += 2) headers.append(raw[i]!, raw[i + 1]!);
    return new Request(url, { method: incoming.method ?? "GET", headers });
  } catch {
    return undefined;
  }
}

/** Writes a plain answer to a bare socket and ends it. */
async function writeResponse(socket: Socket, response: Response): Promise<void> {
  try {
    const body = new Uint8Array(await response.arrayBuffer());
    const lines = [
      `HTTP/1.1 ${response.status} ${response.statusText || STATUS_CODES[response.status] || "Answer"}`,
    ];
    for (const [name, value] of response.headers) {
      if (name !== "content-length" && name !== "transfer-encoding" && name !== "connection") {
        lines.push(`${name}: ${value}`);
      }
    }
    lines.push(`content-length: ${body.length}`, "connection: close", "", "");
    socket.cork();
    socket.write(lines.join("\r\n"));
    socket.end(body);
    socket.uncork();
    socket.resume();
  } catch {
    socket.destroy();
  }
}
