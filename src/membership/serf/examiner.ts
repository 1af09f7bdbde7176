/**
 * Asks members of hosts whose bridges are silent for a sign of life, and says who is dead.
 *
 * @module
 */
import type { Clock } from "../../lib/clock.ts";
import { isLoopback } from "../../lib/hosts.ts";
import type { Logger } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import type { Member } from "../view.ts";
import type { LiveHost } from "./cluster_book.ts";
import type { MemberLife } from "./member_life.ts";
import type { Probe, Sign } from "./probe.ts";

/** Options of {@linkcode Examiner}. */
export interface ExaminerOptions {
  /** Time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
  /** Asks a member. */
  readonly probe: Probe;
  /** Whether the members of a host may be given up for silence alone. */
  readonly mayDrop: (host: string, now: number) => boolean;
  /** A member gives no sign of life, or gives one again. */
  readonly onVerdict: (host: string, member: Member, dead: boolean) => void;
  /** Whether that verdict stands: it ends by itself when the host publishes that life no longer. */
  readonly isDead: (host: string, id: string, incarnation: string) => boolean;
  /** A member has given signs of life: its host hears this one, and this one hears it. */
  readonly onProof: (host: string) => void;
  /** A member that was taken for dead has given one sign of life. */
  readonly onStir: () => void;
  /** This one was the first to find a member dead, as far as it knows. */
  readonly onFound: (host: string, member: Member) => void;
}

/** So many times in a row without a sign of life is death. */
const STRIKES = 2;
/** An agent that has acknowledged a question within so long can be reached. */
const ACKED_MS = 2500;

/** Who of the members that were asked is dead. */
export class Examiner {
  readonly #options: ExaminerOptions;
  /** Times in a row without a sign of life, by host, id and incarnation. */
  readonly #strikes: Map<string, number> = new Map();
  /** Who was found dead, by the same. */
  readonly #dead: Map<string, { readonly host: string; readonly member: Member }> = new Map();
  /** Who was found dead elsewhere, by the same. */
  readonly #told: Map<string, { readonly host: string; readonly member: Member }> = new Map();
  /** Who has given one sign of life. */
  readonly #stirring: Set<string> = new Set();
  readonly #probing: Set<string> = new Set();
  /** When the agents of hosts whose bridges are silent were last heard. */
  readonly #ackedAt: Map<string, number> = new Map();

  /** Has asked nobody. */
  constructor(options: ExaminerOptions) {
    this.#options = options;
  }

  /** A host's agent has acknowledged a question: the network to it is whole. */
  acked(host: string): void {
    this.#ackedAt.set(host, this.#options.clock.now());
    // What was refused before counts only now.
    for (const [key, told] of this.#told) {
      const asked = told.host === host && told.member.role === "chat" && !this.#dead.has(key);
      if (asked) void this.#examine(host, told.member, true);
    }
  }

  /** Forgets what says nothing any more: these are all hosts whose agents live. */
  keep(hosts: readonly LiveHost[]): void {
    const names = new Set(hosts.map(({ name }) => name));
    for (const name of this.#ackedAt.keys()) if (!names.has(name)) this.#ackedAt.delete(name);
    for (const [key, { host, member: { id, incarnation } }] of this.#dead) {
      if (this.#options.isDead(host, id, incarnation)) continue;
      this.#dead.delete(key);
      this.#told.delete(key);
      this.#strikes.delete(key);
    }
    if (this.#strikes.size + this.#stirring.size + this.#told.size === 0) return;
    const lives = new Set(hosts.flatMap(({ name, members }) => members.map((member) => keyOf(name, member))));
    for (const keys of [this.#strikes, this.#stirring, this.#told]) {
      for (const key of keys.keys()) if (!lives.has(key)) keys.delete(key);
    }
  }

  /**
   * The bridge of a host is silent: asks its ChatServers, and its proxies once none of these lives. A proxy that cannot be
   * asked goes with the ChatServers and comes back with the first of them; where there are none it stays.
   */
  question(host: LiveHost): void {
    const { name, members } = host;
    const chats = members.filter(({ role }) => role === "chat");
    for (const chat of chats) void this.#examine(name, chat, true);
    const chatLives = chats.some((chat) => !this.#dead.has(keyOf(name, chat)));
    for (const proxy of members) {
      if (proxy.role !== "proxy") continue;
      const askable = isAskable(host, proxy);
      if (chatLives) this.#relieve(name, proxy, askable);
      else if (askable || chats.length > 0) void this.#examine(name, proxy, askable);
    }
  }

  /**
   * Another bridge has found members of a host dead. That counts as one time without a sign of life: the other one is what
   * has come of asking them here, or comes of it now. Proxies are asked in their turn.
   */
  told(host: LiveHost, lives: readonly MemberLife[]): void {
    const chatLives = host.members.some((one) =>
      one.role === "chat" && !this.#dead.has(keyOf(host.name, one))
    );
    for (const { id, incarnation } of lives) {
      const member = host.members.find((one) => one.id === id && one.incarnation === incarnation);
      if (!member || (member.role === "proxy" && chatLives)) continue;
      const key = keyOf(host.name, member);
      if (this.#dead.has(key) || this.#told.has(key)) continue;
      this.#told.set(key, { host: host.name, member });
      this.#strike(host.name, member, "nothing");
      if (member.role === "chat") void this.#examine(host.name, member, true);
    }
  }

  /** A proxy beside a ChatServer that lives: one that was taken for dead has to say itself that it is not, if it can. */
  #relieve(host: string, proxy: Member, askable: boolean): void {
    const key = keyOf(host, proxy);
    if (askable && this.#dead.has(key)) void this.#examine(host, proxy, true);
    else this.#forgive(host, proxy);
  }

  /**
   * The bridge answers again. One that has just started publishes what it finds in its agent's tag for a while: as long as
   * it is not `settled` the dead stay dead, unless they give signs of life themselves.
   */
  acquit(host: LiveHost, settled: boolean): void {
    for (const member of host.members) {
      const dead = this.#dead.has(keyOf(host.name, member));
      if (settled || !dead) this.#forgive(host.name, member);
      else if (isAskable(host, member)) void this.#examine(host.name, member, true);
    }
  }

  /** Whether anybody was found dead. */
  get hasDead(): boolean {
    return this.#dead.size > 0;
  }

  /** The bridge of a host announces lives anew: it has heard them. */
  announced(host: LiveHost, lives: readonly MemberLife[]): void {
    for (const { id, incarnation } of lives) {
      const member = host.members.find((one) => one.id === id && one.incarnation === incarnation);
      if (member) this.#forgive(host.name, member);
    }
  }

  async #examine(host: string, member: Member, askable: boolean): Promise<void> {
    const key = keyOf(host, member);
    if (this.#probing.has(key)) return;
    this.#probing.add(key);
    const sign = askable ? await this.#options.probe(member) : "nothing";
    this.#probing.delete(key);
    if (sign === "life") return this.#stir(host, member);
    this.#stirring.delete(key);
    this.#strike(host, member, sign);
  }

  #strike(host: string, member: Member, sign: Exclude<Sign, "life">): void {
    const key = keyOf(host, member);
    const strikes = (this.#strikes.get(key) ?? 0) + 1;
    this.#strikes.set(key, strikes);
    if (this.#dead.has(key)) return;
    if (sign !== "over" && (strikes < STRIKES || !this.#isDeath(host, sign))) return;
    this.#dead.set(key, { host, member });
    if (!this.#told.has(key)) this.#options.onFound(host, member);
    this.#judge(host, member, true);
  }

  /**
   * A member gives a sign of life. That of one that was taken for dead counts the second time: its host may be back, with a
   * bridge that has given it up meanwhile and is asked first.
   */
  #stir(host: string, member: Member): void {
    const key = keyOf(host, member);
    if (this.#stirring.has(key)) {
      this.#forgive(host, member);
      return this.#options.onProof(host);
    }
    this.#stirring.add(key);
    this.#strikes.delete(key);
    this.#told.delete(key);
    if (this.#dead.has(key)) this.#options.onStir();
  }

  /**
   * Whether no sign of life is death. With `seal` silence may be a cut network, and the member may go on behind it: only
   * time and a majority tell. That nobody listens there counts at once where the host's own agent can be reached, since a
   * firewall refuses as well.
   */
  #isDeath(host: string, sign: Sign): boolean {
    const { clock, mayDrop } = this.#options;
    const now = clock.now();
    if (mayDrop(host, now)) return true;
    return sign === "refused" && now - (this.#ackedAt.get(host) ?? -Infinity) < ACKED_MS;
  }

  #forgive(host: string, member: Member): void {
    const key = keyOf(host, member);
    this.#strikes.delete(key);
    this.#told.delete(key);
    if (this.#dead.delete(key)) this.#judge(host, member, false);
  }

  #judge(host: string, member: Member, dead: boolean): void {
    const { log, metrics, onVerdict } = this.#options;
    metrics.count("toychat_silent_members_total", 1, { verdict: dead ? "dead" : "alive" });
    log("warn", "member_silent", { host, id: member.id, dead });
    onVerdict(host, member, dead);
  }
}

/** Whether a member can be asked from another host. */
function isAskable({ address }: LiveHost, member: Member): boolean {
  return !member.address.endsWith(":0") && (isLoopback(address) || !isLoopback(member.address));
}

function keyOf(host: string, { id, incarnation }: Member): string {
  return `${host} ${id} ${incarnation}`;
}
