/**
 * What the tests of users' rights connect to: a relay in one process whose `authenticate` and `authorize` refuse and fail as
 * a name, a token or a room asks them to.
 *
 *     server.ts [CERT_FILE KEY_FILE]
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import {
  type AuthenticateResult,
  ChatServer,
  type Credentials,
  LocalMembership,
  mqtt,
  ProxyServer,
  serveHttp,
} from "../../mod.ts";
import { systemTransport } from "../../transports/system.ts";

const [certFile, keyFile] = process.argv.slice(2);
const tls = certFile && keyFile
  ? { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") }
  : undefined;

/** A token `good-NAME`, or a name with the password `pw`; other words are tricks. */
function authenticate({ username, password, token }: Credentials): Promise<AuthenticateResult> {
  const word = token?.startsWith("good-") || token?.startsWith("trick-") ? token : username ?? "";
  if (word.endsWith("throw")) throw new Error("no database\nwith a line break");
  if (word.endsWith("banned")) return Promise.resolve({ refused: "not_authorized", reason: "banned" });
  if (word.endsWith("hang")) return new Promise(() => {});
  if (token?.startsWith("good-")) return Promise.resolve({ id: token.slice(5), claims: { by: "token" } });
  if (word.endsWith("brief")) return Promise.resolve({ id: word, expiresAt: Date.now() + 1500 });
  const text = typeof password === "string" ? password : new TextDecoder().decode(password);
  return Promise.resolve(username && text === "pw" ? username : undefined);
}

const lost = new Set<string>();

/** Rooms say what becomes of those who ask. Every other answer takes a while, so that order must be kept. */
function authorize(user: { id: string }, action: string, room: string): boolean | Promise<boolean> {
  if (room.startsWith("closed")) return false;
  if (room.startsWith(`no-${action}`)) return Promise.resolve(false);
  if (room.startsWith("down")) return Promise.reject(new Error("no database"));
  if (room.startsWith("hang")) return new Promise(() => {});
  if (room.startsWith("losing")) {
    const may = !lost.has(user.id);
    if (action === "will") lost.add(user.id);
    return may;
  }
  if (room.startsWith("slow")) {
    return new Promise((resolve) => setTimeout(() => resolve(true), Math.random() * 5));
  }
  return true;
}

const membership = new LocalMembership();
const transport = await systemTransport();
const log = (level: string, event: string, fields: object = {}): void =>
  void process.stderr.write(`${JSON.stringify({ level, event, ...fields })}\n`);
const chat = new ChatServer({ membership, transport });
const proxy = new ProxyServer({
  membership,
  transport,
  log,
  authenticate,
  authorize,
  limits: { authenticationMs: 1500, authorizationMs: 500 },
  listen: [{ port: 0, protocol: mqtt() }, ...(tls ? [{ port: 0, protocol: mqtt(), tls }] : [])],
});
await chat.start();
await proxy.start();
await serveHttp(proxy, { port: 0 });
if (tls) await serveHttp(proxy, { port: 0, tls });
const ports = proxy.listening.map((socket) => [socket.protocol + (socket.tls ? "s" : ""), socket.port]);
console.log(`ready ${JSON.stringify(Object.fromEntries(ports))}`);
