/**
 * Which side of a partition may accept, and when members of a host that failed may be taken over.
 *
 * Every host asks all others each second and each answers. An answer proves both directions, dated to the moment at which
 * the question was sent. With `seal`, a host accepts while hosts that it has such proof of, not older than 4 s, are a
 * majority of the base together with itself: the hosts with ChatServers. An exact half is enough with the lowest name of
 * all in it.
 *
 * A failed host's members are dropped only where a majority, again of the base, has not heard it for 8 s, each by its own
 * word. Two majorities share a host. So whoever that host is, it has answered no question of the failed one for 8 s, the
 * proof that the failed one held of it is at least 4 s too old, and the failed one has sealed. That one host alone has not
 * heard the failed one says nothing: it may have answered a third that also answers this one.
 *
 * All of that takes one base. So it changes only where all others are sure to change it too: a new host counts 5 s after
 * it became known, and only on a side that accepts: longer than a side accepts that is cut off, and then nobody has it that
 * others have not. A host that has sealed keeps its place in the base although its ChatServers are withdrawn. One that
 * gives up its last ChatServer otherwise leaves the base, but not where the rest would have no majority without it.
 *
 * Others that have dropped a host serve its rooms until they have it in their view again, and say so in their answers. So a
 * host that does not accept yet waits 3 s after the last such answer, in whatever life of its bridge.
 *
 * @module
 */

/** What to do where the hosts are cut into groups. */
export type QuorumMode = "serve" | "seal";

/** A host, as the base knows it. */
export interface QuorumHost {
  /** The name of its agent. */
  readonly name: string;
  /** Whether it has ChatServers, or had when it sealed; undefined: it says nothing of its members now. */
  readonly chats: boolean | undefined;
  /** What Serf says of its agent. */
  readonly status: string;
}

/** What a host says of others in its answer to a question. */
export interface Testimony {
  /** Names of hosts of the base that it has not heard for 8 s: {@linkcode Quorum.silent}. */
  readonly silent: readonly string[];
  /** Names of hosts whose members it has dropped by {@linkcode Quorum.mayDrop}, and has not heard again. */
  readonly dropped: readonly string[];
  /** Names of all hosts whose members it has dropped and does not have in its view again. Default none. */
  readonly out?: readonly string[];
  /** Whether it has lost the majority. Default false. */
  readonly lost?: boolean;
}

/** Options of {@linkcode Quorum}. */
export interface QuorumOptions {
  /** The name of the own agent. */
  readonly self: string;
  /** With `serve` a host always may accept, and drop what Serf calls failed. */
  readonly mode: QuorumMode;
  /** With `seal` a host that never could accept waits until most of so many hosts have answered, itself included. Default 1. */
  readonly expectHosts?: number | undefined;
  /**
   * Whether the bridge's life before served, and no other host had ChatServers: where the agent lists no others, none are
   * waited for. Default false.
   */
  readonly alone?: boolean | undefined;
}

/** Proof is good for so long after its question was sent. */
export const PROOF_MS = 4000;
/** A host counts as silent after so long. */
export const SILENT_MS = 8000;
/** What another host says of who is silent is good for so long after it was asked. */
export const WITNESS_MS = 2000;
/** A host that has sealed accepts again only after it has had a majority for so long. */
export const REGAIN_MS = 3000;
/** A host with ChatServers that has become known counts after so long: longer than a side that was cut off accepts. */
export const NEWCOMER_MS = 5000;
/** A host that knows of no other waits so long for its agent to meet some before it takes itself for the whole cluster. */
export const LONELY_MS = 3000;
/** A host that starts waits so long for the rest to answer after it has a majority: one may have given it up. */
export const ROUND_MS = 500;
/** Questions whose answers count. */
const MAX_QUESTIONS = 16;
/** Hosts of which anything is remembered. */
const MAX_HOSTS = 2048;

interface Witness {
  readonly askedAt: number;
  readonly silent: ReadonlySet<string>;
  readonly dropped: ReadonlySet<string>;
}

const NOTHING: Testimony = { silent: [], dropped: [] };

/** Who heard whom, and what follows. Times are monotonic milliseconds of one clock. */
export class Quorum {
  readonly #self: string;
  readonly #mode: QuorumMode;
  readonly #expectHosts: number;
  readonly #alone: boolean;
  #base: readonly string[] = [];
  /** Since when a host that is to come into the base is known. */
  readonly #newcomers: Map<string, number> = new Map();
  #startedAt: number | undefined;
  /** Whether no other host was ever known. */
  #lonely = true;
  /** Whether it has ever had the right to accept. */
  #begun = false;
  readonly #questions: Map<number, number> = new Map();
  /** When the newest question that a host answered was sent. */
  readonly #proofs: Map<string, number> = new Map();
  readonly #heard: Map<string, number> = new Map();
  /** When a host became known. */
  readonly #knownAt: Map<string, number> = new Map();
  readonly #witnesses: Map<string, Witness> = new Map();
  /** The present proofs are a majority before this. */
  #until = -Infinity;
  /** And count from here on. */
  #from = Infinity;
  /** Not before this: others have given this host up. */
  #outUntil = -Infinity;
  /** Whether a majority was lost once: one that is had again counts only after a while. */
  #lost = false;
  #lapses = 0;

  /** Knows of nobody. */
  constructor(options: QuorumOptions) {
    this.#self = options.self;
    this.#mode = options.mode;
    this.#expectHosts = options.expectHosts ?? 1;
    this.#alone = options.alone ?? false;
  }

  /** How often the right to accept has ended by time. Who held members before such an end must not hold them after it. */
  get lapses(): number {
    return this.#lapses;
  }

  /** The hosts of which a majority is needed, sorted by name. */
  get hosts(): readonly string[] {
    return this.#base;
  }

  /**
   * Takes the hosts that are known now. The base is those with ChatServers. It shrinks by hosts that left, and by hosts
   * that say that they have none as long as the rest is a majority without them; never by hosts that failed or are not
   * listed. It grows only while this host may accept, or a side without the majority could make itself one by new hosts;
   * before this host ever could it takes all that it finds.
   */
  base(hosts: readonly QuorumHost[], now: number): void {
    this.#observe(now);
    const named = new Map(hosts.slice(0, MAX_HOSTS).map((host) => [host.name, host]));
    this.#startedAt ??= now;
    if (this.#lonely && [...named.keys()].some((name) => name !== this.#self)) this.#meet();
    for (const name of [...named.keys(), ...this.#base]) {
      if (!this.#knownAt.has(name)) this.#knownAt.set(name, now);
    }
    const mayAccept = this.mayAccept(now);
    this.#base = this.#base.filter((name) => named.get(name)?.status !== "left");
    this.#grow(named, mayAccept, now);
    const rest = this.#base.filter((name) => named.get(name)?.chats !== false);
    if (!this.#begun || (mayAccept && this.#holds(rest, now))) this.#base = rest;
    this.#forget(named);
    this.#weigh(now);
  }

  /** The first other host is known: this one alone is not the cluster. */
  #meet(): void {
    this.#lonely = false;
    if (!this.#begun) this.#from = Infinity;
  }

  /** Takes in new hosts: all that are waiting together, so that none is weighed without those that came with it. */
  #grow(named: ReadonlyMap<string, QuorumHost>, mayAccept: boolean, now: number): void {
    const known = new Set(this.#base);
    for (const { name, chats, status } of named.values()) {
      if (chats === false || status === "left" || known.has(name)) this.#newcomers.delete(name);
      else if (chats === true && !this.#begun) known.add(name);
      else if (chats === true && mayAccept && !this.#newcomers.has(name)) this.#newcomers.set(name, now);
    }
    const latest = Math.max(...this.#newcomers.values());
    for (const [name, since] of mayAccept ? this.#newcomers : []) {
      if (now < Math.min(latest + NEWCOMER_MS, since + 3 * NEWCOMER_MS)) continue;
      known.add(name);
      this.#newcomers.delete(name);
    }
    this.#base = [...known].sort();
  }

  /** A question was sent. Ids are unique among the last 16. */
  asked(queryId: number, now: number): void {
    this.#observe(now);
    this.#questions.delete(queryId);
    this.#questions.set(queryId, now);
    const [oldest] = this.#questions.keys();
    if (oldest !== undefined && this.#questions.size > MAX_QUESTIONS) this.#questions.delete(oldest);
  }

  /**
   * A host answered a question; one that is not known is passed over.
   *
   * @param testimony what its answer says of others; default nothing, and then nobody is dropped by its word.
   */
  answered(queryId: number, name: string, now: number, testimony: Testimony = NOTHING): void {
    this.#observe(now);
    const askedAt = this.#questions.get(queryId);
    if (askedAt === undefined || name === this.#self || !this.#knows(name)) return;
    const { silent, dropped, out, lost } = testimony;
    this.#hear(name, askedAt);
    // Who was never part of a majority must not become one by a side that has lost it, of which it may not know all.
    if (this.#begun || !lost) this.#prove(name, askedAt);
    const known = this.#witnesses.get(name);
    if (!known || known.askedAt <= askedAt) {
      this.#witnesses.set(name, { askedAt, silent: new Set(silent), dropped: new Set(dropped) });
    }
    // Others serve the rooms of this host, and would not see it serve them too.
    if (out?.includes(this.#self) && now < this.#from) this.#outUntil = now + REGAIN_MS;
    this.#weigh(now);
  }

  /** A question of another host has arrived. */
  heard(name: string, now: number): void {
    this.#observe(now);
    if (name !== this.#self && this.#knows(name)) this.#hear(name, now);
  }

  /** Whether this host's members may accept. Those that were held before {@linkcode Quorum.lapses} rose may not. */
  mayAccept(now: number): boolean {
    if (this.#mode === "serve") return true;
    this.#observe(now);
    return now >= this.#from && now < this.#until;
  }

  /** Whether the right to accept was lost, and not had again since. */
  hasLost(now: number): boolean {
    return !this.mayAccept(now) && this.#lost;
  }

  /** When it will stop accepting if nothing more is heard: Infinity: never; in the past: it has stopped, or never began. */
  endsAt(): number {
    return this.#mode === "serve" ? Infinity : this.#until;
  }

  /** When it will accept, if what is heard now goes on: Infinity while it has no majority. */
  acceptAt(): number {
    return this.#mode === "serve" ? -Infinity : this.#from;
  }

  /** When a host was heard last, by a question of its own or an answer; undefined: never. */
  lastHeard(name: string): number | undefined {
    return this.#heard.get(name);
  }

  /** The hosts of the base that this one has not heard for 8 s: part of its answer to everybody's question. */
  silent(now: number): string[] {
    if (this.#mode === "serve") return [];
    const hosts = [...this.#base, ...this.#newcomers.keys()];
    return hosts.filter((name) => name !== this.#self && this.#isSilent(name, now));
  }

  /**
   * Whether members of a host that Serf calls failed may be dropped: this host may accept, has not heard it for 8 s, and
   * a majority of the base says the same, each of itself. A bridge that starts cannot say it of its first 8 s; there it
   * is enough that it never heard the host, and that another one has dropped it by this rule. A host without ChatServers
   * owns no rooms and needs no witnesses.
   */
  mayDrop(name: string, now: number): boolean {
    if (this.#mode === "serve") return true;
    const heardAt = this.#heard.get(name) ?? -Infinity;
    if (name === this.#self || now < heardAt + SILENT_MS || !this.mayAccept(now)) return false;
    if (!this.#base.includes(name) && !this.#newcomers.has(name)) return this.#isSilent(name, now);
    const witnesses = new Map([...this.#witnesses].filter(([, { askedAt }]) => now < askedAt + WITNESS_MS));
    const vouches = this.#isSilent(name, now) ||
      [...witnesses.values()].some(({ dropped }) => dropped.has(name));
    return this.#isMajority((host) =>
      host === this.#self ? vouches : witnesses.get(host)?.silent.has(name) ?? false
    );
  }

  /** Whether this host can say of itself that it has not heard another one for 8 s: it has known it for as long. */
  #isSilent(name: string, now: number): boolean {
    const since = Math.max(this.#heard.get(name) ?? -Infinity, this.#knownAt.get(name) ?? Infinity);
    return now >= since + SILENT_MS;
  }

  #knows(name: string): boolean {
    return this.#knownAt.has(name) || this.#heard.has(name) || this.#heard.size < MAX_HOSTS;
  }

  #hear(name: string, at: number): void {
    this.#heard.set(name, Math.max(at, this.#heard.get(name) ?? -Infinity));
  }

  #prove(name: string, at: number): void {
    this.#proofs.set(name, Math.max(at, this.#proofs.get(name) ?? -Infinity));
    this.#hear(name, at);
  }

  #forget(named: ReadonlyMap<string, unknown>): void {
    const known = new Set(this.#base);
    for (const map of [this.#proofs, this.#heard, this.#witnesses, this.#knownAt, this.#newcomers]) {
      for (const name of map.keys()) if (!known.has(name) && !named.has(name)) map.delete(name);
    }
  }

  /** Whether hosts are a majority of a base, or half of it with the lowest name; of an empty base everybody is. */
  #isMajority(has: (name: string) => boolean, base = this.#base): boolean {
    const [lowest] = base;
    if (lowest === undefined) return true;
    const count = base.reduce((sum, name) => sum + (has(name) ? 1 : 0), 0);
    return count * 2 > base.length || (count * 2 === base.length && has(lowest));
  }

  #endOf(name: string): number {
    return name === this.#self ? Infinity : (this.#proofs.get(name) ?? -Infinity) + PROOF_MS;
  }

  /** Whether there is proof of a majority of a base that holds beyond a time. */
  #holds(base: readonly string[], at: number): boolean {
    return this.#isMajority((name) => this.#endOf(name) > at, base);
  }

  /** Notices that the majority has run out, before anything new is taken. */
  #observe(now: number): void {
    if (now >= this.#from) this.#begun = true;
    if (this.#from !== Infinity && now >= this.#until) this.#lapse(this.#until);
  }

  #lapse(at: number): void {
    if (!this.#begun) return void (this.#from = Infinity);
    if (this.#from < at) this.#lapses += 1;
    this.#from = Infinity;
    this.#until = at;
    this.#lost = true;
  }

  /** Computes anew until when the proofs are a majority. */
  #weigh(now: number): void {
    if (!this.#holds(this.#base, now) || !this.#hasMet(now)) {
      if (this.#from !== Infinity) this.#lapse(now);
      return;
    }
    const ends = this.#base.map((name) => this.#endOf(name)).filter((at) => at > now).sort((a, b) => a - b);
    this.#until = ends.find((at) => !this.#holds(this.#base, at)) ?? Infinity;
    if (now < this.#from) this.#from = Math.max(this.#waitsUntil(now), this.#outUntil);
    if (now >= this.#from) this.#begun = true;
  }

  /** Whether this host knows enough others to know the cluster: asked only before it could ever accept. */
  #hasMet(now: number): boolean {
    if (this.#begun) return true;
    const met = [...this.#proofs.keys()].filter((name) => name !== this.#self && this.#endOf(name) > now);
    return (met.length + 1) * 2 > this.#expectHosts;
  }

  /** From when a majority counts that is had now, and perhaps was before. */
  #waitsUntil(now: number): number {
    if (this.#begun) return Math.min(this.#from, now + REGAIN_MS);
    if (this.#lonely) return this.#alone ? now : Math.max(now, (this.#startedAt ?? now) + LONELY_MS);
    const answered = this.#base.every((name) => this.#endOf(name) > now);
    return answered ? now : Math.min(this.#from, now + ROUND_MS);
  }
}
