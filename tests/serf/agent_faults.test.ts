import { afterAll, describe, expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gossipKey } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";
import { expectServed, expectUntouched, lives, scenario, underLoad } from "./scenario.ts";
import { SerfCluster } from "./serf_cluster.ts";

const folder = mkdtempSync(join(tmpdir(), "toychat-keyrings-"));
const key = gossipKey();

/** An agent forgets a rotated key with its end, but for a keyring. */
function keyring(host: number): string {
  const file = join(folder, `keyring-${host}.json`);
  writeFileSync(file, JSON.stringify([key]), { mode: 0o600 });
  return file;
}

describe("agents of hosts", () => {
  const cluster = new SerfCluster({
    hosts: [{ proxy: true }, {}, { proxy: true }],
    agent: (host) => ({ keyringFile: keyring(host), rpcAuth: "an rpc key" }),
    env: { TOYCHAT_SERF_AUTH: "an rpc key" },
  });
  afterAll(async () => {
    await cluster.end();
    rmSync(folder, { recursive: true, force: true });
  });
  /** Every view that any bridge has told since. */
  function watch(): { readonly digests: Set<string>; end(): void } {
    const digests = new Set<string>();
    const ends = cluster.hosts.map(({ membership }) =>
      membership.onView(({ digest }) => digests.add(digest))
    );
    return { digests, end: () => ends.forEach((end) => end()) };
  }

  scenario(
    "an agent is killed and restarted at once: no room moves, nobody is withdrawn",
    cluster,
    async () => {
      const before = lives(cluster);
      const watched = watch();
      const { agent, bridge } = cluster.host(2);
      const crowd = await underLoad(cluster, cluster.rooms("agent", 2), async (crowd) => {
        const connects = (): number => bridge.stderr.split("serf_connected").length;
        const count = connects();
        await agent.restart();
        await until(() => connects() > count, "the bridge follows it again");
        await crowd.progress(50);
        // Withdrawn and entered again it is told by its tags, which the agent had lost.
        await until(async () => (await tags(2)) !== undefined, "the others read its members again");
      });
      watched.end();
      expect([...watched.digests]).toEqual([]);
      expect(lives(cluster)).toEqual(before);
      await expectUntouched(cluster, crowd);
    },
  );

  /** What host 1 is told of the members of a host. */
  async function tags(host: number): Promise<string | undefined> {
    const text = await cluster.host(1).agent.command(["members", "-format=json"]);
    const { members } = JSON.parse(text) as { members: { name: string; tags: Record<string, string> }[] };
    return members.find(({ name }) => name === `host-${host}`)?.tags["tc"];
  }

  scenario(
    "an agent is restarted after the others have found it failed: its host leaves the list and comes back",
    cluster,
    async () => {
      const { agent } = cluster.host(2);
      const before = lives(cluster);
      const others = [cluster.host(1), cluster.host(3)];
      const crowd = await underLoad(cluster, cluster.rooms("failed", 2), async (crowd) => {
        await agent.kill();
        await cluster.agree(["c1", "c3", "p1", "p3"], others);
        // The host itself goes on alone.
        await cluster.agree(["c2"], [cluster.host(2)]);
        await crowd.progress(4);
        await agent.restart();
        await cluster.agree(cluster.ids);
      });
      expect(lives(cluster)).toEqual(before);
      // Each room had two lives, of which one was given up: everybody was told that something may be lost.
      expect(crowd.problems("nothing")).toEqual([]);
      expect(crowd.clients.flatMap(({ moved }) => moved).filter(({ lost }) => !lost)).toEqual([]);
      await expectServed(cluster, crowd);
    },
  );

  scenario("the gossip key is rotated under load: no room moves, nothing is lost", cluster, async () => {
    const before = lives(cluster);
    const watched = watch();
    const { agent } = cluster.host(1);
    const fresh = gossipKey();
    const crowd = await underLoad(cluster, cluster.rooms("key", 2), async (crowd) => {
      for (const step of [`-install=${fresh}`, `-use=${fresh}`, `-remove=${key}`]) {
        expect(await agent.command(["keys", step])).toContain("Successfully");
        await crowd.progress(10);
      }
    });
    watched.end();
    expect(await agent.command(["keys", "-list"])).toContain(`${fresh} [3/3]`);
    expect([...watched.digests]).toEqual([]);
    expect(lives(cluster)).toEqual(before);
    await expectUntouched(cluster, crowd);
    // What comes and goes from now on is told by the new key.
    await cluster.host(3).chat.kill();
    await cluster.agree(["c1", "c2", "p1", "p3"]);
  });
});
