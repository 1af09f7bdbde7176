/**
 * A bridge whose Serf agent is a stand-in, without what a host's own agent brings: the members are those of this host.
 *
 * @module
 */
import { createRpcApp } from "../../src/http/rpc_app.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { Logger } from "../../src/lib/log.ts";
import { noLog } from "../../src/lib/log.ts";
import { Metrics } from "../../src/lib/metrics.ts";
import { READY } from "../../src/lib/readiness.ts";
import type { ListenOptions, ListenSocket, Transport } from "../../src/lib/transport.ts";
import type { BridgeAgent } from "../../src/membership/bridge_agent.ts";
import type { BridgeLimits } from "../../src/membership/bridge_limits.ts";
import type { MemberBook } from "../../src/membership/bridge_members.ts";
import { BridgeService } from "../../src/membership/bridge_service.ts";
import type { BridgeTokenOptions } from "../../src/membership/bridge_tokens.ts";
import { placementKey } from "../../src/membership/placement.ts";
import type { View } from "../../src/membership/view.ts";

/** Options of {@linkcode AgentBridge}. */
export interface AgentBridgeOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly listen: ListenOptions;
  readonly agent: BridgeAgent | undefined;
  readonly secret?: string | undefined;
  readonly tokens?: BridgeTokenOptions;
  readonly limits?: Partial<BridgeLimits>;
  readonly log?: Logger;
  /** Where members are entered; default this host alone. */
  readonly book?: MemberBook;
}

/** The bridge. */
export class AgentBridge {
  readonly metrics = new Metrics("bridge");
  readonly #options: AgentBridgeOptions;
  readonly #service: BridgeService;
  #socket: ListenSocket | undefined;

  constructor(options: AgentBridgeOptions) {
    this.#options = options;
    const { secret, metrics, log = noLog } = { ...options, metrics: this.metrics };
    const key = placementKey(secret);
    this.#service = new BridgeService({
      ...options,
      cluster: "toychat",
      secret,
      placementKey: key,
      metrics,
      log,
    });
  }

  get address(): string {
    return `${this.#socket?.host}:${this.#socket?.port}`;
  }

  get url(): string {
    return `ws://${this.address}/rpc`;
  }

  get view(): View {
    return this.#service.view;
  }

  async start(): Promise<void> {
    const { transport, listen } = this.#options;
    const fetch = createRpcApp(this.#service, { id: "", metrics: this.metrics, readiness: READY });
    this.#socket = await transport.serve({ ...listen, fetch });
    this.#service.start();
  }

  async stop(): Promise<void> {
    this.#service.stop();
    await this.#socket?.close();
  }
}
