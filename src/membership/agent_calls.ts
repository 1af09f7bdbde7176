/**
 * Calls to the host's Serf agent, bounded.
 *
 * @module
 */
import { ToychatError } from "../lib/errors.ts";
import type { BridgeAgent } from "./bridge_agent.ts";

/** Calls the agent where there is one and it is not too busy. */
export class AgentCalls {
  readonly #agent: BridgeAgent | undefined;
  readonly #most: number;
  #running = 0;

  /** At most `most` calls at a time. */
  constructor(agent: BridgeAgent | undefined, most: number) {
    this.#agent = agent;
    this.#most = most;
  }

  /** The agent. Throws `no_agent`. */
  need(): BridgeAgent {
    if (this.#agent) return this.#agent;
    throw new ToychatError(
      "no_agent",
      "this bridge follows no Serf agent, and knows this host alone: start it with --serf",
    );
  }

  /** Does something with the agent; rejects with what it rejects with, or `too_many_agent_calls`. Throws `no_agent`. */
  async run<T>(work: (agent: BridgeAgent) => Promise<T>): Promise<T> {
    const agent = this.need();
    if (this.#running >= this.#most) {
      throw new ToychatError(
        "too_many_agent_calls",
        `the Serf agent has ${this.#most} calls to do: try later`,
      );
    }
    this.#running += 1;
    try {
      return await work(agent);
    } finally {
      this.#running -= 1;
    }
  }
}
