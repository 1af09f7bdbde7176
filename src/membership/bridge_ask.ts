/**
 * One question to a bridge, for who follows nothing: how `toychat members` and `toychat owner` know.
 *
 * @module
 */
import { delay } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";
import { type BridgeLinkOptions, bridgeUnreachable, openBridgeLink } from "./bridge_link.ts";
import type { RpcParams } from "./json_rpc.ts";

/** How to ask. */
export type AskOptions = Omit<BridgeLinkOptions, "onNotification">;

const RETRY_MS = 100;

/**
 * Calls one method of a bridge on a connection of its own. It is tried for `timeoutMs` to reach it.
 *
 * @throws {ToychatError} `bridge_unreachable`, `bridge_refused`; what the bridge answers the method with.
 */
export async function askBridge(options: AskOptions, method: string, params: object): Promise<RpcParams> {
  const { clock, url, timeoutMs } = options;
  const until = clock.now() + timeoutMs;
  for (;;) {
    try {
      const left = Math.max(1, until - clock.now());
      const link = await openBridgeLink({ ...options, timeoutMs: left, onNotification: () => {} });
      try {
        return await link.call(method, params);
      } finally {
        link.end(clock);
      }
    } catch (error) {
      const code = error instanceof ToychatError ? error.code : "";
      if (!AGAIN.includes(code)) throw error;
      if (clock.now() + RETRY_MS >= until) throw bridgeUnreachable(url, timeoutMs, error);
      await delay(clock, RETRY_MS);
    }
  }
}

/** What may be different in a moment: the bridge starts, or starts anew. */
const AGAIN: readonly string[] = [
  "connection_refused",
  "connection_ended",
  "connect_timeout",
  "connect_failed",
  "host_not_found",
];
