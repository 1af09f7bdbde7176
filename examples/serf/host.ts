/**
 * One host: its Serf agent, its bridge, a ChatServer, a proxy, and a watcher that tells what the bridge says.
 *
 * @module
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "../plaza/child.ts";
import type { Runtime } from "../plaza/runtimes.ts";
import { type Deed, type Part, PARTS } from "./commands.ts";
import type { HostNetwork } from "./network.ts";

/** A member, as a host sees it. */
export interface SeenMember {
  readonly id: string;
  readonly role: string;
  readonly address: string;
  readonly slot?: number;
  readonly state: string;
}

/** What is the same on every host. */
export interface Settings {
  readonly network: HostNetwork;
  readonly runtimes: readonly Runtime[];
  /** What a side without the majority does, as `--partition` of the bridge. */
  readonly partition: "serve" | "seal";
  /** Key of the gossip between the agents: base64 of 32 bytes. */
  readonly gossipKey: string;
  /** Key that the bridges give to their agents. */
  readonly rpcKey: string;
  /** File with the cluster's secret. */
  readonly secretFile: string;
  /** Shows the logs of all processes. */
  readonly verbose: boolean;
  /** Called when what a host sees has changed. */
  changed(host: Host, before: readonly SeenMember[]): void;
  /** Called when a process has ended that nobody has ended. */
  died(host: Host, part: Part, log: string): void;
}

/** Where users and the cluster reach a host's processes: the same ports on every host. */
export const PORTS = { mqtt: 1883, http: 8080, chat: 7400, bridge: 7374, rpc: 7373 } as const;

const role = fileURLToPath(new URL("../plaza/role.ts", import.meta.url));
const watcher = fileURLToPath(new URL("watcher.ts", import.meta.url));
/** What an agent says on stdout when its RPC is there. */
const AGENT_RUNS = "Serf agent running!";
const OWNER_MS = 2000;

/** A host and the processes on it. */
export class Host {
  readonly number: number;
  readonly address: string;
  /** What its bridge says of the cluster. */
  members: readonly SeenMember[] = [];
  readonly #settings: Settings;
  readonly #runtime: Runtime;
  readonly #children: Map<Part | "watcher", Child> = new Map();
  /** Processes that somebody has ended. */
  readonly #ended: Set<Child> = new Set();
  readonly #owners: Map<string, (owner: SeenMember | undefined) => void> = new Map();

  /** Nothing runs before `start`. Hosts take turns on the runtimes. */
  constructor(number: number, settings: Settings) {
    const runtime = settings.runtimes[(number - 1) % settings.runtimes.length];
    if (!runtime) throw new Error("a host needs a runtime");
    this.number = number;
    this.address = settings.network.address(number);
    this.#settings = settings;
    this.#runtime = { ...runtime, command: settings.network.on(number, runtime.command) };
  }

  /** What its ready line says. */
  get ready(): Record<string, unknown> {
    const pids = Object.fromEntries(PARTS.map((part) => [part, this.#children.get(part)?.pid]));
    return {
      host: this.number,
      address: this.address,
      namespace: this.#settings.network.namespace(this.number),
      runtime: this.#runtime.name,
      mqtt: PORTS.mqtt,
      http: PORTS.http,
      chat: this.idOf("chat"),
      proxy: this.idOf("proxy"),
      pids,
    };
  }

  /** The id of its ChatServer or its proxy. */
  idOf(part: "chat" | "proxy"): string {
    return `${part}-${this.number}`;
  }

  /** Starts everything, in order. */
  async start(): Promise<void> {
    await this.#run("agent");
    await this.#run("bridge");
    await Promise.all((["chat", "proxy", "watcher"] as const).map((part) => this.#run(part)));
  }

  /** Does what a command says to one process; resolves with what to tell the reader where it cannot. */
  async do(deed: Deed, part: Part): Promise<string | undefined> {
    const child = this.#children.get(part);
    if (deed === "start") {
      if (child && !child.ended) return `${part} ${this.number} runs`;
      await this.#run(part);
      return undefined;
    }
    if (!child || child.ended) return `${part} ${this.number} does not run: start ${part} ${this.number}`;
    if (deed === "freeze" || deed === "thaw") {
      child.signal(deed === "freeze" ? "SIGSTOP" : "SIGCONT");
      return undefined;
    }
    this.#ended.add(child);
    child.signal(deed === "kill" ? "SIGKILL" : "SIGTERM");
    // One that is frozen takes no SIGTERM.
    child.signal("SIGCONT");
    await child.gone;
    return undefined;
  }

  async #run(part: Part | "watcher"): Promise<void> {
    const child = new Child({
      runtime: this.#runtime,
      verbose: this.#settings.verbose,
      heard: (message) => this.#heard(message),
      ...this.#program(part),
    });
    this.#children.set(part, child);
    try {
      await child.ready;
    } catch (error) {
      throw new Error(`${part} ${this.number} did not start: ${child.log || error}`, { cause: error });
    }
    void child.gone.then(() => {
      if (part !== "watcher" && !this.#ended.has(child)) this.#settings.died(this, part, child.log);
    });
  }

  #program(part: Part | "watcher"): { program: string; args: string[]; runtime?: Runtime; running?: string } {
    const { secretFile, partition, rpcKey } = this.#settings;
    const bridgeUrl = `ws://127.0.0.1:${PORTS.bridge}/rpc`;
    const common = ["--secret-file", secretFile];
    const member = [...common, "--bridge", bridgeUrl];
    switch (part) {
      case "agent":
        return this.#agent();
      case "bridge": {
        const serf = ["--serf", `127.0.0.1:${PORTS.rpc}`, "--serf-auth", rpcKey, "--partition", partition];
        return {
          program: role,
          args: ["bridge", ...common, "--listen", `127.0.0.1:${PORTS.bridge}`, ...serf],
        };
      }
      case "chat":
        return {
          program: role,
          args: ["chat", ...member, "--id", this.idOf(part), "--listen", `${this.address}:${PORTS.chat}`],
        };
      case "proxy": {
        const ports = ["--mqtt", `${PORTS.mqtt}`, "--http", `${PORTS.http}`];
        return {
          program: role,
          args: ["proxy", ...member, "--id", this.idOf(part), "--host", this.address, ...ports],
        };
      }
      case "watcher":
        return { program: watcher, args: [bridgeUrl, secretFile] };
    }
  }

  /** Writes the agent's settings, as docs/serf.md explains them, and gives how to run it. */
  #agent(): { program: string; args: string[]; runtime: Runtime; running: string } {
    const { network, gossipKey, rpcKey } = this.#settings;
    const others = Array.from({ length: network.size }, (_, index) => index + 1).filter((host) =>
      host !== this.number
    );
    const folder = join(network.folder, `host-${this.number}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, "serf.json");
    const keyring = join(folder, "keyring.json");
    // An agent that starts again may have had its key rotated.
    if (!existsSync(keyring)) writeFileSync(keyring, JSON.stringify([gossipKey]), { mode: 0o600 });
    const config = {
      node_name: `host-${this.number}`,
      bind: `${this.address}:7946`,
      rpc_addr: `127.0.0.1:${PORTS.rpc}`,
      rpc_auth: rpcKey,
      keyring_file: keyring,
      retry_join: others.map((host) => network.address(host)),
      retry_interval: "1s",
      reconnect_interval: "5s",
    };
    writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
    const command = network.on(this.number, ["serf", "agent"]);
    return {
      program: `-config-file=${file}`,
      args: [],
      runtime: { ...this.#runtime, command },
      running: AGENT_RUNS,
    };
  }

  #heard(message: unknown): void {
    const { members, room, owner } = message as {
      members?: SeenMember[];
      room?: string;
      owner?: SeenMember;
    };
    if (members) {
      const before = this.members;
      this.members = members;
      this.#settings.changed(this, before);
    } else if (room !== undefined) {
      this.#owners.get(room)?.(owner);
      this.#owners.delete(room);
    }
  }

  /** Who owns a room as this host sees it; undefined where nobody does, or it does not say. */
  owner(room: string): Promise<SeenMember | undefined> {
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve(undefined), OWNER_MS);
      this.#owners.set(room, (owner) => {
        clearTimeout(late);
        resolve(owner);
      });
      this.#children.get("watcher")?.tell({ owner: room });
    });
  }

  /** Ends some of its processes in good order; resolves when they are gone. */
  async stop(parts: readonly (Part | "watcher")[]): Promise<void> {
    const children = parts.flatMap((part) => this.#children.get(part) ?? []);
    for (const child of children) {
      this.#ended.add(child);
      child.signal("SIGTERM");
      child.signal("SIGCONT");
    }
    await Promise.all(children.map(({ gone }) => gone));
  }
}
