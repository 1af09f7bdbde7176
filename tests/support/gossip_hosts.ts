/**
 * Hosts of a cluster over agents that gossip in virtual time, each with what a bridge does for it: it knows which members
 * live by a connection, and notes whom it had to put out.
 *
 * @module
 */
import { noLog } from "../../src/lib/log.ts";
import { Metrics } from "../../src/lib/metrics.ts";
import type { OnPartition } from "../../src/membership/bridge_agent.ts";
import { placementKey } from "../../src/membership/placement.ts";
import type { Sign } from "../../src/membership/serf/probe.ts";
import { SerfHost } from "../../src/membership/serf/serf_host.ts";
import type { Member } from "../../src/membership/view.ts";
import { Gossip, type GossipAgent } from "./gossip_agents.ts";
import { ProcessClock, VirtualClock } from "./virtual_clock.ts";

const START_MS = 10_000;

/** One life of a bridge. */
export class GossipBridge {
  readonly host: SerfHost;
  readonly metrics: Metrics = new Metrics();
  /** Whom it had to put out, as `id reason`. */
  readonly revoked: string[] = [];
  /** Whom it has told to drain. */
  readonly drained: string[] = [];
  /** Members that live by a connection, as `id incarnation`. */
  readonly held: Set<string> = new Set();
  /** How often the view has changed. */
  changes = 0;
  readonly #clock: ProcessClock;

  /** Made by {@linkcode GossipHosts.bridge}. */
  constructor(all: GossipHosts, agent: GossipAgent) {
    const clock = this.#clock = new ProcessClock(all.clock);
    this.host = new SerfHost({
      agent: agent.client(),
      clock,
      log: noLog,
      metrics: this.metrics,
      cluster: "toychat",
      placementKey: placementKey(undefined),
      onPartition: all.onPartition,
      probe: ({ address }) => {
        all.probed.push(address);
        const sign = all.signs.get(`${agent.name} ${address}`);
        if (sign) return Promise.resolve(sign);
        if (all.lapsed.has(address)) return Promise.resolve("over");
        if (all.silent.has(address) || !all.reaches(agent.name, address)) return Promise.resolve("nothing");
        return Promise.resolve(all.refusing.has(address) ? "refused" : "life");
      },
    });
    this.host.attach({
      changed: () => this.changes++,
      revoked: (id, incarnation, reason) => {
        this.revoked.push(`${id} ${reason}`);
        this.held.delete(`${id} ${incarnation}`);
      },
      holds: (id, incarnation) => this.held.has(`${id} ${incarnation}`),
      drain: ({ id, incarnation }) => {
        const holds = this.held.has(`${id} ${incarnation}`);
        if (holds) this.drained.push(id);
        return holds;
      },
    });
  }

  /** Registers a member that lives by a connection from now on; of a ChatServer the claim does not stand yet. */
  register(id: string, address: string, incarnation: string, rest: Partial<Member> = {}): Member {
    const role = rest.role ?? (id.startsWith("proxy") ? "proxy" : "chat");
    const member = this.host.claim({ id, role, address, incarnation, ...rest });
    this.held.add(`${id} ${incarnation}`);
    return member;
  }

  /** The connection of a member has ended. */
  hangUp(id: string, incarnation: string): void {
    this.held.delete(`${id} ${incarnation}`);
    this.host.withdraw(id, incarnation);
  }

  /** The members of its view, as `id slot state`. */
  get list(): string[] {
    return this.host.view.members.map(({ id, slot, state }) => `${id} ${slot ?? "-"} ${state}`);
  }

  /** Its process ends as a crash would. */
  kill(): void {
    this.#clock.alive = false;
    this.host.stop();
  }
}

/** A cluster. */
export class GossipHosts {
  readonly clock: VirtualClock = new VirtualClock();
  readonly gossip: Gossip = new Gossip(this.clock);
  readonly onPartition: OnPartition;
  /** Addresses of members that give no sign of life. */
  readonly silent: Set<string> = new Set();
  /** Addresses of members that say that they may not accept any more. */
  readonly lapsed: Set<string> = new Set();
  /** Addresses where nobody listens. */
  readonly refusing: Set<string> = new Set();
  /** What one host alone gets from an address, by `host address`. */
  readonly signs: Map<string, Sign> = new Map();
  /** Addresses of members that were asked for one. */
  readonly probed: string[] = [];
  readonly #bridges: Map<string, GossipBridge> = new Map();

  /** Without hosts. */
  constructor(onPartition: OnPartition = "serve") {
    this.onPartition = onPartition;
  }

  /** Hosts with agents of these names, 10.0.0.1 and so on, and a bridge each. */
  static async open(names: readonly string[], onPartition: OnPartition = "serve"): Promise<GossipHosts> {
    const all = new GossipHosts(onPartition);
    for (const [i, name] of names.entries()) all.gossip.agent(name, `10.0.0.${i + 1}`);
    const started = names.map((name) => all.#start(name));
    await all.#end(Promise.all(started));
    return all;
  }

  /** Whether a host reaches an address of another one. */
  reaches(from: string, address: string): boolean {
    const to = [...this.gossip.agents.values()].find(({ self }) => address.startsWith(`${self.address}:`));
    return to !== undefined && this.gossip.joins(from, to.name);
  }

  /** A host's agent. */
  agent(name: string): GossipAgent {
    const agent = this.gossip.agents.get(name);
    if (!agent) throw new Error(`there is no agent ${name}`);
    return agent;
  }

  /** A host's bridge, the newest one. */
  bridge(name: string): GossipBridge {
    const bridge = this.#bridges.get(name);
    if (!bridge) throw new Error(`there is no bridge on ${name}`);
    return bridge;
  }

  /** Starts the next life of the bridge on a host; resolves when it runs. */
  async startBridge(name: string): Promise<GossipBridge> {
    await this.#end(this.#start(name));
    return this.bridge(name);
  }

  #start(name: string): Promise<void> {
    const bridge = new GossipBridge(this, this.agent(name));
    this.#bridges.set(name, bridge);
    return bridge.host.startAlone();
  }

  /** Lets time pass until a promise has settled. */
  async #end(work: Promise<unknown>): Promise<void> {
    let over = false;
    const settled = (): boolean => over = true;
    work.then(settled, settled);
    await this.clock.until(() => over, START_MS);
    if (!over) throw new Error(`a bridge has not started within ${START_MS} ms`);
    await work;
  }

  /** The digests of all views: one where all hosts agree. */
  get digests(): string[] {
    return [...new Set([...this.#bridges.values()].map(({ host }) => host.view.digest))];
  }

  /** The one list that all hosts have; throws where they have several. */
  get list(): string[] {
    const [first, ...others] = [...this.#bridges.values()].map(({ list }) => list);
    if (others.some((other) => other.join() !== first?.join()) || this.digests.length !== 1) {
      throw new Error(`hosts have several lists: ${JSON.stringify([first, ...others])}`);
    }
    return first ?? [];
  }

  /** Ends it all. */
  end(): void {
    for (const bridge of this.#bridges.values()) bridge.kill();
  }
}
