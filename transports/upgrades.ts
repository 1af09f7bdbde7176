/**
 * The rules of a WebSocket upgrade that no runtime need repeat (RFC 6455).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ToychatError } from "../src/lib/errors.ts";
import type { UpgradeOptions } from "../src/lib/transport.ts";

/** Whether a request asks for a WebSocket (RFC 6455, 4.2.1). */
export function isUpgrade(request: Request): boolean {
  const headers = request.headers;
  return request.method === "GET" &&
    headers.get("upgrade")?.toLowerCase() === "websocket" &&
    headers.get("sec-websocket-version") === "13" &&
    /^[+/0-9A-Za-z]{22}==$/.test(headers.get("sec-websocket-key") ?? "");
}

/** Throws `not_an_upgrade` where the request is none or was upgraded before, and checks the subprotocol. */
export function checkUpgrade(request: Request, upgraded: boolean, options: UpgradeOptions | undefined): void {
  if (upgraded) {
    throw new ToychatError(
      "not_an_upgrade",
      "this request was upgraded before: call upgrade() once for a request",
    );
  }
  if (!isUpgrade(request)) {
    throw new ToychatError(
      "not_an_upgrade",
      `${request.method} ${
        new URL(request.url).pathname
      } asks for no WebSocket: answer it with a plain response`,
    );
  }
  const protocol = options?.protocol;
  if (protocol !== undefined && !offeredProtocols(request.headers).includes(protocol)) {
    throw new ToychatError(
      "subprotocol_not_offered",
      `the client did not offer the subprotocol ${protocol}: select one of those in Sec-WebSocket-Protocol, or none`,
    );
  }
}

/** The subprotocols that a client offers, in its order. */
export function offeredProtocols(headers: Headers): string[] {
  const header = headers.get("sec-websocket-protocol") ?? "";
  return header.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

/**
 * What `upgrade()` gives as the answer. Its status cannot be 101, which the constructor of `Response` refuses; a
 * transport knows by itself that the request was upgraded, so middleware may replace it.
 */
export function upgradedResponse(): Response {
  return new Response(null, { status: 200, headers: { "x-toychat-upgraded": "websocket" } });
}

/** What a log may say of a request: its path alone, as tokens may stand in the query. */
export function loggedPath(request: Request): string {
  return URL.canParse(request.url) ? new URL(request.url).pathname : "";
}

/** The answer to a request whose handler threw. */
export function failedResponse(): Response {
  return new Response("Internal Server Error\n", {
    status: 500,
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
}

/** The answer to what is HTTP, but whose URL or host is none. */
export function badRequest(): Response {
  return new Response("Bad Request\n", {
    status: 400,
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
}

/** What a close frame says. */
export interface CloseFrame {
  /** Why, as a number of RFC 6455, 7.4. */
  readonly code: number;
  /** Why, in words; at most 123 bytes. */
  readonly reason: string;
}

/** A close frame that may be sent: a code that RFC 6455 lets applications use, and a reason cut to 123 bytes. Throws `invalid_close_code`. */
export function closeFrame(code = 1000, reason = ""): CloseFrame {
  const valid = (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999);
  if (!Number.isInteger(code) || !valid) {
    throw new ToychatError(
      "invalid_close_code",
      `${code} is no close code to send: use 1000, or 3000 to 4999`,
    );
  }
  return { code, reason: cutReason(reason) };
}

function cutReason(reason: string): string {
  if (Buffer.byteLength(reason) <= 123) return reason;
  let cut = "";
  let size = 0;
  for (const character of reason) {
    size += Buffer.byteLength(character);
    if (size > 123) break;
    cut += character;
  }
  return cut;
}
