/**
 * A Serf agent for hostile callers of a bridge: what is sent comes back, and a query ends when it was answered or its time is
 * over.
 *
 * @module
 */
import type { Clock } from "../../src/lib/clock.ts";
import { ToychatError } from "../../src/lib/errors.ts";
import type { AgentAnswers, AgentEvent, AgentQuery, BridgeAgent } from "../../src/membership/bridge_agent.ts";

/** The agent. */
export class LoopAgent implements BridgeAgent {
  readonly status = { connected: true, name: "loop", sealed: false, onPartition: "serve" } as const;
  readonly #clock: Clock;
  readonly #answers: Map<number, Uint8Array[]> = new Map();
  #listener: (event: AgentEvent) => void = () => {};
  #queries = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  members(): ReturnType<BridgeAgent["members"]> {
    const tags = new Map([["__proto__", "x"]]);
    return Promise.resolve([{ name: "loop", address: "127.0.0.1:7946", status: "alive", tags }]);
  }

  userEvent(name: string, payload: Uint8Array): Promise<void> {
    this.#listener({ type: "event", name, payload });
    return Promise.resolve();
  }

  query({ name, payload, timeoutMs }: AgentQuery): Promise<AgentAnswers> {
    // Few ids, so that callers guess some.
    const id = ++this.#queries % 5;
    this.#answers.set(id, []);
    this.#listener({ type: "query", id, name, payload, timeoutMs });
    return new Promise((resolve) =>
      this.#clock.after(timeoutMs, () => {
        const answers = (this.#answers.get(id) ?? []).map((payload) => ({ from: "loop", payload }));
        this.#answers.delete(id);
        resolve({ acks: ["loop"], answers });
      })
    );
  }

  respond(id: number, payload: Uint8Array): Promise<void> {
    const answers = this.#answers.get(id);
    if (!answers) return Promise.reject(new ToychatError("agent_refused", "no such query"));
    answers.push(payload);
    return Promise.resolve();
  }

  join(addresses: readonly string[]): Promise<number> {
    return addresses[0] === "" ? Promise.reject(new Error("no address")) : Promise.resolve(addresses.length);
  }

  forceLeave(): Promise<void> {
    return Promise.resolve();
  }

  onEvent(listener: (event: AgentEvent) => void): () => void {
    this.#listener = listener;
    return () => this.#listener = () => {};
  }
}
