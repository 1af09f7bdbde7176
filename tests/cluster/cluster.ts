/**
 * A cluster of processes: one bridge, two proxies `p1` and `p2`, and ChatServers `c1`, `c2`, `c3`.
 *
 * @module
 */
import { join } from "node:path";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { systemTransport } from "../../transports/system.ts";
import type { ClientPorts } from "../support/crowd.ts";
import { Processes, type Ready, type Running } from "../support/processes.ts";
import { root } from "../support/runtimes.ts";
import { placedRooms } from "../support/rooms.ts";
import { CHAT_LIMITS } from "../support/scenario.ts";
import { until } from "../support/until.ts";
import type { Lineup, Program } from "./lineups.ts";

/** What the ready line of a proxy says. */
export interface ProxyReady extends ClientPorts {
  readonly role: "proxy";
  readonly id: string;
}

/** What the ready line of a ChatServer says. */
export interface ChatReady {
  readonly role: "chat";
  readonly id: string;
  readonly listen: string;
  readonly slot: number;
}

/** A member, as `toychat members --json` prints it. */
export interface ListedMember {
  readonly id: string;
  readonly role: string;
  readonly address: string;
  readonly slot?: number;
  readonly state: string;
}

const READY_MS = 40_000;
const LOG_TAIL = 4000;
const app = join(root, "tests/cluster/app.mjs");

/** The processes of a lineup. */
export class Cluster {
  readonly lineup: Lineup;
  readonly #processes = new Processes();
  readonly #application: boolean;
  /** Every process that was ever started, by its name. */
  readonly #all: [name: string, running: Running][] = [];
  readonly #proxies: Map<string, Ready<ProxyReady>> = new Map();
  readonly #chats: Map<string, Ready<ChatReady>> = new Map();
  #bridge: Ready<{ listen: string }> | undefined;
  #membership: BridgeMembership | undefined;

  /** Nothing is started yet. Without the application of these tests, ChatServers relay. */
  constructor(lineup: Lineup, options: { readonly application: boolean }) {
    this.lineup = lineup;
    this.#application = options.application;
  }

  /** Wakes whatever a test that failed has left asleep, and starts whatever does not run. */
  async whole(): Promise<void> {
    for (const one of [this.#bridge, ...this.#chats.values(), ...this.#proxies.values()]) {
      one?.signal("SIGCONT");
    }
    if (!this.#bridge || this.#bridge.ended) await this.startBridge();
    const { chats, proxies } = this.lineup;
    await Promise.all([
      ...chats.map((_, index) =>
        running(this.#chats.get(`c${index + 1}`)) ?? this.startChat(`c${index + 1}`)
      ),
      ...proxies.map((_, index) =>
        running(this.#proxies.get(`p${index + 1}`)) ?? this.startProxy(`p${index + 1}`)
      ),
    ]);
    await this.sees(["c1", "c2", "c3", "p1", "p2"]);
  }

  /** Waits until the members are exactly these, all of them alive. */
  async sees(ids: readonly string[]): Promise<void> {
    const list = () =>
      this.members.map(({ id, state }) => (state === "alive" ? id : `${id} ${state}`)).sort();
    await until(
      () => list().join() === [...ids].sort().join(),
      () => `the members ${ids}; they are ${list()}`,
    );
  }

  get #list(): BridgeMembership {
    if (!this.#membership) throw new Error("the cluster was not started");
    return this.#membership;
  }

  /** The members. */
  get members(): BridgeMembership["view"]["members"] {
    return this.#list.view.members;
  }

  /** The id of the ChatServer that owns a room. */
  owner(room: string): string {
    return this.#list.placement.owner(room)?.id ?? "nobody";
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

  /** A proxy by its number, 1 or 2. */
  proxy(number: number): Ready<ProxyReady> {
    const proxy = this.#proxies.get(`p${number}`);
    if (!proxy) throw new Error(`proxy ${number} was not started`);
    return proxy;
  }

  /** Where users connect. */
  get ports(): ClientPorts[] {
    return [this.proxy(1).ready, this.proxy(2).ready];
  }

  /** A ChatServer by its id. */
  chat(id: string): Ready<ChatReady> {
    const chat = this.#chats.get(id);
    if (!chat) throw new Error(`there is no ChatServer ${id}`);
    return chat;
  }

  /** The ids of the ChatServers that run. */
  get chatIds(): string[] {
    return [...this.#chats].filter(([, chat]) => !chat.ended).map(([id]) => id).sort();
  }

  /** The bridge. */
  get bridge(): Ready<{ listen: string }> {
    if (!this.#bridge) throw new Error("the bridge was not started");
    return this.#bridge;
  }

  /** Starts the bridge, on the port that it had before. */
  async startBridge(): Promise<void> {
    const listen = this.#bridge?.ready.listen ?? "127.0.0.1:0";
    this.#bridge = await this.#start("bridge", this.lineup.bridge, ["bridge", "--listen", listen]);
    if (this.#membership) return;
    const { secret } = this.lineup;
    this.#membership = new BridgeMembership({
      transport: await systemTransport(),
      url: this.#url,
      ...(secret === undefined ? {} : { secret }),
    });
    await this.#membership.open();
  }

  get #url(): string {
    return `ws://${this.bridge.ready.listen}/rpc`;
  }

  /** Starts a ChatServer `cN` on the lineup's program number N, the first of them where there are fewer. */
  async startChat(id: string): Promise<void> {
    const program = this.#program(this.lineup.chats, id);
    const application = this.#application ? [app] : [];
    const args = ["chat", ...application, "--id", id, "--bridge", this.#url, ...CHAT_LIMITS];
    this.#chats.set(id, await this.#start(id, program, args));
  }

  /** Starts a proxy `pN`, on any ports. */
  async startProxy(id: string): Promise<void> {
    const program = this.#program(this.lineup.proxies, id);
    const args = ["proxy", "--mqtt", "0", "--http", "0", "--id", id, "--bridge", this.#url];
    this.#proxies.set(id, await this.#start(id, program, args));
  }

  #program(programs: readonly Program[], id: string): Program {
    return (programs[Number(id.slice(1)) - 1] ?? programs[0]) as Program;
  }

  async #start<T>(name: string, program: Program, args: readonly string[]): Promise<Ready<T>> {
    const command = [...program.command(), ...args];
    const options = { readyMs: READY_MS, env: { ...program.env, TOYCHAT_SECRET: this.lineup.secret } };
    const started = await this.#processes.start<T>(command, options);
    this.#all.push([name, started]);
    return started;
  }

  async #ask<T>(args: readonly string[]): Promise<T> {
    const { bridge, secret } = this.lineup;
    const command = [...bridge.command(), ...args, "--bridge", this.#url, "--json"];
    const asked = this.#processes.spawn(command, { env: { ...bridge.env, TOYCHAT_SECRET: secret } });
    const { code } = await asked.exit;
    if (code !== 0) throw asked.failure(`ended with ${code}`);
    return JSON.parse(asked.stdout);
  }

  /** What `toychat members --json` prints. */
  listMembers(): Promise<ListedMember[]> {
    return this.#ask(["members"]);
  }

  /** What `toychat owner ROOM --json` prints. */
  askOwner(room: string): Promise<{ room: string; id: string; address: string; slot: number }> {
    return this.#ask(["owner", room]);
  }

  /** Runs a program to its end, such as one of mosquitto's tools. */
  spawn(command: readonly string[]): Running {
    return this.#processes.spawn(command);
  }

  /** The sum of one of a proxy's counters. */
  async metric(proxy: number, name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.proxy(proxy).ready.http}/metrics`)).text();
    const lines = text.split("\n").filter((line) =>
      line.startsWith(`${name} `) || line.startsWith(`${name}{`)
    );
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  /** The end of every process's log, for when a test has failed. */
  logs(): string {
    return this.#all.map(([name, { stderr }]) => `--- ${name}\n${stderr.slice(-LOG_TAIL)}`).join("\n");
  }

  /** Kills everything. */
  async end(): Promise<void> {
    await this.#membership?.close();
    await this.#processes.end();
  }
}

function running<T>(role: Ready<T> | undefined): Promise<void> | undefined {
  return role && !role.ended ? Promise.resolve() : undefined;
}

/** What the application of these tests said of one kind of event. */
export function events(chat: Running, kind: string): Record<string, string>[] {
  return chat.stderr.split("\n").filter((line) => line.startsWith("app {"))
    .map((line) => JSON.parse(line.slice("app ".length))).filter(({ event }) => event === kind);
}
