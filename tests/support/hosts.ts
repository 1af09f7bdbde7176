/**
 * Several hosts on this machine, made of network namespaces, each with a real Serf agent: for what happens between hosts,
 * a cut network above all. Needs root, `ip` and `serf`.
 *
 * ```ts
 * const hosts = await Hosts.open(3);
 * afterAll(() => hosts.end());
 *
 * const chat = await hosts.role<{ listen: string }>(2, runtime("bun"), ["chat", "--listen", `${hosts.address(2)}:0`]);
 * await hosts.cut(2);
 * await hosts.sees(1, { "host-2": "failed" });
 * await hosts.heal();
 * ```
 *
 * The test's own process, with users and whatever else runs outside of the hosts, reaches every host by its address, also
 * one that is cut off from the other hosts. What listens on a host's 127.0.0.1 is reached from that host alone: run a
 * process there (`spawn`, `agent(n).command`).
 *
 * @module
 */
import { HostNetwork, type Place, type Way } from "../../examples/serf/network.ts";
import { cli, type Exit, Processes, type Ready, type Running, type StartOptions } from "./processes.ts";
import type { Runtime } from "./runtimes.ts";
import { type AgentOptions, type SerfAgent, SerfAgents } from "./serf_agents.ts";
import { until } from "./until.ts";

/** What Serf says of a host. */
export type SerfStatus = "alive" | "leaving" | "left" | "failed";

/** A host as an agent sees it. */
export interface SeenHost {
  readonly name: string;
  /** Its IPv4 address. */
  readonly address: string;
  readonly status: SerfStatus;
  readonly tags: Readonly<Record<string, string>>;
}

/** Options of {@linkcode Hosts}. */
export interface HostsOptions {
  /** Starts an agent on each host; default true. */
  readonly agents?: boolean;
  /** For every agent, beside its name, address, namespace and whom it joins. */
  readonly agent?: Partial<AgentOptions>;
}

/** Longest wait for what Serf says: it takes 25 s until one that is alone gives up its first peer. */
const SERF_MS = 60_000;
/** Between two questions to an agent: each is a process. */
const ASK_MS = 100;

/** Hosts, numbered from 1, and what runs on them. */
export class Hosts {
  /** The namespaces and the router between them. */
  readonly network: HostNetwork;
  readonly #processes: Processes = new Processes();
  readonly #serf: SerfAgents = new SerfAgents();
  readonly #agents: Map<Place, SerfAgent> = new Map();
  readonly #running: Map<Place, Set<Running>> = new Map();
  readonly #options: Partial<AgentOptions>;

  private constructor(network: HostNetwork, options: Partial<AgentOptions>) {
    this.network = network;
    this.#options = options;
  }

  /** Makes so many hosts; resolves when all their agents know each other. */
  static async open(size: number, { agents = true, agent = {} }: HostsOptions = {}): Promise<Hosts> {
    const hosts = new Hosts(await HostNetwork.open(size, "toychat-test"), agent);
    if (!agents) return hosts;
    try {
      await Promise.all(hosts.numbers.map((host) => hosts.startAgent(host)));
      await hosts.whole();
    } catch (error) {
      await hosts.end();
      throw error;
    }
    return hosts;
  }

  /** `[1, 2, …]`. */
  get numbers(): Place[] {
    return Array.from({ length: this.network.size }, (_, index) => index + 1);
  }

  /** The name of a host's agent. */
  name(host: Place): string {
    return `host-${host}`;
  }

  /** A host's address, the newest one. */
  address(host: Place): string {
    return this.network.address(host);
  }

  /** A host's agent. */
  agent(host: Place): SerfAgent {
    const agent = this.#agents.get(host);
    if (!agent) throw new Error(`host ${host} has no agent`);
    return agent;
  }

  /** Starts a host's agent for the first time, which joins the others; later on use `agent(n).restart()`. */
  async startAgent(host: Place, options: Partial<AgentOptions> = {}): Promise<SerfAgent> {
    const agent = await this.#serf.start({
      name: this.name(host),
      bind: this.address(host),
      netns: this.network.namespace(host),
      join: this.numbers.filter((other) => other !== host).map((other) => this.address(other)),
      ...this.#options,
      ...options,
    });
    this.#agents.set(host, agent);
    return agent;
  }

  /** Starts a program on a host and does not wait for anything. */
  spawn(host: Place, command: readonly string[], options?: StartOptions): Running {
    return this.#keep(host, this.#processes.spawn(this.network.on(host, command), options));
  }

  /** Starts a program on a host and waits for its ready line. */
  async start<T = Record<string, unknown>>(
    host: Place,
    command: readonly string[],
    options?: StartOptions,
  ): Promise<Ready<T>> {
    return this.#keep(host, await this.#processes.start<T>(this.network.on(host, command), options));
  }

  /** Starts `toychat` from source on a host, as `["bridge", "--serf", "127.0.0.1:7373"]`, and waits for its ready line. */
  role<T = Record<string, unknown>>(
    host: Place,
    on: Runtime,
    args: readonly string[],
    options?: StartOptions,
  ): Promise<Ready<T>> {
    return this.start(host, [...on.command, cli, ...args], options);
  }

  /** Runs a program on a host to its end. */
  async run(host: Place, command: readonly string[], options?: StartOptions): Promise<Running & Exit> {
    const running = this.spawn(host, command, options);
    return Object.assign(running, await running.exit);
  }

  #keep<T extends Running>(host: Place, running: T): T {
    const all = this.#running.get(host) ?? new Set();
    this.#running.set(host, all.add(running));
    return running;
  }

  /** Kills everything that was started on a host but its agent, in one go; resolves when all of it is gone. */
  async killProcesses(host: Place): Promise<void> {
    const all = [...this.#running.get(host) ?? []].filter(({ ended }) => !ended);
    for (const running of all) running.signal("SIGKILL");
    await Promise.all(all.map(({ exit }) => exit));
  }

  /** Kills everything on a host, its agent too: the host is dead. */
  async die(host: Place): Promise<void> {
    const agent = this.#agents.get(host)?.running;
    agent?.signal("SIGKILL");
    await Promise.all([this.killProcesses(host), agent?.exit]);
  }

  /** What a host's agent says of all hosts. */
  async members(host: Place): Promise<SeenHost[]> {
    const text = await this.agent(host).command(["members", "-format=json"]);
    const { members } = JSON.parse(text) as { members: (Omit<SeenHost, "address"> & { addr: string })[] };
    return members.map(({ name, addr, status, tags }) => ({
      name,
      address: addr.replace(/:\d+$/, ""),
      status,
      tags,
    }));
  }

  /** Waits until a host's agent says so of each host named: `{ "host-2": "failed" }`. */
  async sees(host: Place, expected: Readonly<Record<string, SerfStatus>>, ms = SERF_MS): Promise<void> {
    let seen: Record<string, string> = {};
    await until(
      async () => {
        seen = Object.fromEntries((await this.members(host)).map(({ name, status }) => [name, status]));
        if (Object.entries(expected).every(([name, status]) => seen[name] === status)) return true;
        await new Promise((resolve) => setTimeout(resolve, ASK_MS));
        return false;
      },
      () => `host ${host} to see ${JSON.stringify(expected)}; it sees ${JSON.stringify(seen)}`,
      ms,
    );
  }

  /** Waits until every agent says that every host with an agent is alive. */
  async whole(): Promise<void> {
    const all = Object.fromEntries(
      [...this.#agents.keys()].map((host) => [this.name(host), "alive" as const]),
    );
    await Promise.all([...this.#agents.keys()].map((host) => this.sees(host, all)));
  }

  /** Cuts a host off from the other hosts, both ways or one way as that host sees it; users still reach it. */
  async cut(host: Place, way?: Way): Promise<void> {
    await this.network.cut(host, way);
  }

  /** Cuts a host off from everybody, users too. */
  async isolate(host: Place): Promise<void> {
    await this.network.isolate(host);
  }

  /** Cuts two groups apart: `part([1, 2], [3])`. */
  async part(some: readonly Place[], others: readonly Place[]): Promise<void> {
    await this.network.part(some, others);
  }

  /** Mends a host's network, or all of it. */
  async heal(host?: Place): Promise<void> {
    await this.network.heal(host);
  }

  /** Ends everything that runs on the hosts and removes them. Call it after the tests. */
  async end(): Promise<void> {
    await this.#processes.end();
    await this.#serf.end();
    await this.network.close();
  }
}
