/**
 * Credentials in the request that opens a WebSocket. Browsers can set neither header nor body there, so that a token may
 * also come as a subprotocol or in the URL.
 *
 * @module
 */
import type { GivenCredentials } from "./credentials.ts";

/** Begins the subprotocol that carries a token as it is, which fits JSON Web Tokens. */
const PLAIN = "token.";
/** Begins the subprotocol that carries the base64url of a token's UTF-8. */
const ENCODED = "token64.";

/**
 * Reads what a request carries: `?user=` or the name and password of Basic authentication, and the token of the first of
 * these that has one: `Authorization: Bearer`, a subprotocol `token.TOKEN` or `token64.BASE64URL`, `?token=`.
 */
export function requestCredentials(request: Request | undefined): GivenCredentials {
  if (request === undefined) return {};
  const { headers } = request;
  const query = URL.canParse(request.url) ? new URL(request.url).searchParams : undefined;
  const authorization = headers.get("authorization") ?? "";
  const basic = readBasic(authorization);
  return {
    username: basic?.username ?? (query?.get("user") || undefined),
    password: basic?.password,
    token: /^bearer +([^\s]+) *$/i.exec(authorization)?.[1] ??
      subprotocolToken(headers.get("sec-websocket-protocol") ?? "") ??
      (query?.get("token") || undefined),
  };
}

function subprotocolToken(offered: string): string | undefined {
  for (const item of offered.split(",")) {
    const name = item.trim();
    if (name.startsWith(PLAIN) && name.length > PLAIN.length) return name.slice(PLAIN.length);
    if (!name.startsWith(ENCODED)) continue;
    const text = decodeText(name.slice(ENCODED.length).replaceAll("-", "+").replaceAll("_", "/"));
    if (text) return text;
  }
  return undefined;
}

/** RFC 7617. */
function readBasic(authorization: string): { username: string; password: string } | undefined {
  const encoded = /^basic +([0-9a-z+/=]+) *$/i.exec(authorization)?.[1];
  const text = encoded === undefined ? undefined : decodeText(encoded);
  const colon = text?.indexOf(":") ?? -1;
  if (text === undefined || colon < 1) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The text in base64; undefined where it is none. */
function decodeText(base64: string): string | undefined {
  try {
    return utf8Text(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as text; undefined where they are not UTF-8, or there are none. */
export function utf8Text(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
