/**
 * Tells the cluster what lives on this host: as a tag of its agent, which is the truth and slow, and as user events, which
 * are a hint and quick.
 *
 * @module
 */
import { type Cancel, type Clock, delay } from "../../lib/clock.ts";
import { errorMessage, ToychatError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import type { Member } from "../view.ts";
import { DELTA_EVENT, encodeDelta } from "./host_delta.ts";
import { encodeRecord, ownAddress, publishedAddress } from "./host_record.ts";
import { encodeHost, HOST_TAG, MAX_HOST_VALUE, SEQ_MODULUS } from "./host_tag.ts";
import type { SerfClient } from "./serf_client.ts";
import { roomForTag } from "./serf_tags.ts";

/** Options of {@linkcode Publisher}. */
export interface PublisherOptions {
  /** The host's agent. */
  readonly agent: Pick<SerfClient, "agentName" | "connected" | "setTags" | "userEvent">;
  /** Time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** Where to count. */
  readonly metrics: Metrics;
  /** See `clusterTag`. */
  readonly clusterTag: string;
  /** The members of this host. */
  readonly members: () => readonly Member[];
  /** The highest number of slots that this host knows of. */
  readonly slots: () => number;
  /** Whether its ChatServers are withdrawn because it has sealed. */
  readonly awaits: () => boolean;
}

/** Milliseconds after a failure. */
const RETRY_MS = 500;
/** What somebody else has written is overwritten at most so often. */
const MEND_MS = 2000;
/** So many of the values written last may still be read. */
const REMEMBERED = 16;
/** The tag is written again so often: what somebody else did to it does not last. */
const REFRESH_MS = 30_000;

const encoder = new TextEncoder();

/** Keeps the tag of one host up to date. */
export class Publisher {
  /** The IP address of the agent; empty before it is known, and until then nothing is published. */
  address = "";
  /** Counts publications. */
  seq = 0;
  readonly #options: PublisherOptions;
  /** Bytes that the agent's other tags leave. */
  #maxBytes = MAX_HOST_VALUE;
  #published: string | undefined;
  /** What it has written, the oldest first. */
  readonly #texts: Set<string> = new Set();
  /** What was read last, where it was never written here. */
  #foreign: { readonly tag: string | undefined } | undefined;
  #mendedAt = -Infinity;
  #dirty = false;
  #writing = false;
  #stopped = false;
  #written: Promise<void> = Promise.resolve();
  readonly #cancel: Cancel;

  /** Publishes nothing until `changed`. */
  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#cancel = options.clock.every(REFRESH_MS, () => this.renew());
  }

  /**
   * Takes the agent's address and tags as the agent lists them. Nobody else may write the tag of members: where it twice is
   * what was never written here, which no late answer is, that is said and it is written again.
   */
  seen(address: string, tags: ReadonlyMap<string, string>): void {
    this.address = address;
    this.#maxBytes = Math.min(MAX_HOST_VALUE, roomForTag(HOST_TAG, tags));
    const tag = tags.get(HOST_TAG);
    const own = this.#published === undefined || (tag !== undefined && this.#texts.has(tag));
    const again = this.#foreign !== undefined && this.#foreign.tag === tag;
    this.#foreign = own ? undefined : { tag };
    const { agent, clock, log, metrics } = this.#options;
    if (own || !again || clock.now() - this.#mendedAt < MEND_MS) return;
    this.#mendedAt = clock.now();
    metrics.count("toychat_serf_foreign_tags_total");
    log("error", "agent_shared", {
      agent: agent.agentName,
      message: `somebody else writes the tag "${HOST_TAG}" of this agent: one agent serves one bridge`,
    });
    this.renew();
  }

  /** The address of a member as others will read it; throws where they could not reach it, as far as that is known. */
  published(member: Member): string {
    return publishedAddress(member, this.address || ownAddress(member));
  }

  /** Throws where members do not fit into what a host can publish, as far as that is known. */
  fits(members: readonly Member[]): void {
    if (this.address !== "") this.#value(members);
    else for (const member of members) encodeRecord(member, ownAddress(member));
  }

  /**
   * The members that cannot be published any more, since the agent has got other tags or another address: whom no other host
   * could reach, and those for whom there is no room. The first ones stay.
   */
  excess(): readonly Member[] {
    if (this.address === "") return [];
    const members = this.#options.members();
    const sound = members.filter((member) => this.#isSound(member));
    let fit = sound.length;
    while (fit > 0 && this.#isFull(sound.slice(0, fit))) fit--;
    return [...members.filter((member) => !sound.includes(member)), ...sound.slice(fit)];
  }

  #isSound(member: Member): boolean {
    try {
      this.published(member);
      return true;
    } catch {
      return false;
    }
  }

  /** Members are new or have changed, or were withdrawn: tells it at once as a hint, and by the tag. */
  members(changed: readonly Member[], withdrawn: readonly Member[]): void {
    const { agent, clusterTag, log } = this.#options;
    const { address: agentAddress, seq: before } = this;
    const seq = this.seq = (before + 1) % SEQ_MODULUS;
    const { agentName } = agent;
    const change = { clusterTag, agentName, agentAddress, seq, changed, withdrawn };
    for (const hint of this.#open ? encodeDelta(change) : []) {
      agent.userEvent(DELTA_EVENT, encoder.encode(hint), { coalesce: false }).catch((error) => {
        log("warn", "serf_event_failed", { message: errorMessage(error) });
      });
    }
    this.changed();
  }

  /** What the tag is to say has changed, but for members. */
  changed(): void {
    this.#dirty = true;
    if (!this.#writing) this.#written = this.#write();
  }

  /** Writes the tag whatever it was: the agent may have lost it. */
  renew(): void {
    this.#published = undefined;
    this.changed();
  }

  /** Resolves when what has changed is published, or could not be. */
  async flush(): Promise<void> {
    await this.#written;
  }

  /** Ends; the tag stays. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  get #open(): boolean {
    return this.address !== "" && this.#options.agent.connected;
  }

  #value(members: readonly Member[]): string {
    const { clusterTag, slots, awaits } = this.#options;
    const { address: agentAddress, seq } = this;
    const maxBytes = this.#maxBytes;
    return encodeHost({ clusterTag, slots: slots(), seq, awaits: awaits(), members, agentAddress, maxBytes });
  }

  #isFull(members: readonly Member[]): boolean {
    try {
      this.#value(members);
    } catch (error) {
      return error instanceof ToychatError && error.code === "tags_full";
    }
    return false;
  }

  #remember(text: string): void {
    this.#texts.delete(text);
    this.#texts.add(text);
    const [oldest] = this.#texts;
    if (oldest !== undefined && this.#texts.size > REMEMBERED) this.#texts.delete(oldest);
  }

  /** One call at a time: agents hold back those who call more often. */
  async #write(): Promise<void> {
    const { agent, clock, log, members, metrics } = this.#options;
    this.#writing = true;
    while (this.#dirty && !this.#stopped && this.#open) {
      this.#dirty = false;
      try {
        const text = this.#value(members());
        if (text === this.#published) continue;
        this.#remember(text);
        await agent.setTags(new Map([[HOST_TAG, text]]));
        this.#published = text;
        metrics.count("toychat_serf_publications_total");
      } catch (error) {
        log("warn", "serf_publication_failed", { message: errorMessage(error) });
        metrics.count("toychat_serf_publication_failures_total");
        this.#dirty = true;
        await delay(clock, RETRY_MS);
      }
    }
    this.#writing = false;
  }
}
