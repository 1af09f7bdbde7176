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
import type { Member } from "../view.ts";
import { Arrears } from "./arrears.ts";
import type { LiveHost } from "./cluster_book.ts";
import { DeathNotices, decodeNotice } from "./death_notice.ts";
import { Examiner } from "./examiner.ts";
import { decodeDelta } from "./host_delta.ts";
import { hostHash } from "./host_tag.ts";
import type { Probe } from "./probe.ts";
import { decodeAnswer, decodeQuestion, encodeAnswer, encodeQuestion, LIVE_QUERY } from "./live_query.ts";
import type { Quorum, Testimony } from "./quorum.ts";
import type { SerfClient } from "./serf_client.ts";
import type { SerfQueryEvent } from "./serf_types.ts";

/** Options of {@linkcode Liveness}. */
export interface LivenessOptions {
  /** The host's agent. */
  readonly agent: Pick<SerfClient, "connected" | "query" | "respond" | "userEvent">;
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
  /** Whether that verdict stands. */
  readonly isDead: (host: string, id: string, incarnation: string) => boolean;
  /**
   * A host has answered, and its newest publication has arrived; or one of its members has given a sign of life: they hear
   * this host, and this one hears them.
   */
  readonly onProof: (host: string) => void;
  /** The bridge of a host has answered. */
  readonly onAnswer: (host: string) => void;
  /** Something was heard, or the silence of a host has become long. */
  readonly onHeard: () => void;
}

const ASK_MS = 1000;
/** Answers are taken for so long: what comes later counts for nobody. */
const ANSWERS_MS = 3000;
/** After so long without an answer of its bridge the members of a host are asked themselves, so often. */
const SILENT_MS = 3000;
const PROBE_EVERY_MS = 500;
/** A question that something makes necessary is asked at once where the last one is so old, and as often the tag written. */
const HURRY_MS = 200;
/**
 * Whose bridge has answered within so long, or was not known before, is not silent, whatever others say: they may not hear it,
 * or Serf tells again what they said long ago. A bridge that was silent for 3 s to another one, which asks each second as
 * this one does, was for 2 s here.
 */
const FRESH_MS = 1500;
/** A bridge that answers again has withdrawn by then whom it found in its agent's tag and nobody else. */
const SETTLED_MS = 5000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Asks, answers, and probes, once started. */
export class Liveness {
  readonly #options: LivenessOptions;
  /** When a host's bridge answered last, or was to be asked for the first time. */
  readonly #heardAt: Map<string, number> = new Map();
  /** The hosts whose bridges have answered since they were silent. */
  readonly #answering: Set<string> = new Set();
  /** When the bridges of hosts that were silent began to answer again. */
  readonly #backAt: Map<string, number> = new Map();
  readonly #arrears: Arrears = new Arrears();
  readonly #examiner: Examiner;
  readonly #notices: DeathNotices;
  readonly #timers: Cancel[] = [];
  /** The own name as others are told it. */
  readonly #selfHash: string;
  #asked = 0;
  #askedAt = -Infinity;
  /** A question that is due before the next regular one. */
  #hurried: Cancel | undefined;
  #lateAt = -Infinity;
  /** When somebody told of the dead of a host last. */
  readonly #toldAt: Map<string, number> = new Map();
  #stopped = false;

  /** Does nothing until `start`. */
  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#selfHash = hostHash(options.self);
    this.#examiner = new Examiner({
      ...options,
      mayDrop: (host, now) => options.quorum.mayDrop(host, now),
      onStir: () => this.#hurry(),
      onFound: (host, member) => this.#notices.add(host, member),
    });
    this.#notices = new DeathNotices(options);
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
    this.#stopped = true;
    for (const cancel of this.#timers) cancel();
    this.#hurried?.();
    this.#notices.stop();
  }

  /** The members of a host have been given up: the others are told, where that was not just done, and see whether they may. */
  dropped(host: string, members: readonly Member[]): void {
    if (this.#options.clock.now() - (this.#toldAt.get(host) ?? -Infinity) < ASK_MS) return;
    for (const member of members) this.#notices.add(host, member);
  }

  /** The agent is back: what was not heard meanwhile is nobody's fault. */
  forgive(): void {
    this.#heardAt.clear();
    this.#answering.clear();
    this.ask();
  }

  /** Answers the query of another bridge. */
  asked(query: SerfQueryEvent): void {
    const { agent, clock, clusterTag, self, nameOf, answer, quorum, seq, onHeard } = this.#options;
    const question = decodeQuestion(decoder.decode(query.payload), clusterTag);
    if (!question) return;
    const { lost, silent, out } = answer();
    const text = encodeAnswer(clusterTag, {
      host: this.#selfHash,
      seq: seq(),
      lost,
      silent: silent.map(hostHash),
      out: out.map(hostHash),
    }, { host: question.host, ltime: query.ltime });
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
    this.#hurried?.();
    this.#hurried = undefined;
    const number = ++this.#asked;
    const now = this.#askedAt = clock.now();
    quorum.asked(number, now);
    const late = this.#arrears.late(hosts(), now).map(hostHash);
    try {
      await agent.query(LIVE_QUERY, encoder.encode(encodeQuestion(clusterTag, this.#selfHash, late)), {
        timeoutMs: ANSWERS_MS,
        acks: this.#anySilent(),
        onAck: (from) => this.#examiner.acked(from),
        onResponse: (from, payload) => this.#answered(number, from, decoder.decode(payload)),
      });
    } catch (error) {
      log("debug", "serf_query_failed", { message: errorMessage(error) });
    }
  }

  #answered(number: number, from: string, payload: string): void {
    const { clock, clusterTag, self, quorum, nameOf, onAnswer, onHeard } = this.#options;
    const answer = decodeAnswer(payload, clusterTag);
    if (!answer || from === self) return;
    const names = (hashes: readonly string[]): string[] => hashes.flatMap((hash) => nameOf(hash) ?? []);
    const testimony = {
      lost: answer.lost,
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
    onAnswer(from);
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

  /** Whether a host's bridge was heard of late. */
  #answers(host: string): boolean {
    const { clock } = this.#options;
    return clock.now() - (this.#heardAt.get(host) ?? -Infinity) < SILENT_MS;
  }

  #anySilent(): boolean {
    return this.#options.hosts().some(({ name }) => !this.#answers(name));
  }

  /** Looks for hosts whose bridge is silent. */
  #look(): void {
    const { agent, clock } = this.#options;
    if (!agent.connected) return;
    const now = clock.now();
    const hosts = this.#options.hosts();
    const seen = new Set<string>();
    for (const host of hosts) {
      const { name } = host;
      seen.add(name);
      const heardAt = this.#heardAt.get(name);
      if (heardAt === undefined) this.#heardAt.set(name, now);
      else if (now - heardAt >= SILENT_MS) this.#examiner.question(host);
      else if (this.#answering.has(name) && this.#arrears.isCurrent(name, host.seq)) this.#acquit(host, now);
    }
    this.#arrears.keep(seen);
    this.#examiner.keep(hosts);
    for (const map of [this.#heardAt, this.#backAt]) {
      for (const name of map.keys()) if (!seen.has(name)) map.delete(name);
    }
    for (const [name, at] of this.#toldAt) if (now - at >= ASK_MS) this.#toldAt.delete(name);
    for (const name of this.#answering) if (!this.#answers(name)) this.#answering.delete(name);
  }

  /** The bridge answers again, and what it has published last is here. */
  #acquit(host: LiveHost, now: number): void {
    this.#options.onProof(host.name);
    this.#examiner.acquit(host, now - (this.#backAt.get(host.name) ?? -Infinity) >= SETTLED_MS);
  }

  /**
   * Takes the payload of a notice: another bridge has found members of a host dead. The bridge there counts as silent from
   * now on until it answers, so that all see at the same time what has become of its members.
   */
  told(payload: string): void {
    const { clock, clusterTag, hosts, nameOf, self } = this.#options;
    const notice = decodeNotice(payload, clusterTag);
    const name = notice && nameOf(notice.host);
    if (!notice || name === undefined || name === self) return;
    const now = clock.now();
    const host = hosts().find((one) => one.name === name);
    const heardAt = this.#heardAt.get(name) ?? now;
    if (host && now - heardAt < FRESH_MS) return;
    this.#toldAt.set(name, now);
    // Before the question, which then asks for acknowledgements.
    if (host) this.#heardAt.set(name, Math.min(now - SILENT_MS, heardAt));
    this.#hurry();
    if (host) this.#examiner.told(host, notice.lives);
  }

  /** Takes the payload of a delta: whom a bridge announces anew, it has heard. */
  announced(payload: string): void {
    if (!this.#examiner.hasDead) return;
    const { clusterTag, hosts } = this.#options;
    const delta = decodeDelta(payload, clusterTag);
    const host = delta && hosts().find(({ name }) => hostHash(name) === delta.host);
    if (host) this.#examiner.announced(host, delta.changed);
  }

  /** Asks at once, or as soon as the last question is old enough. */
  #hurry(): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    const waitMs = this.#askedAt + HURRY_MS - clock.now();
    if (waitMs <= 0) return this.ask();
    this.#hurried ??= clock.after(waitMs, () => {
      this.#hurried = undefined;
      this.#hurry();
    });
  }
}
