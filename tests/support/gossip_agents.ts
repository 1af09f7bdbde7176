/**
 * Serf agents that gossip in virtual time, as the drivers of hosts see them: each has a list of its own, which hears of
 * changes late; user events and queries are quicker; agents die, come back without their tags, and are cut off.
 *
 * ```ts
 * const gossip = new Gossip(clock);
 * const a = gossip.agent("a", "10.0.0.1");
 * const b = gossip.agent("b", "10.0.0.2");
 * const host = new SerfHost({ agent: a.client(), clock, ... });
 * a.kill();
 * ```
 *
 * @module
 */
import { delay } from "../../src/lib/clock.ts";
import { Emitter, type Listener } from "../../src/lib/emitter.ts";
import { ToychatError } from "../../src/lib/errors.ts";
import type { SerfClientEvents } from "../../src/membership/serf/serf_client_options.ts";
import type { SerfAgent } from "../../src/membership/serf/serf_host.ts";
import { encodedTagsLength, MAX_TAGS_BYTES } from "../../src/membership/serf/serf_tags.ts";
import type {
  SerfEvent,
  SerfMember,
  SerfQueryOptions,
  SerfQueryResult,
  SerfStatus,
} from "../../src/membership/serf/serf_types.ts";
import type { VirtualClock } from "./virtual_clock.ts";

interface Entry extends SerfMember {
  /** Counts what its agent has said of itself. */
  readonly version: number;
}

/** How long things take, in milliseconds. */
export interface GossipTimes {
  /** Until a change of tags is in another agent's list; default 150. */
  tagsMs: number;
  /** Until a user event or a query, or an answer, is at another agent; default 40. */
  eventMs: number;
  /** Until others call an agent failed; default 6000. */
  failedMs: number;
}

/** What all agents have in common. */
export class Gossip {
  readonly clock: VirtualClock;
  readonly times: GossipTimes = { tagsMs: 150, eventMs: 40, failedMs: 6000 };
  readonly agents: Map<string, GossipAgent> = new Map();
  /** Pairs, as `a>b`, of which the first is not heard by the second. */
  readonly lost: Set<string> = new Set();
  /** The user events that were sent, by whom. */
  readonly events: { readonly from: string; readonly name: string; readonly payload: Uint8Array }[] = [];
  /** Counts queries. */
  queries = 0;

  /** Without agents. */
  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  /** A new agent, which all others know at once. */
  agent(name: string, address: string): GossipAgent {
    const agent = new GossipAgent(this, name, address);
    for (const other of this.agents.values()) agent.list.set(other.name, other.self);
    this.agents.set(name, agent);
    for (const other of this.agents.values()) other.list.set(name, agent.self);
    return agent;
  }

  /** Whether two agents hear each other. */
  joins(a: string, b: string): boolean {
    return !this.lost.has(`${a}>${b}`) && !this.lost.has(`${b}>${a}`);
  }

  /** Something goes from one agent to another. */
  carry(from: string, to: string, ms: number, arrive: (agent: GossipAgent) => void): void {
    this.clock.after(from === to ? 0 : ms, () => {
      const agent = this.agents.get(to);
      if (agent?.alive && !this.lost.has(`${from}>${to}`)) arrive(agent);
    });
  }

  /** Tells all agents what one says of itself. */
  spread(entry: Entry): void {
    for (const to of this.agents.keys()) {
      this.carry(entry.name, to, this.times.tagsMs, (agent) => agent.learn(entry));
    }
  }

  /** Cuts groups apart; their agents call each other failed after a while. */
  part(...groups: readonly (readonly string[])[]): void {
    for (const from of this.agents.keys()) {
      for (const to of this.agents.keys()) {
        if (groups.some((group) => group.includes(from) && group.includes(to))) continue;
        this.lost.add(`${from}>${to}`);
        this.clock.after(this.times.failedMs, () => {
          if (this.lost.has(`${from}>${to}`)) this.agents.get(to)?.mark(from, "failed");
        });
      }
    }
  }

  /** Mends everything: all agents know all again. */
  heal(): void {
    this.lost.clear();
    for (const { alive, self } of this.agents.values()) if (alive) this.spread(self);
  }
}

/** One agent: a process that lives and dies by itself, whatever becomes of its clients. */
export class GossipAgent {
  readonly name: string;
  /** What it says of all agents. */
  readonly list: Map<string, Entry> = new Map();
  /** The values of the tag `tc` that clients have set, oldest first. */
  readonly published: string[] = [];
  /** Calls of `tags` that will be refused. */
  refusals = 0;
  alive = true;
  readonly #gossip: Gossip;
  readonly #clients: Set<GossipClient> = new Set();
  readonly #asked: Map<number, (payload: Uint8Array) => void> = new Map();

  /** Made by {@linkcode Gossip.agent}. */
  constructor(gossip: Gossip, name: string, address: string) {
    this.#gossip = gossip;
    this.name = name;
    const tags: ReadonlyMap<string, string> = new Map();
    this.list.set(name, { name, address, port: 7946, tags, status: "alive", protocol: 5, version: 0 });
  }

  /** What it says of itself. */
  get self(): Entry {
    return this.list.get(this.name) as Entry;
  }

  /** A new client, for one life of a bridge. */
  client(): SerfAgent {
    const client = new GossipClient(this, this.#gossip);
    this.#clients.add(client);
    return client;
  }

  /** Takes what another one says of itself. */
  learn(entry: Entry): void {
    const known = this.list.get(entry.name);
    if (!known || entry.version >= known.version) this.list.set(entry.name, entry);
  }

  /** Says something else of an agent. */
  mark(name: string, status: SerfStatus): void {
    const known = this.list.get(name);
    if (known) this.list.set(name, { ...known, status });
  }

  /** Sets tags of its own. */
  tag(tags: ReadonlyMap<string, string>): void {
    const all = new Map([...this.self.tags, ...tags]);
    if (encodedTagsLength(all) > MAX_TAGS_BYTES) {
      throw new ToychatError("serf_refused", "Encoded length of tags exceeds limit of 512 bytes");
    }
    this.#say({ tags: all });
  }

  #say(change: Partial<Entry>): void {
    const entry = { ...this.self, ...change, version: this.self.version + 1 };
    this.list.set(this.name, entry);
    this.#gossip.spread(entry);
  }

  /** Ends as a crash would. */
  kill(): void {
    this.alive = false;
    for (const client of this.#clients) client.lose();
    const { version } = this.self;
    this.#gossip.clock.after(this.#gossip.times.failedMs, () => {
      if (this.alive && this.self.version > version) return;
      for (const other of this.#gossip.agents.values()) if (other !== this) other.mark(this.name, "failed");
    });
  }

  /** Starts again: nobody has told it tags yet. */
  restart(address = this.self.address): void {
    this.alive = true;
    this.#say({ tags: new Map(), status: "alive", address });
    for (const client of this.#clients) client.connect();
  }

  /** Its clients hear something of its stream. */
  tell(event: SerfEvent): void {
    for (const client of this.#clients) client.hear(event);
  }

  /** Its clients hear a user event, of now or, as Serf tells them to who joins, of long ago. */
  hear(name: string, payload: Uint8Array): void {
    this.tell({ type: "user", name, payload, ltime: 0, coalesce: false });
  }

  /** Its clients hear a query; what they answer goes to `answer`. */
  ask(name: string, payload: Uint8Array, answer: (payload: Uint8Array) => void): void {
    const id = ++this.#gossip.queries;
    this.#asked.set(id, answer);
    this.tell({ type: "query", id, name, payload, ltime: id });
  }

  /** A client answers a query. */
  answer(id: number, payload: Uint8Array): void {
    this.#asked.get(id)?.(payload);
    this.#asked.delete(id);
  }
}

/** A connection to an agent, made again by itself as long as it is not stopped. */
class GossipClient implements SerfAgent {
  connected = false;
  readonly #agent: GossipAgent;
  readonly #gossip: Gossip;
  readonly #events: Emitter<SerfClientEvents> = new Emitter();
  #started = false;

  constructor(agent: GossipAgent, gossip: Gossip) {
    this.#agent = agent;
    this.#gossip = gossip;
  }

  get agentName(): string {
    return this.#agent.name;
  }

  start(): void {
    this.#started = true;
    if (this.#agent.alive) this.connect();
  }

  stop(): void {
    this.#started = false;
    this.connected = false;
  }

  ready(): Promise<void> {
    return this.connected ? Promise.resolve() : Promise.reject(unreachable());
  }

  on<K extends keyof SerfClientEvents>(name: K, listener: Listener<SerfClientEvents[K]>): () => void {
    return this.#events.on(name, listener);
  }

  connect(): void {
    if (!this.#started || this.connected) return;
    this.connected = true;
    this.#events.emit("up");
  }

  lose(): void {
    if (!this.connected) return;
    this.connected = false;
    this.#events.emit("down", unreachable());
  }

  hear(event: SerfEvent): void {
    if (this.connected) this.#events.emit("event", event);
  }

  async #call(): Promise<void> {
    await Promise.resolve();
    if (!this.connected) throw unreachable();
  }

  async members(): Promise<SerfMember[]> {
    await this.#call();
    return [...this.#agent.list.values()];
  }

  async setTags(tags: ReadonlyMap<string, string>): Promise<void> {
    await this.#call();
    if (this.#agent.refusals > 0) {
      this.#agent.refusals--;
      throw new ToychatError("serf_timeout", "the agent did not answer");
    }
    this.#agent.tag(tags);
    this.#agent.published.push(tags.get("tc") ?? "");
  }

  async userEvent(name: string, payload: Uint8Array): Promise<void> {
    await this.#call();
    const { agents, events, times: { eventMs } } = this.#gossip;
    events.push({ from: this.agentName, name, payload });
    for (const to of agents.keys()) {
      this.#gossip.carry(this.agentName, to, eventMs, (agent) => agent.hear(name, payload));
    }
  }

  async query(name: string, payload: Uint8Array, options: SerfQueryOptions = {}): Promise<SerfQueryResult> {
    await this.#call();
    const { agents, clock, times: { eventMs } } = this.#gossip;
    for (const to of options.filterNodes ?? agents.keys()) {
      this.#gossip.carry(this.agentName, to, eventMs, (agent) => {
        if (options.acks) this.#gossip.carry(to, this.agentName, eventMs, () => options.onAck?.(to));
        agent.ask(name, payload, (answer) => {
          this.#gossip.carry(to, this.agentName, eventMs, () => options.onResponse?.(to, answer));
        });
      });
    }
    await delay(clock, options.timeoutMs ?? 5000);
    return { acks: [], responses: [] };
  }

  async respond(id: number, payload: Uint8Array): Promise<void> {
    await this.#call();
    this.#agent.answer(id, payload);
  }
}

function unreachable(): ToychatError {
  return new ToychatError("serf_connection_lost", "the agent is not there");
}
