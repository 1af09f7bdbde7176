/**
 * One question to a bridge, for who follows nothing: how `toychat members` and `toychat owner` know.
 *
 * @module
 */
import { type Cancel, delay } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";
import { type BridgeLink, type BridgeLinkOptions, bridgeUnreachable, openBridgeLink } from "./bridge_link.ts";
import type { RpcParams } from "./json_rpc.ts";

/** How to ask. */
export type AskOptions = Omit<BridgeLinkOptions, "onNotification">;

const RETRY_MS = 100;
/** An attempt that had this long and heard nothing says that nothing answers. */
const FAIR_MS = 1000;
/** Longer than any method that is asked so: `cluster.drain` waits 2 s for another host. */
const ANSWER_MS = 10_000;

/**
 * Calls one method of a bridge on a connection of its own. It is tried for `timeoutMs` to reach it; its answer is waited
 * for 10 s.
 *
 * @throws {ToychatError} `bridge_unreachable`, `bridge_refused`; what the bridge answers the method with.
 */
export async function askBridge(options: AskOptions, method: string, params: object): Promise<RpcParams> {
  const { clock, url, timeoutMs } = options;
  const until = clock.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    const left = Math.max(1, until - clock.now());
    try {
      const link = await openBridgeLink({ ...options, timeoutMs: left, onNotification: () => {} });
      try {
        return await callWithin(link, options, method, params);
      } finally {
        link.end(clock);
      }
    } catch (error) {
      const code = error instanceof ToychatError ? error.code : "";
      if (!AGAIN.includes(code)) throw error;
      // An attempt that the end of the time cut short knows less than the one before it.
      if (last === undefined || code !== "connect_timeout" || left >= FAIR_MS) last = error;
      if (clock.now() + RETRY_MS >= until) throw bridgeUnreachable(url, timeoutMs, last);
      await delay(clock, RETRY_MS);
    }
  }
}

/** A bridge may freeze, or the network to it vanish, without a word. */
async function callWithin(
  link: BridgeLink,
  { clock, url }: AskOptions,
  method: string,
  params: object,
): Promise<RpcParams> {
  let cancel: Cancel = () => {};
  const tooLong = new Promise<never>((_, reject) => {
    cancel = clock.after(ANSWER_MS, () => {
      reject(
        new ToychatError(
          "bridge_unreachable",
          `the bridge at ${url} has not answered ${method} within ${
            ANSWER_MS / 1000
          } s: it hangs, or the network ` +
            "to it was cut; ask again, or restart the bridge",
        ),
      );
      link.terminate();
    });
  });
  try {
    return await Promise.race([link.call(method, params), tooLong]);
  } finally {
    cancel();
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
