/**
 * Starts real Serf agents (`serf agent`, Debian's package `serf`) for tests, each with a folder and a configuration file
 * of its own, and sees to it that none of them outlives its test.
 *
 * ```ts
 * const agents = new SerfAgents();
 * afterEach(() => agents.end());
 *
 * const a = await agents.start({ name: "a" });
 * const b = await agents.start({ name: "b", join: [a.bind] });
 * await a.kill();
 * await a.restart();
 * ```
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Exit, Processes, type Running, type Signal } from "./processes.ts";

/** How to start an agent. */
export interface AgentOptions {
  /** Its name in the cluster. */
  readonly name: string;
  /** The address that it gossips on; default a loopback address that no other test is likely to use. */
  readonly bind?: string;
  /** The port that it gossips on; default 7946. */
  readonly bindPort?: number;
  /**
   * Where its RPC listens, at port 7373; default a loopback address that no other test is likely to use (with `netns`
   * 127.0.0.1). A port that was free a moment ago may be another program's by the time the agent takes it.
   */
  readonly rpcHost?: string;
  /** Key of the gossip: base64 of 32 bytes; default no encryption. */
  readonly encryptKey?: string;
  /** A file that keeps the gossip's keys over restarts, as rotating them takes; default none. */
  readonly keyringFile?: string;
  /** Key of the RPC; default none. */
  readonly rpcAuth?: string;
  /** Addresses (`HOST` or `HOST:PORT`) to join, tried every second until one is there. */
  readonly join?: readonly string[];
  /** Tags that it has from the start. */
  readonly tags?: Readonly<Record<string, string>>;
  /** The network namespace that it runs in (`ip netns`, needs root). */
  readonly netns?: string;
  /** Timing profile; default `"lan"`: `"local"` can lose gossip for 10 s. */
  readonly profile?: "lan" | "wan" | "local";
  /** More settings of the configuration file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Waits until the agent is ready; default true. With false it may as well exit, as one whose name is taken does. */
  readonly waitReady?: boolean;
}

/** A key for the gossip's encryption. */
export function gossipKey(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
}

/** A loopback address of its own: all of 127.0.0.0/8 is there on Linux. */
export function loopbackAddress(): string {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint8Array(3));
  return `127.${1 + a % 254}.${b}.${1 + c % 254}`;
}

const RPC_PORT = 7373;

/** One agent: what it was started with, and the process that it is at the moment. */
export class SerfAgent {
  /** Its name in the cluster. */
  readonly name: string;
  readonly #processes: Processes;
  readonly #folder: string;
  #options: AgentOptions;
  readonly #rpcHost: string;
  #bind: string;
  #running: Running | undefined;

  /** Starts nothing yet. */
  constructor(processes: Processes, folder: string, options: AgentOptions) {
    this.name = options.name;
    this.#processes = processes;
    this.#folder = folder;
    this.#options = options;
    this.#rpcHost = options.rpcHost ?? (options.netns ? "127.0.0.1" : loopbackAddress());
    this.#bind = options.bind ?? loopbackAddress();
  }

  /** The address that it gossips on. */
  get bind(): string {
    return this.#bind;
  }

  /** Where its RPC listens, as `HOST:PORT`. It stays the same over restarts. */
  get rpc(): string {
    return `${this.#rpcHost}:${RPC_PORT}`;
  }

  /** Its process, the newest one. */
  get running(): Running {
    if (!this.#running) throw new Error(`the agent ${this.name} was never started`);
    return this.#running;
  }

  /** Starts it; resolves when its RPC answers. */
  async start(): Promise<void> {
    const file = join(this.#folder, "agent.json");
    writeFileSync(file, JSON.stringify(this.#config(), null, 2));
    const { netns, waitReady } = this.#options;
    const prefix = netns ? ["ip", "netns", "exec", netns] : [];
    const running = this.#processes.spawn([...prefix, "serf", "agent", `-config-file=${file}`]);
    this.#running = running;
    if (waitReady === false) return;
    const ready = ({ stdout }: Running): true | undefined =>
      stdout.includes("Serf agent running!") ? true : undefined;
    await running.until(ready, "run", 40_000);
  }

  /** Sends a signal (default SIGKILL, as a crash) and waits for the end; SIGSTOP and SIGCONT are sent alone. */
  async kill(signal: Signal = "SIGKILL"): Promise<Exit | undefined> {
    if (signal === "SIGSTOP" || signal === "SIGCONT") {
      this.running.signal(signal);
      return undefined;
    }
    return await this.running.stop(signal);
  }

  /** Kills it where it still runs and starts it again, with some options changed: `{ bind: loopbackAddress() }`. */
  async restart(changes: Partial<Omit<AgentOptions, "name" | "rpcHost">> = {}): Promise<void> {
    if (this.#running && !this.#running.ended) await this.kill();
    this.#options = { ...this.#options, ...changes };
    if (changes.bind) this.#bind = changes.bind;
    await this.start();
  }

  /** Runs `serf COMMAND` against this agent, as `["members"]`; resolves with its stdout. Rejects where it fails. */
  async command(words: readonly string[]): Promise<string> {
    const [name = "", ...rest] = words;
    const { netns, rpcAuth } = this.#options;
    const prefix = netns ? ["ip", "netns", "exec", netns] : [];
    const auth = rpcAuth ? [`-rpc-auth=${rpcAuth}`] : [];
    const running = this.#processes.spawn([
      ...prefix,
      "serf",
      name,
      `-rpc-addr=${this.rpc}`,
      ...auth,
      ...rest,
    ]);
    const { code } = await running.exit;
    if (code !== 0) throw running.failure(`ended with ${code}`);
    return running.stdout;
  }

  #config(): Record<string, unknown> {
    const { name, bindPort = 7946, profile = "lan", encryptKey, keyringFile, rpcAuth, tags, config } =
      this.#options;
    return {
      node_name: name,
      bind: `${this.#bind}:${bindPort}`,
      rpc_addr: this.rpc,
      profile,
      reconnect_interval: "5s",
      retry_join: this.#options.join ?? [],
      retry_interval: "1s",
      log_level: "info",
      ...(encryptKey === undefined ? {} : { encrypt_key: encryptKey }),
      ...(keyringFile === undefined ? {} : { keyring_file: keyringFile }),
      ...(rpcAuth === undefined ? {} : { rpc_auth: rpcAuth }),
      ...(tags === undefined ? {} : { tags }),
      ...config,
    };
  }
}

/** All agents of one test, or of one file of tests. */
export class SerfAgents {
  readonly #processes: Processes = new Processes();
  readonly #folders: string[] = [];

  /** Starts an agent; resolves when its RPC answers. */
  async start(options: AgentOptions): Promise<SerfAgent> {
    const agent = this.make(options);
    await agent.start();
    return agent;
  }

  /** An agent that is not started yet. */
  make(options: AgentOptions): SerfAgent {
    const folder = mkdtempSync(join(tmpdir(), "toychat-serf-"));
    this.#folders.push(folder);
    return new SerfAgent(this.#processes, folder, options);
  }

  /** Starts several that know each other: all join the first. */
  async cluster(options: readonly AgentOptions[]): Promise<SerfAgent[]> {
    const [first, ...rest] = options;
    if (!first) return [];
    const seed = await this.start(first);
    const others = rest.map((each) => this.start({ join: [seed.bind], ...each }));
    return [seed, ...await Promise.all(others)];
  }

  /** Kills those that still run and removes their folders. */
  async end(): Promise<void> {
    await this.#processes.end();
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  }
}

const shared = new SerfAgents();

/** Starts an agent that ends with {@linkcode endAgents}. */
export function startAgent(options: AgentOptions): Promise<SerfAgent> {
  return shared.start(options);
}

/** Kills every agent of {@linkcode startAgent}. Call it after each test. */
export function endAgents(): Promise<void> {
  return shared.end();
}
