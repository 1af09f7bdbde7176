/**
 * Calls to the host's Serf agent, bounded.
 *
 * @module
 */
import { ToychatError } from "../lib/errors.ts";
import type { BridgeAgent } from "./bridge_agent.ts";

/** A call that may go on after its answer, as a query does until its time is up. */
export interface LastingCall<T> {
  /** The answer. */
  readonly answer: Promise<T>;
  /** Settles when the agent has nothing more to do for it. */
  readonly over: Promise<unknown>;
}

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
    this.#begin();
    try {
      return await work(agent);
    } finally {
      this.#running -= 1;
    }
  }

  /**
   * Makes a call that goes on after its answer, and counts until it is over: the agent's connection takes so many. Where
   * `work` makes none the answer is undefined. Rejects as `run` does.
   */
  async hold<T>(work: () => LastingCall<T> | undefined): Promise<T | undefined> {
    this.#begin();
    const end = (): void => void (this.#running -= 1);
    let call: LastingCall<T> | undefined;
    try {
      call = work();
    } finally {
      if (call) call.over.then(end, end);
      else end();
    }
    return await call?.answer;
  }

  #begin(): void {
    if (this.#running >= this.#most) {
      throw new ToychatError(
        "too_many_agent_calls",
        `the Serf agent has ${this.#most} calls to do: try later`,
      );
    }
    this.#running += 1;
  }
}
