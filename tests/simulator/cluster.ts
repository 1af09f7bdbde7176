/**
 * A cluster in one process, on a network in memory and in virtual time, whose parts can be killed, cut off and expelled.
 *
 * @module
 */
import { ChatServer } from "../../src/chat/chat_server.ts";
import type { ChatLimits } from "../../src/chat/options.ts";
import type { Transport } from "../../src/lib/transport.ts";
import { ProxyServer } from "../../src/proxy/proxy_server.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import { type SkewedMembership, SkewedRegistry } from "../support/skewed_membership.ts";
import { ProcessClock, Random, VirtualClock } from "../support/virtual_clock.ts";
import { Client } from "./client.ts";

/** One process. */
interface Process {
  readonly id: string;
  readonly clock: ProcessClock;
  readonly membership: SkewedMembership;
  /** Closes its listening sockets, as the death of a process does. */
  readonly unlisten: () => void;
  /** Whether it is to serve until the end. */
  running: boolean;
}

/** A ChatServer in its process. */
export interface Chat extends Process {
  readonly server: ChatServer;
}

/** A proxy in its process. */
export interface Proxy extends Process {
  readonly server: ProxyServer;
}

/** Milliseconds after which a process that stands still is struck off the list. */
const STRIKE_MS = 3000;

/** Milliseconds that things take. */
export interface Times {
  /** A parcel takes 0 up to this on the network. */
  readonly latency: number;
  /** A view takes 0 up to this to a process. */
  readonly skew: number;
  /** The death of a process takes 0 up to this to be noticed. */
  readonly detection: number;
}

/** Everything. */
export class Cluster {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly registry: SkewedRegistry;
  readonly chats: Chat[] = [];
  readonly proxies: Proxy[] = [];
  readonly clients: Client[] = [];
  /** What was done and what happened, with times, for reports. */
  readonly log: string[] = [];
  /** Limits of all ChatServers to come. */
  chatLimits: Partial<ChatLimits> = {};
  readonly #times: Times;
  readonly #network: MemoryTransport;
  /** Pairs of hosts between which nothing arrives. */
  readonly #cut = new Set<string>();
  /** Hosts that neither send nor read. */
  readonly #frozen = new Set<string>();

  constructor(seed: number, times: Times) {
    this.clock = new VirtualClock(seed);
    this.random = new Random(seed ^ 0x5bd1e995);
    this.#times = times;
    this.registry = new SkewedRegistry(this.clock);
    this.registry.delay = () => this.random.below(times.skew + 1);
    this.#network = memoryTransport({
      clock: this.clock,
      delay: ({ from, to }) => this.#passes(from, to) ? this.#latency() : Infinity,
    });
  }

  #passes(from: string, to: string): boolean {
    return !this.#cut.has(pair(from, to)) && !this.#frozen.has(from) && !this.#frozen.has(to);
  }

  #latency(): number {
    const { latency } = this.#times;
    return this.random.chance(0.02) ? latency * 5 : this.random.below(latency + 1);
  }

  /** Notes something for the report. */
  note(text: string): void {
    this.log.push(`${String(this.clock.now()).padStart(6)} ${text}`);
  }

  #process(id: string): Process & { transport: Transport } {
    const clock = new ProcessClock(this.clock);
    const host = this.#network.at(id);
    const sockets: { close(): Promise<void> }[] = [];
    const transport: Transport = {
      name: host.name,
      connect: (...args) => host.connect(...args),
      serve: (...args) => host.serve(...args),
      createContext: () => host.createContext(),
      listen: async (...args) => {
        const socket = await host.listen(...args);
        sockets.push(socket);
        return socket;
      },
    };
    const unlisten = (): void => {
      for (const socket of sockets) void socket.close();
    };
    return { id, clock, membership: this.registry.process(id, clock), unlisten, running: true, transport };
  }

  /** Makes a ChatServer, to be started; `program` adds its listeners. */
  chat(id: string, program: (chat: ChatServer, clock: ProcessClock) => void): Chat {
    const { transport, ...process } = this.#process(id);
    const { clock, membership } = process;
    const log = (level: string, event: string, fields?: object): void => {
      if (level !== "debug" || event === "room_open" || event === "room_close") {
        this.note(`  ${id} ${event} ${JSON.stringify(fields ?? {})}`);
      }
    };
    const server = new ChatServer({ id, transport, membership, clock, log, limits: this.chatLimits });
    program(server, clock);
    const chat = { ...process, server };
    this.chats.push(chat);
    return chat;
  }

  /** Makes a proxy, to be started. */
  proxy(id: string): Proxy {
    const { transport, ...process } = this.#process(id);
    const { clock, membership } = process;
    const log = (level: string, event: string, fields?: object): void => {
      if (level !== "debug") this.note(`  ${id} ${event} ${JSON.stringify(fields ?? {})}`);
    };
    const server = new ProxyServer({ id, transport, membership, clock, log, address: `${id}:1` });
    const proxy = { ...process, server };
    this.proxies.push(proxy);
    return proxy;
  }

  /** Lets time pass until a promise has settled. */
  async finish<T>(promise: Promise<T>, ms = 60_000): Promise<T> {
    let settled = false;
    promise.finally(() => settled = true).catch(() => {});
    if (!await this.clock.until(() => settled, ms)) throw new Error(`not settled within ${ms} ms`);
    return await promise;
  }

  /** Connects a user to a proxy. */
  client(user: string, proxy: Proxy, acknowledged = false): Client {
    const client = new Client(user, this, proxy, acknowledged);
    this.clients.push(client);
    return client;
  }

  /** Kills a process: its connections break, nothing of it runs any more, and the list notices after a while. */
  kill(process: Process): void {
    process.running = false;
    process.clock.alive = false;
    process.unlisten();
    this.#network.break((from) => from === process.id);
    this.clock.after(this.random.below(this.#times.detection + 1), () => this.registry.withdraw(process.id));
  }

  /** Breaks the connections between two processes; nothing arrives between them for so long. */
  cut(a: string, b: string, ms: number): void {
    this.#cut.add(pair(a, b));
    this.#network.break((from, to) => pair(from, to) === pair(a, b));
    this.clock.after(ms, () => {
      this.#cut.delete(pair(a, b));
      this.#network.retry();
    });
  }

  /** A process loses its lease, is struck off the list soon after, and comes back as a new incarnation. */
  expel(process: Process, strikeMs: number, backMs: number): void {
    const { incarnation } = process.membership.lease ?? {};
    process.membership.lose();
    this.clock.after(strikeMs, () => this.registry.withdraw(process.id, incarnation));
    this.clock.after(strikeMs + backMs, () => {
      if (process.running) process.membership.rejoin();
    });
  }

  /** A process stands still for a while; where that is long it loses its lease, and comes back when it wakes. */
  freeze(process: Process, ms: number): void {
    const struck = ms >= STRIKE_MS;
    process.clock.freeze();
    this.#frozen.add(process.id);
    if (struck) this.expel(process, STRIKE_MS, ms - STRIKE_MS);
    this.clock.after(ms, () => {
      this.#frozen.delete(process.id);
      process.clock.thaw();
      this.#network.retry();
    });
  }

  /** Processes that serve. */
  serving<P extends Process>(processes: readonly P[]): P[] {
    return processes.filter((process) => process.running);
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
