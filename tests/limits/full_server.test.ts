/** What a full ChatServer must take all the same. */
import { afterEach, describe, expect, test } from "bun:test";
import { ChatServer, LocalMembership, ProxyServer, serveHttp } from "../../mod.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import { until } from "../support/until.ts";

type Message = Record<string, unknown>;

let ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends) await end();
  ends = [];
});

/** Two ChatServers with a place for one room each, and a proxy. */
async function cluster() {
  const transport = memoryTransport();
  const membership = new LocalMembership();
  const chats: ChatServer[] = [];
  for (const id of ["c1", "c2"]) {
    const chat = new ChatServer({ membership, transport, id, limits: { maxOpenRooms: 1 } });
    await chat.start();
    chats.push(chat);
  }
  const proxy = new ProxyServer({ membership, transport });
  const { port } = await serveHttp(proxy, { port: 0 });
  await proxy.start();
  ends = [proxy, ...chats].map((server) => () => server.stop());
  const rooms = (owner: string): string[] =>
    Array.from({ length: 50 }, (_, n) => `room/${n}`).filter((room) =>
      membership.placement.owner(room)?.id === owner
    );
  return { transport, port, chats, rooms };
}

async function client(transport: MemoryTransport, port: number) {
  const heard: Message[] = [];
  const connection = await transport.connect(`ws://127.0.0.1:${port}/ws`, () => ({
    data: (chunk) => heard.push(JSON.parse(String(chunk))),
    drain: () => {},
    close: () => {},
  }));
  const hears = (fields: Message): Promise<unknown> =>
    until(
      () => heard.find((message) => Object.entries(fields).every(([key, value]) => message[key] === value)),
      () => `${JSON.stringify(fields)} in ${JSON.stringify(heard)}`,
    );
  return { hears, send: (message: Message) => connection.send(JSON.stringify(message)) };
}

describe.each([["hands its rooms over", true], ["dies", false]] as const)(
  "where one server %s",
  (_, drain) => {
    test("another takes the room although it is full, and no new one", async () => {
      const { transport, port, chats, rooms } = await cluster();
      const [stays, refused] = rooms("c1");
      const [moves] = rooms("c2");
      const user = await client(transport, port);
      for (const room of [stays, moves]) {
        user.send({ type: "join", room });
        await user.hears({ type: "joined", room });
      }
      user.send({ type: "join", room: refused, id: 1 });
      await user.hears({ type: "error", id: 1, code: "server_full" });
      await chats[1]?.stop({ drain });
      await user.hears({ type: "moved", room: moves, lost: !drain });
      user.send({ type: "message", room: moves, body: "here?", id: 2 });
      await user.hears({ type: "ack", id: 2 });
      await user.hears({ type: "message", room: moves, body: "here?" });
      expect([...chats[0]?.rooms ?? []].sort()).toEqual([stays, moves].sort() as string[]);
      user.send({ type: "join", room: refused, id: 3 });
      await user.hears({ type: "error", id: 3, code: "server_full" });
      expect(chats[0]?.metrics.get("toychat_rooms_refused_total")).toBe(2);
    });
  },
);
