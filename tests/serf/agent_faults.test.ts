import { afterAll, describe, expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/lib/clock.ts";
import { noLog } from "../../src/lib/log.ts";
import { Metrics } from "../../src/lib/metrics.ts";
import { SerfClient } from "../../src/membership/serf/serf_client.ts";
import { systemTransport } from "../../transports/system.ts";
import { gossipKey, loopbackAddress } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";
import { expectServed, scenario, underLoad } from "../support/scenario.ts";
import { expectUntouched, lives } from "./expect.ts";
import { SERF_MS, SerfCluster } from "./serf_cluster.ts";

const folder = mkdtempSync(join(tmpdir(), "toychat-keyrings-"));
const key = gossipKey();
const rpcKey = "an rpc key";

/** An agent forgets a rotated key with its end, but for a keyring. */
function keyring(host: number): string {
  const file = join(folder, `keyring-${host}.json`);
  writeFileSync(file, JSON.stringify([key]), { mode: 0o600 });
  return file;
}

describe("agents of hosts", () => {
  const cluster = new SerfCluster({
    hosts: [{ proxy: true }, {}, { proxy: true }],
    agent: (host) => ({ keyringFile: keyring(host), rpcAuth: rpcKey }),
    env: { TOYCHAT_SERF_AUTH: rpcKey },
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

  /** What host 1, or another, is told of the members of a host. */
  async function tags(host: number, by = 1): Promise<string | undefined> {
    const text = await cluster.host(by).agent.command(["members", "-format=json"]);
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

  scenario(
    "an agent that left comes back under a new address: its host's members keep theirs",
    cluster,
    async () => {
      const before = lives(cluster);
      const { agent } = cluster.host(2);
      await agent.command(["leave"]);
      await agent.running.exit;
      await cluster.agree(["c1", "c3", "p1", "p3"], [cluster.host(1), cluster.host(3)]);
      await agent.restart({ bind: loopbackAddress() });
      await cluster.agree(cluster.ids);
      expect(lives(cluster)).toEqual(before);
    },
  );

  scenario(
    "an agent that crashed comes back under a new address once the others have forgotten the old one",
    cluster,
    async () => {
      const before = lives(cluster);
      const { agent } = cluster.host(2);
      await agent.kill();
      await cluster.agree(["c1", "c3", "p1", "p3"], [cluster.host(1), cluster.host(3)]);
      await agent.restart({ bind: loopbackAddress() });
      await cluster.agree(cluster.ids, cluster.hosts, 100_000);
      expect(lives(cluster)).toEqual(before);
    },
  );

  scenario("an agent whose name is taken ends by itself, and nobody notices", cluster, async () => {
    const watched = watch();
    const { agent } = cluster.host(1);
    const second = await cluster.startAgent({
      name: "host-2",
      join: [agent.bind],
      keyringFile: keyring(0),
      waitReady: false,
    });
    expect(await second.running.exit).toEqual({ code: 0, signal: null });
    expect(second.running.stdout).toContain("minority in name conflict resolution");
    watched.end();
    expect([...watched.digests]).toEqual([]);
    expect(await cluster.statuses(1)).toEqual({ "host-1": "alive", "host-2": "alive", "host-3": "alive" });
  });

  scenario("a second bridge on an agent is refused, and the first one goes on", cluster, async () => {
    const watched = watch();
    const second = cluster.host(2).spawn("second bridge", [
      "bridge",
      "--listen",
      "127.0.0.1:0",
      "--serf",
      cluster.host(2).agent.rpc,
    ]);
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.stderr).toContain('the Serf agent "host-2" serves another bridge already');
    watched.end();
    expect([...watched.digests]).toEqual([]);
  });

  scenario("a bridge says that somebody else writes its agent's tag, and mends it", cluster, async () => {
    const { agent, bridge } = cluster.host(2);
    const watched = watch();
    const right = await tags(2, 2);
    for (const wrong of [["-set", "tc=nonsense"], ["-delete", "tc"]]) {
      await agent.command(["tags", ...wrong]);
      let tag: string | undefined;
      await until(
        async () => (tag = await tags(2, 2)) === right,
        () => `its tag is ${right} again, not ${tag}`,
        SERF_MS,
      );
    }
    // It writes it from time to time anyhow: one of the two may have gone by unseen.
    expect(bridge.stderr).toContain("agent_shared");
    watched.end();
    expect([...watched.digests]).toEqual([]);
  });

  scenario("the gossip key is rotated under load: no room moves, nothing is lost", cluster, async () => {
    const before = lives(cluster);
    const watched = watch();
    const { agent } = cluster.host(1);
    const [second, third] = [gossipKey(), gossipKey()];
    const client = new SerfClient({
      transport: await systemTransport(),
      clock: systemClock,
      log: noLog,
      metrics: new Metrics(),
      address: agent.rpc,
      authKey: rpcKey,
    });
    client.start();
    const crowd = await underLoad(cluster, cluster.rooms("key", 2), async (crowd) => {
      for (const step of [`-install=${second}`, `-use=${second}`, `-remove=${key}`]) {
        expect(await agent.command(["keys", step])).toContain("Successfully");
        await crowd.progress(10);
      }
      const steps = [
        () => client.installKey(third),
        () => client.useKey(third),
        () => client.removeKey(second),
      ];
      for (const step of steps) {
        expect(await step()).toMatchObject({ nodes: 3, errors: 0 });
        await crowd.progress(10);
      }
    });
    client.stop();
    watched.end();
    expect(await agent.command(["keys", "-list"])).toMatch(/^\S+ +\[3\/3\]$/m);
    expect([...watched.digests]).toEqual([]);
    expect(lives(cluster)).toEqual(before);
    await expectUntouched(cluster, crowd);
    // What comes and goes from now on is told by the new key.
    await cluster.host(3).chat.kill();
    await cluster.agree(["c1", "c2", "p1", "p3"]);
  });
});
