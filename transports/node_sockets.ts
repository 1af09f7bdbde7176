/**
 * The transport that Node and Deno share, over `node:net`, `node:http` and `ws`.
 *
 * @module
 */

import type {
  Address,
  Connection,
  ConnectionHandler,
  ConnectOptions,
  Transport,
} from "../src/lib/transport.ts";
import { type Settings, settingsOf, type TransportOptions } from "./base.ts";
import { createContext } from "./context.ts";
import { checkListenPort, checkTcpAddress, webSocketUrl } from "./failures.ts";
import { connectWs } from "./node_client.ts";
import { serveNode } from "./node_http.ts";
import { connectTcp, listenTcp } from "./node_tcp.ts";

/** Makes a transport over Node's modules under the name of the runtime. */
export function nodeSockets(name: string, options: TransportOptions): Transport {
  const settings = settingsOf(options);
  return {
    name,
    async listen(where, accept) {
      checkListenPort(where.port);
      return await listenTcp(where, accept, settings);
    },
    connect: (address, handler, choices = {}) => connect(address, handler, choices, settings),
    async serve(where) {
      checkListenPort(where.port);
      return await serveNode(where, settings);
    },
    createContext,
  };
}

async function connect(
  address: Address,
  handler: (connection: Connection) => ConnectionHandler,
  options: ConnectOptions,
  settings: Settings,
): Promise<Connection> {
  if (typeof address === "string") return await connectWs(webSocketUrl(address), handler, options, settings);
  checkTcpAddress(address);
  return await connectTcp(address, handler, options, settings);
}
