/**
 * The methods of a bridge's JSON-RPC: what may be asked, and what by a connection alone.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import { printable, ToychatError } from "../lib/errors.ts";
import type { BridgeMembers, MemberBook } from "./bridge_members.ts";
import type { BridgeSession } from "./bridge_session.ts";
import { RPC_CODES, RpcError, type RpcParams } from "./json_rpc.ts";
import { createPlacement, type Placement } from "./placement.ts";
import { MAX_WAIT_MS, ViewWaiters } from "./view_waiters.ts";
import type { WireView } from "./wire_view.ts";

/** Options of {@linkcode BridgeMethods}. */
export interface BridgeMethodsOptions {
  /** Time. */
  readonly clock: Clock;
  /** The cluster's placement key. */
  readonly placementKey: Uint8Array;
  /** Where the view comes from. */
  readonly book: MemberBook;
  /** Who registers members. */
  readonly members: BridgeMembers;
}

/** Carries out methods. */
export class BridgeMethods {
  readonly #key: Uint8Array;
  readonly #book: MemberBook;
  readonly #members: BridgeMembers;
  readonly #waiters: ViewWaiters;
  #placement: Placement;
  #stopped = false;

  /** Ready at once. */
  constructor(options: BridgeMethodsOptions) {
    this.#key = options.placementKey;
    this.#book = options.book;
    this.#members = options.members;
    this.#waiters = new ViewWaiters(options.clock);
    this.#placement = createPlacement(this.#book.view, this.#key);
  }

  /** Answers who waits for another view than they know. */
  wake(digest: string): void {
    this.#waiters.wake(digest);
  }

  /** Lets nobody wait any more. */
  stop(): void {
    this.#stopped = true;
    this.#waiters.wake();
  }

  /** Carries out a method of an authenticated connection. */
  call(session: BridgeSession, method: string, params: RpcParams): unknown {
    switch (method) {
      case "cluster.register":
        return this.#members.register(session, params);
      case "cluster.renew":
        return this.#identity();
      case "cluster.drain":
        return this.#members.drain(session);
      case "cluster.leave":
        return this.#members.leave(session);
      case "view.subscribe":
        session.subscribed = true;
        return this.#members.wireView();
      default:
        return this.read(method, params);
    }
  }

  /** Carries out a method that only reads. */
  read(method: string, params: RpcParams): unknown {
    switch (method) {
      case "view.get":
        return this.#getView(params);
      case "room.owner":
        return this.#owner(params);
      case "cluster.register":
      case "cluster.renew":
      case "cluster.drain":
      case "cluster.leave":
      case "view.subscribe":
        throw new ToychatError(
          "needs_websocket",
          `${method} lives by a connection: open a WebSocket on this path`,
        );
      default:
        throw new RpcError(RPC_CODES.methodNotFound, `there is no method "${printable(method, 40)}"`);
    }
  }

  #identity(): { digest: string; revision: number } {
    const { digest, revision } = this.#book.view;
    return { digest, revision };
  }

  #getView({ known, waitMs }: RpcParams): WireView | Promise<WireView> {
    if (known === undefined || waitMs === undefined) return this.#members.wireView();
    if (typeof known !== "string" || typeof waitMs !== "number" || !(waitMs >= 0 && waitMs <= MAX_WAIT_MS)) {
      throw new RpcError(
        RPC_CODES.invalidParams,
        `known must be a digest and waitMs a number from 0 to ${MAX_WAIT_MS}`,
      );
    }
    if (this.#book.view.digest !== known || this.#stopped) return this.#members.wireView();
    return this.#waiters.wait(known, waitMs).then(() => this.#members.wireView());
  }

  #owner({ room }: RpcParams): unknown {
    if (typeof room !== "string" || room.length === 0 || room.length > 4096) {
      throw new RpcError(RPC_CODES.invalidParams, "room must be a string of 1 to 4096 characters");
    }
    const { view } = this.#book;
    if (this.#placement.view !== view) this.#placement = createPlacement(view, this.#key);
    const owner = this.#placement.owner(room);
    const shown = owner ? { id: owner.id, address: owner.address, slot: owner.slot } : null;
    return { room, owner: shown, ...this.#identity() };
  }
}
