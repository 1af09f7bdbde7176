/**
 * Who lives on the other hosts, beyond what Serf says: Serf knows agents, this asks the bridges beside them, and where a
 * bridge is silent the ChatServers themselves.
 *
 * @module
 */
import type { Cancel, Clock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import { isLoopback } from "../../lib/hosts.ts";
import type { Member } from "../view.ts";
import { hostHash } from "./host_tag.ts";
import type { Probe } from "./probe.ts";
import { decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion, LIVE_QUERY } from "./live_query.ts";
import type { Quorum, Testimony } from "./quorum.ts";
import type { SerfClient } from "./serf_client.ts";
import type { SerfQueryEvent } from "./serf_types.ts";

/** A host whose agent lives, with the members that it publishes. */
export interface LiveHost {
  /** The agent's name. */
  readonly name: string;
  /** The agent's IP address. */
  readonly address: string;
  /** Its members, as last published. */
  readonly members: readonly Member[];
}

/** Options of {@linkcode Liveness}. */
export interface LivenessOptions {
  /** The host's agent. */
  readonly agent: Pick<SerfClient, "connected" | "query" | "respond">;
  /** Time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
  /** See `clusterTag`. */
  readonly clusterTag: string;
  /** The name of the own agent. */
  readonly self: string;
  /** The other hosts whose agents live. */
  readonly hosts: () => readonly LiveHost[];
  /** The name of any host by its hash, as far as it is known. */
  readonly nameOf: (hash: string) => string | undefined;
  /** Whether the members of this host may not accept, and what it says of others. */
  readonly answer: () => Testimony & { readonly sealed: boolean };
  /** Who heard whom. */
  readonly quorum: Pick<Quorum, "asked" | "answered" | "heard">;
  /** Asks a member itself. */
  readonly probe: Probe;
  /** A member of a host without a bridge gives no sign of life, or gives one again. */
  readonly onVerdict: (host: string, member: Member, dead: boolean) => void;
  /** Something was heard, or the silence of a host has become long. */
  readonly onHeard: () => void;
}

const ASK_MS = 1000;
/** Answers are taken for so long: what comes later counts for nobody. */
const ANSWERS_MS = 3000;
/** After so long without an answer of its bridge the members of a host are asked themselves, so often. */
const SILENT_MS = 3000;
const PROBE_EVERY_MS = 500;
/** So many times in a row without a sign of life is death. */
const STRIKES = 2;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Asks, answers, and probes, once started. */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #heardAt: Map<string, number> = new Map();
  /** Times in a row without a sign of life, by host, id and incarnation. */
  readonly #strikes: Map<string, number> = new Map();
  readonly #probing: Set<string> = new Set();
  readonly #timers: Cancel[] = [];
  /** The own name as others are told it. */
  readonly #selfHash: string;
  #asked = 0;

  /** Does nothing until `start`. */
  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#selfHash = hostHash(options.self);
  }

  /** Begins. */
  start(): void {
    const { clock } = this.#options;
    this.#timers.push(
      clock.every(ASK_MS, () => void this.#ask()),
      clock.every(PROBE_EVERY_MS, () => this.#look()),
    );
    void this.#ask();
  }

  /** Ends. */
  stop(): void {
    for (const cancel of this.#timers) cancel();
  }

  /** The agent is back: what was not heard meanwhile is nobody's fault. */
  forgive(): void {
    this.#heardAt.clear();
    void this.#ask();
  }

  /** Whether a host's bridge was heard of late. */
  answers(host: string): boolean {
    const { clock } = this.#options;
    return clock.now() - (this.#heardAt.get(host) ?? -Infinity) < SILENT_MS;
  }

  /** Answers the query of another bridge. */
  asked(query: SerfQueryEvent): void {
    const { agent, clusterTag, self, nameOf, answer } = this.#options;
    const from = decodeQuestion(decoder.decode(query.payload), clusterTag);
    if (from === undefined) return;
    const { sealed, silent, dropped } = answer();
    const text = encodeAnswer(clusterTag, {
      host: this.#selfHash,
      sealed,
      silent: silent.map(hostHash),
      dropped: dropped.map(hostHash),
    });
    agent.respond(query.id, encoder.encode(text)).catch(() => {});
    const name = nameOf(from);
    if (name !== undefined && name !== self) this.#heard(name);
  }

  #heard(name: string): void {
    const { clock, quorum, onHeard } = this.#options;
    const now = clock.now();
    this.#heardAt.set(name, now);
    quorum.heard(name, now);
    onHeard();
  }

  async #ask(): Promise<void> {
    const { agent, clock, log, clusterTag, quorum } = this.#options;
    if (!agent.connected) return;
    const number = ++this.#asked;
    quorum.asked(number, clock.now());
    try {
      await agent.query(LIVE_QUERY, encoder.encode(encodeQuestion(clusterTag, this.#selfHash)), {
        timeoutMs: ANSWERS_MS,
        onResponse: (from, payload) => this.#answered(number, from, decoder.decode(payload)),
      });
    } catch (error) {
      log("debug", "serf_query_failed", { message: errorMessage(error) });
    }
  }

  #answered(number: number, from: string, payload: string): void {
    const { clock, clusterTag, self, quorum, nameOf } = this.#options;
    const answer = decodeAnswer(payload, clusterTag);
    if (!answer || from === self) return;
    const names = (hashes: readonly string[]): string[] => hashes.flatMap((hash) => nameOf(hash) ?? []);
    const testimony = { silent: names(answer.silent), dropped: names(answer.dropped) };
    quorum.answered(number, from, clock.now(), testimony);
    this.#heard(from);
  }

  /** Looks for hosts whose bridge is silent. */
  #look(): void {
    const { agent, clock, hosts } = this.#options;
    if (!agent.connected) return;
    const now = clock.now();
    const seen = new Set<string>();
    for (const host of hosts()) {
      const { name, members } = host;
      seen.add(name);
      const heardAt = this.#heardAt.get(name);
      if (heardAt === undefined) this.#heardAt.set(name, now);
      else if (now - heardAt >= SILENT_MS) this.#question(host);
      else this.#acquit(name, members);
    }
    for (const name of this.#heardAt.keys()) if (!seen.has(name)) this.#heardAt.delete(name);
  }

  /** The bridge answers again: what it publishes counts. */
  #acquit(host: string, members: readonly Member[]): void {
    for (const member of members) {
      const key = keyOf(host, member);
      if ((this.#strikes.get(key) ?? 0) >= STRIKES) this.#judge(host, member, false);
      this.#strikes.delete(key);
    }
  }

  /**
   * Asks the ChatServers of a host, and its proxies once none of these lives. A proxy that cannot be asked goes with the
   * ChatServers; where there are none it stays.
   */
  #question({ name, address, members }: LiveHost): void {
    const chats = members.filter(({ role }) => role === "chat");
    for (const chat of chats) void this.#examine(name, chat, true);
    if (chats.some((chat) => (this.#strikes.get(keyOf(name, chat)) ?? 0) < STRIKES)) return;
    for (const proxy of members) {
      if (proxy.role !== "proxy") continue;
      const askable = !proxy.address.endsWith(":0") && (isLoopback(address) || !isLoopback(proxy.address));
      if (askable || chats.length > 0) void this.#examine(name, proxy, askable);
    }
  }

  async #examine(host: string, member: Member, askable: boolean): Promise<void> {
    const key = keyOf(host, member);
    if (this.#probing.has(key)) return;
    this.#probing.add(key);
    const lives = askable && await this.#options.probe(member.address);
    this.#probing.delete(key);
    const strikes = this.#strikes.get(key) ?? 0;
    if (lives) this.#strikes.delete(key);
    else this.#strikes.set(key, strikes + 1);
    if (lives ? strikes >= STRIKES : strikes + 1 === STRIKES) this.#judge(host, member, !lives);
  }

  #judge(host: string, member: Member, dead: boolean): void {
    const { log, metrics, onVerdict } = this.#options;
    metrics.count("toychat_silent_members_total", 1, { verdict: dead ? "dead" : "alive" });
    log("warn", "member_silent", { host, id: member.id, dead });
    onVerdict(host, member, dead);
  }
}

function keyOf(host: string, { id, incarnation }: Member): string {
  return `${host} ${id} ${incarnation}`;
}
