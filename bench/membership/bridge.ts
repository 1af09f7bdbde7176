/**
 * What a bridge costs in a cluster of 100 hosts with 1,000 members: all but its own are simulated by another process.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { Processes } from "../../tests/support/processes.ts";
import { runtime, type RuntimeName, runtimes } from "../../tests/support/runtimes.ts";
import { until } from "../../tests/support/until.ts";
import { systemTransport } from "../../transports/system.ts";

const HOSTS = 100;
const MEMBERS = 10;
/** Members a second that die and are replaced. */
const CHANGES = 2;
/** Ticks of `/proc/PID/stat`. */
const TICKS_PER_S = 100;
/** Compilers and caches have settled by then. */
const WARM_MS = 5000;

/** What one bridge costs. */
export interface BridgeCost {
  readonly on: string;
  /** Of one core, in hundredths. */
  readonly cpu_percent: number;
  /** Megabytes of memory that the process holds. */
  readonly rss_mb: number;
  /** The same before it knew of the other hosts' members. */
  readonly empty_rss_mb: number;
  /** Views a second that its members were told. */
  readonly views_per_s: number;
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function rssMb(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1]) / 1024;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The bridge on one runtime, over so many seconds. */
async function cost(name: RuntimeName, seconds: number): Promise<BridgeCost> {
  const on = runtime(name);
  const processes = new Processes();
  const members: BridgeMembership[] = [];
  try {
    const alone = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"]);
    const empty = rssMb(alone.pid);
    await alone.stop();
    const arguments_ = [HOSTS - 1, MEMBERS, CHANGES].map(String);
    const world = await processes.start<{ rpc: string }>(
      [...runtime("bun").command, "bench/membership/world.ts", ...arguments_],
    );
    const bridge = await processes.role<{ listen: string }>(
      on,
      ["bridge", "--listen", "127.0.0.1:0", "--serf", world.ready.rpc],
    );
    let views = 0;
    for (let i = 0; i < MEMBERS; i++) {
      const membership = await member(bridge.ready.listen, i);
      members.push(membership);
      if (i === 0) membership.onView(() => views++);
    }
    const [first] = members;
    await until(
      () => (first?.view.members.length ?? 0) >= HOSTS * MEMBERS - 1,
      "the whole cluster's members",
    );
    await pause(WARM_MS);
    const [cpu, at, seen] = [cpuSeconds(bridge.pid), performance.now(), views];
    await pause(seconds * 1000);
    const passed = (performance.now() - at) / 1000;
    return {
      on: `${on.name} ${on.version}`,
      cpu_percent: round((cpuSeconds(bridge.pid) - cpu) / passed * 100),
      rss_mb: Math.round(rssMb(bridge.pid)),
      empty_rss_mb: Math.round(empty),
      views_per_s: round((views - seen) / passed),
    };
  } finally {
    await Promise.allSettled(members.map((membership) => membership.close()));
    await processes.end();
  }
}

async function member(bridge: string, i: number): Promise<BridgeMembership> {
  const membership = new BridgeMembership({ transport: await systemTransport(), url: `ws://${bridge}/rpc` });
  await membership.join({
    id: `own-${i}`,
    role: i % 2 === 0 ? "chat" : "proxy",
    address: `127.0.0.1:${7400 + i}`,
  });
  return membership;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The bridge on each runtime. */
export async function bridges(seconds: number): Promise<BridgeCost[]> {
  if (process.platform !== "linux") throw new Error("the bridge's cost is read from /proc: use Linux");
  const all: BridgeCost[] = [];
  for (const { name } of runtimes()) all.push(await cost(name, seconds));
  return all;
}

/** Prints it. */
export function bridgeTable(all: readonly BridgeCost[]): void {
  console.log(`\n${HOSTS} hosts, ${HOSTS * MEMBERS} members, ${CHANGES} of them replaced each second\n`);
  console.log("| bridge on | CPU, % of a core | RSS MB | RSS MB alone | views / s |");
  console.log("| --- | --- | --- | --- | --- |");
  for (const { on, cpu_percent, rss_mb, empty_rss_mb, views_per_s } of all) {
    console.log(`| ${on} | ${cpu_percent} | ${rss_mb} | ${empty_rss_mb} | ${views_per_s} |`);
  }
}
