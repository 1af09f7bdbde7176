/**
 * A proxy dies, or stops.
 *
 * @module
 */
import { expect } from "bun:test";
import { connectClient } from "../../support/clients.ts";
import { Crowd } from "../../support/crowd.ts";
import { until } from "../../support/until.ts";
import { type Cluster, events } from "../cluster.ts";
import { expectServed, scenario } from "../../support/scenario.ts";

/** Adds the tests. */
export function proxyEnd(cluster: Cluster): void {
  scenario(
    "a proxy killed: the application sees its users go, and they come back through the other",
    cluster,
    async () => {
      const rooms = cluster.rooms("proxy-killed", 1);
      const staying = await Crowd.gather(cluster.ports.slice(0, 1), rooms);
      const leaving = await connectAll(cluster, rooms);
      await cluster.proxy(2).kill();

      await until(() => leaving.every(({ end }) => end), "the users of the dead proxy are cut off");
      const expected = leaving.map(({ name }) => name).sort();
      for (const room of rooms) {
        const chat = cluster.chat(cluster.owner(room));
        const left = (kind: string) =>
          events(chat, kind).filter(({ user = "", room: where = room }) =>
            expected.includes(user) && where === room
          );
        await until(
          () => left("leave").length === expected.length && left("disconnect").length === expected.length,
          `the application of ${room} sees its users go`,
        );
        for (const kind of ["leave", "disconnect"]) {
          expect(left(kind).map(({ user }) => user).sort() as string[]).toEqual(expected);
          expect(new Set(left(kind).map(({ reason }) => reason))).toEqual(new Set(["proxy lost"]));
        }
      }
      await expectServed(cluster, staying);

      const back = await Crowd.gather(cluster.ports.slice(0, 1), rooms, "-back");
      staying.talk();
      back.talk();
      await back.progress(4);
      await staying.progress(4);
      await Promise.all([staying.hush(), back.hush()]);
      expect(staying.clients.filter(({ end }) => end)).toEqual([]);
      expect(staying.clients.flatMap(({ moved }) => moved)).toEqual([]);
      await Promise.all([staying.disperse(), back.disperse()]);
    },
  );

  scenario("a proxy that stops tells its clients so in their protocol's words", cluster, async () => {
    const clients = await connectAll(cluster, ["proxy-stopped"]);
    expect(await cluster.proxy(2).stop("SIGTERM")).toEqual({ code: 0, signal: null });
    await until(() => clients.every(({ end }) => end), "all are cut off");
    const codes = Object.fromEntries(clients.map(({ kind, end }) => [kind, end?.code]));
    // MQTT 5: server shutting down. WebSocket: going away. MQTT 3.1.1 has no word for it.
    expect(codes).toEqual({ mqtt5: 0x8b, mqtt4: undefined, ws: 1001 });
  });

  async function connectAll(cluster: Cluster, rooms: readonly string[]) {
    const ports = cluster.proxy(2).ready;
    return await Promise.all((["mqtt5", "mqtt4", "ws"] as const).map(async (kind) => {
      const client = await connectClient(ports, kind, `${kind}-of-p2`);
      for (const room of rooms) await client.join(room);
      return client;
    }));
  }
}
