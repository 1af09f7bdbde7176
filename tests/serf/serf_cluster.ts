/**
 * A cluster of several hosts on loopback addresses of this machine, each with a real Serf agent, a bridge, a ChatServer
 * and where it is to have one a proxy, all of them processes that can be killed, frozen and started again one by one.
 *
 * ```ts
 * const cluster = new SerfCluster({ hosts: [{ proxy: true }, {}, { proxy: true }] });
 * afterAll(() => cluster.end());
 *
 * await cluster.whole();
 * await cluster.host(2).chat.kill();
 * await cluster.agree(["c1", "c3", "p1", "p3"]);
 * ```
 *
 * @module
 */
import type { ClientPorts } from "../support/crowd.ts";
import type { Member } from "../../src/membership/view.ts";
import { Processes, type Running } from "../support/processes.ts";
import { type Runtime, runtime } from "../support/runtimes.ts";
import { type AgentOptions, loopbackAddress, type SerfAgent, SerfAgents } from "../support/serf_agents.ts";
import { placedRooms } from "../support/rooms.ts";
import { until } from "../support/until.ts";
import { SerfHostProcesses } from "./host_processes.ts";

/** What runs on a host. */
export interface HostSpec {
  /** What its roles run on; default Bun. */
  readonly on?: Runtime;
  /** Whether it has a proxy, `pN`; default false. */
  readonly proxy?: boolean;
  /** Whether it has a ChatServer, `cN`; default true. */
  readonly chat?: boolean;
}

/** How to start a cluster. */
export interface SerfClusterOptions {
  /** One entry a host. */
  readonly hosts: readonly HostSpec[];
  /** Settings of each agent, by its host's number, beside name, address and whom it joins. */
  readonly agent?: (host: number) => Partial<AgentOptions>;
  /** Whether the agents do not know each other at first; see {@linkcode SerfCluster.unite}. Default false. */
  readonly islands?: boolean;
  /** Variables of every role. */
  readonly env?: Readonly<Record<string, string>>;
}

/** For what Serf takes its time for, on a machine that is busy. */
export const SERF_MS = 60_000;
const LOG_TAIL = 6000;

/** Hosts, numbered from 1. */
export class SerfCluster {
  /** What is started beside the roles. */
  readonly processes: Processes = new Processes();
  readonly #agents: SerfAgents = new SerfAgents();
  readonly #options: SerfClusterOptions;
  readonly #hosts: SerfHostProcesses[] = [];
  /** Every process that was ever started, by its name. */
  readonly #all: [name: string, running: Running][] = [];

  /** Nothing is started yet. */
  constructor(options: SerfClusterOptions) {
    this.#options = options;
  }

  /** Starts whatever is not running, and waits until every host sees everybody alive; of islands each its own. */
  async whole(): Promise<void> {
    if (this.#hosts.length === 0) await this.#make();
    await Promise.all(this.#hosts.map((host) => host.whole()));
    if (!this.#options.islands) return await this.agree(this.ids);
    for (const host of this.#hosts) await this.agree(host.ids, [host]);
  }

  /** Lets the agents of islands know each other. */
  async unite(): Promise<void> {
    const [first, ...others] = this.#hosts;
    await first?.agent.command(["join", ...others.map(({ agent }) => agent.bind)]);
  }

  async #make(): Promise<void> {
    const { hosts, agent, env = {}, islands = false } = this.#options;
    // Each joins all others, so that any of them finds back.
    const binds = hosts.map(() => loopbackAddress());
    const agents = await Promise.all(hosts.map((_, index) =>
      this.#agents.start({
        name: `host-${index + 1}`,
        bind: binds[index] ?? "",
        join: islands ? [] : binds.filter((_, other) => other !== index),
        ...agent?.(index + 1),
      })
    ));
    for (const [index, spec] of hosts.entries()) {
      const serf = agents[index];
      if (!serf) throw new Error("every host has an agent");
      this.#hosts.push(
        new SerfHostProcesses({
          number: index + 1,
          agent: serf,
          on: spec.on ?? runtime("bun"),
          proxy: spec.proxy ?? false,
          chat: spec.chat ?? true,
          env,
          processes: this.processes,
          onStart: (name, running) => this.#all.push([name, running]),
        }),
      );
    }
  }

  /** A host by its number. */
  host(number: number): SerfHostProcesses {
    const host = this.#hosts[number - 1];
    if (!host) throw new Error(`there is no host ${number}`);
    return host;
  }

  /** All hosts. */
  get hosts(): readonly SerfHostProcesses[] {
    return this.#hosts;
  }

  /** The ids of everyone that a whole cluster has. */
  get ids(): string[] {
    return this.#hosts.flatMap(({ ids }) => ids);
  }

  /** Where users connect: the proxies, in the order of their hosts. */
  get ports(): ClientPorts[] {
    return this.#hosts.filter(({ hasProxy }) => hasProxy).map(({ proxy }) => proxy.ready);
  }

  /**
   * Waits until the bridges of these hosts, by default all, list exactly these members, all alive, in views of one digest.
   */
  async agree(
    ids: readonly string[],
    on: readonly SerfHostProcesses[] = this.#hosts,
    ms = SERF_MS,
  ): Promise<void> {
    const want = [...ids].sort().join();
    await until(
      () =>
        on.every((host) => host.list().join() === want) && new Set(on.map(({ digest }) => digest)).size === 1,
      () =>
        `hosts to list ${want}; they list ${on.map((host) => `${host.list()} (${host.digest})`).join("; ")}`,
      ms,
    );
  }

  /** The members as the first host's bridge lists them. */
  get members(): readonly Member[] {
    return this.host(1).view.members;
  }

  /** The id of the ChatServer that owns a room by the first host's view. */
  owner(room: string): string {
    return this.host(1).membership.placement.owner(room)?.id ?? "nobody";
  }

  /** Which of the rooms a ChatServer owns. */
  ownedBy(id: string, rooms: readonly string[]): string[] {
    return rooms.filter((room) => this.owner(room) === id);
  }

  /** Names of rooms, so many owned by each ChatServer that is alive. */
  rooms(prefix: string, each: number): string[] {
    const alive = this.members.filter(({ role, state }) => role === "chat" && state === "alive");
    return placedRooms(alive.map(({ id }) => id), (room) => this.owner(room), prefix, each);
  }

  /** What a host's agent says of all agents: `{ "host-2": "failed" }`. */
  async statuses(host: number): Promise<Record<string, string>> {
    const text = await this.host(host).agent.command(["members", "-format=json"]);
    const { members } = JSON.parse(text) as { members: { name: string; status: string }[] };
    return Object.fromEntries(members.map(({ name, status }) => [name, status]));
  }

  /** Waits until a host's agent says so of another. */
  async says(host: number, name: string, status: string): Promise<void> {
    let seen: Record<string, string> = {};
    await until(
      async () => (seen = await this.statuses(host))[name] === status,
      () => `host ${host} to call ${name} ${status}; it says ${JSON.stringify(seen)}`,
      SERF_MS,
    );
  }

  /** Starts an agent that belongs to none of the hosts; it ends with the cluster. */
  startAgent(options: AgentOptions): Promise<SerfAgent> {
    return this.#agents.start(options);
  }

  /** The end of every process's log, for when a test has failed. */
  logs(): string {
    return this.#all.map(([name, { stderr }]) => `--- ${name}\n${stderr.slice(-LOG_TAIL)}`).join("\n");
  }

  /** Kills everything. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#hosts.map((host) => host.close()));
    await this.processes.end();
    await this.#agents.end();
  }
}
