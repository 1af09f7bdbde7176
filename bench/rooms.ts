/**
 * Rooms under load: two proxies and one ChatServer beside mosquitto, by the same load generator in the same run.
 *
 *     npx deno run -A bench/rooms.ts [--runtime bun] [--rounds 3] [--seconds 5]
 *
 * All servers share one core, the generator has another. Each round measures mosquitto and toychat in turn for each
 * shape; the figure is deliveries per CPU-second of the servers, and what is printed are medians and their ratio.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Processes } from "../tests/support/processes.ts";
import { root, type Runtime, runtime, type RuntimeName } from "../tests/support/runtimes.ts";

/** Rooms, and users in each. */
const SHAPES = [[100, 10], [10, 100], [1, 1000]] as const;
/** mosquitto has no such limit. */
const UNLIMITED = ["--limits", "messageRate=off"];
const SERVERS = "0";
const GENERATOR = "1";

interface Server {
  readonly addresses: string;
  readonly pids: readonly number[];
}

interface Result {
  readonly deliveries_per_cpu_s: number;
  readonly deliveries_per_s: number;
  readonly p50_us: number;
  readonly p99_us: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly out_of_order: number;
  readonly misrouted: number;
}

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "bun" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    qos: { type: "string", default: "0" },
  },
});

const folder = mkdtempSync(join(tmpdir(), "toychat-bench-"));
const processes = new Processes();

function pinned(name: RuntimeName): Runtime {
  const { version, command } = runtime(name);
  return { name, version, command: ["taskset", "-c", SERVERS, ...command] };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function startMosquitto(): Promise<Server> {
  const port = await freePort();
  const config = join(folder, "mosquitto.conf");
  // Nothing may be dropped: a figure with losses is none.
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n`);
  const running = processes.spawn(["taskset", "-c", SERVERS, "mosquitto", "-c", config]);
  await running.until(({ stderr }) => stderr.includes(" running") || undefined, "that it runs");
  return { addresses: `127.0.0.1:${port}`, pids: [running.pid] };
}

async function startToychat(name: RuntimeName): Promise<Server> {
  const on = pinned(name);
  const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"]);
  const cluster = ["--bridge", `ws://${bridge.ready.listen}/rpc`];
  const chat = await processes.role(on, ["chat", ...cluster]);
  const proxies = [1, 2].map(() =>
    processes.role<{ mqtt: number }>(on, ["proxy", "--mqtt", "0", "--http", "off", ...UNLIMITED, ...cluster])
  );
  const [one, two] = await Promise.all(proxies);
  if (!one || !two) throw new Error("two proxies are needed");
  return {
    addresses: `127.0.0.1:${one.ready.mqtt},127.0.0.1:${two.ready.mqtt}`,
    pids: [chat.pid, one.pid, two.pid],
  };
}

function load(server: Server, rooms: number, users: number): Promise<Result> {
  const args = [
    ...["-c", GENERATOR, join(folder, "roomload"), "-a", server.addresses],
    ...["-r", String(rooms), "-u", String(users), "--publishers", "10", "--window", "1"],
    ...["-d", values.seconds, "--qos", values.qos, "--connect-parallel", "32"],
    ...["--server-pid", server.pids.join(",")],
  ];
  return new Promise((resolve, reject) => {
    const child = spawn("taskset", args, { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => out += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => err += text);
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(out) as Result);
      else reject(new Error(`roomload ended with ${code}: ${err}`));
    });
  });
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function checked(result: Result): Result {
  const { lost, duplicates, out_of_order, misrouted } = result;
  if (lost + duplicates + out_of_order + misrouted > 0) {
    throw new Error(`not a figure: ${JSON.stringify({ lost, duplicates, out_of_order, misrouted })}`);
  }
  return result;
}

function row(shape: string, name: string, results: Result[]): string {
  const of = (read: (result: Result) => number): string => Math.round(median(results.map(read))).toString();
  return `| ${shape} | ${name} | ${of((r) => r.deliveries_per_cpu_s)} | ${of((r) => r.deliveries_per_s)} | ` +
    `${of((r) => r.p50_us / 1000)} | ${of((r) => r.p99_us / 1000)} |`;
}

async function compare(name: RuntimeName): Promise<void> {
  const rounds = Number(values.rounds);
  const mosquitto = await startMosquitto();
  const toychat = await startToychat(name);
  console.log("| rooms × users | server | deliveries / CPU s | deliveries / s | p50 ms | p99 ms |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (const [rooms, users] of SHAPES) {
    const theirs: Result[] = [];
    const ours: Result[] = [];
    for (let round = 0; round < rounds; round++) {
      theirs.push(checked(await load(mosquitto, rooms, users)));
      ours.push(checked(await load(toychat, rooms, users)));
    }
    const ratios = ours.map((result, i) =>
      result.deliveries_per_cpu_s / (theirs[i]?.deliveries_per_cpu_s ?? NaN)
    );
    const shape = `${rooms} × ${users}`;
    console.log(row(shape, "mosquitto", theirs));
    console.log(row(shape, `toychat on ${name}`, ours));
    const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(1));
    console.log(`| ${shape} | **ratio ${median(ratios).toFixed(1)}** (${least} to ${most}) | | | | |`);
  }
}

try {
  execFileSync("cc", ["-O2", "-o", join(folder, "roomload"), join(root, "bench", "roomload.c")]);
  await compare(values.runtime as RuntimeName);
} finally {
  await processes.end();
  rmSync(folder, { recursive: true });
}
process.exit(0);
