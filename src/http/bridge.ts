/**
 * The membership bridge as a server: one on each host, for all toychat processes there.
 *
 * @module
 */
import { buildInfo } from "../lib/build_info.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import { errorMessage, ToychatError } from "../lib/errors.ts";
import { type Logger, noLog } from "../lib/log.ts";
import { limitLog } from "../lib/log_limit.ts";
import { Metrics } from "../lib/metrics.ts";
import { DRAINING, type Readiness, READY, waiting } from "../lib/readiness.ts";
import type { ListenOptions, ListenSocket, TlsOptions, Transport } from "../lib/transport.ts";
import type { OnPartition } from "../membership/bridge_agent.ts";
import type { BridgeLimits } from "../membership/bridge_limits.ts";
import { BridgeService } from "../membership/bridge_service.ts";
import type { BridgeTokenOptions } from "../membership/bridge_tokens.ts";
import { placementKey } from "../membership/placement.ts";
import { requireSecret } from "../lib/hosts.ts";
import { HostAgent } from "../membership/serf/host_agent.ts";
import { tcpProbe } from "../membership/serf/probe.ts";
import { SerfClient } from "../membership/serf/serf_client.ts";
import { SerfHost } from "../membership/serf/serf_host.ts";
import type { SerfHostOptions } from "../membership/serf/serf_host_options.ts";
import type { View } from "../membership/view.ts";
import type { Origins } from "./origins.ts";
import { createRpcApp } from "./rpc_app.ts";

/** How a bridge is one of many. */
export interface BridgeSerfOptions {
  /** The agent's RPC, `HOST:PORT`; default `"127.0.0.1:7373"`. */
  readonly address?: string;
  /** The agent's RPC key (`rpc_auth`); default none. It is told to nobody but the agent. */
  readonly authKey?: string;
  /**
   * What becomes of a side of a network that was cut in two; all bridges need the same. `"serve"`, the default: both sides go
   * on, and rooms merge when it heals. `"seal"`: the side without the majority of the hosts with ChatServers stops accepting.
   */
  readonly onPartition?: OnPartition;
  /**
   * With `"seal"`: how many hosts the cluster has, 1 to 1024. A bridge that starts lets no ChatServer in before most of them have
   * answered, so that a host that is restarted while it is cut off does not take itself for all; default 1: it takes those
   * that it finds for all.
   */
  readonly expectHosts?: number;
  /**
   * Milliseconds that `start` waits for the agent; default 2000. After that the bridge serves its own host alone, with
   * `"seal"` no ChatServer, until the agent can be reached.
   */
  readonly timeoutMs?: number;
}

/** Options of {@linkcode Bridge}. */
export interface BridgeOptions {
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** Where to listen; default `{ host: "127.0.0.1", port: 7374 }`. */
  readonly listen?: ListenOptions;
  /** The cluster secret, which every member must prove; without one, and without tokens, the bridge serves loopback only. */
  readonly secret?: string;
  /** Bearer tokens of one's own, by what they allow, beside those that are derived from the secret. */
  readonly tokens?: BridgeTokenOptions;
  /** The host's Serf agent, by which the members of all hosts find each other; default none: this host by itself. */
  readonly serf?: BridgeSerfOptions;
  /** Name of the cluster; default `"toychat"`. Members of another one are refused. */
  readonly cluster?: string;
  /** The placement key itself, 1 to 64 bytes, instead of one derived from `secret`. */
  readonly placementKey?: Uint8Array;
  /** Web origins that may call, or `"*"` for all; default none, which keeps every page in a browser out. */
  readonly origins?: Origins;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<BridgeLimits>;
  /** What else is on `/metrics`, beside the bridge's own. */
  readonly moreMetrics?: readonly Metrics[];
  /** Time and chance; default the system's. */
  readonly clock?: Clock;
  /** Where events go; default nowhere. */
  readonly log?: Logger;
}

/**
 * Keeps the list of the members on its host and serves it: JSON-RPC on `/rpc`, over WebSocket for members, whose lease is
 * the connection, and over POST for readers.
 *
 * @example
 * ```ts
 * import { Bridge } from "toychat";
 * import { memoryTransport } from "toychat/memory";
 *
 * const bridge = new Bridge({ transport: memoryTransport(), listen: { port: 7374 } });
 * await bridge.start();
 * console.log(bridge.url); // ws://127.0.0.1:7374/rpc
 * await bridge.stop();
 * ```
 */
export class Bridge {
  /** A bridge is no member of the cluster: it has no id. */
  readonly id = "";
  /** What it counts. */
  readonly metrics: Metrics = new Metrics("bridge");
  readonly #options: BridgeOptions;
  readonly #service: BridgeService;
  readonly #host: SerfHost | undefined;
  #socket: Promise<ListenSocket> | undefined;
  #address = "";
  #draining = false;
  /** Why it does not go on with its start. */
  readonly #stopped: AbortController = new AbortController();

  /** Does nothing until `start`. Throws `invalid_secret` where the secret is empty, `invalid_expect_hosts`, and `bad_option`. */
  constructor(options: BridgeOptions) {
    this.#options = options;
    const { clock = systemClock, log = noLog, transport } = options;
    this.metrics.gauge("toychat_build_info", () => 1, buildInfo(transport));
    const common = {
      clock,
      cluster: options.cluster ?? "toychat",
      placementKey: options.placementKey ?? placementKey(options.secret),
      log: limitLog(log, { clock, metrics: this.metrics }),
      metrics: this.metrics,
    };
    const serf = options.serf && openSerf(transport, options.serf, common);
    this.#host = serf?.host;
    const { secret, tokens, limits } = options;
    this.#service = new BridgeService({
      ...common,
      secret,
      tokens,
      limits,
      ...(serf ? { agent: serf.agent, book: serf.host } : {}),
    });
  }

  /** `host:port` that it listens on; `""` before `start`. */
  get address(): string {
    return this.#address;
  }

  /** The URL for members on this host, `ws://host:port/rpc`; `wss:` with TLS. */
  get url(): string {
    return `${this.#options.listen?.tls ? "wss" : "ws"}://${this.#address}/rpc`;
  }

  /** The newest view. */
  get view(): View {
    return this.#service.view;
  }

  /** Whether it knows of members, and goes on. Members find it by its address, ready or not. */
  get readiness(): Readiness {
    if (this.#draining) return DRAINING;
    if (this.#address === "") return waiting("it has not started");
    const host = this.#host?.status;
    if (host && !host.connected) return waiting("its Serf agent cannot be reached");
    if (host?.sealed) return waiting("it hears less than the majority of hosts, and has sealed");
    return this.view.members.length > 0 ? READY : waiting("no member has registered");
  }

  /** Says by `readiness` that it is about to stop; goes on as before. */
  drain(): void {
    this.#draining = true;
  }

  /**
   * Listens, once the Serf agent was reached where there is one, or was waited for.
   *
   * @throws {ToychatError} `secret_required` where it would listen beyond loopback without a secret; `already_started`; `agent_unreachable` and
   * `agent_refused`; `stopped` where `stop` was called meanwhile;
   * what {@linkcode Transport.serve} throws.
   */
  async start(): Promise<void> {
    const listen = { host: "127.0.0.1", ...(this.#options.listen ?? { port: 7374 }) };
    if (!this.#service.tokens) requireSecret("a bridge", listen.host, undefined);
    if (this.#socket) throw new ToychatError("already_started", "a Bridge starts once: make a new one");
    const { origins = [], moreMetrics = [] } = this.#options;
    const fetch = createRpcApp(this.#service, this, { origins, metrics: moreMetrics });
    const { handshake } = this.#service;
    this.#socket = this.#begin(() => this.#options.transport.serve({ handshake, ...listen, fetch }));
    const socket = await this.#socket;
    this.#stopped.signal.throwIfAborted();
    this.#address = `${socket.host.includes(":") ? `[${socket.host}]` : socket.host}:${socket.port}`;
    this.#service.start();
  }

  async #begin(serve: () => Promise<ListenSocket>): Promise<ListenSocket> {
    const { serf } = this.#options;
    const { signal } = this.#stopped;
    try {
      signal.throwIfAborted();
      if (this.#host) await unlessAborted(this.#host.startAlone(serf?.timeoutMs), signal);
      return await serve();
    } catch (error) {
      this.#host?.stop();
      throw serf ? explained(error, serf.address ?? SERF_ADDRESS) : error;
    }
  }

  /**
   * Shows another certificate to members that connect from now on, where it listens with TLS.
   *
   * @returns `false` where it does not, or the runtime cannot (Bun): it must be started anew then.
   * @throws {ToychatError} `bad_certificate`; it goes on with the old one.
   */
  async setCertificate(tls: TlsOptions): Promise<boolean> {
    const socket = await this.#socket;
    if (!socket?.setCertificate) return false;
    socket.setCertificate(tls);
    return true;
  }

  /**
   * Stops listening and ends all connections, at once where it is still starting. Members are not withdrawn: they serve on, and register with the bridge that
   * listens there next.
   */
  async stop(): Promise<void> {
    this.drain();
    this.#stopped.abort(
      new ToychatError("stopped", "this Bridge was stopped before it had started: make a new one"),
    );
    this.#service.stop();
    const socket = await this.#socket?.catch(() => undefined);
    await socket?.close();
    this.#host?.stop();
  }

  /** Stops, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Waits for work, but not beyond a stop. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([work, aborted]);
}

const SERF_ADDRESS = "127.0.0.1:7373";

function openSerf(
  transport: Transport,
  { address = SERF_ADDRESS, authKey, onPartition = "serve", expectHosts }: BridgeSerfOptions,
  common: Pick<SerfHostOptions, "clock" | "log" | "metrics" | "cluster" | "placementKey">,
): { readonly host: SerfHost; readonly agent: HostAgent } {
  const { clock, log, metrics } = common;
  const key = authKey === undefined ? {} : { authKey };
  const client = new SerfClient({ transport, address, clock, log, metrics, ...key });
  const probe = tcpProbe(transport, clock);
  const host = new SerfHost({ ...common, agent: client, onPartition, expectHosts, probe });
  return { host, agent: new HostAgent(client, host, clock) };
}

/** What whoever starts a bridge is told of an agent that does not let it. */
function explained(error: unknown, address: string): unknown {
  const code = error instanceof ToychatError ? error.code : "";
  if (code === "serf_auth_refused") {
    return new ToychatError(
      "agent_refused",
      `the Serf agent at ${address} refused the key: give its rpc_auth key (${errorMessage(error)})`,
      { cause: error },
    );
  }
  if (!code.startsWith("serf_") && !code.startsWith("connect")) return error;
  return new ToychatError(
    "agent_unreachable",
    `no Serf agent at ${address} (${errorMessage(error)}): start one by "serf agent", or say where it is`,
    { cause: error },
  );
}
