/**
 * A client of a Serf agent's RPC: members, tags, events, queries, keys.
 *
 * It keeps itself connected and says `up` and `down`. Nothing of what it knew counts over a reconnect: after each `up`
 * everything must be read, and set, again.
 *
 * @module
 */
import { type Clock, systemClock } from "../../lib/clock.ts";
import { Emitter, type Listener } from "../../lib/emitter.ts";
import { errorMessage, type ToychatError } from "../../lib/errors.ts";
import { type Logger, noLog } from "../../lib/log.ts";
import { limitLog } from "../../lib/log_limit.ts";
import { Metrics } from "../../lib/metrics.ts";
import { readSerfAddress } from "./serf_address.ts";
import {
  coordinateCall,
  eventCall,
  filterCall,
  forceLeaveCall,
  joinCall,
  keyCall,
  type KeyCommand,
  leaveCall,
  membersCall,
  queryCall,
  respondCall,
  statsCall,
  tagsCall,
} from "./serf_calls.ts";
import {
  notReady,
  outcomeOf,
  queryGone,
  type SerfClientEvents,
  type SerfClientOptions,
  tagsTooLarge,
} from "./serf_client_options.ts";
import type { SerfCall } from "./serf_exchange.ts";
import { SerfLoop } from "./serf_loop.ts";
import { changedTags, encodedTagsLength, MAX_TAGS_BYTES } from "./serf_tags.ts";
import type {
  SerfCoordinate,
  SerfFilter,
  SerfKeyResult,
  SerfMember,
  SerfQueryOptions,
  SerfQueryResult,
  SerfStats,
} from "./serf_types.ts";

/**
 * A client of one Serf agent.
 *
 * Calls reject with a {@linkcode ToychatError}: `serf_refused` and `serf_auth_refused` with the agent's own words,
 * `serf_not_connected`, `serf_connection_lost`, `serf_timeout`, `serf_bad_reply`, `serf_busy` (more than 1024 calls wait),
 * `serf_unreachable` or `serf_stopped`.
 */
export class SerfClient {
  /** What it counts. */
  readonly metrics: Metrics;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #timeoutMs: number;
  readonly #slowMs: number;
  readonly #loop: SerfLoop;
  /** Ends each `ready` that waits. */
  readonly #waiting: Set<() => void> = new Set();
  readonly #events: Emitter<SerfClientEvents> = new Emitter();
  #ownTags: ReadonlyMap<string, string> = new Map();
  #agentName = "";

  /** Connects with `start`. Throws `invalid_serf_address`. */
  constructor(options: SerfClientOptions) {
    this.#clock = options.clock ?? systemClock;
    this.metrics = options.metrics ?? new Metrics();
    this.#log = limitLog(options.log ?? noLog, { clock: this.#clock, metrics: this.metrics });
    this.#timeoutMs = options.timeoutMs ?? 5000;
    this.#slowMs = options.slowTimeoutMs ?? 15_000;
    this.#loop = new SerfLoop({
      transport: options.transport,
      address: readSerfAddress(options.address ?? "127.0.0.1:7373"),
      authKey: options.authKey,
      clock: this.#clock,
      log: this.#log,
      metrics: this.metrics,
      timeoutMs: this.#timeoutMs,
      maxReplyBytes: options.maxReplyBytes ?? 16 * 1024 * 1024,
      onUp: ({ stats }) => {
        this.#know(stats);
        this.#emit("up");
      },
      onDown: (reason) => this.#emit("down", reason),
      onEvent: (event) => this.#emit("event", event),
    });
  }

  /** Whether it is connected. */
  get connected(): boolean {
    return this.#loop.session !== undefined;
  }

  /** Why it is not connected; undefined while it is, and before the first attempt has failed. */
  get lastError(): ToychatError | undefined {
    return this.#loop.lastError;
  }

  /** The agent's name in the cluster, as it was at the last `up`; `""` before the first. */
  get agentName(): string {
    return this.#agentName;
  }

  /** The agent's own tags, as far as this client knows: as they were at the last `up`, and what it has set since. */
  get ownTags(): ReadonlyMap<string, string> {
    return this.#ownTags;
  }

  /** Begins to connect, and stays connected until `stop`. */
  start(): void {
    this.#loop.start();
  }

  /** Closes all connections; calls under way, and `ready`, reject with `serf_stopped`. No `down` is told. */
  stop(): void {
    this.#loop.stop();
    for (const stop of this.#waiting) stop();
  }

  /**
   * Resolves when it is connected.
   *
   * @param timeoutMs Milliseconds to wait; default 10000.
   * @throws {ToychatError} `serf_auth_refused` at once, else the reason of the last failure when the time is up;
   * `serf_stopped` where it is stopped meanwhile.
   */
  ready(timeoutMs = 10_000): Promise<void> {
    if (this.connected) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (): void => {
        offUp();
        offDown();
        cancel();
        this.#waiting.delete(late);
      };
      const fail = (reason: ToychatError): void => {
        end();
        reject(reason);
      };
      const offUp = this.on("up", () => {
        end();
        resolve();
      });
      const offDown = this.on("down", (reason) => reason.code === "serf_auth_refused" && fail(reason));
      const late = (): void => fail(this.lastError ?? notReady(timeoutMs));
      const cancel = this.#clock.after(timeoutMs, late);
      this.#waiting.add(late);
    });
  }

  /** Calls `listener` with each event of a name. Returns a function that ends that. A listener that throws is logged. */
  on<K extends keyof SerfClientEvents>(event: K, listener: Listener<SerfClientEvents[K]>): () => void {
    return this.#events.on(event, listener);
  }

  /** All agents that the agent knows, itself included. */
  members(): Promise<SerfMember[]> {
    return this.#call("fast", membersCall(this.#timeoutMs));
  }

  /** Those that a filter lets through. A filter that is no regular expression rejects with `serf_connection_lost`. */
  membersFiltered(filter: SerfFilter): Promise<SerfMember[]> {
    return this.#counted(this.#loop.callApart(filterCall(filter, this.#timeoutMs)));
  }

  /**
   * Sets some of the agent's tags and deletes others; the rest stays.
   *
   * It takes some 300 ms. The tags of an agent that restarts are gone: set them again after each `up`.
   *
   * @throws {ToychatError} `serf_tags_too_large` where all tags would take more than 512 bytes. It is found before the
   * agent is asked: that would refuse it too, but with a tags file only after it has spoilt the file.
   */
  async setTags(tags: ReadonlyMap<string, string>, deleteTags: readonly string[] = []): Promise<void> {
    if (encodedTagsLength(changedTags(this.#ownTags, tags, deleteTags)) > MAX_TAGS_BYTES) {
      // Others may have deleted some since.
      await this.stats();
      const length = encodedTagsLength(changedTags(this.#ownTags, tags, deleteTags));
      if (length > MAX_TAGS_BYTES) throw tagsTooLarge(length);
    }
    await this.#call("slow", tagsCall(tags, deleteTags, this.#slowMs));
    this.#ownTags = changedTags(this.#ownTags, tags, deleteTags);
  }

  /**
   * Sends a user event to all agents, this one included. Name and payload together: at most 512 bytes.
   *
   * @param options `coalesce`: agents gather it with others of its name and tell only the last, late; default false.
   */
  userEvent(name: string, payload: Uint8Array, options: { readonly coalesce?: boolean } = {}): Promise<void> {
    return this.#call("fast", eventCall(name, payload, options.coalesce ?? false, this.#timeoutMs));
  }

  /**
   * Sends a query, and resolves when its time is up with all who said that they got it, and all answers. Name and payload
   * together: some 900 bytes.
   */
  async query(name: string, payload: Uint8Array, options: SerfQueryOptions = {}): Promise<SerfQueryResult> {
    const { onAck, onResponse } = options;
    const guarded = {
      ...options,
      onAck: (from: string) => this.#guard("ack", () => onAck?.(from)),
      onResponse: (from: string, bytes: Uint8Array) =>
        this.#guard("response", () => onResponse?.(from, bytes)),
    };
    const { call, result } = queryCall(name, payload, guarded, this.#timeoutMs);
    await this.#call("fast", call);
    return result;
  }

  /**
   * Answers a query that came as an event.
   *
   * @throws {ToychatError} `serf_query_gone` where it came before the last reconnect; `serf_refused` where its time is up.
   */
  respond(id: number, payload: Uint8Array): Promise<void> {
    const number = this.#loop.queryNumber(id);
    if (number === undefined) return Promise.reject(queryGone(id));
    return this.#call("fast", respondCall(number, payload, this.#timeoutMs));
  }

  /**
   * Makes the agent join others.
   *
   * @param addresses `HOST` or `HOST:PORT`; one of them that can be joined is enough.
   * @param replay Takes the user events that were before; default false.
   * @returns How many of them were joined.
   */
  join(addresses: readonly string[], replay = false): Promise<number> {
    // An agent waits up to 10 s for each that is silent.
    const timeoutMs = this.#slowMs + 10_000 * addresses.length;
    return this.#counted(this.#loop.callApart(joinCall(addresses, replay, timeoutMs)));
  }

  /**
   * Makes the cluster take an agent that failed for one that left.
   *
   * @param options `prune`: forgets it altogether; default false.
   */
  forceLeave(name: string, options: { readonly prune?: boolean } = {}): Promise<void> {
    return this.#counted(this.#loop.callApart(forceLeaveCall(name, options.prune ?? false, this.#slowMs)));
  }

  /** Makes the agent leave the cluster and end. */
  leave(): Promise<void> {
    return this.#counted(this.#loop.callApart(leaveCall(this.#slowMs * 2)));
  }

  /** What the agent says about itself: groups as `agent` (its `name`), `runtime`, `serf` and `tags`. */
  async stats(): Promise<SerfStats> {
    const stats = await this.#call("fast", statsCall(this.#timeoutMs));
    this.#know(stats);
    return stats;
  }

  /** Where an agent is in the network's coordinates; undefined where that is not known. */
  coordinate(name: string): Promise<SerfCoordinate | undefined> {
    return this.#call("fast", coordinateCall(name, this.#timeoutMs));
  }

  /** Gives all agents a further key for the gossip: base64 of 16, 24 or 32 bytes. Rejects where one cannot take it. */
  installKey(key: string): Promise<SerfKeyResult> {
    return this.#keys("install-key", key);
  }

  /** Makes all agents encrypt with a key that they have. */
  useKey(key: string): Promise<SerfKeyResult> {
    return this.#keys("use-key", key);
  }

  /** Takes a key that is not in use from all agents. */
  removeKey(key: string): Promise<SerfKeyResult> {
    return this.#keys("remove-key", key);
  }

  /** Which keys there are, and how many agents have each. */
  listKeys(): Promise<SerfKeyResult> {
    return this.#keys("list-keys");
  }

  #keys(command: KeyCommand, key?: string): Promise<SerfKeyResult> {
    return this.#counted(this.#loop.callApart(keyCall(command, key, this.#slowMs * 4)));
  }

  #call<T>(on: "fast" | "slow", call: SerfCall<T>): Promise<T> {
    return this.#counted(this.#loop.call(on, call));
  }

  async #counted<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      this.metrics.count("toychat_serf_calls_total", 1, { outcome: "ok" });
      return result;
    } catch (error) {
      this.metrics.count("toychat_serf_calls_total", 1, { outcome: outcomeOf(error) });
      throw error;
    }
  }

  #know(stats: SerfStats): void {
    this.#agentName = stats.get("agent")?.get("name") ?? "";
    this.#ownTags = stats.get("tags") ?? new Map();
  }

  #emit<K extends keyof SerfClientEvents>(event: K, ...args: SerfClientEvents[K]): void {
    for (const listener of this.#events.listeners(event)) this.#guard(event, () => listener(...args));
  }

  /** What the user's own functions throw is no fault of the connection. */
  #guard(event: string, work: () => unknown): void {
    try {
      work();
    } catch (error) {
      this.#log("error", "serf_listener_failed", { event, error: errorMessage(error) });
    }
  }
}
