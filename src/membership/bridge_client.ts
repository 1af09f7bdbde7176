/**
 * Membership by way of the bridge on the member's host.
 *
 * @module
 */
import { type Clock, systemClock } from "../lib/clock.ts";
import { Emitter } from "../lib/emitter.ts";
import { ToychatError } from "../lib/errors.ts";
import { type Logger, noLog } from "../lib/log.ts";
import { limitLog } from "../lib/log_limit.ts";
import { Metrics } from "../lib/metrics.ts";
import type { ClientTlsOptions, Transport } from "../lib/transport.ts";
import { BridgeLease } from "./bridge_lease.ts";
import { bridgeTooSlow, bridgeUnreachable } from "./bridge_link.ts";
import { BridgeLoop } from "./bridge_loop.ts";
import type { Lease, MemberInfo, Membership } from "./membership.ts";
import { checkMember } from "./names.ts";
import { createPlacement, type Placement, placementKey } from "./placement.ts";
import { createView, emptyView, type View } from "./view.ts";
import { readWireView, type WireView } from "./wire_view.ts";

/** Options of {@linkcode BridgeMembership}. */
export interface BridgeMembershipOptions {
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** The bridge's URL; default `"ws://127.0.0.1:7374/rpc"`. */
  readonly url?: string;
  /** The cluster secret; must be the bridge's. */
  readonly secret?: string;
  /**
   * A token of the bridge for members, which is shown instead of proving the secret: for a bridge that has tokens and no
   * secret. The bridge then proves nothing either.
   */
  readonly token?: string;
  /** How a `wss:` URL is connected to; default by the authorities that the runtime knows. */
  readonly tls?: ClientTlsOptions;
  /** Name of the cluster; default `"toychat"`. Must be the bridge's. */
  readonly cluster?: string;
  /** The placement key itself, 1 to 64 bytes, instead of one derived from `secret`. Must be the bridge's. */
  readonly placementKey?: Uint8Array;
  /** Milliseconds that `open` and `join` try to reach the bridge, and to be let in; default 10000. */
  readonly timeoutMs?: number;
  /** Time and chance; default the system's. */
  readonly clock?: Clock;
  /** Where events go; default nowhere. */
  readonly log?: Logger;
}

/** Milliseconds that a member that leaves waits for the bridge. */
const LEAVE_MS = 1000;

/** Whether a view accounts for every member of another: it has it, or the bridge says that it is gone. */
function accountsFor({ view, gone }: WireView, known: View): boolean {
  const ids = new Set([...view.members.map((member) => member.id), ...gone]);
  return known.members.every((member) => ids.has(member.id));
}

/**
 * The list of members as the bridge of this host knows it, and a lease for one member.
 *
 * The lease is held until 2 s after the last renewal that the bridge answered was sent. It is lost before that where the
 * connection closed and the same bridge still answers; the member then registers again as a new incarnation. While
 * connections to the bridge are refused the member keeps its lease, and its view.
 *
 * @example
 * ```ts
 * import { BridgeMembership } from "toychat";
 * import { memoryTransport } from "toychat/memory";
 *
 * const membership = new BridgeMembership({ transport: memoryTransport(), url: "ws://127.0.0.1:7374/rpc" });
 * const lease = await membership.join({ id: "chat-1", role: "chat", address: "127.0.0.1:7001" });
 * console.log(lease.slot, lease.held());
 * await membership.close();
 * ```
 */
export class BridgeMembership implements Membership {
  /** What it counts of its connection to the bridge. */
  readonly metrics: Metrics = new Metrics();
  readonly #url: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #key: Uint8Array;
  readonly #timeoutMs: number;
  readonly #loop: BridgeLoop;
  readonly #events: Emitter<{ view: [view: View]; drain: [id: string] }> = new Emitter();
  readonly #firstView: Emitter<{ view: [] }> = new Emitter();
  #placement: Placement;
  /** The newest view taken from the bridge, by the bridge's own count. */
  #taken: { bridge: string; revision: number } | undefined;

  /** Connects with the first `open` or `join`. Throws `invalid_secret` where the secret is empty. */
  constructor(options: BridgeMembershipOptions) {
    this.#url = options.url ?? "ws://127.0.0.1:7374/rpc";
    this.#clock = options.clock ?? systemClock;
    this.#log = limitLog(options.log ?? noLog, { clock: this.#clock, metrics: this.metrics });
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#key = options.placementKey ?? placementKey(options.secret);
    this.#placement = createPlacement(emptyView(this.#key), this.#key);
    this.#loop = new BridgeLoop({
      url: this.#url,
      transport: options.transport,
      clock: this.#clock,
      secret: options.secret,
      token: options.token,
      tls: options.tls,
      cluster: options.cluster ?? "toychat",
      log: this.#log,
      metrics: this.metrics,
      slots: () => this.view.slots,
      onView: (value) => this.#take(value),
      onDrain: (id) => this.#askedToDrain(id),
    });
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
   * Connects to the bridge without joining; resolves with its first view.
   *
   * @throws {ToychatError} `bridge_unreachable`, `bridge_refused`, `membership_closed`.
   */
  async open(): Promise<View> {
    if (this.#taken) return this.view;
    const seen = new Promise<void>((resolve) => this.#firstView.once("view", resolve));
    await this.#within(seen);
    return this.view;
  }

  /**
   * Joins with one member; resolves when it is in the view and holds its lease.
   *
   * @throws {ToychatError} `invalid_member_id`, `invalid_member_role`, `invalid_member_address`,
   * `duplicate_member_id`, `already_joined`, `sealed` where the bridge's side of a partition has let no ChatServer in
   * for as long as the options allow; `bridge_unreachable`, `bridge_refused`, `membership_closed`.
   */
  async join(member: MemberInfo): Promise<Lease> {
    checkMember(member);
    const before = this.#loop.lease;
    if (before) {
      throw new ToychatError(
        "already_joined",
        `"${before.id}" has joined by this BridgeMembership: make one for each member`,
      );
    }
    const lease = new BridgeLease(member, this.#clock, {
      drain: (own) => this.#loop.drain(own),
      leave: (own) => this.#leave(own),
    });
    const opened = this.#loop.running;
    try {
      await this.#within(this.#loop.enter(lease));
    } catch (error) {
      this.#loop.forget(lease);
      if (!opened) this.#loop.pause();
      throw error;
    }
    return lease;
  }

  /** Calls `listener` with each new view. */
  onView(listener: (view: View) => void): () => void {
    return this.#events.on("view", listener);
  }

  /**
   * Calls `listener` with the member's id when an operator asks that it drains and ends (`cluster.drain` of
   * docs/protocol.md). Nothing happens by itself: `ChatServer.stop({ drain: true })` does as asked.
   */
  onDrain(listener: (id: string) => void): () => void {
    return this.#events.on("drain", listener);
  }

  /** Leaves where a member has joined, and closes the connection. */
  async close(): Promise<void> {
    await this.#loop.lease?.leave();
    this.#loop.stop();
  }

  #askedToDrain(id: unknown): void {
    const lease = this.#loop.lease;
    if (!lease || lease.left || lease.id !== id) return;
    this.#log("info", "drain_asked", { id: lease.id });
    this.#events.emit("drain", lease.id);
  }

  async #leave(lease: BridgeLease): Promise<void> {
    let cancel = (): void => {};
    const tooLong = new Promise<void>((resolve) => cancel = this.#clock.after(LEAVE_MS, resolve));
    await Promise.race([this.#loop.leave(lease), tooLong]);
    cancel();
  }

  /** Waits for something that takes a bridge: as long as the options allow, or until the bridge refuses. */
  async #within(work: Promise<unknown>): Promise<void> {
    let cancel = (): void => {};
    const tooLong = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(this.#timeoutMs, () => reject(this.#late()));
    });
    try {
      await Promise.race([work, tooLong, this.#loop.start()]);
    } finally {
      cancel();
    }
  }

  /** What comes of a wait that was too long: a bridge that answers and refuses has said why. */
  #late(): unknown {
    const { connected, refusal, lastError } = this.#loop;
    if (!this.#taken) this.#loop.pause();
    if (refusal !== undefined) return refusal;
    // What has failed before the bridge came does not matter any more.
    return connected
      ? bridgeTooSlow(this.#url, this.#timeoutMs)
      : bridgeUnreachable(this.#url, this.#timeoutMs, lastError);
  }

  /** Checks a view and makes it the current one. Throws where it is malformed. */
  #take(value: unknown): void {
    const wire = readWireView(value, this.#key);
    if (this.#isStale(wire) || this.#mustWait(wire)) return;
    this.#taken = { bridge: wire.bridge, revision: wire.view.revision };
    if (wire.view.digest !== this.view.digest) {
      const { members, slots } = wire.view;
      const revision = this.view.revision + 1;
      const view = createView({ members, slots, revision, placementKey: this.#key });
      this.#placement = createPlacement(view, this.#key);
      this.#loop.lease?.follow(view);
      this.#events.emit("view", view);
    }
    this.#firstView.emit("view");
  }

  /** An answer is looked at a little later than a notification that came after it. */
  #isStale({ bridge, view }: WireView): boolean {
    return this.#taken?.bridge === bridge && view.revision < this.#taken.revision;
  }

  /** A bridge that has just started may not have heard of everyone yet. */
  #mustWait(wire: WireView): boolean {
    if (!wire.settling || accountsFor(wire, this.view)) return false;
    const { length } = wire.view.members;
    this.#log("debug", "view_kept", { known: this.view.members.length, offered: length });
    return true;
  }
}
