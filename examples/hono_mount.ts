/**
 * How does chat become a part of a web application that is there already? The application below is an ordinary one on
 * Hono, with pages of its own; a proxy is mounted in it under /chat, on the same port.
 *
 * ```sh
 * deno run -A examples/hono_mount.ts               # or: bun examples/hono_mount.ts, or node (22.18 or later)
 * curl http://127.0.0.1:8080/                      # the application's own page
 * curl http://127.0.0.1:8080/rooms/lobby           # and what it knows of a room
 * ```
 *
 * http://127.0.0.1:8080/chat in a browser is the proxy's page; programs connect to ws://127.0.0.1:8080/chat/ws?user=ann.
 * The argument is the port (default 8080); 0 takes any free port. Ctrl-C ends it.
 *
 * @module
 */
import process from "node:process";
import { Hono } from "hono";
import { ChatServer, LocalMembership, proxyApp, ProxyServer, serveHttp } from "../mod.ts";
import { systemTransport } from "../transports/system.ts";

const [port = 8080] = process.argv.slice(2).map(Number);
const membership = new LocalMembership();
const transport = await systemTransport();
const chat = new ChatServer({ membership, transport });
const proxy = new ProxyServer({ membership, transport });

const app = new Hono();
app.get("/", (c) => c.html(`<h1>My application</h1><p>It has a <a href="/chat">chat</a>.</p>`));
app.get("/rooms/:name", (c) => {
  const room = chat.room(c.req.param("name"));
  return c.json({ users: room?.users.map((user) => user.userId) ?? [] });
});
app.mount("/chat", proxyApp(proxy).fetch);

await chat.start();
await proxy.start();
const { port: http } = await serveHttp(proxy, { port, fetch: app.fetch });
console.log(`ready ${JSON.stringify({ role: "hono_mount", http })}`);
