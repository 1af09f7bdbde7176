/**
 * From what the own Serf agent says of all agents, from hints, and from the own members: the members of the view. Every
 * host that knows the same comes to the same members.
 *
 * @module
 */
import { ToychatError } from "../../lib/errors.ts";
import { MAX_SLOTS } from "../names.ts";
import type { Member } from "../view.ts";
import { MAX_MEMBERS } from "../wire_view.ts";
import { type HostMember, type OwnLoss, type Resolution, resolveClaims } from "./conflicts.ts";
import { decodeDelta } from "./host_delta.ts";
import { type AgentEntry, type AgentStatus, type Host, HostList } from "./host_list.ts";
import type { HostValue, HostValueProblem } from "./host_tag.ts";

/** A host, as the book knows it. */
export interface HostInfo {
  /** The name of its agent. */
  readonly name: string;
  /** `hostHash` of it. */
  readonly hash: string;
  /** The IP address of its agent. */
  readonly address: string;
  /** What Serf says of it; `missing`: the own agent does not list it any more. */
  readonly status: AgentStatus | "missing";
  /** What its tag said last; undefined where it never said anything. */
  readonly value: HostValue | undefined;
  /** Whether it had ChatServers by that, or has sealed; undefined where it never said anything. */
  readonly chats: boolean | undefined;
  /** Why its present tag says nothing; undefined where it does, or where there is none. */
  readonly problem: HostValueProblem | undefined;
  /** Whether its members are in the view. */
  readonly counts: boolean;
  /** Whether they will be once {@linkcode ClusterBook.proved} is called. */
  readonly unproved: boolean;
  /** Whether they are although Serf calls it failed, as it was heard just now. */
  readonly doubted: boolean;
}

/** A host whose agent lives, with the members that it publishes. */
export interface LiveHost {
  /** The agent's name. */
  readonly name: string;
  /** The agent's IP address. */
  readonly address: string;
  /** Its members, as last published. */
  readonly members: readonly Member[];
  /** Which of its publications that was; undefined where it has said nothing. */
  readonly seq: number | undefined;
}

/** The outcome of all that is known. */
export interface BookView {
  /** The members of the view, sorted by id. */
  readonly members: readonly Member[];
  /** The number of slots of the view. */
  readonly slots: number;
  /** Members of the own host that have lost their id or their slot to another. */
  readonly lost: readonly OwnLoss[];
}

/** Options of {@linkcode ClusterBook}. */
export interface ClusterBookOptions {
  /** See `clusterTag`. */
  readonly clusterTag: string;
  /** The name of the own agent; undefined while it is not known. */
  readonly self: () => string | undefined;
  /**
   * Whether members of a host that has failed stay in the view until {@linkcode ClusterBook.drop} is called
   * (`onPartition: "seal"`). Default false: they go at once, or when the bridge there has not answered for 2 s.
   */
  readonly keepFailed?: boolean | undefined;
}

interface Resolved extends Resolution {
  readonly view: BookView;
  /** Time alone changes nothing before this. */
  readonly until: number;
  /** The hosts, once somebody has asked for them. */
  hosts: readonly HostInfo[] | undefined;
}

/** Slots of hosts that failed are not given to others for so long: a host that was only cut off wants them back. */
const FAILED_SLOTS_MS = 300_000;

/** The book of all hosts. Times are monotonic milliseconds, given with each call. */
export class ClusterBook {
  readonly #clusterTag: string;
  readonly #self: () => string | undefined;
  readonly #keepFailed: boolean;
  readonly #list: HostList;
  #own: readonly Member[] = [];
  #slots = 0;
  #resolved: Resolved | undefined;

  /** An empty book. */
  constructor(options: ClusterBookOptions) {
    this.#clusterTag = options.clusterTag;
    this.#self = options.self;
    this.#keepFailed = options.keepFailed ?? false;
    this.#list = new HostList(this.#clusterTag, this.#keepFailed, ({ slots, members }) => {
      this.raiseSlots(slots);
      this.#raisePlaced(members);
    });
  }

  /** The highest number of slots that this book has met. It never falls. */
  get slots(): number {
    return this.#slots;
  }

  /** Takes the newest list of agents, whole. */
  agents(list: readonly AgentEntry[], now: number): void {
    if (this.#list.update(list, now)) this.#resolved = undefined;
  }

  /** Takes a delta; false where it is malformed, or of another cluster. */
  delta(payload: string, now: number): boolean {
    const delta = decodeDelta(payload, this.#clusterTag);
    if (!delta) return false;
    this.#raisePlaced(delta.changed);
    this.#list.apply(delta, now);
    this.#resolved = undefined;
    return true;
  }

  /** The members of the own host. They alone count for it, whatever its tag says. */
  setOwn(members: readonly Member[]): void {
    this.#own = [...members];
    this.#raisePlaced(members);
    this.#resolved = undefined;
  }

  /** Raises the number of slots to what a member of the own host has seen; never lowers it. */
  raiseSlots(slots: number): void {
    const raised = Math.min(slots, MAX_SLOTS);
    if (raised <= this.#slots) return;
    this.#slots = raised;
    this.#resolved = undefined;
  }

  /**
   * That a member of a host which still publishes it is dead, or is not. Such a verdict ends when the host publishes the
   * member no longer.
   */
  verdict(name: string, id: string, incarnation: string, dead: boolean): void {
    if (this.#list.hosts.get(name)?.book.judge(id, incarnation, dead)) this.#resolved = undefined;
  }

  /** Whether a member was found dead by {@linkcode verdict}. */
  isDead(name: string, id: string, incarnation: string): boolean {
    return this.#list.hosts.get(name)?.book.isDead(id, incarnation) ?? false;
  }

  /**
   * With `keepFailed`: gives up the members of a host that has failed or is missing, until it is alive again. False where
   * there is nothing to give up.
   */
  drop(name: string): boolean {
    const host = this.#list.hosts.get(name);
    if (!host || !this.#isKept(host)) return false;
    host.dropped = true;
    this.#resolved = undefined;
    return true;
  }

  /**
   * The bridge of a host has answered. Without `keepFailed` Serf's word that it has failed counts for nothing before the
   * bridge has been silent for 2 s.
   */
  answered(name: string, now: number): void {
    const host = this.#list.hosts.get(name);
    if (!host) return;
    this.#list.answered(host, now);
    if (host.status === "failed") this.#resolved = undefined;
  }

  /**
   * A host has answered, or one of its members. Without `keepFailed` one that had failed counts again only then: Serf may
   * hear a host that does not hear it, calls it alive and failed by turns, and nobody can use it.
   */
  proved(name: string): boolean {
    const host = this.#list.hosts.get(name);
    if (!host?.unproved) return false;
    host.unproved = false;
    this.#resolved = undefined;
    return true;
  }

  /**
   * With `keepFailed`: a host that the own agent does not list any more counts as one that left, by an operator's word. False
   * where it is listed, or was never known.
   */
  dismiss(name: string): boolean {
    const host = this.#list.hosts.get(name);
    if (host?.missingAt === undefined || !this.#keepFailed) return false;
    host.status = "left";
    host.missingAt = undefined;
    this.#resolved = undefined;
    return true;
  }

  /** With `keepFailed`: the names of hosts that have failed or are missing and were not given up. */
  kept(): string[] {
    return [...this.#list.hosts.values()].filter((host) => this.#isKept(host)).map(({ name }) => name);
  }

  /** With `keepFailed`: the names of hosts that were given up and are not back. */
  dropped(): string[] {
    return [...this.#list.hosts.values()].filter((host) => host.dropped).map(({ name }) => name);
  }

  /** All hosts, the own one included, sorted by name. The same list until something changes. */
  hosts(now: number): readonly HostInfo[] {
    const resolved = this.#resolve(now);
    return resolved.hosts ??= [...this.#list.hosts.values()].map((host) => this.#info(host, now))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** How many hosts count again once they answer, or only as long as they do. */
  unsure(now: number): number {
    return this.hosts(now).filter(({ doubted, unproved, status }) =>
      doubted || (unproved && status === "alive")
    ).length;
  }

  /** The name of a host by its hash; undefined where none has it, or several do. */
  nameOf(hash: string): string | undefined {
    return this.#list.named(hash)?.name;
  }

  /** One host. */
  host(name: string, now: number): HostInfo | undefined {
    const host = this.#list.hosts.get(name);
    return host && this.#info(host, now);
  }

  /** Which publication of a host has arrived; undefined: none. */
  seqOf(name: string): number | undefined {
    return this.#list.hosts.get(name)?.book.value?.seq;
  }

  /** What one host publishes as far as it is known, members included that were found dead; in no order. */
  membersOf(name: string, now: number): Member[] {
    return [...this.#list.hosts.get(name)?.book.members(now).values() ?? []];
  }

  /** The other hosts whose agents live, as far as that is believed, and whose bridges have published something. */
  liveHosts(now: number): LiveHost[] {
    return this.hosts(now)
      .filter(({ status, doubted }) => status === "alive" || doubted)
      .filter(({ name, value }) => name !== this.#self() && value !== undefined)
      .map(({ name, address, value }) => ({
        name,
        address,
        members: this.membersOf(name, now),
        seq: value?.seq,
      }));
  }

  /** What follows from all that is known. The same object until something changes. */
  resolve(now: number): BookView {
    return this.#resolve(now).view;
  }

  /** Who holds an id, whether it is in the view or not; undefined: nobody. */
  holder(id: string, now: number): HostMember | undefined {
    return this.#resolve(now).holders.get(id);
  }

  /**
   * The lowest slot that nobody claims: not the own members, nor other hosts' whether they lost it, were found dead or
   * stay for a while, nor hosts that failed less than 5 minutes ago, as long as there are others.
   *
   * @throws {ToychatError} `no_free_slot`.
   */
  freeSlot(now: number): number {
    const claimed = new Set(this.#own.map(({ slot }) => slot));
    const failed = new Set<number | undefined>();
    for (const host of this.#list.hosts.values()) {
      if (host.name === this.#self()) continue;
      const recent = host.failedAt !== undefined && now < host.failedAt + FAILED_SLOTS_MS;
      const held = this.#list.counts(host, now) ? claimed : recent ? failed : undefined;
      if (held) { for (const { slot } of host.book.members(now).values()) held.add(slot); }
    }
    let reusable: number | undefined;
    for (let slot = 0; slot < MAX_SLOTS; slot++) {
      if (claimed.has(slot)) continue;
      if (!failed.has(slot)) return slot;
      reusable ??= slot;
    }
    if (reusable !== undefined) return reusable;
    throw new ToychatError("no_free_slot", `all ${MAX_SLOTS} slots for ChatServers are taken`);
  }

  /** When time alone may change the outcome, after `now`; undefined: never. */
  expireAt(now: number): number | undefined {
    const next = this.#list.expireAt(now);
    return next === Infinity ? undefined : next;
  }

  #raisePlaced(members: readonly Pick<Member, "slot" | "state">[]): void {
    for (const { slot, state } of members) {
      if (slot !== undefined && state !== "joining") this.raiseSlots(slot + 1);
    }
  }

  #isKept(host: Host): boolean {
    const gone = host.status === "failed" || (host.missingAt !== undefined && host.status !== "left");
    return this.#keepFailed && gone && !host.dropped;
  }

  #info(host: Host, now: number): HostInfo {
    const { name, hash, problem, missingAt, status, unproved, book: { address, value } } = host;
    return {
      name,
      hash,
      address,
      status: missingAt === undefined ? status : "missing",
      value,
      chats: value && (value.awaits || value.members.some(({ role }) => role === "chat")),
      problem,
      counts: this.#list.counts(host, now),
      unproved,
      doubted: this.#list.doubts(host, now),
    };
  }

  #resolve(now: number): Resolved {
    if (this.#resolved && now < this.#resolved.until) return this.#resolved;
    const self = this.#self() ?? "";
    const claims: HostMember[] = this.#own.map((member) => ({ host: self, member }));
    for (const host of this.#list.hosts.values()) {
      if (host.name === self || !this.#list.counts(host, now)) continue;
      for (const member of host.book.members(now).values()) {
        if (!host.book.isDead(member.id, member.incarnation)) claims.push({ host: host.name, member });
      }
    }
    const resolution = resolveClaims(claims);
    const lost = resolution.losses
      .filter(({ loser, to }) => loser.host === self && !sameLife(loser, to))
      .map(({ loser, what, to }): OwnLoss => ({ what, member: loser.member, to }));
    const members = resolution.members.slice(0, MAX_MEMBERS).map(({ member }) => member);
    const view: BookView = { members, slots: this.#slots, lost };
    this.#resolved = { ...resolution, view, until: this.#list.expireAt(now), hosts: undefined };
    return this.#resolved;
  }
}

/** Whether one life of a member is told twice, as by a host whose agent has got another name. */
function sameLife({ member: a }: HostMember, { member: b }: HostMember): boolean {
  return a.id === b.id && a.incarnation === b.incarnation;
}

export type { AgentEntry, AgentStatus, HostMember, OwnLoss };
