/**
 * A Serf client, and a fake agent in a network in memory, both in virtual time.
 *
 * @module
 */
import { ToychatError } from "../../src/lib/errors.ts";
import { SerfClient } from "../../src/membership/serf/serf_client.ts";
import type { SerfClientOptions } from "../../src/membership/serf/serf_client_options.ts";
import type { SerfEvent } from "../../src/membership/serf/serf_types.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import { FakeSerfAgent, type FakeSerfAgentOptions } from "./fake_serf_agent.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** One agent and one client of it. */
export class FakeSerf {
  readonly clock: VirtualClock;
  readonly transport: MemoryTransport;
  readonly agent: FakeSerfAgent;
  readonly client: SerfClient;
  /** What the client told: `"up"`, `"down CODE"`. */
  readonly told: string[] = [];
  /** What the agent's stream told. */
  readonly events: SerfEvent[] = [];
  /** What the client logged: `"LEVEL EVENT"`. */
  readonly logs: string[] = [];

  /** Starts neither of them. Chunks are cut anywhere, by the seed. */
  constructor(
    options: {
      seed?: number;
      agent?: Partial<FakeSerfAgentOptions>;
      client?: Partial<SerfClientOptions>;
    } = {},
  ) {
    this.clock = new VirtualClock(options.seed ?? 1);
    this.transport = memoryTransport({ clock: this.clock, split: true });
    const { clock, transport } = this;
    this.agent = new FakeSerfAgent({ transport, clock, ...options.agent });
    const log = (level: string, event: string): number => this.logs.push(`${level} ${event}`);
    this.client = new SerfClient({ transport, clock, log, ...options.client });
    this.client.on("up", () => this.told.push("up"));
    this.client.on("down", (reason: ToychatError) => this.told.push(`down ${reason.code}`));
    this.client.on("event", (event) => this.events.push(event));
  }

  /** Starts both; resolves when they are connected. */
  async start(): Promise<void> {
    await this.agent.start();
    this.client.start();
    await this.end(this.client.ready());
  }

  /** Lets time pass until a promise has settled, at most `ms` (default a minute), and gives what it came to. */
  async end<T>(work: Promise<T>, ms = 60_000): Promise<T> {
    let over = false;
    const settled = (): boolean => over = true;
    work.then(settled, settled);
    if (!await this.clock.until(() => over, ms)) throw new Error(`it has not ended within ${ms} ms`);
    return await work;
  }

  /** As `end`, for what fails: gives the error's code, or `"ok"`. */
  async codeOf(work: Promise<unknown>, ms?: number): Promise<string> {
    const [code = ""] = await this.codesOf([work], ms);
    return code;
  }

  /** As `codeOf`, of several that are under way at once. */
  codesOf(works: readonly Promise<unknown>[], ms?: number): Promise<string[]> {
    const code = (error: unknown): string => error instanceof ToychatError ? error.code : String(error);
    return this.end(Promise.all(works.map((work) => work.then(() => "ok", code))), ms);
  }
}
