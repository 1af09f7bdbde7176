/**
 * Registers a member with its bridge, again after every reconnect, and as a new incarnation where the lease was lost.
 *
 * @module
 */
import { type Clock, delay } from "../lib/clock.ts";
import { errorMessage, ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { BridgeLease } from "./bridge_lease.ts";
import type { BridgeLink } from "./bridge_link.ts";
import { isSlot } from "./names.ts";

/** Options of {@linkcode BridgeRegistration}. */
export interface BridgeRegistrationOptions {
  /** Time and chance. */
  readonly clock: Clock;
  /** Where events go. */
  readonly log: Logger;
  /** The highest number of slots seen so far. */
  readonly slots: () => number;
  /** Takes what a bridge says is a view; throws where it is not. */
  readonly onView: (value: unknown) => void;
}

const RETRY_MS = 200;
/** Refusals that pass by themselves: whoever joins tries again as long as it may take. */
const PASSING: readonly string[] = ["sealed"];

interface Joining {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The registration of at most one member. */
export class BridgeRegistration {
  /** The member, from `enter` until it leaves. */
  lease: BridgeLease | undefined;
  /** Why the bridge has not let in the member that joins, where that may pass. */
  refusal: unknown;
  readonly #options: BridgeRegistrationOptions;
  #joining: Joining | undefined;
  /** The link on which a registration is under way. */
  #busy: BridgeLink | undefined;

  /** Without a member. */
  constructor(options: BridgeRegistrationOptions) {
    this.#options = options;
  }

  /** Takes a member and registers it on `link` where there is one; resolves with the first success. */
  enter(lease: BridgeLease, link: BridgeLink | undefined): Promise<void> {
    this.lease = lease;
    this.refusal = undefined;
    return new Promise((resolve, reject) => {
      this.#joining = { resolve, reject };
      if (link) void this.registerOn(link);
    });
  }

  /** Gives up a member that could not join; a registration that still succeeds is undone. */
  forget(lease: BridgeLease): void {
    if (this.lease !== lease) return;
    this.lease = undefined;
    this.#joining = undefined;
  }

  /** Announces that the member drains; where it is not registered, its next registration says so. */
  async drain(lease: BridgeLease, link: BridgeLink | undefined): Promise<void> {
    if (link && lease.registeredAt === link.bridge) await this.#tell(link, "cluster.drain");
  }

  /** Withdraws the member; without a connection the bridge has done so, or has never heard of it. */
  async leave(lease: BridgeLease, link: BridgeLink | undefined): Promise<void> {
    this.forget(lease);
    if (link && lease.registeredAt === link.bridge) await this.#tell(link, "cluster.leave");
  }

  /** Registers the member on a link, trying until it succeeds, the link ends, or it cannot succeed. Never rejects. */
  async registerOn(link: BridgeLink): Promise<void> {
    const lease = this.lease;
    if (!lease || this.#busy === link) return;
    // The bridge that lives has seen the earlier connection close, and withdrew the member.
    if (lease.registeredAt === link.bridge) lease.lose();
    this.#busy = link;
    while (!link.over && this.lease === lease && !(await this.#attempt(lease, link))) {
      // Again: the lease has changed, or some time has passed.
    }
    if (this.#busy === link) this.#busy = undefined;
  }

  /** One attempt; true where there is nothing more to try on this link. */
  async #attempt(lease: BridgeLease, link: BridgeLink): Promise<boolean> {
    const { clock, slots } = this.#options;
    if (lease.lost && lease.registeredAt !== undefined) lease.renew();
    const { claimed: incarnation, slot, replaces, draining } = lease;
    const state = draining ? { state: "draining" } : {};
    const sentAt = clock.now();
    try {
      const result = await link.call("cluster.register", {
        ...lease.info,
        incarnation,
        slot,
        slots: slots(),
        replaces,
        ...state,
      });
      if (this.lease !== lease) {
        await this.#tell(link, "cluster.leave");
        return true;
      }
      this.#options.onView(result);
      const provenAt = Math.max(sentAt, link.provenAt);
      lease.aloneMs = readAlone(result.lease);
      if (!lease.registered(incarnation, readSlot(result.slot, lease), link.bridge, provenAt)) return false;
      if (lease.draining && !draining) await this.#tell(link, "cluster.drain");
      this.#joining?.resolve();
      this.#joining = undefined;
      return true;
    } catch (error) {
      return this.#refused(lease, link, error);
    }
  }

  /** What to do about a registration that failed; true where there is nothing more to try on this link. */
  async #refused(lease: BridgeLease, link: BridgeLink, error: unknown): Promise<boolean> {
    if (link.over || this.lease !== lease) return true;
    const { clock, log } = this.#options;
    const code = error instanceof ToychatError ? error.code : "";
    log("warn", "registration_refused", { id: lease.id, code, message: errorMessage(error) });
    if (code === "slot_taken") {
      lease.slot = undefined;
      lease.lose();
      return false;
    }
    if (this.#joining && !PASSING.includes(code)) {
      this.#joining.reject(error);
      this.forget(lease);
      return true;
    }
    this.refusal = error;
    await delay(clock, RETRY_MS);
    return false;
  }

  async #tell(link: BridgeLink, method: string): Promise<void> {
    try {
      this.#options.onView(await link.call(method));
    } catch (error) {
      this.#options.log("warn", "bridge_call_failed", { method, message: errorMessage(error) });
    }
  }
}

function readAlone(times: unknown): number | undefined {
  const { aloneMs } = (times ?? {}) as { readonly aloneMs?: unknown };
  return typeof aloneMs === "number" && aloneMs >= 0 ? aloneMs : undefined;
}

function readSlot(slot: unknown, lease: BridgeLease): number | undefined {
  if (lease.info.role === "proxy") return undefined;
  if (!isSlot(slot)) throw new ToychatError("bridge_refused", "the bridge gave no slot to a ChatServer");
  return slot;
}
