/**
 * All hosts that the own Serf agent lists, or has listed, and what each of them publishes.
 *
 * @module
 */
import { HostBook, UNTAGGED_MS } from "./host_book.ts";
import type { HostDelta } from "./host_delta.ts";
import { hostHash, type HostValue, type HostValueProblem, readHost } from "./host_tag.ts";

/** What Serf says of an agent. */
export type AgentStatus = "alive" | "leaving" | "left" | "failed";

/** An agent, as the own agent lists it. */
export interface AgentEntry {
  /** Its name, unique among agents. */
  readonly name: string;
  /** Its IP address, without brackets or port. */
  readonly address: string;
  /** What Serf says of it; an entry with anything else than an {@linkcode AgentStatus} is not looked at. */
  readonly status: string;
  /** The value of its tag `tc`. */
  readonly tag?: string | undefined;
}

/**
 * Serf's word that a host has failed is believed once its bridge has not answered for so long. A host that was cut off
 * spreads its own verdicts when it comes back, and they reach hosts that were never apart. One that died was silent for
 * longer when Serf says so.
 */
export const DOUBT_MS = 2000;
/** Hosts that are looked at; of more those with the lowest names. */
export const MAX_HOSTS = 1024;
/** Hosts of which only deltas have told. */
const MAX_STRANGERS = 256;
const STATUSES: readonly unknown[] = ["alive", "leaving", "left", "failed"];

/** One host. */
export interface Host {
  /** The name of its agent. */
  readonly name: string;
  /** See `hostHash`. */
  readonly hash: string;
  /** What it publishes. */
  readonly book: HostBook;
  /** What Serf said of it last. */
  status: AgentStatus;
  /** The address and the tag that were read last. */
  read: Pick<AgentEntry, "tag" | "address"> | undefined;
  /** Why its tag says nothing. */
  problem: HostValueProblem | undefined;
  /** Since when the own agent does not list it. */
  missingAt: number | undefined;
  /** When its bridge answered last. */
  answeredAt: number;
  /** Since when Serf's word that it has failed is believed. */
  failedAt: number | undefined;
  /** Its members were given up while it had failed or was missing. */
  dropped: boolean;
  /** It had failed, and has not answered since. */
  unproved: boolean;
}

/** The hosts. Times are monotonic milliseconds. */
export class HostList {
  /** By the names of their agents. */
  readonly hosts: Map<string, Host> = new Map();
  readonly #clusterTag: string;
  readonly #keepFailed: boolean;
  readonly #onValue: (value: HostValue) => void;
  /** By hash; undefined where several names have one hash: whose a delta is cannot be told then. */
  readonly #byHash: Map<string, Host | undefined> = new Map();
  /** By hash, the oldest first: a delta may arrive before the agent is listed. */
  readonly #strangers: Map<string, HostBook> = new Map();

  /** No hosts. `onValue` gets every new value of a tag, of whatever host. */
  constructor(clusterTag: string, keepFailed: boolean, onValue: (value: HostValue) => void) {
    this.#clusterTag = clusterTag;
    this.#keepFailed = keepFailed;
    this.#onValue = onValue;
  }

  /** Takes the newest list, whole. Returns whether the members may be others now. */
  update(list: readonly AgentEntry[], now: number): boolean {
    const listed = new Set<string>();
    let changed = false;
    for (const entry of bounded(list)) {
      if (!this.hosts.has(entry.name) && this.hosts.size >= 2 * MAX_HOSTS) continue;
      listed.add(entry.name);
      changed = this.#hear(this.#host(entry.name, entry.status as AgentStatus), entry, now) || changed;
    }
    for (const host of this.hosts.values()) {
      if (!listed.has(host.name)) changed = this.#miss(host, now) || changed;
      host.book.sweep(now);
    }
    for (const [hash, book] of this.#strangers) {
      book.sweep(now);
      if (book.isEmpty) this.#strangers.delete(hash);
    }
    return changed;
  }

  /** Takes a delta. */
  apply(delta: HostDelta, now: number): void {
    const host = this.#byHash.get(delta.host);
    if (host) host.book.apply(delta, now);
    else if (!this.#byHash.has(delta.host)) this.#stranger(delta.host).apply(delta, now);
  }

  /** The host that a hash names; undefined where there is none, or several. */
  named(hash: string): Host | undefined {
    return this.#byHash.get(hash);
  }

  /** Whether a host's members are in the view. */
  counts(host: Host, now: number): boolean {
    if (host.status === "left" || host.dropped) return false;
    if (this.#keepFailed) return true;
    return (host.status !== "failed" || this.doubts(host, now)) && !host.unproved &&
      (host.missingAt === undefined || now < host.missingAt + UNTAGGED_MS);
  }

  /** Whether Serf calls a host failed and its bridge was heard so lately that this is not believed yet. */
  doubts({ status, missingAt, failedAt, answeredAt }: Host, now: number): boolean {
    if (this.#keepFailed || status !== "failed" || missingAt !== undefined) return false;
    return failedAt === undefined && now < answeredAt + DOUBT_MS;
  }

  /** The bridge of a host has answered. Where its failure was believed it stays so until Serf calls it alive. */
  answered(host: Host, now: number): void {
    this.#weigh(host, now);
    host.answeredAt = now;
  }

  /** When time alone may change what counts, after `now`; Infinity: never. */
  expireAt(now: number): number {
    let next = Infinity;
    for (const host of this.hosts.values()) {
      const { book, missingAt } = host;
      next = Math.min(next, book.expireAt(now));
      if (this.doubts(host, now)) next = Math.min(next, host.answeredAt + DOUBT_MS);
      const gone = (missingAt ?? -Infinity) + UNTAGGED_MS;
      if (gone > now && !this.#keepFailed) next = Math.min(next, gone);
    }
    return next;
  }

  #host(name: string, status: AgentStatus): Host {
    const known = this.hosts.get(name);
    if (known) return known;
    const hash = hostHash(name);
    const host: Host = {
      name,
      hash,
      book: this.#strangers.get(hash) ?? new HostBook(),
      status,
      read: undefined,
      problem: undefined,
      missingAt: undefined,
      answeredAt: -Infinity,
      failedAt: undefined,
      dropped: false,
      unproved: false,
    };
    this.#strangers.delete(hash);
    this.#byHash.set(hash, this.#byHash.has(hash) ? undefined : host);
    this.hosts.set(name, host);
    return host;
  }

  #stranger(hash: string): HostBook {
    const known = this.#strangers.get(hash);
    if (known) return known;
    const [oldest] = this.#strangers.keys();
    if (oldest !== undefined && this.#strangers.size >= MAX_STRANGERS) this.#strangers.delete(oldest);
    const book = new HostBook();
    this.#strangers.set(hash, book);
    return book;
  }

  #hear(host: Host, { status, address, tag }: AgentEntry, now: number): boolean {
    const counted = this.counts(host, now);
    const before = stateOf(host);
    host.status = status as AgentStatus;
    host.missingAt = undefined;
    this.#weigh(host, now);
    if (status === "alive" || status === "leaving") host.dropped = false;
    if (status === "left") host.unproved = false;
    const known = host.book.value;
    // A host that comes back after its members were given up has nobody but whom it names.
    if (!counted && tag === undefined) host.book.forget(address);
    const { read } = host;
    if (read && read.tag === tag && read.address === address) {
      return before !== stateOf(host) || known !== host.book.value;
    }
    host.read = { tag, address };
    this.#read(host, tag, address, now);
    return true;
  }

  /** Believes that a host has failed, or not. */
  #weigh(host: Host, now: number): void {
    if (host.status !== "failed") host.failedAt = undefined;
    else if (!this.doubts(host, now)) {
      host.failedAt ??= now;
      host.unproved = !this.#keepFailed;
    }
  }

  #read(host: Host, tag: string | undefined, address: string, now: number): void {
    const { value, problem } = tag === undefined ? {} : readHost(tag, this.#clusterTag, address);
    host.problem = problem;
    if (problem === "another_cluster") return host.book.forget(address);
    if (!value) return host.book.untagged(now, address);
    host.book.tagged(value, address);
    this.#onValue(value);
  }

  #miss(host: Host, now: number): boolean {
    const news = host.missingAt === undefined;
    host.missingAt ??= now;
    if (this.counts(host, now)) return news;
    this.hosts.delete(host.name);
    if (this.#byHash.get(host.hash) === host) this.#byHash.delete(host.hash);
    return true;
  }
}

/** Of a host, what its members count by. */
function stateOf({ status, missingAt, dropped, failedAt, unproved }: Host): string {
  return [status, missingAt, dropped, failedAt, unproved].join();
}

/** What is looked at of a list: entries of the right shape, one a name, of too many those with the lowest names. */
function bounded(list: readonly AgentEntry[]): readonly AgentEntry[] {
  const byName = new Map<string, AgentEntry>();
  for (const entry of list) {
    if (entry.name.length > 0 && entry.name.length <= 255 && STATUSES.includes(entry.status)) {
      byName.set(entry.name, entry);
    }
  }
  const entries = [...byName.values()];
  if (entries.length <= MAX_HOSTS) return entries;
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, MAX_HOSTS);
}
