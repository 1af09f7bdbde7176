/**
 * How does a cluster live with its network? Three hosts on this machine, made of network namespaces, each with a real Serf
 * agent, a bridge, a ChatServer and a proxy, and a console to cut one off, to kill or to freeze what runs there.
 *
 * ```sh
 * sudo npx --yes deno run -A examples/serf/hosts.ts          # or: sudo bun examples/serf/hosts.ts
 * ```
 *
 * It takes Linux, root, `ip` (iproute2) and `serf` (apt-get install serf). Users on this machine reach every host by its
 * address, also one that is cut off from the others: subscribe on two sides of a cut and see what each says.
 *
 * On stdout there is one line `ready {…}`, then what to try, then each change of the members as each host sees it.
 * `--hosts N` (default 3, at most 9), `--partition serve|seal` (default serve: docs/serf.md says which to choose),
 * `--verbose` for the logs of all processes.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { findRuntimes, root } from "../plaza/runtimes.ts";
import { Console } from "./console.ts";
import { Host } from "./host.ts";
import { HostNetwork } from "./network.ts";
import { changes, hints, readyLine } from "./output.ts";
import { missing, type Options, readOptions } from "./options.ts";

/** Milliseconds that processes have to end in good order. */
const STOP_MS = 6000;

class Cluster {
  readonly #network: HostNetwork;
  readonly #hosts: Host[] = [];
  readonly #began = performance.now();
  #stopping = false;

  constructor(network: HostNetwork) {
    this.#network = network;
  }

  async start({ partition, verbose }: Options): Promise<void> {
    const runtimes = await findRuntimes();
    const secretFile = join(this.#network.folder, "secret");
    writeFileSync(secretFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
    const settings = {
      network: this.#network,
      runtimes,
      partition,
      secretFile,
      verbose,
      gossipKey: randomBytes(32).toString("base64"),
      rpcKey: randomBytes(24).toString("base64url"),
      changed: (host: Host, before: Host["members"]) => this.#changed(host, before),
      died: (host: Host, part: string, log: string) => {
        if (!this.#stopping) this.#say(`host ${host.number}: its ${part} has ended by itself\n${log}`);
      },
    };
    for (let number = 1; number <= this.#network.size; number++) this.#hosts.push(new Host(number, settings));
    await Promise.all(this.#hosts.map((host) => host.start()));
    console.log(readyLine(this.#hosts, secretFile));
    const { rpcKey } = settings;
    console.log(
      `\n${hints(this.#hosts, { command: runtimes[0]?.command ?? [], root, secretFile, rpcKey })}\n`,
    );
  }

  get console(): Console {
    return new Console(this.#network, this.#hosts, (text) => this.#say(text));
  }

  #changed(host: Host, before: Host["members"]): void {
    if (this.#stopping) return;
    for (const change of changes(before, host.members)) this.#say(`host ${host.number} sees  ${change}`);
  }

  /** Prints with the seconds since the start: that is how long things took. */
  #say(text: string): void {
    console.log(`${((performance.now() - this.#began) / 1000).toFixed(3).padStart(8)} s  ${text}`);
  }

  /** Ends everything in good order, and by force what has not ended after 6 s; removes the network. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const late = new Promise((resolve) => setTimeout(resolve, STOP_MS).unref());
    await Promise.race([this.#end(), late]);
    await this.kill9();
  }

  async #end(): Promise<void> {
    await this.#network.heal();
    for (const parts of [["watcher", "proxy"], ["chat"], ["bridge"], ["agent"]] as const) {
      await Promise.all(this.#hosts.map((host) => host.stop(parts)));
    }
  }

  /** Ends everything at once and removes the network. */
  async kill9(): Promise<void> {
    this.#stopping = true;
    await this.#network.close();
  }
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const problem = typeof options === "string" ? options : missing();
  if (typeof options === "string" || problem) {
    console.error(problem);
    process.exit(2);
  }
  console.error(`Making ${options.hosts} hosts …`);
  const cluster = new Cluster(await HostNetwork.open(options.hosts, "toychat-hosts"));
  const stop = endWith(cluster);
  try {
    await cluster.start(options);
  } catch (error) {
    await cluster.kill9();
    throw error;
  }
  const lines = createInterface({ input: process.stdin });
  const reader = cluster.console;
  lines.on("line", (line) => reader.line(line).then((go) => go || stop()));
}

/** Whatever ends this program ends all of it; should it be killed itself, a guard does. */
function endWith(cluster: Cluster): () => void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) {
      cluster.kill9().finally(() => process.exit(1));
      return;
    }
    stopping = true;
    console.error("\nThe hosts go.");
    cluster.stop().then(() => process.exit(0), () => process.exit(1));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  return stop;
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
