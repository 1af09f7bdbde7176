/**
 * Hostile HTTP/1.1: bytes as nobody's client library sends them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Random } from "../support/virtual_clock.ts";
import { chop, randomBytes, spoil } from "./bytes.ts";
import type { Input } from "./input.ts";
import { hostileName } from "./text.ts";

const METHODS = [
  "GET",
  "GET",
  "GET",
  "POST",
  "HEAD",
  "OPTIONS",
  "PUT",
  "DELETE",
  "TRACE",
  "CONNECT",
  "PRI",
  "get",
  "G\u0000T",
];
const PATHS = [
  "/",
  "/ws",
  "/mqtt",
  "/metrics",
  "/healthz",
  "/readyz",
  "//",
  "/../../etc/passwd",
  "/%00",
  "/%ff%fe",
  "/%",
  "/ws?user=%",
  "/ws?user=%0a%1b[31m",
  "*",
  "http://other.example/ws",
  "//evil.example/ws",
  "/__proto__",
  "",
];
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function path(random: Random): string {
  if (random.chance(0.03)) return "/" + "a".repeat(random.pick([1000, 20_000, 100_000]));
  if (random.chance(0.1)) return `/ws?user=${hostileName(random)}`;
  return random.pick(PATHS);
}

function upgradeHeaders(random: Random): string[] {
  const headers = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${KEY}`,
  ];
  if (random.chance(0.3)) {
    headers[random.below(4)] = random.pick(["Upgrade: h2c", "Connection: close", "Sec-WebSocket-Key: x"]);
  }
  if (random.chance(0.4)) {
    headers.push("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits");
  }
  if (random.chance(0.4)) {
    headers.push(`Sec-WebSocket-Protocol: ${random.pick(["mqtt", "__proto__", ",,,", "a b", ""])}`);
  }
  return headers;
}

function strangeHeader(random: Random): string {
  switch (random.below(9)) {
    case 0:
      return "Transfer-Encoding: chunked";
    case 1:
      return `Content-Length: ${random.pick(["0", "5", "-1", "5, 6", "99999999999999999999", "0x5", "+5"])}`;
    case 2:
      return `X-${"h".repeat(random.pick([10, 9000, 70_000]))}: v`;
    case 3:
      return `__proto__: ${hostileName(random)}`;
    case 4:
      return `Origin: ${hostileName(random)}`;
    case 5:
      return " folded: line";
    case 6:
      return `Host: ${random.pick(["", "a b", "[::1", "host:99999", hostileName(random)])}`;
    case 7:
      return "no colon";
    default:
      return `Cookie: ${hostileName(random)}`;
  }
}

function body(random: Random): string {
  const way = random.below(6);
  if (way === 0) return "5\r\nhello\r\n0\r\n\r\n";
  if (way === 1) return "ffffffffffffffff\r\nx";
  // A second request where a body was announced, or not.
  if (way === 2) return "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  return "";
}

function requestText(random: Random): string {
  const version = random.chance(0.9) ? "HTTP/1.1" : random.pick(["HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]);
  const lines = [`${random.pick(METHODS)} ${path(random)} ${version}`];
  if (random.chance(0.9)) lines.push("Host: 127.0.0.1");
  if (random.chance(0.4)) lines.push(...upgradeHeaders(random));
  for (let left = random.below(3); left > 0; left--) lines.push(strangeHeader(random));
  if (random.chance(0.02)) lines.push(...Array.from({ length: 3000 }, (_, i) => `h${i}: v`));
  return [...lines, "", body(random)].join(random.chance(0.95) ? "\r\n" : "\n");
}

/** One connection: a request or some, whole, spoilt or cut off. */
export function httpInput(random: Random): Input {
  const requests = Array.from({ length: random.chance(0.8) ? 1 : 3 }, () => requestText(random));
  const bytes = new Uint8Array(Buffer.from(requests.join(""), random.chance(0.5) ? "latin1" : "utf8"));
  const noise = random.chance(0.02) ? randomBytes(random, 200) : bytes;
  return {
    variant: "",
    chunks: chop(random, random.chance(0.3) ? spoil(random, noise) : noise).slice(0, 400),
  };
}
