/**
 * ChatServers without an application, and mosquitto's own tools as clients.
 *
 * @module
 */
import { expect } from "bun:test";
import { connectClient, type RecordingClient } from "../../support/clients.ts";
import type { Running } from "../../support/processes.ts";
import { until } from "../../support/until.ts";
import type { Cluster } from "../cluster.ts";
import { scenario, underLoad } from "../../support/scenario.ts";

const PUBLISHERS = 12;

/** Adds the tests. The cluster's ChatServers must have no application. */
export function relaying(cluster: Cluster): void {
  /** Starts mosquitto_sub, which prints `topic payload`, line by line; resolves when its subscriptions are granted. */
  async function subscribe(proxy: number, version: string, topics: readonly string[]): Promise<Running> {
    const port = String(cluster.proxy(proxy).ready.mqtt);
    const filters = topics.flatMap((topic) => ["-t", topic]);
    const args = ["-h", "127.0.0.1", "-p", port, "-V", version, "-q", "1", "-v", "-d", ...filters];
    const running = cluster.spawn(["stdbuf", "-oL", "mosquitto_sub", ...args]);
    await running.until(
      ({ stdout }) => stdout.match(/Subscribed \(mid: \d+\): .*\n/)?.[0],
      "its subscriptions",
    );
    return running;
  }

  /** What mosquitto_sub printed about a topic. */
  function printed({ lines }: Running, topic: string): string[] {
    return lines.filter((line) => line.startsWith(`${topic} `)).map((line) => line.slice(topic.length + 1));
  }

  scenario(
    "what mosquitto_pub sends before it exits at once arrives, on every protocol",
    cluster,
    async () => {
      const room = "relay/mosquitto";
      const users = await Promise.all([
        connectClient(cluster.proxy(1).ready, "ws", "ann"),
        connectClient(cluster.proxy(2).ready, "mqtt4", "bob"),
      ]);
      for (const user of users) await user.join(room);
      const subscribers = await Promise.all([
        subscribe(1, "mqttv5", [room]),
        subscribe(2, "mqttv311", [room]),
      ]);

      const expected: string[] = [];
      await Promise.all(Array.from({ length: PUBLISHERS }, async (_, n) => {
        const [port, qos, version] = [
          cluster.ports[n % 2]?.mqtt,
          n & 2 ? "1" : "0",
          n & 4 ? "mqttv5" : "mqttv311",
        ];
        const text = `number ${n} by QoS ${qos} and ${version}`;
        expected.push(text);
        const args = [
          "-h",
          "127.0.0.1",
          "-p",
          String(port),
          "-V",
          version,
          "-q",
          qos,
          "-t",
          room,
          "-m",
          text,
        ];
        expect(await cluster.spawn(["mosquitto_pub", ...args]).exit).toEqual({ code: 0, signal: null });
      }));

      expected.sort();
      for (const user of users) {
        await until(() => user.heard.length >= PUBLISHERS, () => `all messages: ${user.bodies(room)}`);
        expect(user.bodies(room).sort()).toEqual(expected);
      }
      for (const subscriber of subscribers) {
        await subscriber.until((it) => printed(it, room).length >= PUBLISHERS || undefined, "all messages");
        expect(printed(subscriber, room).sort()).toEqual(expected);
        await subscriber.stop();
      }
      await Promise.all(users.map((user) => user.close()));
    },
  );

  scenario(
    "everyone hears a message, its sender too unless it subscribed without its own",
    cluster,
    async () => {
      const room = "relay/echo";
      const [ports] = cluster.ports;
      if (!ports) throw new Error("no proxy");
      const ann = await connectClient(ports, "mqtt5", "ann", { noLocal: true });
      const bob = await connectClient(ports, "mqtt5", "bob");
      const users: RecordingClient[] = [ann, bob];
      for (const user of users) await user.join(room);
      for (const user of users) await user.say(room, `by ${user.name}`);
      await ann.hears(room, "by bob");
      await bob.hears(room, "by bob");
      expect(bob.bodies(room)).toEqual(["by ann", "by bob"]);
      expect(ann.bodies(room)).toEqual(["by bob"]);
      await Promise.all(users.map((user) => user.close()));
    },
  );

  scenario("mosquitto_sub stays connected when its ChatServer is killed, and is told", cluster, async () => {
    const room = cluster.rooms("relay/killed", 1).find((name) => cluster.owner(name) === "c1") ?? "";
    const subscriber = await subscribe(1, "mqttv5", [room, "$toychat/moved"]);
    const crowd = await underLoad(cluster, [room], async (crowd) => {
      await cluster.chat("c1").kill();
      await crowd.toldOf([room]);
    });
    expect(crowd.problems("acknowledged")).toEqual([]);
    expect(crowd.movedProblems([room], true)).toEqual([]);

    const [client] = crowd.clients as [RecordingClient];
    await client.say(room, "the end");
    await subscriber.until((it) => printed(it, room).includes("the end") || undefined, "hear the end");
    const heard = printed(subscriber, room);
    expect(crowd.problemsOf("mosquitto_sub", heard.map((body) => ({ room, body })), "acknowledged")).toEqual(
      [],
    );
    expect(printed(subscriber, "$toychat/moved").map((line) => JSON.parse(line))).toEqual([{
      room,
      lost: true,
    }]);
    expect(subscriber.stdout.match(/sending CONNECT/g)).toHaveLength(1);
    await subscriber.stop();
    await crowd.disperse();
  });
}
