/**
 * How quickly a cluster of several hosts notices what happens to it, and what that costs: real Serf agents, bridges,
 * ChatServers and proxies, each a process, on hosts that are network namespaces of this machine.
 *
 *     npx deno run -A bench/membership.ts [--only crash,freeze,host,join,bridge] [--runtime bun] [--kills 60]
 *
 * The cluster's part needs Linux, root, `ip` and `serf`; the bridge's (`--only bridge`) needs none of them. Users talk in
 * 20 rooms all the time. What is measured is when a message that was sent after the fault first comes back to its sender,
 * who is on another host's proxy.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { obstacle } from "../examples/serf/ip.ts";
import type { RuntimeName } from "../tests/support/runtimes.ts";
import { bridges, bridgeTable } from "./membership/bridge.ts";
import { atEnd, Cluster } from "./membership/cluster.ts";
import { crashes, freezes, hostDeaths, joins, type Scene } from "./membership/faults.ts";
import type { Series } from "./membership/series.ts";
import { Talk } from "./membership/talk.ts";

const PARTS = ["crash", "freeze", "host", "join", "bridge"] as const;
type Part = typeof PARTS[number];

const { values } = parseArgs({
  options: {
    only: { type: "string", default: PARTS.join() },
    runtime: { type: "string", default: "bun" },
    hosts: { type: "string", default: "3" },
    rooms: { type: "string", default: "20" },
    "every-ms": { type: "string", default: "10" },
    kills: { type: "string", default: "60" },
    freezes: { type: "string", default: "10" },
    deaths: { type: "string", default: "4" },
    joins: { type: "string", default: "10" },
    seconds: { type: "string", default: "20" },
  },
});

/** Ends with what to do instead. */
function refuse(text: string, code: number): never {
  console.error(text);
  process.exit(code);
}

const chosen = values.only.split(",") as Part[];
const wrong = chosen.find((part) => !PARTS.includes(part));
if (wrong !== undefined) {
  refuse(`--only ${JSON.stringify(wrong)} is nothing: give some of ${PARTS.join()}`, 2);
}
if (!["bun", "deno", "node"].includes(values.runtime)) {
  refuse(`--runtime ${JSON.stringify(values.runtime)} is none: give bun, deno or node`, 2);
}

const RUNS: Readonly<Record<Exclude<Part, "bridge">, (scene: Scene) => Promise<Series[]>>> = {
  crash: (scene) => crashes(scene, Number(values.kills)),
  freeze: (scene) => freezes(scene, Number(values.freezes)),
  host: (scene) => hostDeaths(scene, Number(values.deaths)),
  join: (scene) => joins(scene, Number(values.joins)),
};

function table(all: readonly Series[]): void {
  console.log("| milliseconds | n | p50 | p99 | max |");
  console.log("| --- | --- | --- | --- | --- |");
  for (const { name, figures: { n, p50, p99, max } } of all) {
    console.log(`| ${name} | ${n} | ${p50} | ${p99} | ${max} |`);
  }
}

async function faults(parts: readonly Exclude<Part, "bridge">[]): Promise<Record<string, unknown>> {
  const cluster = await Cluster.open(Number(values.hosts), values.runtime as RuntimeName);
  const talk = new Talk(Number(values.rooms), Number(values["every-ms"]));
  const end = async (): Promise<void> => {
    talk.end();
    await cluster.end();
  };
  atEnd(end);
  const all: Series[] = [];
  try {
    const hosts = cluster.hosts.numbers;
    for (const host of hosts) await talk.enter(host, cluster.users(host));
    const scene: Scene = { cluster, talk, hosts, progress: (text) => console.error(text) };
    for (const part of parts) all.push(...await RUNS[part](scene));
  } finally {
    await end();
  }
  console.log(`\n${cluster.on}, ${values.hosts} hosts, ${values.rooms} rooms\n`);
  table(all);
  return { on: cluster.on, ...Object.fromEntries(all.map(({ name, figures }) => [name, figures])) };
}

const parts = PARTS.filter((part) => part !== "bridge").filter((part) => chosen.includes(part));
const problem = parts.length > 0 ? obstacle() : undefined;
if (problem !== undefined) refuse(`${problem}; --only bridge works without`, 1);
const result: Record<string, unknown> = {};
if (parts.length > 0) Object.assign(result, await faults(parts));
if (chosen.includes("bridge")) {
  const figures = await bridges(Number(values.seconds));
  bridgeTable(figures);
  Object.assign(result, { bridge: figures });
}
console.log(JSON.stringify(result));
process.exit(0);
