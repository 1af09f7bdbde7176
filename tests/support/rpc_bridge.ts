/**
 * A bridge in virtual time, with an agent whose calls a test answers, and callers of its JSON-RPC.
 *
 * @module
 */
import type { CloseReason, Connection } from "../../src/lib/transport.ts";
import type { AgentEvent, AgentQuery, BridgeAgent } from "../../src/membership/bridge_agent.ts";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { bridgeToken } from "../../src/membership/bridge_tokens.ts";
import type { Scope } from "../../src/membership/rpc_scope.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import { AgentBridge, type AgentBridgeOptions } from "./agent_bridge.ts";
import { TurnClock } from "./turn_clock.ts";

/** The secret of the bridge. */
export const SECRET = "s3cret";

/** An agent whose calls a test answers. */
export class FakeAgent implements BridgeAgent {
  readonly status = { connected: true, name: "host-a", sealed: false, onPartition: "seal" } as const;
  /** What it was called with. */
  readonly calls: unknown[][] = [];
  /** The bridge's. */
  listener: ((event: AgentEvent) => void) | undefined;
  /** What every call does next. */
  answer: () => Promise<unknown> = () => Promise.resolve(undefined);

  #call<T>(...call: unknown[]): Promise<T> {
    this.calls.push(call);
    return this.answer() as Promise<T>;
  }

  members = (): ReturnType<BridgeAgent["members"]> => this.#call("members");
  userEvent = (name: string, payload: Uint8Array): Promise<void> => this.#call("userEvent", name, payload);
  query = (query: AgentQuery): ReturnType<BridgeAgent["query"]> => this.#call("query", query);
  respond = (id: number, payload: Uint8Array): Promise<void> => this.#call("respond", id, payload);
  join = (addresses: readonly string[]): Promise<number> => this.#call("join", addresses);
  forceLeave = (name: string, prune: boolean): Promise<void> => this.#call("forceLeave", name, prune);
  onEvent(listener: (event: AgentEvent) => void): () => void {
    this.listener = listener;
    return () => this.listener = undefined;
  }

  /** Tells of a user event. */
  event(name: string, text = ""): void {
    this.listener?.({ type: "event", name, payload: new TextEncoder().encode(text) });
  }

  /** Tells of a query. */
  ask(id: number, name: string, timeoutMs = 1000): void {
    this.listener?.({ type: "query", id, name, payload: new Uint8Array(), timeoutMs });
  }
}

/** What came of a POST. */
export interface Answer {
  status: number;
  body: Record<string, unknown> & { result?: Record<string, unknown>; error?: Record<string, unknown> };
}

/** A request. */
export function rpc(method: string, params: object = {}, id = 1): object {
  return { jsonrpc: "2.0", id, method, params };
}

/** A notification. */
export function notice(method: string): object {
  return { jsonrpc: "2.0", method };
}

/** One bridge, and what can be done to it. */
export class RpcBridge {
  readonly clock = new TurnClock();
  readonly transport: MemoryTransport = memoryTransport({ clock: this.clock });
  readonly agent = new FakeAgent();
  /** All that it logged. */
  logged = "";
  bridge!: AgentBridge;

  async start(options: Partial<AgentBridgeOptions> = {}): Promise<void> {
    this.bridge = new AgentBridge({
      transport: this.transport,
      clock: this.clock,
      listen: { port: 7374 },
      secret: SECRET,
      agent: this.agent,
      log: (...line) => this.logged += JSON.stringify(line),
      ...options,
    });
    await this.bridge.start();
  }

  /** Lets time pass until a promise has settled. */
  async finish<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const done = (): boolean => settled = true;
    work.then(done, done);
    await this.clock.until(() => settled, 60_000);
    return await work;
  }

  /** Lets time pass until so many requests wait for a change. */
  async waits(requests: number): Promise<void> {
    const waiting = (): number | undefined =>
      this.bridge.metrics.list().find(([name]) => name === "toychat_bridge_waiting_requests")?.[2];
    await this.clock.until(() => waiting() === requests, 1000);
  }

  /** A counter. */
  metric(name: string, labels?: Record<string, string>): number {
    return this.bridge.metrics.get(name, labels);
  }

  /** Asks by HTTP. */
  ask(init: RequestInit): Promise<Response> {
    return this.finish(this.#fetch(init));
  }

  /** Posts, and lets no time pass. */
  async posting(body: unknown, scope: Scope = "read"): Promise<Answer> {
    const response = await this.#fetch({
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { authorization: `Bearer ${bridgeToken(SECRET, scope)}`, "content-type": "application/json" },
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
  }

  /** Posts, and lets time pass until there is an answer. */
  post(body: unknown, scope?: Scope): Promise<Answer> {
    return this.finish(this.posting(body, scope));
  }

  /** The result of a method, by POST. */
  async result(scope: Scope, method: string, params: object = {}): Promise<Record<string, unknown>> {
    const { body } = await this.post(rpc(method, params), scope);
    if (!body.result) throw new Error(JSON.stringify(body));
    return body.result;
  }

  /** Opens a WebSocket, and shows a token where a scope is given. */
  async open(scope?: Scope): Promise<RpcClient> {
    const client = new RpcClient(this.clock);
    client.connection = await this.finish(this.transport.connect(this.bridge.url, () => ({
      data: (chunk) => client.received.push(JSON.parse(chunk as string)),
      drain: () => {},
      close: (reason) => client.closed = reason,
    })));
    if (scope) await client.ask(rpc("auth.token", { token: bridgeToken(SECRET, scope) }));
    return client;
  }

  /** Joins a ChatServer. */
  async joined(id: string): Promise<BridgeMembership> {
    const { transport, clock, bridge: { url } } = this;
    const membership = new BridgeMembership({ transport, clock, url, secret: SECRET });
    const address = `127.0.0.1:${7000 + Number(id.at(-1))}`;
    await this.finish(membership.join({ id, role: "chat", address }));
    return membership;
  }

  #fetch(init: RequestInit): Promise<Response> {
    return this.transport.fetch(new Request("http://127.0.0.1:7374/rpc", init));
  }
}

/** A client on a WebSocket. */
export class RpcClient {
  readonly received: Record<string, unknown>[] = [];
  closed: CloseReason | undefined;
  connection!: Connection;
  readonly #clock: TurnClock;

  constructor(clock: TurnClock) {
    this.#clock = clock;
  }

  send(message: object): void {
    this.connection.send(JSON.stringify(message));
  }

  /** Sends, and gives what comes next. */
  async ask(message: object): Promise<Record<string, unknown>> {
    const count = this.received.length;
    this.send(message);
    await this.#clock.until(() => this.received.length > count);
    return this.received[count] as Record<string, unknown>;
  }

  /** The parameters of the notifications of one kind. */
  told(method: string): unknown[] {
    return this.received.filter((message) => message.method === method).map(({ params }) => params);
  }
}
