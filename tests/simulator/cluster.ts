/**
 * A cluster in one process, on a network in memory and in virtual time, whose parts can be killed, cut off, frozen,
 * misinformed and expelled.
 *
 * @module
 */
import { ChatServer } from "../../src/chat/chat_server.ts";
import type { ChatLimits } from "../../src/chat/options.ts";
import { serveHttp } from "../../src/http/serve_http.ts";
import { mqtt } from "../../src/protocols/mqtt.ts";
import type { ProxyLimits } from "../../src/proxy/options.ts";
import { ProxyServer } from "../../src/proxy/proxy_server.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import type { Gossip } from "../support/gossip_membership.ts";
import type { SkewedRegistry } from "../support/skewed_membership.ts";
import type { SplitRegistry } from "../support/split_membership.ts";
import { ProcessClock, Random, VirtualClock } from "../support/virtual_clock.ts";
import type { Client } from "./client.ts";
import { BRIDGE, BridgeList, type List, ModelList, type Split } from "./lists.ts";
import { type Chat, type Process, ProcessSockets, type Proxy } from "./process.ts";
import { isChat, type World } from "./schedule.ts";

export type { Chat, Process, Proxy } from "./process.ts";

/** Turns of the event loop after which a run counts as one that never ends. */
const TURNS = 400_000;
const LATE = 5;

/** Port on which proxies take MQTT. */
export const MQTT_PORT = 1883;
/** Port on which proxies take WebSockets. */
export const HTTP_PORT = 8080;

/** A time for which the network was cut in two. */
export interface Partition {
  /** Ids on the second side. */
  readonly b: ReadonlySet<string>;
  readonly from: number;
  /** When the network was whole again. */
  readonly to: number;
  /** When the list was. */
  readonly merged: number;
  /** When all processes knew that: where the next one began before, as late as of that one. */
  known: number;
}

/** Everything. */
export class Cluster {
  readonly clock: VirtualClock;
  readonly list: List;
  readonly chats: Chat[] = [];
  readonly proxies: Proxy[] = [];
  readonly clients: Client[] = [];
  /** What was done and what happened, with times, for reports. */
  readonly log: string[] = [];
  /** When processes, or all of them (`*`), were out of touch with a real bridge. */
  readonly outages: { readonly id: string; readonly from: number; readonly to: number }[] = [];
  /** In order of time. */
  readonly splits: Partition[] = [];
  /** ChatServers that were killed, and when. */
  readonly deaths: { readonly id: string; readonly at: number }[] = [];
  /** What was seen on the way that must not be. */
  readonly faults: string[] = [];
  /** Limits of all ChatServers to come. */
  chatLimits: Partial<ChatLimits> = {};
  readonly network: MemoryTransport;
  readonly #seed: number;
  readonly world: World;
  readonly #proxyLimits: Partial<ProxyLimits>;
  /** How long things take between two hosts, drawn for each pair by itself. */
  readonly #delays: Map<string, Random> = new Map();
  /** Directions, `from>to`, in which nothing arrives, and how often each is cut. */
  readonly #cuts: Map<string, number> = new Map();
  /** While the network is cut in two: who is on the second side. */
  #apart: ReadonlySet<string> | undefined;
  /** Hosts that neither send nor read. */
  readonly #frozen: Set<string> = new Set();
  #lives = 0;

  constructor(seed: number, world: World) {
    this.#seed = seed;
    this.world = world;
    this.clock = new VirtualClock(seed, TURNS);
    const { queue } = world;
    this.#proxyLimits = queue ? { maxQueuedBytes: queue.maxQueuedBytes } : {};
    if (world.idleMs !== undefined) this.chatLimits = { idleMs: world.idleMs };
    this.network = memoryTransport({
      clock: this.clock,
      split: world.split ?? false,
      ...(queue ? { capacity: queue.capacity } : {}),
      delay: ({ from, to }) => this.#passes(from, to) ? this.#latency(`${from}>${to}`) : Infinity,
    });
    const random = (purpose: string): Random => this.#random(purpose);
    this.list = world.membership === "bridge"
      ? new BridgeList({
        clock: this.clock,
        network: this.network,
        random,
        cut: (...cut) => this.cut(...cut),
      })
      : new ModelList(this.clock, world, random);
  }

  /** The model of the list. */
  get registry(): SkewedRegistry | Gossip | SplitRegistry {
    return (this.list as ModelList).registry;
  }

  /** Whether anything is cut off or stands still. */
  get disturbed(): boolean {
    return this.#cuts.size > 0 || this.#frozen.size > 0 || this.#apart !== undefined;
  }

  /** Whether little may be queued to a client. */
  get narrow(): boolean {
    return this.world.queue !== undefined;
  }

  /** Numbers for one purpose: what is drawn for others does not change them. */
  #random(purpose: string): Random {
    let random = this.#delays.get(purpose);
    if (!random) this.#delays.set(purpose, random = new Random(this.#seed ^ hash(purpose)));
    return random;
  }

  #passes(from: string, to: string): boolean {
    if (this.#apart && this.#acrossNow(from, to)) return false;
    return !this.#cuts.has(`${from}>${to}`) && !this.#frozen.has(from) && !this.#frozen.has(to);
  }

  #acrossNow(from: string, to: string): boolean {
    // Clients are on the side of their proxies.
    return isProcess(from) && isProcess(to) && this.#apart?.has(from) !== this.#apart?.has(to);
  }

  #latency(way: string): number {
    const { latency } = this.world;
    if (latency === 0) return 0;
    const random = this.#random(way);
    return random.chance(0.02) ? latency * LATE : random.below(latency + 1);
  }

  /** Notes something for the report. */
  note(text: string): void {
    this.log.push(`${this.clock.now().toFixed(0).padStart(6)} ${text}`);
  }

  #process(id: string): Process {
    const clock = new ProcessClock(this.clock, this.#random(`life ${++this.#lives}`));
    const sockets = new ProcessSockets(this.network.at(id), clock);
    return {
      id,
      clock,
      sockets,
      membership: this.list.process(id, clock, sockets),
      running: true,
      frozen: false,
    };
  }

  #logger(id: string, details: readonly string[]): (level: string, event: string, fields?: object) => void {
    return (level, event, fields) => {
      if (level !== "debug" || details.includes(event)) {
        this.note(`  ${id} ${event} ${JSON.stringify(fields ?? {})}`);
      }
    };
  }

  /** Makes a ChatServer, to be started; `program` adds its listeners. */
  chat(id: string, program: (chat: ChatServer, clock: ProcessClock) => void): Chat {
    const process = this.#process(id);
    const { clock, membership, sockets } = process;
    const log = this.#logger(id, ["room_open", "room_close"]);
    const server = new ChatServer({
      id,
      transport: sockets,
      membership,
      clock,
      log,
      limits: this.chatLimits,
    });
    program(server, clock);
    const chat = { ...process, server };
    this.chats.push(chat);
    return chat;
  }

  /** Makes a proxy, to be started by {@linkcode startProxy}. */
  proxy(id: string): Proxy {
    const process = this.#process(id);
    const { clock, membership, sockets } = process;
    const server = new ProxyServer({
      id,
      transport: sockets,
      membership,
      clock,
      log: this.#logger(id, []),
      address: `${id}:1`,
      limits: this.#proxyLimits,
      listen: [{ port: MQTT_PORT, host: id, protocol: mqtt() }],
    });
    const proxy = { ...process, server };
    this.proxies.push(proxy);
    return proxy;
  }

  /** Starts a proxy, with its HTTP. */
  async startProxy({ id, server }: Proxy): Promise<void> {
    await serveHttp(server, { port: HTTP_PORT, host: id, page: false });
    await server.start();
  }

  /** Lets time pass until a promise has settled. */
  async finish<T>(promise: Promise<T>, ms = 60_000): Promise<T> {
    let settled = false;
    promise.finally(() => settled = true).catch(() => {});
    if (!await this.clock.until(() => settled, ms)) throw new Error(`not settled within ${ms} ms`);
    return await promise;
  }

  /** The present life of a process. */
  find(id: string): Chat | Proxy | undefined {
    return this.chats.findLast((chat) => chat.id === id) ?? this.proxies.findLast((proxy) => proxy.id === id);
  }

  /** Kills a process: its connections break, nothing of it runs any more, and the list notices after a while. */
  kill(process: Process): void {
    process.running = false;
    process.clock.alive = false;
    if (isChat(process.id)) this.deaths.push({ id: process.id, at: this.clock.now() });
    process.sockets.close();
    this.network.break((from) => from === process.id);
    this.list.killed(process);
  }

  /** Nothing arrives between two processes, or in one direction, for so long; with `broken` connections end at once. */
  cut(a: string, b: string, ms: number, ways: "both" | "there" = "both", broken = true): void {
    const directions = ways === "both" ? [`${a}>${b}`, `${b}>${a}`] : [`${a}>${b}`];
    for (const way of directions) this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1);
    if (broken) {
      this.network.break((from, to) => (from === a && to === b) || (from === b && to === a));
    }
    this.clock.after(ms, () => {
      for (const way of directions) {
        const left = this.#cuts.get(way) as number - 1;
        if (left > 0) this.#cuts.set(way, left);
        else this.#cuts.delete(way);
      }
      this.network.retry();
    });
  }

  /** The network and the list are cut in two. */
  split(split: Split): void {
    const { broken, ms, merge } = split;
    const from = this.clock.now();
    this.#apart = new Set(split.b);
    const to = from + ms;
    const merged = to + merge;
    const known = merged + this.world.skew;
    for (const before of this.splits) if (before.known >= from) before.known = known;
    this.splits.push({ b: this.#apart, from, to, merged, known });
    if (broken) this.network.break((from, to) => this.#acrossNow(from, to));
    this.list.split(split, () => [...this.chats, ...this.proxies]);
    this.clock.after(ms, () => {
      this.#apart = undefined;
      this.network.retry();
    });
  }

  /** A process loses its lease, is struck off the list soon after, and comes back as a new incarnation. */
  expel(process: Process, strikeMs: number, backMs: number): void {
    this.#outage(process.id, strikeMs + backMs);
    this.list.expel(process, strikeMs, backMs);
  }

  /** A process stands still for a while; where that is long it loses its lease, and comes back when it wakes. */
  freeze(process: Process, ms: number): void {
    process.frozen = true;
    this.#outage(process.id, ms);
    this.list.frozen(process, ms);
    this.#hold(process.id, process.clock, ms, () => process.frozen = false);
  }

  /** The bridge stands still for a while, or (`dies`) is gone for so long. */
  disturbBridge(dies: boolean, ms: number): void {
    if (!(this.list instanceof BridgeList)) return;
    this.#outage("*", ms);
    if (dies) this.list.restart(ms);
    else if (this.list.clock?.alive) this.#hold(BRIDGE, this.list.clock, ms, () => {});
  }

  /** A process and the list do not hear of each other for so long. */
  mute(id: string, ms: number): void {
    this.#outage(id, ms);
    this.list.mute(id, ms);
  }

  #outage(id: string, ms: number): void {
    const from = this.clock.now();
    this.outages.push({ id, from, to: from + ms });
  }

  #hold(host: string, clock: ProcessClock, ms: number, thawed: () => void): void {
    clock.freeze();
    this.#frozen.add(host);
    this.clock.after(ms, () => {
      this.#frozen.delete(host);
      thawed();
      clock.thaw();
      this.network.retry();
    });
  }

  /** Processes that serve. */
  serving<P extends Process>(processes: readonly P[]): P[] {
    return processes.filter((process) => process.running);
  }
}

function isProcess(host: string): boolean {
  return isChat(host) || host.startsWith("p");
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
