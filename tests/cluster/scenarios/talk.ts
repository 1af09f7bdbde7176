/**
 * People talk, and every room has its server.
 *
 * @module
 */
import { expect } from "bun:test";
import { connectClient, type RecordingClient } from "../../support/clients.ts";
import type { Cluster } from "../cluster.ts";
import { scenario, who } from "../../support/scenario.ts";

const MANY = 60;
const ASKED = 3;

/** Adds the tests. */
export function talking(cluster: Cluster): void {
  scenario("users on MQTT and on WebSocket talk in one room across two proxies", cluster, async () => {
    const [first, second] = cluster.ports;
    if (!first || !second) throw new Error("two proxies are needed");
    const users = await Promise.all([
      connectClient(first, "mqtt5", "ann"),
      connectClient(first, "ws", "bob"),
      connectClient(second, "mqtt4", "cat"),
      connectClient(second, "ws", "dan"),
    ]);
    for (const user of users) await user.join("talk/lobby");
    const said: string[] = [];
    for (const user of users) {
      await user.say("talk/lobby", `this is ${user.name}`);
      said.push(`this is ${user.name}`);
    }
    for (const user of users) {
      await user.hears("talk/lobby", said.at(-1) as string);
      expect(user.bodies("talk/lobby")).toEqual(said);
    }
    const bob = users[1] as RecordingClient;
    expect(bob.heard.map(({ from }) => from)).toEqual(["ann", "bob", "cat", "dan"]);
    await Promise.all(users.map((user) => user.close()));
  });

  scenario(
    "many rooms spread over all ChatServers, and toychat owner says who serves each",
    cluster,
    async () => {
      const client = await connectClient(cluster.proxy(1).ready, "mqtt5", "ann");
      const rooms = Array.from({ length: MANY }, (_, n) => `talk/many/${n}`);
      const servers = await Promise.all(rooms.map(async (room) => {
        await client.join(room);
        return (await who(client, room)).server;
      }));
      expect([...new Set(servers)].sort()).toEqual(cluster.chatIds);
      expect(servers).toEqual(rooms.map((room) => cluster.owner(room)));

      const members = await cluster.listMembers();
      expect(members.map(({ id, role, state }) => [id, role, state])).toEqual([
        ["c1", "chat", "alive"],
        ["c2", "chat", "alive"],
        ["c3", "chat", "alive"],
        ["p1", "proxy", "alive"],
        ["p2", "proxy", "alive"],
      ]);
      for (const room of rooms.slice(0, ASKED)) {
        const { listen, slot, id } = cluster.chat(servers[rooms.indexOf(room)] as string).ready;
        expect(await cluster.askOwner(room)).toEqual({ room, id, address: listen, slot });
      }
      await client.close();
    },
  );
}
