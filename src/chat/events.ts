/**
 * The events of a ChatServer, and how its application's listeners are run.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import type { Clock } from "../lib/clock.ts";
import { Emitter } from "../lib/emitter.ts";
import { errorMessage, ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { AsyncContext } from "../lib/transport.ts";
import type { ChatUser, OpenReason, RoomCloseReason, RoomMerge } from "./chat_user.ts";
import type { Cause } from "./room.ts";

/** The types that a cluster agrees on; give your own to {@linkcode ChatServer} as its type argument. */
export interface ClusterTypes {
  /** What a message carries. */
  message: unknown;
}

/** Used where no types are given: a message carries any JSON value, or bytes. */
export interface AnyTypes extends ClusterTypes {
  /** Any JSON value, or bytes. */
  message: Body;
}

/** Events of a ChatServer and the arguments of their listeners. */
export type ChatEvents<Types extends ClusterTypes = AnyTypes> = {
  /** A session has joined its first room on this server. */
  connect: [user: ChatUser];
  /** A session that `connect` told of has ended, or is cut off. */
  disconnect: [user: ChatUser, reason: string];
  /** A user is in a room: it joined, or came along when the room moved here. */
  join: [user: ChatUser, room: string];
  /** A user is out of a room. */
  leave: [user: ChatUser, room: string, reason: string];
  /**
   * A user has sent a message to a room. With no listener for it, every member gets it (the relay); with one, what
   * happens is the listener's to say. An acknowledged message is acknowledged when the listener has settled.
   */
  message: [user: ChatUser, room: string, body: Types["message"]];
  /** A room has opened on this server. */
  open: [room: string, reason: OpenReason];
  /**
   * A room has closed on this server. With `hand-off` its next owner has not got it yet; with `merged` it goes on there in
   * another life, and this one is over; with `lease-lost` others own it without anything from here. What a listener of a
   * message that still runs then sends to its room's members is dropped, also where the room is open here again.
   */
  close: [room: string, reason: RoomCloseReason];
  /**
   * A room that is open here had another life on another server, as on both sides of a partition, and that one has ended:
   * its members join here, what was said there was said to them alone. Reconcile what the application keeps of both.
   *
   * @example
   * ```ts
   * import { ChatServer, LocalMembership } from "toychat";
   * import { systemTransport } from "toychat/system";
   *
   * const chat = new ChatServer({ membership: new LocalMembership(), transport: await systemTransport() });
   * const scores = new Map<string, number>();
   * chat.on("merge", (room, { from, epoch, offset, users }) => {
   *   console.log(`${room}: ${offset} messages were sent on ${from} in ${epoch}, to ${users.length} users`);
   *   // What that life has written down, under its own epoch, is added to what this one has.
   *   scores.set(room, (scores.get(room) ?? 0) + (scores.get(`${room} ${epoch}`) ?? 0));
   *   chat.broadcast(room, "the network is whole again: the scores of both sides count");
   * });
   * ```
   */
  merge: [room: string, merge: RoomMerge];
  /** A room is on its way to another server. */
  handoff: [room: string];
  /** A listener has thrown, or did not settle in time. */
  error: [error: unknown];
};

/** Runs listeners: one thrown error is reported and harms nothing else. */
export class Listeners<Types extends ClusterTypes> {
  readonly emitter: Emitter<ChatEvents<Types>> = new Emitter();
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #context: AsyncContext<Cause | undefined>;
  readonly #timeoutMs: number;

  /** Listeners may take `timeoutMs` milliseconds to settle. */
  constructor(
    clock: Clock,
    metrics: Metrics,
    log: Logger,
    context: AsyncContext<Cause | undefined>,
    timeoutMs: number,
  ) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#log = log;
    this.#context = context;
    this.#timeoutMs = timeoutMs;
  }

  /** The message that the caller is working on, as long as its listeners have not settled. */
  get cause(): Cause | undefined {
    const cause = this.#context.get();
    return cause && !cause.over ? cause : undefined;
  }

  /** Whether an application decides what becomes of messages. */
  get decides(): boolean {
    return this.emitter.listeners("message").length > 0;
  }

  /** Runs the listeners of an event; a promise where any of them has to be waited for. Never rejects. */
  emit<K extends keyof ChatEvents<Types>>(event: K, ...args: ChatEvents<Types>[K]): void | Promise<void> {
    const listeners = this.emitter.listeners(event);
    if (listeners.length === 0) return;
    const failed = (error: unknown): void => this.#failed(String(event), error);
    return this.#run(listeners.map((listener) => () => listener(...args)), undefined, failed);
  }

  /**
   * Runs the listeners of a message. `failed` is called at most once, with the first error or a time-out.
   */
  message(
    args: ChatEvents<Types>["message"],
    cause: Cause,
    failed: (error: unknown) => void,
  ): void | Promise<void> {
    let first = true;
    const calls = this.emitter.listeners("message").map((listener) => () => listener(...args));
    return this.#run(calls, cause, (error) => {
      this.#failed("message", error);
      if (first) failed(error);
      first = false;
    });
  }

  #run(
    calls: (() => unknown)[],
    cause: Cause | undefined,
    failed: (error: unknown) => void,
  ): void | Promise<void> {
    const waiting: PromiseLike<unknown>[] = [];
    this.#context.run(cause, () => {
      for (const call of calls) {
        try {
          const result = call();
          if (isThenable(result)) waiting.push(result);
        } catch (error) {
          failed(error);
        }
      }
    });
    if (waiting.length > 0) return this.#settle(waiting, failed);
  }

  #settle(waiting: PromiseLike<unknown>[], failed: (error: unknown) => void): Promise<void> {
    const since = this.#clock.now();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#timeoutMs, () => {
        this.#metrics.count("toychat_listener_timeouts_total");
        failed(
          new ToychatError("listener_timeout", `a listener did not settle within ${this.#timeoutMs} ms`),
        );
        resolve();
      });
      Promise.all(waiting.map((one) => Promise.resolve(one).catch(failed))).then(() => {
        cancel();
        this.#metrics.histogram("toychat_listener_seconds").observe((this.#clock.now() - since) / 1000);
        resolve();
      });
    });
  }

  #failed(event: string, error: unknown): void {
    this.#metrics.count("toychat_listener_errors_total", 1, { event });
    this.#log("error", "listener_failed", { event, error: errorMessage(error) });
    if (event !== "error") this.emit("error", error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}
