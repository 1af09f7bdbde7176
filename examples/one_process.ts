/**
 * What is the least that makes a chat server? One process with everything in it: a ChatServer that owns all rooms, and a
 * proxy that takes users in by MQTT and by WebSocket.
 *
 * ```sh
 * deno run -A examples/one_process.ts              # or: bun examples/one_process.ts, or node (22.18 or later)
 * mosquitto_sub -t lobby -v                        # from another terminal
 * mosquitto_pub -i ann -t lobby -m "hello"         # and http://127.0.0.1:8080 in a browser
 * ```
 *
 * The first argument is the port for MQTT (default 1883), the second the one for HTTP (default 8080); 0 takes any free
 * port. Ctrl-C ends it.
 *
 * @module
 */
import process from "node:process";
import { ChatServer, LocalMembership, mqtt, ProxyServer, serveHttp } from "../mod.ts";
import { systemTransport } from "../transports/system.ts";

const [mqttPort = 1883, httpPort = 8080] = process.argv.slice(2).map(Number);
const membership = new LocalMembership();
const transport = await systemTransport();

const chat = new ChatServer({ membership, transport });
chat.on("message", (user, room, body) => {
  chat.broadcast(room, typeof body === "string" ? `${user.userId}: ${body}` : body);
});
const proxy = new ProxyServer({ membership, transport, listen: [{ port: mqttPort, protocol: mqtt() }] });
await chat.start();
await proxy.start();
const { port: http } = await serveHttp(proxy, { port: httpPort });

console.log(`ready ${JSON.stringify({ role: "one_process", mqtt: proxy.listening[0]?.port, http })}`);
