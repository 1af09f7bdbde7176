/**
 * A cluster over hosts whose network comes apart: each host is a network namespace with a real Serf agent, a bridge, a
 * ChatServer `cN` and a proxy `pN`. The test's own process is outside of the hosts: its users and what follows the
 * bridges reach every host, also one that is cut off from the others.
 *
 * @module
 */
import { join } from "node:path";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { NEWCOMER_MS } from "../../src/membership/serf/quorum.ts";
import type { View } from "../../src/membership/view.ts";
import { systemTransport } from "../../transports/system.ts";
import type { ProxyPlace } from "../support/clients.ts";
import { Hosts } from "../support/hosts.ts";
import type { Ready, Running } from "../support/processes.ts";
import { root, runtime } from "../support/runtimes.ts";
import { placedRooms } from "../support/rooms.ts";
import { CHAT_LIMITS } from "../support/scenario.ts";
import { until } from "../support/until.ts";

/** Bridges look who has become known, and who counts, several times in so long. */
const LOOK_MS = 1000;

/** A host counts a fixed time after the others know of its ChatServer: waits for that from when all know of all. */
async function counted(): Promise<void> {
  const known = performance.now();
  await until(() => performance.now() - known >= NEWCOMER_MS + LOOK_MS, "all hosts to count");
}

/** What the application has said of a room, with the machine's time in milliseconds. */
export interface AppEvent {
  readonly at: number;
  readonly server: string;
  readonly event: "open" | "close" | "message" | "merge";
  readonly room: string;
  readonly reason?: string;
}

/** A time in which one ChatServer took messages of a room. Milliseconds of the machine's time. */
export interface Span {
  readonly server: string;
  readonly from: number;
  to: number;
}

/** How to start a cluster. */
export interface PartitionClusterOptions {
  /** How many hosts. */
  readonly hosts: number;
  /** What becomes of a side that is cut off. */
  readonly partition: "serve" | "seal";
}

interface Place {
  bridge?: Ready<{ listen: string }>;
  chat?: Ready<{ listen: string; slot: number }>;
  proxy?: Ready<{ mqtt: number; http: number }>;
  membership?: BridgeMembership;
}

const READY_MS = 60_000;
const SECRET = "the secret of the partition tests";
const env = { TOYCHAT_SECRET: SECRET };
const app = join(root, "tests/partitions/partition_app.mjs");
const LOG_TAIL = 8000;

/** The hosts, numbered from 1, and what runs there. */
export class PartitionCluster {
  /** The network. */
  readonly hosts: Hosts;
  readonly #partition: string;
  readonly #places: Place[];
  readonly #away: Set<number> = new Set();
  readonly #all: { readonly name: string; readonly running: Running; read: number }[] = [];
  /** By room. */
  readonly #events: Map<string, AppEvent[]> = new Map();

  private constructor(hosts: Hosts, partition: string) {
    this.hosts = hosts;
    this.#partition = partition;
    this.#places = hosts.numbers.map(() => ({}));
  }

  /**
   * Starts agents and all roles; resolves when every bridge lists everybody, alike, and with `seal` when all hosts count in
   * the majority of all: a cut before that stops more of them than it has to.
   */
  static async open({ hosts: size, partition }: PartitionClusterOptions): Promise<PartitionCluster> {
    const hosts = await Hosts.open(size, { agent: { config: { reconnect_interval: "5s" } } });
    const cluster = new PartitionCluster(hosts, partition);
    try {
      await Promise.all(hosts.numbers.map((host) => cluster.startHost(host)));
      await cluster.agree();
      if (partition === "seal") await counted();
    } catch (error) {
      console.error(cluster.logs());
      await cluster.end();
      throw error;
    }
    return cluster;
  }

  /** Starts all roles of a host. */
  async startHost(host: number): Promise<void> {
    await this.startBridge(host);
    await Promise.all([this.startChat(host), this.startProxy(host)]);
  }

  /** The hosts that were not taken away. */
  get running(): number[] {
    return this.hosts.numbers.filter((host) => !this.#away.has(host));
  }

  /** Takes a host away in good order: its ChatServer drains, everything ends, its agent leaves. */
  async leave(host: number): Promise<void> {
    await this.role(host, "chat").stop();
    await this.role(host, "proxy").stop();
    await this.role(host, "bridge").stop();
    await this.hosts.agent(host).command(["leave"]);
    this.#away.add(host);
    await this.agree();
  }

  /** Starts a host's bridge. */
  async startBridge(host: number): Promise<void> {
    const place = this.#place(host);
    const listen = `${this.hosts.address(host)}:7374`;
    place.bridge = await this.#role(host, `bridge ${host}`, [
      ...["bridge", "--listen", listen, "--serf", "127.0.0.1:7373", "--partition", this.#partition],
      ...this.#partition === "seal" ? ["--expect-hosts", `${this.hosts.network.size}`] : [],
    ]);
    place.membership ??= await this.#follow(listen);
  }

  async #follow(listen: string): Promise<BridgeMembership> {
    const transport = await systemTransport();
    const membership = new BridgeMembership({ transport, url: `ws://${listen}/rpc`, secret: SECRET });
    await membership.open();
    return membership;
  }

  /** Starts a host's ChatServer. */
  async startChat(host: number): Promise<void> {
    const address = this.hosts.address(host);
    this.#place(host).chat = await this.#role(host, `c${host}`, [
      ...["chat", app, "--id", `c${host}`, "--host", address, "--listen", `${address}:7001`],
      ...CHAT_LIMITS,
      ...this.#bridgeOf(host),
    ]);
  }

  /** Starts a host's proxy. */
  async startProxy(host: number): Promise<void> {
    const address = this.hosts.address(host);
    this.#place(host).proxy = await this.#role(host, `p${host}`, [
      ...["proxy", "--id", `p${host}`, "--host", address, "--mqtt", "1883", "--http", "8080"],
      ...this.#bridgeOf(host),
    ]);
  }

  #bridgeOf(host: number): string[] {
    return ["--bridge", `ws://${this.hosts.address(host)}:7374/rpc`];
  }

  async #role<T>(host: number, name: string, args: readonly string[]): Promise<Ready<T>> {
    const spawned = this.hosts.role<T>(host, runtime("bun"), args, { env, readyMs: READY_MS });
    const running = await spawned;
    this.#all.push({ name, running, read: 0 });
    return running;
  }

  #place(host: number): Place {
    const place = this.#places[host - 1];
    if (!place) throw new Error(`there is no host ${host}`);
    return place;
  }

  /** A host's processes. */
  role(host: number, role: "bridge" | "chat" | "proxy"): Running {
    const running = this.#place(host)[role];
    if (!running) throw new Error(`host ${host} has no ${role}`);
    return running;
  }

  /** Where users of a host connect. */
  proxy(host: number): ProxyPlace {
    return { ...this.#place(host).proxy?.ready ?? { mqtt: 0, http: 0 }, host: this.hosts.address(host) };
  }

  /** What a host's bridge tells. */
  membership(host: number): BridgeMembership {
    const { membership } = this.#place(host);
    if (!membership) throw new Error(`host ${host} had no bridge yet`);
    return membership;
  }

  /** The newest view of a host's bridge. */
  view(host: number): View {
    return this.membership(host).view;
  }

  /** Everybody whom a bridge lists, with the state where it is not alive. */
  list(host: number): string {
    const word = (
      { id, state }: View["members"][number],
    ): string => (state === "alive" ? id : `${id} ${state}`);
    return this.view(host).members.map(word).sort().join();
  }

  /** The ids of everybody on some hosts, as {@linkcode PartitionCluster.list} gives them. */
  ids(hosts: readonly number[] = this.running): string {
    return hosts.flatMap((host) => [`c${host}`, `p${host}`]).sort().join();
  }

  /** Who owns a room by a host's view. */
  owner(host: number, room: string): string {
    return this.membership(host).placement.owner(room)?.id ?? "nobody";
  }

  /** Waits until the bridges of some hosts list these, by default everybody, in views of one digest. */
  async agree(ids = this.ids(), on: readonly number[] = this.running, ms = 60_000): Promise<void> {
    await until(
      () => this.agrees(ids, on),
      () =>
        `hosts ${on} to list ${ids}; they list ${
          on.map((host) => `${this.list(host)} (${this.view(host).digest})`).join("; ")
        }`,
      ms,
    );
  }

  /** Whether the views of some hosts are of one digest. */
  alike(on: readonly number[]): boolean {
    return new Set(on.map((host) => this.view(host).digest)).size === 1;
  }

  /** Whether they do. */
  agrees(ids: string, on: readonly number[] = this.running): boolean {
    return this.alike(on) && on.every((host) => this.list(host) === ids);
  }

  /** Names of rooms, so many owned by each ChatServer. */
  rooms(prefix: string, each: number): string[] {
    const chats = this.running.map((host) => `c${host}`);
    return placedRooms(chats, (room) => this.owner(1, room), prefix, each);
  }

  #hear(): void {
    for (const log of this.#all) {
      const { name, running: { stderr } } = log;
      const end = stderr.lastIndexOf("\n") + 1;
      const lines = stderr.slice(log.read, end).split("\n").filter((line) => line.startsWith("app {"));
      log.read = end;
      for (const line of lines) {
        const event: AppEvent = { ...JSON.parse(line.slice(4)), server: name };
        const room = this.#events.get(event.room) ?? [];
        this.#events.set(event.room, room);
        room.push(event);
      }
    }
  }

  /** What the application on all ChatServers has said of a room, in the order of time. */
  events(room: string): AppEvent[] {
    this.#hear();
    return [...this.#events.get(room) ?? []].sort((a, b) => a.at - b.at);
  }

  /** What was taken in a room by each ChatServer, from when to when: longer than 2 s without anything begins anew. */
  spans(room: string): Span[] {
    const spans: Span[] = [];
    for (const { at, server, event } of this.events(room)) {
      if (event !== "message") continue;
      const last = spans.findLast((span) => span.server === server);
      if (last && at - last.to < 2000) last.to = at;
      else spans.push({ server, from: at, to: at });
    }
    return spans.sort((a, b) => a.from - b.from);
  }

  /** The ChatServers where a room is open. */
  openAt(room: string): string[] {
    const open = new Set<string>();
    for (const { server, event } of this.events(room)) {
      if (event === "open") open.add(server);
      if (event === "close") open.delete(server);
    }
    return [...open].sort();
  }

  /** The end of every process's log, for when a test has failed. */
  logs(): string {
    const calm = (text: string): string =>
      text.split("\n").filter((line) => !line.startsWith("app {")).join("\n");
    return this.#all.map(({ name, running }) => `--- ${name}\n${calm(running.stderr).slice(-LOG_TAIL)}`).join(
      "\n",
    );
  }

  /** Ends everything. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#places.map(({ membership }) => membership?.close()));
    await this.hosts.end();
  }
}
