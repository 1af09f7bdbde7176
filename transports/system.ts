/**
 * The transport of whatever runtime is running.
 *
 * @module
 */

import type { Transport } from "../src/lib/transport.ts";
import type { TransportOptions } from "./base.ts";

export type { TransportOptions } from "./base.ts";

interface Runtimes {
  Bun?: unknown;
  Deno?: unknown;
}

/** Name of the runtime: Bun and Deno give themselves away by a global, what has neither is taken for Node. */
export function runtimeName(): "bun" | "deno" | "node" {
  const { Bun, Deno } = globalThis as Runtimes;
  return Bun !== undefined ? "bun" : Deno !== undefined ? "deno" : "node";
}

/**
 * Makes the transport for this runtime, and loads no other's.
 *
 * @example
 * ```ts
 * import { systemTransport } from "@toychat/toychat/system";
 *
 * const transport = await systemTransport();
 * console.log(`sockets of ${transport.name}`);
 * ```
 */
export async function systemTransport(options: TransportOptions = {}): Promise<Transport> {
  switch (runtimeName()) {
    case "bun":
      return (await import("./bun.ts")).bunTransport(options);
    case "deno":
      return (await import("./deno.ts")).denoTransport(options);
    default:
      return (await import("./node.ts")).nodeTransport(options);
  }
}
