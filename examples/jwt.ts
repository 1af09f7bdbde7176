/**
 * Who may come in, and into which rooms? Users bring a JSON Web Token that a login service has signed: it says who they
 * are, which rooms they may be in, and until when.
 *
 * ```sh
 * deno run -A examples/jwt.ts                      # or: bun examples/jwt.ts, or node (22.18 or later)
 * ```
 *
 * It prints a token for Ann, who may be in every room below `lobby/`, to try from another terminal:
 *
 * ```sh
 * mosquitto_sub -u ann -P TOKEN -t lobby/1 -v      # MQTT carries it as the password
 * mosquitto_sub -u ann -P TOKEN -t office/1        # refused: not her room
 * ```
 *
 * A page in a browser says `new WebSocket("ws://127.0.0.1:8080/ws", ["toychat", "token." + token])`.
 *
 * The first argument is the port for MQTT (default 1883), the second the one for HTTP (default 8080); 0 takes any free
 * port. Ctrl-C ends it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import process from "node:process";
import { ChatServer, LocalMembership, mqtt, ProxyServer, serveHttp, type User } from "../mod.ts";
import { jwt } from "../src/auth/jwt.ts";
import { systemTransport } from "../transports/system.ts";

/** Shared with the login service; with a service of others, give `jwksUrl` and no key. */
const key = randomBytes(32);
const [mqttPort = 1883, httpPort = 8080] = process.argv.slice(2).map(Number);
const membership = new LocalMembership();
const transport = await systemTransport();

const chat = new ChatServer({ membership, transport });
const proxy = new ProxyServer({
  membership,
  transport,
  authenticate: jwt({ key, algorithms: ["HS256"], issuer: "login", audience: "chat" }),
  authorize,
  listen: [{ port: mqttPort, protocol: mqtt() }],
});
await chat.start();
await proxy.start();
const { port: http } = await serveHttp(proxy, { port: httpPort });

/** Joining, sending and wills alike: only below what the token names. */
function authorize({ claims }: User, _action: string, room: string): boolean {
  return Array.isArray(claims["rooms"]) && claims["rooms"].some((prefix) => room.startsWith(`${prefix}/`));
}

/** What the login service does: a token of HS256 (RFC 7515) for ten minutes. */
function token(sub: string, rooms: string[]): string {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const parts = [{ alg: "HS256", typ: "JWT" }, { iss: "login", aud: "chat", sub, rooms, exp }];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

const ready = { role: "jwt", mqtt: proxy.listening[0]?.port, http, token: token("ann", ["lobby"]) };
console.log(`ready ${JSON.stringify(ready)}`);
