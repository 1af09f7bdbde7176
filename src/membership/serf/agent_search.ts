/**
 * Meets the host's agent at the start, or later, where the host serves without it until then.
 *
 * @module
 */
import type { Cancel, Clock } from "../../lib/clock.ts";
import { errorMessage, ToychatError } from "../../lib/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { SerfClient } from "./serf_client.ts";
import type { SerfMember } from "./serf_types.ts";
import { refuseSharedAgent } from "./shared_agent.ts";

/** Options of {@linkcode AgentSearch}. */
export interface AgentSearchOptions {
  /** The host's agent. */
  readonly agent: Pick<SerfClient, "agentName" | "connected" | "members" | "query" | "ready" | "start">;
  /** Time. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** See `clusterTag`. */
  readonly clusterTag: string;
  /** The agent is there, serves no other bridge, and lists these agents. */
  readonly onMet: (list: readonly SerfMember[]) => Promise<void>;
}

/** An agent that was not there is looked for so often. */
const LOOK_MS = 200;
/** One that could not be used is tried again after so long: it serves another bridge, as a rule. */
const AGAIN_MS = 5000;
/** Codes of an agent that is not there, or does not answer. */
const AWAY: readonly string[] = [
  "serf_unreachable",
  "serf_not_connected",
  "serf_connection_lost",
  "serf_timeout",
];

/** Looks for one agent. */
export class AgentSearch {
  readonly #options: AgentSearchOptions;
  #cancel: Cancel = () => {};
  #meeting = false;
  #notBefore = -Infinity;
  #stopped = false;

  /** Does nothing until `start`. */
  constructor(options: AgentSearchOptions) {
    this.#options = options;
  }

  /**
   * Connects, and resolves when the agent was met.
   *
   * @throws {ToychatError} what `SerfClient.ready` throws, and `agent_shared`.
   */
  async start(timeoutMs: number): Promise<void> {
    const { agent } = this.#options;
    agent.start();
    await agent.ready(timeoutMs);
    await this.#meet();
  }

  /**
   * As `start`; but one that is not there, or does not answer, is looked for from now on. Resolves with whether it was met.
   *
   * @throws {ToychatError} what `start` throws of an agent that answers: `serf_auth_refused`, `agent_shared`, `serf_bad_reply`.
   */
  async startWithout(timeoutMs: number): Promise<boolean> {
    try {
      await this.start(timeoutMs);
      return true;
    } catch (error) {
      const away = error instanceof ToychatError && AWAY.includes(error.code);
      if (!away || this.#stopped) throw error;
      this.#options.log("warn", "serf_alone", { code: error.code, error: error.message });
    }
    this.#cancel = this.#options.clock.every(LOOK_MS, () => void this.#look());
    return false;
  }

  /** Looks no more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    const { agent, clock } = this.#options;
    if (this.#meeting || !agent.connected || clock.now() < this.#notBefore) return;
    this.#meeting = true;
    try {
      await this.#meet();
      this.#cancel();
    } catch (error) {
      this.#notBefore = clock.now() + AGAIN_MS;
      if (!this.#stopped) this.#tell(error);
    }
    this.#meeting = false;
  }

  async #meet(): Promise<void> {
    const { agent, clusterTag, onMet } = this.#options;
    await refuseSharedAgent(agent, clusterTag);
    const list = await agent.members();
    if (!this.#stopped) await onMet(list);
  }

  #tell(error: unknown): void {
    const { agent, log } = this.#options;
    const message = errorMessage(error);
    const shared = error instanceof ToychatError && error.code === "agent_shared";
    if (shared) log("error", "agent_shared", { agent: agent.agentName, message });
    else log("debug", "serf_poll_failed", { message });
  }
}
