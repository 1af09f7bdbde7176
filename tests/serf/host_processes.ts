/**
 * The processes of one host of a cluster on this machine, and what its bridge tells.
 *
 * @module
 */
import { join } from "node:path";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import type { View } from "../../src/membership/view.ts";
import { systemTransport } from "../../transports/system.ts";
import type { ClientPorts } from "../support/crowd.ts";
import { cli, type Processes, type Ready, type Running } from "../support/processes.ts";
import { root, type Runtime } from "../support/runtimes.ts";
import { CHAT_LIMITS } from "../support/scenario.ts";
import { loopbackAddress, type SerfAgent } from "../support/serf_agents.ts";

/** What the ready line of a ChatServer says. */
export interface ChatReady {
  readonly id: string;
  readonly listen: string;
  readonly slot: number;
}

/** Options of {@linkcode SerfHostProcesses}. */
export interface HostProcessesOptions {
  /** The host's number: its ChatServer is `cN`, its proxy `pN`. */
  readonly number: number;
  /** Its agent, which runs. */
  readonly agent: SerfAgent;
  /** What its roles run on. */
  readonly on: Runtime;
  /** Whether it has a proxy. */
  readonly proxy: boolean;
  /** Whether it has a ChatServer. */
  readonly chat: boolean;
  /** Variables of every role. */
  readonly env: Readonly<Record<string, string>>;
  /** What starts and ends them. */
  readonly processes: Processes;
  /** Called with each process. */
  readonly onStart: (name: string, running: Running) => void;
}

const READY_MS = 40_000;
/** The application of the tests of clusters. */
export const app: string = join(root, "tests/cluster/app.mjs");

/** One host. */
export class SerfHostProcesses {
  readonly #options: HostProcessesOptions;
  readonly #chats: Map<string, Ready<ChatReady>> = new Map();
  #proxy: Ready<ClientPorts> | undefined;
  #bridge: Ready<{ listen: string }> | undefined;
  #membership: BridgeMembership | undefined;

  /** Nothing but the agent runs. */
  constructor(options: HostProcessesOptions) {
    this.#options = options;
  }

  /** Its agent. */
  get agent(): SerfAgent {
    return this.#options.agent;
  }

  /** Whether it is to have a proxy. */
  get hasProxy(): boolean {
    return this.#options.proxy;
  }

  /** Whom it has when it is whole. */
  get ids(): string[] {
    const { number, chat, proxy } = this.#options;
    return [...chat ? [`c${number}`] : [], ...proxy ? [`p${number}`] : []];
  }

  /** Wakes whatever a test that failed has left asleep, and starts whatever does not run. */
  async whole(): Promise<void> {
    const { agent, number, chat, proxy } = this.#options;
    for (const running of [agent.running, ...this.#running]) running.signal("SIGCONT");
    if (agent.running.ended) await agent.restart();
    if (!this.#bridge || this.#bridge.ended) await this.startBridge();
    await Promise.all([
      chat && !runs(this.#chats.get(`c${number}`)) ? this.startChat() : undefined,
      proxy && !runs(this.#proxy) ? this.startProxy() : undefined,
    ]);
  }

  /** Its bridge. */
  get bridge(): Ready<{ listen: string }> {
    return there(this.#bridge, "bridge");
  }

  /** Its ChatServer. */
  get chat(): Ready<ChatReady> {
    return this.chatOf(`c${this.#options.number}`);
  }

  /** One of its ChatServers. */
  chatOf(id: string): Ready<ChatReady> {
    return there(this.#chats.get(id), `ChatServer ${id}`);
  }

  /** Its proxy. */
  get proxy(): Ready<ClientPorts> {
    return there(this.#proxy, "proxy");
  }

  /** The URL of its bridge. */
  get url(): string {
    return `ws://${this.bridge.ready.listen}/rpc`;
  }

  /** What its bridge tells; the newest view is kept while the bridge is gone. */
  get membership(): BridgeMembership {
    return there(this.#membership, "bridge");
  }

  /** The newest view that its bridge has told. */
  get view(): View {
    return this.membership.view;
  }

  /** The digest of that. */
  get digest(): string {
    return this.view.digest;
  }

  /** Its members, sorted; with their state where they are not alive. */
  list(): string[] {
    return this.view.members.map(({ id, state }) => (state === "alive" ? id : `${id} ${state}`)).sort();
  }

  /** A member by its id. */
  member(id: string): View["members"][number] | undefined {
    return this.view.members.find((member) => member.id === id);
  }

  /** Starts the bridge, where it was before: at an address that nobody else takes meanwhile. */
  async startBridge(more: readonly string[] = []): Promise<void> {
    const listen = this.#bridge?.ready.listen ?? `${loopbackAddress()}:7374`;
    const args = ["bridge", "--listen", listen, "--serf", this.agent.rpc, ...more];
    this.#bridge = await this.start("bridge", args);
    if (this.#membership) return;
    this.#membership = new BridgeMembership({ transport: await systemTransport(), url: this.url });
    await this.#membership.open();
  }

  /** Starts a ChatServer, by default its own one, on the agent's address. */
  async startChat(id = `c${this.#options.number}`, more: readonly string[] = []): Promise<void> {
    const listen = `${this.agent.bind}:0`;
    const args = ["chat", app, "--id", id, "--listen", listen, "--bridge", this.url, ...CHAT_LIMITS, ...more];
    this.#chats.set(id, await this.start(id, args));
  }

  /** Starts its proxy, on any ports. */
  async startProxy(): Promise<void> {
    const id = `p${this.#options.number}`;
    this.#proxy = await this.start(id, [
      "proxy",
      "--mqtt",
      "0",
      "--http",
      "0",
      "--id",
      id,
      "--bridge",
      this.url,
    ]);
  }

  /** Starts `toychat` with some arguments and does not wait for anything. */
  spawn(name: string, args: readonly string[]): Running {
    const { number, on, env, processes, onStart } = this.#options;
    const running = processes.spawn([...on.command, cli, ...args], { env });
    onStart(`${name} of host ${number}`, running);
    return running;
  }

  /** Starts a role and waits for its ready line. */
  async start<T>(name: string, args: readonly string[]): Promise<Ready<T>> {
    const running = this.spawn(name, args);
    const line = await running.until(
      ({ lines }) => lines.find((line) => line.startsWith("ready ")),
      "its ready line",
      READY_MS,
    );
    return Object.assign(running, { ready: JSON.parse(line.slice("ready ".length)) as T });
  }

  /** Kills every process but the agent, all of them before any of them is waited for. */
  async killProcesses(): Promise<void> {
    const all = this.#running;
    for (const running of all) running.signal("SIGKILL");
    await Promise.all(all.map(({ exit }) => exit));
  }

  /** Its processes that have not ended, but the agent. */
  get #running(): Running[] {
    return [this.#bridge, ...this.#chats.values(), this.#proxy].filter(runs);
  }

  /** Ends what follows its bridge. */
  async close(): Promise<void> {
    await this.#membership?.close();
  }
}

function runs<T extends Running>(running: T | undefined): running is T {
  return running !== undefined && !running.ended;
}

function there<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the host's ${what} was not started`);
  return value;
}
