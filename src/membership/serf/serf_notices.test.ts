import { describe, expect, test } from "bun:test";
import { GossipHosts } from "../../../tests/support/gossip_hosts.ts";
import type { OnPartition } from "../bridge_agent.ts";
import { DEATH_EVENT } from "./death_notice.ts";

/** Hosts with these names, of which the first `chats` have a ChatServer. */
async function hosts(names: string, chats: number, mode: OnPartition): Promise<GossipHosts> {
  const all = await GossipHosts.open([...names], mode);
  await all.clock.run(4000);
  for (const [i, name] of [...names].slice(0, chats).entries()) {
    all.bridge(name).register(`chat-${name}`, `10.0.0.${i + 1}:7001`, `${name}aaaaa`);
    await all.clock.run(200);
  }
  await all.clock.run(9000);
  expect(all.list).toHaveLength(chats);
  return all;
}

/** Has bridges ask at other times than the first one: each starts again so much later than the one before. */
async function stagger(all: GossipHosts, names: string, ms: number): Promise<void> {
  for (const name of names) {
    all.bridge(name).kill();
    await all.clock.run(ms);
    await all.startBridge(name);
  }
  await all.clock.run(4000);
}

function notices(all: GossipHosts): readonly { readonly from: string; readonly payload: Uint8Array }[] {
  return all.gossip.events.filter(({ name }) => name === DEATH_EVENT);
}

/** For how long a host's view lacks a ChatServer while time passes. */
async function lacks(all: GossipHosts, host: string, id: string, ms: number): Promise<number> {
  let missing = 0;
  for (let t = 0; t < ms; t += 50) {
    await all.clock.run(50);
    if (!all.bridge(host).list.some((text) => text.startsWith(`${id} `))) missing += 50;
  }
  return missing;
}

describe("members of a host whose bridge is silent", () => {
  const ends = [["that say so themselves", "lapsed"], ["that are refused", "refusing"], [
    "that are silent",
    "silent",
  ]];
  const modes: readonly OnPartition[] = ["serve", "seal"];
  const cases = modes.flatMap((mode) => ends.map(([which, how]) => [mode, which, how as "lapsed"] as const));
  test.each(cases)("with %s those %s are left out on all hosts at the same time", async (mode, _, how) => {
    for (const [apart, dies] of [[300, 0], [300, 500], [600, 0], [600, 500], [900, 0], [900, 500]] as const) {
      const all = await GossipHosts.open(["a", "b", "c"], mode);
      await all.clock.run(4000);
      await stagger(all, "b", apart);
      for (const [i, name] of [..."abc"].entries()) {
        all.bridge(name).register(`chat-${name}`, `10.0.0.${i + 1}:7001`, `${name}aaaaa`);
        await all.clock.run(200);
      }
      await all.clock.run(9000 + dies);
      expect(all.list).toHaveLength(3);
      all.bridge("c").kill();
      all[how].add("10.0.0.3:7001");
      const [a, b] = [all.bridge("a"), all.bridge("b")];
      const before = [a.changes, b.changes];
      const has = ({ list }: typeof a): boolean => list.length === 2;
      expect(await all.clock.until(() => has(a) || has(b), 20_000)).toBe(true);
      expect([apart, dies, await all.clock.until(() => has(a) && has(b), 300)]).toEqual([apart, dies, true]);
      await all.clock.run(5000);
      expect([a.list.length, b.list.length]).toEqual([2, 2]);
      expect([a.changes, b.changes]).toEqual(before.map((changes) => changes + 1));
      all.end();
    }
  });
});

describe("what another host says of the dead", () => {
  test.each(
    [["serve", "refused"], ["serve", "nothing"], ["seal", "refused"], ["seal", "nothing"]] as const,
  )(
    "with %s takes nobody whose bridge answers here out of the view, though one question came to %s",
    async (mode, sign) => {
      const all = await hosts("abcde", 3, mode);
      // A bridge that is silent has all others ask for acknowledgements.
      all.bridge("e").kill();
      await all.clock.run(4000);
      all.signs.set("b 10.0.0.3:7001", sign);
      all.signs.set("a 10.0.0.3:7001", "over");
      all.gossip.lost.add("c>a");
      expect(await lacks(all, "b", "chat-c", 20_000)).toBe(0);
      expect(all.bridge("a").list).not.toContain("chat-c 2 alive");
      all.end();
    },
  );

  test("counts for nothing where Serf tells it again later, to who joins or has come back", async () => {
    const all = await hosts("abc", 3, "serve");
    all.bridge("c").kill();
    all.silent.add("10.0.0.3:7001");
    await all.clock.run(8000);
    const old = notices(all);
    expect([old.length > 0, all.bridge("b").list.length]).toEqual([true, 2]);
    all.silent.clear();
    (await all.startBridge("c")).register("chat-c", "10.0.0.3:7001", "caaaaa", { slot: 2 });
    await all.clock.run(20_000);
    expect(all.list).toHaveLength(3);
    all.signs.set("b 10.0.0.3:7001", "refused");
    all.agent("b").kill();
    await all.clock.run(1000);
    all.agent("b").restart();
    const { changes } = all.bridge("b");
    all.probed.length = 0;
    for (let i = 0; i < 10; i++) {
      for (const { payload } of old) all.agent("b").hear(DEATH_EVENT, payload);
      await all.clock.run(1000);
    }
    expect([all.probed, all.bridge("b").changes]).toEqual([[], changes]);
    all.end();
  });

  test("is said of each host that a majority gives up about once, not by all of them", async () => {
    const all = await hosts("abcdefg", 7, "seal");
    await stagger(all, "bcdefg", 110);
    for (const [i, name] of [..."bcdefg"].entries()) {
      all.bridge(name).register(`chat-${name}`, `10.0.0.${i + 2}:7001`, `${name}aaaaa`, { slot: i + 1 });
    }
    await all.clock.run(9000);
    expect(all.list).toHaveLength(7);
    all.gossip.events.length = 0;
    all.gossip.part([..."abcd"], [..."efg"]);
    await all.clock.run(15_000);
    expect([..."abcd"].map((name) => all.bridge(name).list.length)).toEqual([4, 4, 4, 4]);
    expect(notices(all).length).toBeLessThan(2 * 3);
    all.end();
  });
});
