import { afterAll, describe, expect } from "bun:test";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtime } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { scenario, underLoad } from "../support/scenario.ts";
import { expectUntouched, lives } from "./expect.ts";
import { SerfCluster } from "./serf_cluster.ts";

const folder = mkdtempSync(join(tmpdir(), "toychat-clock-"));
const file = join(folder, "offset");

/** Sets how far the wall clock of every role is off. */
function setClocks(offset: string): void {
  writeFileSync(`${file}.new`, `${offset}\n`);
  renameSync(`${file}.new`, file);
}

const DAY = 24 * 60;

/** By how many minutes the times of day in a log are behind the machine's, the newest last. */
function behind(log: string): number[] {
  const now = new Date();
  const times = [...log.matchAll(/^(\d\d):(\d\d):\d\d\.\d{3} /gm)];
  return times.map(([, hour, minute]) =>
    (now.getUTCHours() * 60 + now.getUTCMinutes() - Number(hour) * 60 - Number(minute) + DAY) % DAY
  );
}

describe("hosts whose wall clocks jump by an hour, on Bun, Deno and Node", () => {
  setClocks("+0");
  const cluster = new SerfCluster({
    hosts: [{ proxy: true }, { on: runtime("deno") }, { proxy: true, on: runtime("node") }],
    // The clock of the machine itself is left alone: a library between the roles and the system moves theirs, but not
    // the one that only ever goes on.
    env: {
      LD_PRELOAD: "/usr/$LIB/faketime/libfaketime.so.1",
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  });
  afterAll(async () => {
    await cluster.end();
    rmSync(folder, { recursive: true, force: true });
  });

  scenario("lose no lease, and no room moves", cluster, async () => {
    const before = lives(cluster);
    const digests = new Set<string>();
    const ends = cluster.hosts.map(({ membership }) =>
      membership.onView(({ digest }) => digests.add(digest))
    );
    const crowd = await underLoad(cluster, cluster.rooms("hour", 2), async (crowd) => {
      await crowd.progress(5);
      for (const offset of ["+3600", "-3600", "+0"]) {
        setClocks(offset);
        await crowd.progress(25);
      }
    });
    for (const end of ends) end();
    expect([...digests]).toEqual([]);
    expect(lives(cluster)).toEqual(before);
    await expectUntouched(cluster, crowd);
  });

  scenario(
    "and are started again with a clock that is an hour late keep their members",
    cluster,
    async () => {
      const before = lives(cluster);
      const host = cluster.host(2);
      setClocks("-3600");
      // The agent forgets what was published: the bridge counts from the clock.
      await host.bridge.kill();
      await host.agent.restart();
      await host.startBridge();
      const late = (): boolean => behind(host.bridge.stderr).some((minutes) => minutes >= 59 && minutes < 90);
      await until(late, () => `its clock is late, not by ${behind(host.bridge.stderr)} minutes`);
      await cluster.agree(cluster.ids);
      expect(lives(cluster)).toEqual(before);
      // What it says from now on counts, though it counts from less than before.
      await host.chat.kill();
      await cluster.agree(["c1", "c3", "p1", "p3"]);
      await host.startChat();
      await cluster.agree(cluster.ids);
    },
  );
});
