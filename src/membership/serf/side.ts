/**
 * The side of a partition that a host finds itself on: whether its ChatServers may accept, and which failed hosts may be
 * taken over.
 *
 * @module
 */
import type { Logger } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import type { OnPartition } from "../bridge_agent.ts";
import type { HostInfo } from "./cluster_book.ts";
import type { HostValue } from "./host_tag.ts";
import { PROOF_MS, Quorum, type Testimony } from "./quorum.ts";

/** Options of {@linkcode Side}. */
export interface SideOptions {
  /** The name of the own agent. */
  readonly self: string;
  /** What to do when cut off. */
  readonly onPartition: OnPartition;
  /** With `seal`: how many hosts there are to be, of which a start waits for most. Default 1. */
  readonly expectHosts?: number | undefined;
  /** What the bridge's life before has published last, where the agent still has it. */
  readonly before: HostValue | undefined;
  /** Where events go. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
}

/** What follows from who was heard. */
export interface Judgement {
  /** The ChatServers of this host must not go on as who they were. */
  readonly withdraw: boolean;
  /** Of the hosts asked about, those that may be taken over. */
  readonly drop: readonly string[];
}

/** ChatServers that were withdrawn because their host sealed come back within so long, or do not. */
const RETURN_MS = 30_000;

/**
 * Whether a host served, and all slots that were ever placed are its own ChatServers': no other host has any. That its agent
 * lists nobody does not say so: an agent that was just restarted, and got the tag from a bridge that lived on, has not met
 * the others yet.
 */
function servedAlone({ awaits, slots, members }: HostValue): boolean {
  const placed = new Set(members.filter(({ state }) => state !== "joining").map(({ slot }) => slot));
  return !awaits && slots > 0 &&
    Array.from({ length: slots }, (_, slot) => slot).every((slot) => placed.has(slot));
}

/** One host's side. */
export class Side {
  /** Who heard whom. */
  readonly quorum: Quorum;
  readonly #options: SideOptions;
  #sealed: boolean;
  #awaits: boolean;
  #lapses = 0;
  #startedAt: number | undefined;
  #unsealedAt = -Infinity;

  /** With `seal` nobody may accept before others were heard. */
  constructor(options: SideOptions) {
    const { self, onPartition, expectHosts, before } = options;
    this.#options = options;
    const alone = before !== undefined && servedAlone(before);
    this.quorum = new Quorum({ self, mode: onPartition, expectHosts, alone });
    this.#sealed = onPartition === "seal";
    // Sealed before: its ChatServers are still to come back.
    this.#awaits = this.#sealed && (before?.awaits ?? false);
  }

  /** Whether the ChatServers of this host may not accept. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /**
   * Whether ChatServers of this host were withdrawn because it sealed, and are to come back: it still counts among the
   * hosts that have some.
   */
  get awaits(): boolean {
    return this.#awaits;
  }

  /** What this host says of others. */
  testimony(hosts: readonly HostInfo[], now: number): Required<Testimony> {
    const { quorum } = this;
    if (this.#options.onPartition === "serve") return { lost: false, silent: [], dropped: [], out: [] };
    const silent = quorum.silent(now);
    const out = hosts.filter(({ status, counts }) => !counts && status !== "left").map(({ name }) => name);
    return {
      lost: quorum.hasLost(now),
      silent,
      dropped: out.filter((name) => silent.includes(name)),
      out,
    };
  }

  /**
   * Sees where the host stands.
   *
   * @param chats Whether the own host has ChatServers.
   * @param failed Hosts that are kept although they have failed.
   */
  judge(hosts: readonly HostInfo[], chats: boolean, failed: readonly string[], now: number): Judgement {
    const { onPartition, self } = this.#options;
    const { quorum } = this;
    this.#startedAt ??= now;
    if (chats || (!this.#sealed && now >= this.#unsealedAt + RETURN_MS)) this.#awaits = false;
    const own = chats || this.#awaits;
    const base = hosts.map(({ name, status, chats }) => ({
      name,
      status,
      chats: name === self ? own : chats,
    }));
    quorum.base(base, now);
    if (onPartition === "serve") return { withdraw: false, drop: [] };
    // The others drop a host that leaves at once.
    const leaves = hosts.some(({ name, status }) =>
      name === self && (status === "leaving" || status === "left")
    );
    const lapsed = this.#observe(!quorum.mayAccept(now) || leaves, now);
    // A bridge that has just started does not know yet whether its predecessor had to seal: the first answers tell.
    const lost = quorum.hasLost(now) || (this.#sealed && now >= this.#startedAt + PROOF_MS);
    const withdraw = lapsed > 0 || lost || leaves;
    if (withdraw && chats) this.#awaits = !leaves;
    return { withdraw, drop: failed.filter((name) => quorum.mayDrop(name, now)) };
  }

  /** Takes note of what has become of the right to accept; returns how often it has ended since it was looked at last. */
  #observe(sealed: boolean, now: number): number {
    const { log, metrics, self } = this.#options;
    const { quorum } = this;
    const lapsed = quorum.lapses - this.#lapses;
    if (lapsed > 0) metrics.count("toychat_seals_total", lapsed);
    if (quorum.hasLost(now) && (!this.#sealed || lapsed > 0)) log("error", "sealed", { agent: self });
    if (!sealed && this.#sealed) {
      log("info", "unsealed", { agent: self });
      this.#unsealedAt = now;
    }
    this.#sealed = sealed;
    this.#lapses += lapsed;
    return lapsed;
  }
}
