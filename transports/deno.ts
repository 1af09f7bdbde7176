/**
 * The transport for Deno, over Deno's `node:net` and `node:http` and the `ws` package.
 *
 * Why not Deno's own sockets: `Deno.upgradeWebSocket` cannot stop reading, so a slow reader could not push its peer
 * back; and an idle connection of `Deno.listen` takes three times the memory of one of `node:net`.
 *
 * @module
 */

import type { Transport } from "../src/lib/transport.ts";
import type { TransportOptions } from "./base.ts";
import { nodeSockets } from "./node_sockets.ts";

export type { TransportOptions } from "./base.ts";

/**
 * Makes the transport for Deno. It needs `--allow-net`, and `ws` also reads the environment (`--allow-env`).
 *
 * What is peculiar to Deno is what is to Node: `drain` comes when a buffer is empty, and a `highMark` below 64 KiB is
 * raised to that.
 *
 * @example
 * ```ts
 * import { denoTransport } from "@toychat/toychat/deno";
 *
 * const transport = denoTransport();
 * const server = await transport.listen({ port: 0 }, (connection) => ({
 *   data: (chunk) => connection.send(chunk),
 *   drain() {},
 *   close() {},
 * }));
 * console.log(`echo on ${server.port}`);
 * ```
 */
export function denoTransport(options: TransportOptions = {}): Transport {
  return nodeSockets("deno", options);
}
