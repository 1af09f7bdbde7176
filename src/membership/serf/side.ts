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
import { Quorum, type Testimony } from "./quorum.ts";

/** Options of {@linkcode Side}. */
export interface SideOptions {
  /** The name of the own agent. */
  readonly self: string;
  /** What to do when cut off. */
  readonly onPartition: OnPartition;
  /** Where events go. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
}

/** What follows from who was heard. */
export interface Judgement {
  /** The ChatServers of this host must not go on as who they were. */
  readonly seal: boolean;
  /** Of the hosts asked about, those that may be taken over. */
  readonly drop: readonly string[];
}

/** One host's side. */
export class Side {
  /** Who heard whom. */
  readonly quorum: Quorum;
  readonly #options: SideOptions;
  #sealed: boolean;
  #lapses = 0;

  /** With `seal` nobody may accept before others were heard. */
  constructor(options: SideOptions) {
    const { self, onPartition, metrics } = options;
    this.#options = options;
    this.quorum = new Quorum({ self, mode: onPartition });
    this.#sealed = onPartition === "seal";
    metrics.gauge("toychat_sealed", () => this.#sealed ? 1 : 0);
  }

  /** Whether the ChatServers of this host may not accept. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** What this host says of others. */
  testimony(hosts: readonly HostInfo[], now: number): Testimony & { readonly sealed: boolean } {
    const serves = this.#options.onPartition === "serve";
    const dropped = hosts
      .filter(({ status, counts }) => !counts && (status === "failed" || status === "missing"))
      .map(({ name }) => name);
    return { sealed: this.#sealed, silent: this.quorum.silent(now), dropped: serves ? [] : dropped };
  }

  /**
   * Sees where the host stands.
   *
   * @param chats Whether a host has ChatServers; undefined where it says nothing.
   * @param failed Hosts that are kept although they have failed.
   */
  judge(
    hosts: readonly HostInfo[],
    chats: (host: HostInfo) => boolean | undefined,
    failed: readonly string[],
    now: number,
  ): Judgement {
    const { log, metrics, onPartition, self } = this.#options;
    const { quorum } = this;
    quorum.base(hosts.map((host) => ({ name: host.name, status: host.status, chats: chats(host) })), now);
    if (onPartition === "serve") return { seal: false, drop: [] };
    const sealed = !quorum.mayAccept(now);
    const lapsed = quorum.lapses - this.#lapses;
    if (sealed && !this.#sealed) log("error", "sealed", { agent: self });
    if (!sealed && this.#sealed) log("info", "unsealed", { agent: self });
    this.#sealed = sealed;
    this.#lapses += lapsed;
    if (lapsed > 0) metrics.count("toychat_seals_total", lapsed);
    return { seal: sealed || lapsed > 0, drop: failed.filter((name) => quorum.mayDrop(name, now)) };
  }
}
