/**
 * What an application can do, with its rooms on several servers.
 *
 * @module
 */
import { expect } from "bun:test";
import { type ClientKind, connectClient, type RecordingClient, Refused } from "../../support/clients.ts";
import { until } from "../../support/until.ts";
import type { Cluster } from "../cluster.ts";
import { scenario, who } from "../../support/scenario.ts";

type Cast = readonly (readonly [proxy: 1 | 2, kind: ClientKind, name: string])[];

async function connect(cluster: Cluster, cast: Cast, rooms: readonly string[]): Promise<RecordingClient[]> {
  const connecting = cast.map(([proxy, kind, name]) => connectClient(cluster.proxy(proxy).ready, kind, name));
  const clients = await Promise.all(connecting);
  for (const client of clients) for (const room of rooms) await client.join(room);
  return clients;
}

async function close(clients: readonly RecordingClient[]): Promise<void> {
  expect(clients.filter(({ end }) => end).map(({ name }) => name)).toEqual([]);
  await Promise.all(clients.map((client) => client.close()));
}

async function refusal(promise: Promise<void>): Promise<number | string | undefined> {
  const error = await promise.then(() => "it was acknowledged", (error) => error);
  if (error instanceof Refused) return error.code;
  throw new Error(`not refused: ${error}`);
}

/** Adds the tests. */
export function applications(cluster: Cluster): void {
  scenario("a listener that throws fails its message and nothing else", cluster, async () => {
    const cast: Cast = [[1, "mqtt5", "ann"], [1, "ws", "bob"], [2, "mqtt4", "cat"]];
    const [ann, bob, cat, ...none] = await connect(cluster, cast, ["app/throw"]) as [
      RecordingClient,
      RecordingClient,
      RecordingClient,
    ];
    expect(none).toEqual([]);
    expect(await refusal(ann.say("app/throw", "!throw"))).toBe(0x80);
    expect(await refusal(bob.say("app/throw", "!throw"))).toBe("listener_failed");
    // MQTT 3.1.1 has no word for it.
    await cat.say("app/throw", "!throw");
    await cat.say("app/throw", "still here");
    for (const user of [ann, bob, cat]) {
      await user.hears("app/throw", "still here");
      expect(user.bodies("app/throw")).toEqual(["still here"]);
    }
    await close([ann, bob, cat]);
  });

  scenario("a message is acknowledged only when its async listener has settled", cluster, async () => {
    const [slow, swift] = sameOwner(cluster, "app/wait");
    const cast: Cast = [[1, "mqtt5", "ann"], [2, "ws", "bob"], [2, "mqtt4", "cat"]];
    const clients = await connect(cluster, cast, [slow, swift]);
    const [ann, bob, cat] = clients as [RecordingClient, RecordingClient, RecordingClient];
    for (const user of [ann, bob]) {
      const key = `key-${user.name}`;
      let acknowledged = false;
      const said = user.say(slow, `!wait ${key}`).then(() => acknowledged = true);
      await user.hears(slow, `waits for ${key}`);
      // The same server answers in another room meanwhile, and what it said before that has come.
      await cat.say(swift, `${user.name} waits`);
      await user.hears(swift, `${user.name} waits`);
      expect(acknowledged).toBe(false);
      await cat.say(swift, `!go ${key}`);
      await said;
    }
    await close(clients);
  });

  scenario(
    "sendToRoom reaches a room of another ChatServer, sendToUser every session of a user",
    cluster,
    async () => {
      const [here, there] = cluster.rooms("app/pass", 1) as [string, string];
      expect(cluster.owner(here)).not.toBe(cluster.owner(there));
      const [ann] = await connect(cluster, [[1, "ws", "ann"]], [here]) as [RecordingClient];
      const others = await connect(cluster, [[1, "mqtt5", "bob"], [2, "ws", "bob"], [2, "mqtt4", "cat"]], [
        there,
      ]);
      const [bob, alsoBob, cat] = others as [RecordingClient, RecordingClient, RecordingClient];

      await ann.say(here, `!pass ${there} one`);
      await ann.say(here, `!pass ${there} two`);
      for (const user of others) {
        await user.hears(there, "two");
        expect(user.bodies(there)).toEqual(["one", "two"]);
      }
      await ann.say(here, "!tell bob psst");
      for (const user of [bob, alsoBob]) await user.hears("user/bob", "psst");
      await cat.say(there, "last");
      await cat.hears(there, "last");
      expect(cat.heard.map(({ body }) => body)).toEqual(["one", "two", "last"]);
      expect(ann.heard).toEqual([]);
      await close([ann, ...others]);
    },
  );

  scenario("who is kicked is out of the room, and is told", cluster, async () => {
    const room = "app/kick";
    const cast: Cast = [[1, "ws", "ann"], [2, "ws", "bob"], [2, "mqtt5", "cat"]];
    const clients = await connect(cluster, cast, [room]);
    const [ann, bob, cat] = clients as [RecordingClient, RecordingClient, RecordingClient];
    expect((await who(ann, room)).seen).toEqual(["ann", "bob", "cat"]);
    await ann.say(room, "!kick bob");
    await ann.say(room, "!kick cat");
    await until(() => bob.putOut.length > 0, "bob is told");
    expect(bob.putOut).toEqual([{ room, reason: "told to" }]);
    await ann.say(room, "among ourselves");
    await ann.hears(room, "among ourselves");
    const { seen, users } = await who(ann, room);
    expect([seen, users]).toEqual([["ann"], ["ann"]]);
    // What came before this answer would have come before this welcome.
    for (const user of [bob, cat]) {
      await user.join(room);
      await user.say(room, `${user.name} again`);
      await user.hears(room, `${user.name} again`);
      expect(user.bodies(room)).not.toContain("among ourselves");
    }
    await close(clients);
  });
}

/** Two rooms with one owner. */
function sameOwner(cluster: Cluster, prefix: string): [string, string] {
  const rooms = cluster.rooms(prefix, 2);
  const [first = ""] = rooms;
  const second = rooms.find((room) => room !== first && cluster.owner(room) === cluster.owner(first)) ?? "";
  return [first, second];
}
