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
import { Arrears } from "./arrears.ts";
import { decodeDelta } from "./host_delta.ts";
import { hostHash } from "./host_tag.ts";
import type { Probe, Sign } from "./probe.ts";
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
  /** Which of its publications that was; undefined where it has said nothing. */
  readonly seq: number | undefined;
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
  /** What this host says of itself and of others. */
  readonly answer: () => Required<Testimony>;
  /** Counts the publications of this host. */
  readonly seq: () => number;
  /** Which publication of a host has arrived; undefined: none. */
  readonly seqOf: (host: string) => number | undefined;
  /** Another host has not got the newest publication of this one. */
  readonly onLate: () => void;
  /** Who heard whom, and who may be given up. */
  readonly quorum: Pick<Quorum, "asked" | "answered" | "heard" | "mayDrop">;
  /** Asks a member itself. */
  readonly probe: Probe;
  /** A member of a host without a bridge gives no sign of life, or gives one again. */
  readonly onVerdict: (host: string, member: Member, dead: boolean) => void;
  /**
   * A host has answered, and its newest publication has arrived; or one of its members has given a sign of life: they hear
   * this host, and this one hears them.
   */
  readonly onProof: (host: string) => void;
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
/** A question that something makes necessary is asked at once where the last one is so old, and as often the tag written. */
const HURRY_MS = 200;
/** A bridge that answers again has withdrawn by then whom it found in its agent's tag and nobody else. */
const SETTLED_MS = 5000;
/** An agent that has acknowledged a question within so long can be reached. */
const ACKED_MS = 2500;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Asks, answers, and probes, once started. */
export class Liveness {
  readonly #options: LivenessOptions;
  /** When a host's bridge answered last, or was to be asked for the first time. */
  readonly #heardAt: Map<string, number> = new Map();
  /** The hosts whose bridges have answered since they were silent. */
  readonly #answering: Set<string> = new Set();
  /** Times in a row without a sign of life, by host, id and incarnation. */
  readonly #strikes: Map<string, number> = new Map();
  /** Who was found dead, in the same words. */
  readonly #dead: Set<string> = new Set();
  /** Those of them, and members of hosts that are to prove themselves, that have given one sign of life. */
  readonly #stirring: Set<string> = new Set();
  /** When the bridges of hosts that were silent began to answer again. */
  readonly #backAt: Map<string, number> = new Map();
  /** When the agents of hosts whose bridges are silent were last heard. */
  readonly #ackedAt: Map<string, number> = new Map();
  readonly #arrears: Arrears = new Arrears();
  readonly #probing: Set<string> = new Set();
  readonly #timers: Cancel[] = [];
  /** The own name as others are told it. */
  readonly #selfHash: string;
  #asked = 0;
  #askedAt = -Infinity;
  #lateAt = -Infinity;

  /** Does nothing until `start`. */
  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#selfHash = hostHash(options.self);
  }

  /** Begins. */
  start(): void {
    const { clock } = this.#options;
    this.#timers.push(
      clock.every(ASK_MS, () => this.ask()),
      clock.every(PROBE_EVERY_MS, () => this.#look()),
    );
    this.ask();
  }

  /** Asks all other bridges, now. */
  ask(): void {
    void this.#ask();
  }

  /** Ends. */
  stop(): void {
    for (const cancel of this.#timers) cancel();
  }

  /** The agent is back: what was not heard meanwhile is nobody's fault. */
  forgive(): void {
    this.#heardAt.clear();
    this.#answering.clear();
    this.ask();
  }

  /** Whether a host's bridge was heard of late. */
  answers(host: string): boolean {
    const { clock } = this.#options;
    return clock.now() - (this.#heardAt.get(host) ?? -Infinity) < SILENT_MS;
  }

  /** Answers the query of another bridge. */
  asked(query: SerfQueryEvent): void {
    const { agent, clock, clusterTag, self, nameOf, answer, quorum, seq, onHeard } = this.#options;
    const question = decodeQuestion(decoder.decode(query.payload), clusterTag);
    if (!question) return;
    const { sealed, silent, out } = answer();
    const text = encodeAnswer(clusterTag, {
      host: this.#selfHash,
      seq: seq(),
      sealed,
      silent: silent.map(hostHash),
      out: out.map(hostHash),
    });
    agent.respond(query.id, encoder.encode(text)).catch(() => {});
    if (question.late.includes(this.#selfHash)) this.#publishAgain();
    const name = nameOf(question.host);
    if (name === undefined || name === self) return;
    // Only one way: whether it hears this host too, its answer will say.
    quorum.heard(name, clock.now());
    onHeard();
  }

  #publishAgain(): void {
    const now = this.#options.clock.now();
    if (now - this.#lateAt < HURRY_MS) return;
    this.#lateAt = now;
    this.#options.onLate();
  }

  async #ask(): Promise<void> {
    const { agent, clock, log, clusterTag, quorum, hosts } = this.#options;
    if (!agent.connected) return;
    const number = ++this.#asked;
    const now = this.#askedAt = clock.now();
    quorum.asked(number, now);
    const late = this.#arrears.late(hosts(), now).map(hostHash);
    try {
      await agent.query(LIVE_QUERY, encoder.encode(encodeQuestion(clusterTag, this.#selfHash, late)), {
        timeoutMs: ANSWERS_MS,
        acks: this.#anySilent(),
        onAck: (from) => this.#ackedAt.set(from, clock.now()),
        onResponse: (from, payload) => this.#answered(number, from, decoder.decode(payload)),
      });
    } catch (error) {
      log("debug", "serf_query_failed", { message: errorMessage(error) });
    }
  }

  #answered(number: number, from: string, payload: string): void {
    const { clock, clusterTag, self, quorum, nameOf, onHeard } = this.#options;
    const answer = decodeAnswer(payload, clusterTag);
    if (!answer || from === self) return;
    const names = (hashes: readonly string[]): string[] => hashes.flatMap((hash) => nameOf(hash) ?? []);
    const testimony = {
      sealed: answer.sealed,
      silent: names(answer.silent),
      dropped: names(answer.dropped),
      out: names(answer.out),
    };
    const now = clock.now();
    const before = this.#heardAt.get(from);
    if (before !== undefined && now - before >= SILENT_MS) this.#backAt.set(from, now);
    this.#heardAt.set(from, now);
    this.#answering.add(from);
    quorum.answered(number, from, now, testimony);
    this.#compare(from, answer.seq, before === undefined || now - before >= SILENT_MS);
    onHeard();
  }

  /** Sees whether what a host has published last has arrived, and asks for it where the host is back. */
  #compare(host: string, seq: number, returned: boolean): void {
    const { seqOf, onProof } = this.#options;
    this.#arrears.tell(host, seq);
    if (this.#arrears.isCurrent(host, seqOf(host))) return onProof(host);
    if (!returned) return;
    this.#arrears.returned(host);
    this.#hurry();
  }

  #anySilent(): boolean {
    return this.#options.hosts().some(({ name }) => !this.answers(name));
  }

  /** Looks for hosts whose bridge is silent. */
  #look(): void {
    const { agent, clock, hosts } = this.#options;
    if (!agent.connected) return;
    const now = clock.now();
    const seen = new Set<string>();
    for (const host of hosts()) {
      const { name } = host;
      seen.add(name);
      const heardAt = this.#heardAt.get(name);
      if (heardAt === undefined) this.#heardAt.set(name, now);
      else if (now - heardAt >= SILENT_MS) this.#question(host);
      else if (this.#answering.has(name) && this.#arrears.isCurrent(name, host.seq)) this.#acquit(host, now);
    }
    this.#arrears.keep(seen);
    for (const map of [this.#heardAt, this.#ackedAt, this.#backAt]) {
      for (const name of map.keys()) if (!seen.has(name)) map.delete(name);
    }
    for (const name of this.#answering) if (!this.answers(name)) this.#answering.delete(name);
  }

  /**
   * The bridge answers again, and what it has published last is here. One that has just started publishes what it finds in
   * its agent's tag for a while: the dead stay dead until it says otherwise, or they do.
   */
  #acquit(host: LiveHost, now: number): void {
    this.#options.onProof(host.name);
    const settled = now - (this.#backAt.get(host.name) ?? -Infinity) >= SETTLED_MS;
    for (const member of host.members) {
      const dead = this.#dead.has(keyOf(host.name, member));
      if (settled || !dead) this.#forgive(host.name, member);
      else if (isAskable(host, member)) void this.#examine(host.name, member, true);
    }
  }

  /** Takes the payload of a delta: whom a bridge announces anew, it has heard. */
  announced(payload: string): void {
    if (this.#dead.size === 0) return;
    const { clusterTag, hosts } = this.#options;
    const delta = decodeDelta(payload, clusterTag);
    const host = delta && hosts().find(({ name }) => hostHash(name) === delta.host);
    for (const { id, incarnation } of host ? delta.changed : []) {
      const member = host?.members.find((one) => one.id === id && one.incarnation === incarnation);
      if (host && member) this.#forgive(host.name, member);
    }
  }

  /**
   * Asks the ChatServers of a host, and its proxies once none of these lives. A proxy that cannot be asked goes with the
   * ChatServers; where there are none it stays.
   */
  #question(host: LiveHost): void {
    const { name, members } = host;
    const chats = members.filter(({ role }) => role === "chat");
    for (const chat of chats) void this.#examine(name, chat, true);
    if (chats.some((chat) => !this.#dead.has(keyOf(name, chat)))) return;
    for (const proxy of members) {
      if (proxy.role !== "proxy") continue;
      const askable = isAskable(host, proxy);
      if (askable || chats.length > 0) void this.#examine(name, proxy, askable);
    }
  }

  async #examine(host: string, member: Member, askable: boolean): Promise<void> {
    const key = keyOf(host, member);
    if (this.#probing.has(key)) return;
    this.#probing.add(key);
    const sign = askable ? await this.#options.probe(member.address) : "nothing";
    this.#probing.delete(key);
    if (sign === "life") return this.#stir(host, member);
    this.#stirring.delete(key);
    const strikes = (this.#strikes.get(key) ?? 0) + 1;
    this.#strikes.set(key, strikes);
    if (strikes < STRIKES || this.#dead.has(key) || !this.#isDeath(host, sign)) return;
    this.#dead.add(key);
    this.#judge(host, member, true);
  }

  /**
   * A member gives a sign of life. That of one that was taken for dead counts the second time: its host may be back, with a
   * bridge that has given it up meanwhile and is asked first.
   */
  #stir(host: string, member: Member): void {
    const key = keyOf(host, member);
    if (!this.#stirring.has(key)) {
      this.#stirring.add(key);
      this.#strikes.delete(key);
      if (this.#dead.has(key)) this.#hurry();
      return;
    }
    this.#forgive(host, member);
    this.#options.onProof(host);
  }

  /** Asks at once, where that was not done just now. */
  #hurry(): void {
    if (this.#options.clock.now() - this.#askedAt >= HURRY_MS) this.ask();
  }

  /**
   * Whether no sign of life is death. With `seal` silence may be a cut network, and the member may go on behind it: only
   * time and a majority tell. That nobody listens there counts at once where the host's own agent can be reached, since a
   * firewall refuses as well.
   */
  #isDeath(host: string, sign: Sign): boolean {
    const { clock, quorum } = this.#options;
    const now = clock.now();
    if (quorum.mayDrop(host, now)) return true;
    return sign === "refused" && now - (this.#ackedAt.get(host) ?? -Infinity) < ACKED_MS;
  }

  #forgive(host: string, member: Member): void {
    const key = keyOf(host, member);
    this.#strikes.delete(key);
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
