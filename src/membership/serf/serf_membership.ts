/**
 * Membership by way of a Serf agent, without a bridge: for a host on which one process shares its agent's fate.
 *
 * @module
 */
import { type Cancel, type Clock, delay, systemClock } from "../../lib/clock.ts";
import { Emitter } from "../../lib/emitter.ts";
import { errorMessage, ToychatError } from "../../lib/errors.ts";
import { type Logger, noLog } from "../../lib/log.ts";
import { limitLog } from "../../lib/log_limit.ts";
import { Metrics } from "../../lib/metrics.ts";
import type { Transport } from "../../lib/transport.ts";
import type { OnPartition } from "../bridge_agent.ts";
import { BridgeLease } from "../bridge_lease.ts";
import { LEASE } from "../lease_times.ts";
import type { Lease, MemberInfo, Membership } from "../membership.ts";
import { checkMember } from "../names.ts";
import { createPlacement, type Placement, placementKey } from "../placement.ts";
import type { Member, View } from "../view.ts";
import { tcpProbe } from "./probe.ts";
import { SerfClient } from "./serf_client.ts";
import { SerfHost } from "./serf_host.ts";

/** Options of {@linkcode SerfMembership}. */
export interface SerfMembershipOptions {
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** The agent's RPC, `HOST:PORT`; default `"127.0.0.1:7373"`. */
  readonly address?: string;
  /** The agent's RPC key (`rpc_auth`); default none. */
  readonly authKey?: string;
  /** The cluster secret, from which the placement key is derived; must be that of all hosts. */
  readonly secret?: string;
  /** Name of the cluster; default `"toychat"`. */
  readonly cluster?: string;
  /** The placement key itself, 1 to 64 bytes, instead of one derived from `secret`. */
  readonly placementKey?: Uint8Array;
  /** What becomes of a side of a network that was cut in two; default `"serve"`. All hosts need the same. */
  readonly onPartition?: OnPartition;
  /**
   * With `"seal"`: how many hosts the cluster has, 1 to 1024. A host that starts lets no ChatServer in before most of them have answered;
   * default 1: it takes those that it finds for all.
   */
  readonly expectHosts?: number;
  /** Milliseconds that `open` and `join` wait for the agent; default 10000. */
  readonly timeoutMs?: number;
  /** Time and chance; default the system's. */
  readonly clock?: Clock;
  /** Where events go; default nowhere. */
  readonly log?: Logger;
}

const RETRY_MS = 200;
/** Milliseconds for which one that leaves waits until its agent has taken that in; the others know it by an event. */
const LEAVE_MS = 2000;

/**
 * The list of members as a Serf agent knows it, and a lease for the one member of this host.
 *
 * The lease is held until 2 s after the last question that the agent answered was asked: where the agent dies, the member
 * stops. It is then taken again as a new incarnation. A host with several processes needs a bridge, since an agent
 * publishes one list.
 *
 * @example
 * ```ts
 * import { SerfMembership } from "toychat";
 * import { memoryTransport } from "toychat/memory";
 *
 * const membership = new SerfMembership({ transport: memoryTransport(), address: "127.0.0.1:7373" });
 * const lease = await membership.join({ id: "chat-1", role: "chat", address: "10.0.0.1:7001" });
 * console.log(lease.slot, lease.held());
 * await membership.close();
 * ```
 */
export class SerfMembership implements Membership {
  /** What it counts of the agent and of the other hosts. */
  readonly metrics: Metrics = new Metrics();
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #key: Uint8Array;
  readonly #timeoutMs: number;
  readonly #agent: SerfClient;
  readonly #host: SerfHost;
  readonly #events: Emitter<{ view: [view: View]; drain: [id: string] }> = new Emitter();
  #placement: Placement;
  #lease: BridgeLease | undefined;
  #opened: Promise<void> | undefined;
  #entering = false;
  #cancelRenew: Cancel = () => {};
  #closed = false;

  /** Connects with the first `open` or `join`. Throws `invalid_secret`, `invalid_serf_address` and `invalid_expect_hosts`. */
  constructor(options: SerfMembershipOptions) {
    const { transport, cluster = "toychat", onPartition = "serve", expectHosts } = options;
    const clock = this.#clock = options.clock ?? systemClock;
    const { metrics } = this;
    const log = this.#log = limitLog(options.log ?? noLog, { clock, metrics });
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#key = options.placementKey ?? placementKey(options.secret);
    const { address, authKey } = options;
    this.#agent = new SerfClient({
      transport,
      clock,
      log,
      metrics,
      ...(address === undefined ? {} : { address }),
      ...(authKey === undefined ? {} : { authKey }),
    });
    this.#host = new SerfHost({
      agent: this.#agent,
      clock,
      log,
      metrics,
      cluster,
      placementKey: this.#key,
      onPartition,
      expectHosts,
      probe: tcpProbe(transport, clock),
    });
    this.#host.attach({
      changed: () => this.#changed(),
      revoked: () => this.#lease?.lose(),
      holds: (id, incarnation) => this.#lives({ id, incarnation }),
      drain: (life) => this.#askedToDrain(life),
    });
    this.#placement = createPlacement(this.#host.view, this.#key);
  }

  /** The newest view; empty at first. */
  get view(): View {
    return this.#placement.view;
  }

  /** Who owns which room in `view`. */
  get placement(): Placement {
    return this.#placement;
  }

  /**
   * Connects to the agent without joining; resolves with the first view.
   *
   * @throws {ToychatError} `serf_unreachable` and others of the agent's; `membership_closed`.
   */
  async open(): Promise<View> {
    if (this.#closed) {
      throw new ToychatError("membership_closed", "this SerfMembership was closed: make a new one");
    }
    const opened = this.#opened ??= this.#host.start(this.#timeoutMs);
    try {
      await opened;
    } catch (error) {
      // The next call tries again.
      if (this.#opened === opened) this.#opened = undefined;
      throw error;
    }
    return this.view;
  }

  /**
   * Joins with one member; resolves when its claim stands, a second later for a ChatServer.
   *
   * @throws {ToychatError} `invalid_member_id`, `invalid_member_role`, `invalid_member_address`, `duplicate_member_id`,
   * `already_joined`, `tags_full`, `sealed`; what `open` throws.
   */
  async join(member: MemberInfo): Promise<Lease> {
    checkMember(member);
    if (this.#lease) {
      throw new ToychatError(
        "already_joined",
        `"${this.#lease.id}" has joined by this SerfMembership: make one for each member`,
      );
    }
    const lease = this.#lease = new BridgeLease(member, this.#clock, {
      drain: (own) => this.#drain(own),
      leave: (own) => this.#leave(own),
    });
    try {
      await this.open();
      await this.#enterWithin(lease);
    } catch (error) {
      this.#lease = undefined;
      this.#host.withdraw(lease.id, lease.claimed);
      throw error;
    }
    this.#cancelRenew = this.#clock.every(LEASE.renewMs, () => void this.#renew(lease));
    return lease;
  }

  /** Calls `listener` with each new view. */
  onView(listener: (view: View) => void): () => void {
    return this.#events.on("view", listener);
  }

  /**
   * Calls `listener` with the member's id when an operator asks that it drains and ends (`cluster.drain` of
   * docs/protocol.md, on any host's bridge). Nothing happens by itself: `ChatServer.stop({ drain: true })` does as asked.
   */
  onDrain(listener: (id: string) => void): () => void {
    return this.#events.on("drain", listener);
  }

  /** Leaves where a member has joined, and closes the connections to the agent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#lease?.leave();
    this.#host.stop();
  }

  /** A side that may not accept yet may do so soon, and an agent that was slow be quicker. */
  async #enterWithin(lease: BridgeLease): Promise<void> {
    const until = this.#clock.now() + this.#timeoutMs;
    for (;;) {
      try {
        if (await this.#enter(lease)) return;
        if (this.#clock.now() >= until) throw tooSlow(lease.id);
      } catch (error) {
        const passing = error instanceof ToychatError && error.code === "sealed";
        if (!passing || this.#clock.now() >= until) throw error;
        await delay(this.#clock, RETRY_MS);
      }
    }
  }

  /** Claims the member's place for its present incarnation; false where the agent answered too late for the lease. */
  async #enter(lease: BridgeLease): Promise<boolean> {
    const { claimed: incarnation, slot, replaces, draining } = lease;
    const state = draining ? "draining" : "alive";
    this.#host.claim({ ...lease.info, incarnation, slot, replaces, state });
    await this.#host.settled(lease.id, incarnation);
    const at = this.#clock.now();
    await this.#agent.stats();
    const member = this.#host.view.members.find(({ id }) => id === lease.id);
    return lease.registered(incarnation, member?.slot, this.#agent.agentName, at);
  }

  async #renew(lease: BridgeLease): Promise<void> {
    // Looked at first: a process that was frozen must not take an old answer for a new one.
    if (lease.lost) return await this.#rejoin(lease);
    const at = this.#clock.now();
    try {
      await this.#agent.stats();
      lease.proven(at);
    } catch (error) {
      this.#log("debug", "serf_renewal_failed", { message: errorMessage(error) });
    }
  }

  async #rejoin(lease: BridgeLease): Promise<void> {
    if (this.#entering || lease.left || !this.#agent.connected) return;
    this.#entering = true;
    try {
      if (lease.registeredAt !== undefined) {
        this.#host.withdraw(lease.id, lease.claimed);
        lease.renew();
      }
      await this.#enter(lease);
    } catch (error) {
      this.#log("warn", "registration_refused", { id: lease.id, message: errorMessage(error) });
      if (error instanceof ToychatError && error.code === "slot_taken") lease.slot = undefined;
    }
    this.#entering = false;
  }

  #lives({ id, incarnation }: Pick<Member, "id" | "incarnation">): boolean {
    return this.#lease?.id === id && this.#lease.claimed === incarnation;
  }

  #askedToDrain(life: Pick<Member, "id" | "incarnation">): boolean {
    if (!this.#lives(life) || this.#lease?.left) return false;
    this.#log("info", "drain_asked", { id: life.id });
    this.#events.emit("drain", life.id);
    return true;
  }

  #drain({ id, claimed }: BridgeLease): Promise<void> {
    this.#host.setState(id, claimed, "draining");
    return Promise.resolve();
  }

  #leave({ id, claimed }: BridgeLease): Promise<void> {
    this.#cancelRenew();
    this.#host.withdraw(id, claimed);
    return Promise.race([this.#host.flush(), delay(this.#clock, LEAVE_MS)]);
  }

  #changed(): void {
    const { view } = this.#host;
    this.#placement = createPlacement(view, this.#key);
    this.#lease?.follow(view);
    this.#events.emit("view", view);
  }
}

function tooSlow(id: string): ToychatError {
  return new ToychatError("agent_timeout", `the Serf agent of "${id}" takes too long to answer for a lease`);
}
