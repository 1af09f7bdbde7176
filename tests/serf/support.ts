/**
 * Clients of real agents, and what they heard.
 *
 * @module
 */
import { SerfClient } from "../../src/membership/serf/serf_client.ts";
import type { SerfClientOptions } from "../../src/membership/serf/serf_client_options.ts";
import type { SerfEvent } from "../../src/membership/serf/serf_types.ts";
import { systemTransport } from "../../transports/system.ts";
import type { SerfAgent } from "../support/serf_agents.ts";
import { until } from "../support/until.ts";

/** A client, and all that it told. */
export interface Heard {
  readonly client: SerfClient;
  /** `"up"`, `"down CODE"`. */
  readonly told: string[];
  readonly events: SerfEvent[];
}

/** The clients of one test. */
export class Clients {
  readonly #clients: SerfClient[] = [];

  /** Connects to an agent. */
  async connect(agent: SerfAgent, options: Partial<SerfClientOptions> = {}): Promise<Heard> {
    const heard = await this.make(agent, options);
    heard.client.start();
    await heard.client.ready();
    return heard;
  }

  /** A client that is not started. */
  async make(agent: SerfAgent, options: Partial<SerfClientOptions> = {}): Promise<Heard> {
    const client = new SerfClient({ transport: await systemTransport(), address: agent.rpc, ...options });
    const heard: Heard = { client, told: [], events: [] };
    client.on("up", () => heard.told.push("up"));
    client.on("down", (reason) => heard.told.push(`down ${reason.code}`));
    client.on("event", (event) => heard.events.push(event));
    this.#clients.push(client);
    return heard;
  }

  /** Stops them all. */
  end(): void {
    for (const client of this.#clients.splice(0)) client.stop();
  }
}

/** Waits until an agent's list is as wanted: `"a alive, b failed"`. */
export function sees(client: SerfClient, wanted: string, ms?: number): Promise<true> {
  let last = "";
  const look = async (): Promise<boolean> => {
    const members = await client.members();
    last = members.map(({ name, status }) => `${name} ${status}`).sort().join(", ");
    return last === wanted;
  };
  return until(async () => await look() || undefined, () => `"${wanted}", but "${last}"`, ms);
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (array: Uint8Array | undefined): string => new TextDecoder().decode(array);
