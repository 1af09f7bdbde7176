/**
 * A cluster of several hosts on this machine, each a network namespace with a Serf agent, a bridge, a ChatServer and a
 * proxy, all of them processes; and what each host's bridge and agent say, as they say it.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { SerfClient } from "../../src/membership/serf/serf_client.ts";
import type { Placement } from "../../src/membership/placement.ts";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import type { View } from "../../src/membership/view.ts";
import { Hosts } from "../../tests/support/hosts.ts";
import type { Ready, Running } from "../../tests/support/processes.ts";
import { type Runtime, runtime, type RuntimeName } from "../../tests/support/runtimes.ts";
import { until } from "../../tests/support/until.ts";
import { systemTransport } from "../../transports/system.ts";

const PORTS = { rpc: 7373, bridge: 7374, chat: 7400, http: 8080 } as const;
const SECRET = "a secret of the benchmark's own";
/** Users of the benchmark say more than people do. */
const UNLIMITED = ["--limits", "messageRate=off"];
/** Between two questions to an agent. */
const ASK_MS = 10;
/** Starts and verdicts of Serf; generous, since nothing is measured by it. */
const PATIENCE_MS = 90_000;

/** A view that a host's bridge has told. */
export interface Told {
  readonly host: number;
  /** `performance.now()`. */
  readonly at: number;
  readonly view: View;
}

/** The hosts, numbered from 1. */
export class Cluster {
  readonly hosts: Hosts;
  readonly #runtime: Runtime;
  readonly #secretFile: string;
  readonly #chats: Map<number, Ready<unknown>> = new Map();
  readonly #watchers: Map<number, BridgeMembership> = new Map();
  readonly #agents: Map<number, SerfClient> = new Map();
  /** All views since the last `forget`. */
  told: Told[] = [];

  private constructor(hosts: Hosts, on: Runtime) {
    this.hosts = hosts;
    this.#runtime = on;
    this.#secretFile = join(hosts.network.folder, "secret");
    writeFileSync(this.#secretFile, SECRET, { mode: 0o600 });
  }

  /** Starts so many hosts; resolves when all see all. */
  static async open(size: number, name: RuntimeName): Promise<Cluster> {
    const hosts = await Hosts.open(size, { agents: false });
    const cluster = new Cluster(hosts, runtime(name));
    try {
      await Promise.all(
        hosts.numbers.map((host) => hosts.startAgent(host, { rpcHost: hosts.address(host) })),
      );
      await Promise.all(hosts.numbers.map((host) => cluster.#equip(host)));
      await cluster.whole();
    } catch (error) {
      await cluster.end();
      throw error;
    }
    return cluster;
  }

  /** The runtime, as for a table's head. */
  get on(): string {
    return `${this.#runtime.name} ${this.#runtime.version}`;
  }

  get #numbers(): number[] {
    return this.hosts.numbers;
  }

  #bridge(host: number): string {
    return `ws://${this.hosts.address(host)}:${PORTS.bridge}/rpc`;
  }

  /** Starts all but the agent, and begins to watch. */
  async #equip(host: number): Promise<void> {
    const address = this.hosts.address(host);
    const listen = ["--listen", `${address}:${PORTS.bridge}`, "--serf", `${address}:${PORTS.rpc}`];
    await this.#role(host, ["bridge", ...listen]);
    const ports = ["--mqtt", "off", "--http", `${PORTS.http}`, "--host", address];
    await Promise.all([
      this.startChat(host),
      this.#role(host, [
        "proxy",
        "--bridge",
        this.#bridge(host),
        "--id",
        `proxy-${host}`,
        ...ports,
        ...UNLIMITED,
      ]),
      this.#watch(host),
    ]);
  }

  #role(host: number, args: readonly string[]): Promise<Ready<unknown>> {
    const common = ["--secret-file", this.#secretFile];
    return this.hosts.role(host, this.#runtime, [...args, ...common], { readyMs: PATIENCE_MS });
  }

  async #watch(host: number): Promise<void> {
    const transport = await systemTransport();
    if (!this.#watchers.has(host)) {
      const membership = new BridgeMembership({ transport, url: this.#bridge(host), secret: SECRET });
      membership.onView((view) => this.told.push({ host, at: performance.now(), view }));
      this.#watchers.set(host, membership);
      await membership.open();
    }
    if (this.#agents.has(host)) return;
    const agent = new SerfClient({ transport, address: `${this.hosts.address(host)}:${PORTS.rpc}` });
    this.#agents.set(host, agent);
    agent.start();
  }

  /** Starts the ChatServer of a host; resolves with its ready line. */
  async startChat(host: number): Promise<Running> {
    const listen = `${this.hosts.address(host)}:${PORTS.chat}`;
    const args = ["chat", "--bridge", this.#bridge(host), "--id", `chat-${host}`, "--listen", listen];
    const chat = await this.#role(host, args);
    this.#chats.set(host, chat);
    return chat;
  }

  /** The ChatServer's process of a host. */
  chat(host: number): Running {
    const chat = this.#chats.get(host);
    if (!chat) throw new Error(`host ${host} has no ChatServer`);
    return chat;
  }

  /** Kills a ChatServer; resolves with when it was told to and when it was gone. */
  async killChat(host: number): Promise<{ at: number; gone: number }> {
    const chat = this.chat(host);
    const at = performance.now();
    chat.signal("SIGKILL");
    await chat.exit;
    return { at, gone: performance.now() };
  }

  /** Cuts a host off from everybody and kills all that runs on it. */
  async kill(host: number): Promise<void> {
    await this.hosts.isolate(host);
    await this.hosts.die(host);
  }

  /** Starts everything on a host that was killed. */
  async revive(host: number): Promise<void> {
    await this.hosts.heal(host);
    await this.hosts.agent(host).restart();
    await this.#equip(host);
  }

  /** When a host's own agent says that another one has failed. */
  async verdict(host: number, of: number): Promise<number> {
    const agent = this.#agents.get(host);
    const name = this.hosts.name(of);
    const end = performance.now() + PATIENCE_MS;
    while (performance.now() < end) {
      const members = await agent?.members().catch(() => []) ?? [];
      if (members.some((one) => one.name === name && one.status === "failed")) return performance.now();
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
    throw new Error(`the agent of host ${host} did not say that ${name} has failed`);
  }

  /** Who owns what, by what a host's bridge says. */
  placement(host: number): Placement {
    const watcher = this.#watchers.get(host);
    if (!watcher) throw new Error(`nobody watches host ${host}`);
    return watcher.placement;
  }

  /** The number of the host that owns a room, as one host sees it. */
  owner(room: string, seenBy = 1): number {
    return Number(this.placement(seenBy).owner(room)?.id.replace("chat-", "") ?? NaN);
  }

  /** Waits until all bridges tell one view with everybody alive. */
  async whole(): Promise<void> {
    const everybody = this.#numbers.flatMap((host) => [`chat-${host}`, `proxy-${host}`]).sort().join();
    await until(
      () => {
        const views = this.#numbers.map((host) => this.placement(host).view);
        return views.every(({ digest }) => digest === views[0]?.digest) &&
          views.every(({ members }) =>
            members.every(({ state }) => state === "alive") &&
            members.map(({ id }) => id).sort().join() === everybody
          );
      },
      () => `one view everywhere: ${JSON.stringify(this.#numbers.map((host) => this.placement(host).view))}`,
      PATIENCE_MS,
    );
  }

  /** When a host's bridge first told a view without a ChatServer, after `at`; NaN where it has not. */
  toldGone(host: number, chat: number, at: number): number {
    const id = `chat-${chat}`;
    return this.told.find((told) =>
      told.host === host && told.at >= at && !told.view.members.some((one) => one.id === id)
    )?.at ?? NaN;
  }

  /** Ends everything. */
  async end(): Promise<void> {
    for (const watcher of this.#watchers.values()) await watcher.close();
    for (const agent of this.#agents.values()) agent.stop();
    await this.hosts.end();
  }

  /** Where users reach a host's proxy. */
  users(host: number): string {
    return `ws://${this.hosts.address(host)}:${PORTS.http}/ws`;
  }
}

/** Ends it all, also where this process is told to end. */
export function atEnd(work: () => Promise<void>): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void work().finally(() => process.exit(1)));
  }
}
