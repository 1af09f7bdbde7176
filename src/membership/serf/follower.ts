/**
 * Follows an agent: reads its list of agents often, and at once on every hint; its stream is coalesced, late and out of
 * order, so nothing in it is believed.
 *
 * @module
 */
import type { Cancel, Clock } from "../../lib/clock.ts";
import { errorMessage } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import { DEATH_EVENT } from "./death_notice.ts";
import { DELTA_EVENT } from "./host_delta.ts";
import type { SerfClient } from "./serf_client.ts";
import type { SerfEvent, SerfMember, SerfQueryEvent } from "./serf_types.ts";

/** Options of {@linkcode Follower}. */
export interface FollowerOptions {
  /** The host's agent. */
  readonly agent: Pick<SerfClient, "connected" | "members" | "on">;
  /** Time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** The newest list. */
  readonly onList: (list: readonly SerfMember[]) => void;
  /** The payload of a delta. */
  readonly onDelta: (payload: string) => void;
  /** The payload of a notice of deaths. */
  readonly onNotice: (payload: string) => void;
  /** Somebody asks all agents, or this one. */
  readonly onQuery: (query: SerfQueryEvent) => void;
  /** The agent can be reached again: all of it must be read and set anew. */
  readonly onUp: () => void;
  /** Some time has passed, with or without a list. */
  readonly onTick: () => void;
}

const POLL_MS = 200;
const decoder = new TextDecoder();

/** Follows one agent, once started. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #ends: Cancel[] = [];
  #downAt: number | undefined;
  #polling = false;
  #stopped = false;

  /** Does nothing until `start`. */
  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Begins. */
  start(): void {
    const { agent, clock, onTick, onUp } = this.#options;
    this.#ends.push(
      agent.on("up", () => {
        this.#downAt = undefined;
        onUp();
        void this.#poll();
      }),
      agent.on("down", () => this.#downAt ??= clock.now()),
      agent.on("event", (event) => this.#hear(event)),
      clock.every(POLL_MS, () => {
        void this.#poll();
        onTick();
      }),
    );
    if (!agent.connected) this.#downAt = clock.now();
  }

  /** Ends. */
  stop(): void {
    this.#stopped = true;
    for (const end of this.#ends) end();
  }

  /** For how many milliseconds the agent has not been reached; 0 while it is. */
  get downMs(): number {
    return this.#downAt === undefined ? 0 : this.#options.clock.now() - this.#downAt;
  }

  #hear(event: SerfEvent): void {
    const { onDelta, onNotice, onQuery } = this.#options;
    if (event.type === "query") onQuery(event);
    else if (event.type !== "user") void this.#poll();
    else if (event.name === DELTA_EVENT) onDelta(decoder.decode(event.payload));
    else if (event.name === DEATH_EVENT) onNotice(decoder.decode(event.payload));
  }

  async #poll(): Promise<void> {
    const { agent, log, onList } = this.#options;
    if (this.#polling || !agent.connected) return;
    this.#polling = true;
    try {
      const list = await agent.members();
      if (!this.#stopped) onList(list);
    } catch (error) {
      log("debug", "serf_poll_failed", { message: errorMessage(error) });
    }
    this.#polling = false;
  }
}
