/**
 * How does an application keep its own list of who is in a room, and choose who gets a message? The listener below is
 * written as for one server; here two proxies carry its users.
 *
 * ```sh
 * deno run -A examples/seed_chat.ts                # or: bun examples/seed_chat.ts, or node (22.18 or later)
 * mosquitto_sub -i ann -p 1883 -t lobby            # one user on the first proxy
 * mosquitto_pub -i bob -p 1884 -t lobby -m hello   # another one on the second
 * ```
 *
 * The arguments are the ports of the first proxy, MQTT and HTTP, and then those of the second (default 1883 8080 1884
 * 8081); 0 takes any free port. Ctrl-C ends it.
 *
 * @module
 */
import process from "node:process";
import { ChatServer, type ChatUser, LocalMembership, mqtt, ProxyServer, serveHttp } from "../mod.ts";
import { systemTransport } from "../transports/system.ts";

const [mqtt1 = 1883, http1 = 8080, mqtt2 = 1884, http2 = 8081] = process.argv.slice(2).map(Number);
const membership = new LocalMembership();
const transport = await systemTransport();
const chat = new ChatServer({ membership, transport });

// Names come from outside: without a prototype, a room or a user called "__proto__" is a name like any other.
const chatRooms: Record<string, Record<string, ChatUser>> = Object.create(null);
chat.on("open", (room) => void (chatRooms[room] = Object.create(null)));
chat.on("close", (room) => void delete chatRooms[room]);
chat.on("join", (chatUser, room) => void (chatRooms[room]![chatUser.userId] = chatUser));
chat.on("leave", (chatUser, room) => void delete chatRooms[room]![chatUser.userId]);

chat.on("message", (chatUser, room, body) => {
  const others = Object.values(chatRooms[room]!).filter((u) => u.userId !== chatUser.userId);
  chat.send(others, room, body);
});

async function startProxy(mqttPort: number, httpPort: number): Promise<{ mqtt?: number; http: number }> {
  const proxy = new ProxyServer({ membership, transport, listen: [{ port: mqttPort, protocol: mqtt() }] });
  await proxy.start();
  const { port } = await serveHttp(proxy, { port: httpPort });
  return { mqtt: proxy.listening[0]?.port, http: port };
}

await chat.start();
const proxies = [await startProxy(mqtt1, http1), await startProxy(mqtt2, http2)];
console.log(`ready ${JSON.stringify({ role: "seed_chat", ...proxies[0], proxies })}`);
