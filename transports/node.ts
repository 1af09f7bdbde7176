/**
 * The transport for Node 20 and later, over `node:net`, `node:http` and the `ws` package.
 *
 * @module
 */

import type { Transport } from "../src/lib/transport.ts";
import type { TransportOptions } from "./base.ts";
import { nodeSockets } from "./node_sockets.ts";

export type { TransportOptions } from "./base.ts";

/**
 * Makes the transport for Node.
 *
 * What is peculiar to Node: a socket tells `drain` only when its buffer is empty and only after its own mark was passed
 * (16 KiB on Node 20, 64 KiB later), so a `highMark` below that mark is raised to it, and the low mark is zero. Node 20
 * takes a peer's reset for a FIN where unread data lay before it, so `close` may say `"peer"` there instead of `"error"`.
 *
 * @example
 * ```ts
 * import { nodeTransport } from "toychat/node";
 *
 * const transport = nodeTransport();
 * const server = await transport.listen({ port: 0 }, (connection) => ({
 *   data: (chunk) => connection.send(chunk),
 *   drain() {},
 *   close() {},
 * }));
 * console.log(`echo on ${server.port}`);
 * ```
 */
export function nodeTransport(options: TransportOptions = {}): Transport {
  return nodeSockets("node", options);
}
