/**
 * HTTP in memory: requests go to a fetch handler without any wire; upgrades become connections in memory.
 *
 * @module
 */

import type { Clock } from "../src/lib/clock.ts";
import { errorMessage, ToychatError } from "../src/lib/errors.ts";
import type { Logger } from "../src/lib/log.ts";
import type {
  Connection,
  ConnectionHandler,
  FetchHandler,
  ServeEnvironment,
  UpgradeOptions,
} from "../src/lib/transport.ts";
import { checkUpgrade, failedResponse, loggedPath, upgradedResponse } from "./upgrades.ts";

/** What a fetch handler decided about an upgrade. */
export interface Decision {
  /** Set when it upgraded. */
  accept?: (connection: Connection) => ConnectionHandler;
  /** With which options. */
  options?: UpgradeOptions;
  /** Its answer. */
  response: Response;
}

/** Asks a fetch handler; one that throws answers 500. */
export async function ask(
  fetch: FetchHandler,
  request: Request,
  remoteAddress: string,
  log: Logger,
): Promise<Decision> {
  const decision: Decision = { response: failedResponse() };
  const env: ServeEnvironment = {
    remoteAddress,
    upgrade(accept, options) {
      checkUpgrade(request, decision.accept !== undefined, options);
      decision.accept = accept;
      if (options) decision.options = options;
      return upgradedResponse();
    },
  };
  try {
    decision.response = await fetch(request, env);
  } catch (error) {
    log("error", "fetch_failed", { error: errorMessage(error), path: loggedPath(request) });
  }
  return decision;
}

/** The request that opens a WebSocket. */
export function upgradeRequest(url: URL, protocols: readonly string[], clock: Clock): Request {
  const target = new URL(url);
  target.protocol = url.protocol === "wss:" ? "https:" : "http:";
  const headers = new Headers({
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": btoa(String.fromCharCode(...clock.randomBytes(16))),
  });
  if (protocols.length > 0) headers.set("sec-websocket-protocol", protocols.join(", "));
  return new Request(target, { headers });
}

/** The port of an HTTP or WebSocket URL, where it is written or not. */
export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" || url.protocol === "wss:" ? 443 : 80;
}

/** The host of a URL without brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** What a request gets where nothing serves. */
export function nothingServes(to: string): ToychatError {
  return new ToychatError(
    "connection_refused",
    `nothing listens on ${to}: start it, or give another address`,
  );
}
