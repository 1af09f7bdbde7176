/**
 * A process that serves bridges as the examples of docs/protocol.md find them: with the secret `correct horse`, one member,
 * random values that are none, and a Serf agent that answers as written there. Argument: how many.
 *
 * @module
 */
import process from "node:process";
import { type Clock, delay, systemClock } from "../../src/lib/clock.ts";
import type { AgentAnswers, AgentEvent, BridgeAgent } from "../../src/membership/bridge_agent.ts";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { systemTransport } from "../../transports/system.ts";
import { AgentBridge } from "../support/agent_bridge.ts";

const SECRET = "correct horse";
/** A bridge has settled after 2 s. */
const SETTLED_MS = 2300;

/** `b0b0b0b0b0b0` as the bridge's life, `ffeeddcc…` as its nonce, `k3v9x7` as the member's incarnation. */
const RANDOM: ReadonlyMap<number, readonly number[]> = new Map([
  [12, [11, 0, 11, 0, 11, 0, 11, 0, 11, 0, 11, 0]],
  [16, [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((digit) => digit * 17)],
  [6, [20, 3, 31, 9, 33, 7]],
  [8, [20, 3, 31, 9, 33, 7, 26, 2]],
]);

const clock: Clock = {
  ...systemClock,
  randomBytes: (length) => new Uint8Array(RANDOM.get(length) ?? Array<number>(length).fill(0)),
};

/** An agent among two; what is sent by it comes back, and a query is answered by whom it is shown to. */
class DocumentedAgent implements BridgeAgent {
  readonly status = { connected: true, name: "host-a", sealed: false, onPartition: "serve" } as const;
  #listener: (event: AgentEvent) => void = () => {};
  #answered: (payload: Uint8Array) => void = () => {};

  members(): ReturnType<BridgeAgent["members"]> {
    return Promise.resolve([
      { name: "host-a", address: "10.0.0.1:7946", status: "alive", tags: new Map([["tc", "1…"]]) },
      { name: "host-b", address: "10.0.0.2:7946", status: "failed", tags: new Map() },
    ]);
  }

  /** The one named `flood` comes back as often as its payload says, with as much as an event carries. */
  userEvent(name: string, payload: Uint8Array): Promise<void> {
    const times = name === "flood" ? Number(new TextDecoder().decode(payload)) : 1;
    const carried = name === "flood" ? new Uint8Array(400).fill(0x78) : payload;
    for (let n = 0; n < times; n++) this.#listener({ type: "event", name, payload: carried });
    return Promise.resolve();
  }

  query({ name, payload, timeoutMs }: Parameters<BridgeAgent["query"]>[0]): Promise<AgentAnswers> {
    const answer = new Promise<Uint8Array>((resolve) => this.#answered = resolve);
    this.#listener({ type: "query", id: 1, name, payload, timeoutMs });
    return answer.then((payload) => ({ acks: ["host-a"], answers: [{ from: "host-a", payload }] }));
  }

  async respond(_id: number, payload: Uint8Array): Promise<void> {
    // The query's own answer comes after its time, and so after this one.
    setTimeout(() => this.#answered(payload), 20);
    await Promise.resolve();
  }

  join(addresses: readonly string[]): Promise<number> {
    return Promise.resolve(addresses.length);
  }

  forceLeave(): Promise<void> {
    return Promise.resolve();
  }

  onEvent(listener: (event: AgentEvent) => void): () => void {
    this.#listener = listener;
    return () => {};
  }
}

const transport = await systemTransport();
const start = async (): Promise<string> => {
  const listen = { host: "127.0.0.1", port: 0 };
  const bridge = new AgentBridge({ transport, listen, secret: SECRET, clock, agent: new DocumentedAgent() });
  await bridge.start();
  const member = new BridgeMembership({ transport, url: bridge.url, secret: SECRET, clock });
  await member.join({ id: "chat-1", role: "chat", address: "127.0.0.1:7001" });
  return bridge.address;
};
const addresses = await Promise.all(Array.from({ length: Number(process.argv[2] ?? "1") }, start));
await delay(clock, SETTLED_MS);
console.log(`ready ${JSON.stringify({ addresses })}`);
