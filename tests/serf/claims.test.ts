import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { closeClients, connectClient } from "../support/clients.ts";
import { until } from "../support/until.ts";
import { expectServed, scenario, underLoad } from "../support/scenario.ts";
import { lives } from "./expect.ts";
import { SerfCluster } from "./serf_cluster.ts";

describe("two hosts that claim the same while they do not hear each other", () => {
  const cluster = new SerfCluster({ islands: true, hosts: [{ proxy: true }, { proxy: true }] });
  afterAll(() => cluster.end());
  afterEach(closeClients);

  test(
    "a slot: the ChatServer of the higher id takes another one in the life that it has, and all meet again",
    async () => {
      await cluster.whole();
      const [one, two] = [cluster.host(1), cluster.host(2)];
      const before = [one.member("c1"), two.member("c2")];
      expect(before.map((member) => member?.slot)).toEqual([0, 0]);
      const room = "claimed";
      const users = await Promise.all([
        connectClient(one.proxy.ready, "ws", "anna"),
        connectClient(two.proxy.ready, "mqtt5", "ben"),
      ]);
      const [anna, ben] = users;
      await Promise.all(users.map((user) => user.join(room)));
      await anna.say(room, "to one");
      await ben.say(room, "to two");
      await ben.hears(room, "to two");
      expect(ben.bodies(room)).toEqual(["to two"]);

      await cluster.unite();
      await cluster.agree(["c1", "c2", "p1", "p2"]);
      const after = [one.member("c1"), one.member("c2")];
      expect(after.map((member) => member?.slot)).toEqual([0, 1]);
      expect(after.map((member) => member?.incarnation)).toEqual(before.map((member) => member?.incarnation));
      expect(two.bridge.stderr).toContain("member_conflict");
      // One room again, for those who never let go of their connections.
      let n = 0;
      await until(async () => {
        const word = `again ${n++}`;
        await anna.say(room, word);
        return ben.bodies(room).includes(word);
      }, "ben hears anna");
      expect(users.map(({ end }) => end)).toEqual([undefined, undefined]);
      expect(users.map(({ moved }) => moved.some((word) => word.lost))).toContain(true);
      const crowd = await underLoad(cluster, cluster.rooms("after", 2), () => Promise.resolve());
      expect(crowd.problems("everything")).toEqual([]);
      await expectServed(cluster, crowd);
    },
    110_000,
  );
});

describe("two hosts with a member of the same id", () => {
  const cluster = new SerfCluster({ islands: true, hosts: [{ chat: false }, { chat: false }] });
  afterAll(() => cluster.end());

  test("that have met refuse it: the process ends and says who has the id", async () => {
    await cluster.whole();
    await cluster.unite();
    await cluster.host(1).startChat("twin");
    await cluster.agree(["twin"]);
    const args = ["chat", "--id", "twin", "--listen", `${cluster.host(2).agent.bind}:0`];
    const second = cluster.host(2).spawn("second twin", [...args, "--bridge", cluster.host(2).url]);
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.stderr).toContain(
      `the id "twin" is taken by the chat at ${
        cluster.host(1).chatOf("twin").ready.listen
      } on the host "host-1"`,
    );
    await cluster.host(1).chatOf("twin").kill();
    await cluster.agree([]);
  }, 110_000);
});

describe("two hosts with a member of the same id that have not met", () => {
  const cluster = new SerfCluster({ islands: true, hosts: [{ chat: false }, { chat: false }] });
  afterAll(() => cluster.end());

  test("agree on one of them when they meet, and take the other one when that is gone", async () => {
    await cluster.whole();
    const hosts = cluster.hosts;
    await Promise.all(hosts.map((host) => host.startChat("twin")));
    const incarnations = hosts.map((host) => host.member("twin")?.incarnation ?? "");
    await cluster.unite();
    const [low = ""] = [...incarnations].sort();
    await cluster.agree(["twin"]);
    await until(() => hosts.every((host) => host.member("twin")?.incarnation === low), "the lower one holds");
    const winner = hosts[incarnations.indexOf(low)];
    const loser = hosts.find((host) => host !== winner);
    if (!winner || !loser) throw new Error("one of each");
    await loser.chatOf("twin").until(
      ({ stderr }) => stderr.includes("duplicate_member_id") || undefined,
      "be told why it is refused",
    );
    expect(loser.chatOf("twin").ended).toBe(false);
    await winner.chatOf("twin").kill();
    const { listen } = loser.chatOf("twin").ready;
    await until(() => hosts.every((host) => host.member("twin")?.address === listen), "the other one holds");
    await cluster.agree(["twin"]);
  }, 110_000);
});

describe("hosts that start at the same moment", () => {
  const cluster = new SerfCluster({ hosts: [{}, {}, {}] });
  afterAll(() => cluster.end());

  scenario("have slots of their own, the lowest ones", cluster, async () => {
    const slots = (): string => cluster.members.map(({ slot }) => slot).sort().join();
    await until(() => slots() === "0,1,2", () => `three slots: ${lives(cluster)}`);
    await cluster.agree(["c1", "c2", "c3"]);
    const told = cluster.hosts.map(({ chat }): unknown => [chat.ready.id, chat.ready.slot]);
    expect(told).toEqual(cluster.members.map(({ id, slot }) => [id, slot]));
  });
});
