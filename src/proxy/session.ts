/**
 * One client connection on a proxy.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import type { Cancel, Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { CloseReason, Connection, ConnectionHandler } from "../lib/transport.ts";
import { Sender } from "../link/sender.ts";
import type {
  Chunk,
  ClientChannel,
  ClientHandler,
  ClientProtocol,
  Credentials,
  Delivery,
  Encoding,
  EndReason,
  JoinOptions,
  OpenedSession,
  Refusal,
} from "../protocols/protocol.ts";
import type { ProxyLimits } from "./options.ts";

/** What a session needs from its proxy. */
export interface SessionHost {
  readonly clock: Clock;
  readonly limits: ProxyLimits;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Says who a client is. */
  authenticate(credentials: Credentials): string | undefined | Promise<string | undefined>;
  /** A name that no other session of the cluster has. */
  nextSessionId(): string;
  opened(session: Session): void;
  join(
    session: Session,
    room: string,
    options: JoinOptions,
    done: (refusal: Refusal | undefined) => void,
  ): void;
  leave(session: Session, room: string): void;
  publish(session: Session, room: string, body: Body, done?: (refusal: Refusal | undefined) => void): void;
  closed(session: Session, reason: CloseReason): void;
  /** Asks for `flush` at the end of this turn. */
  dirty(session: Session): void;
}

/** Longest user id, in UTF-16 code units: it travels with every message. */
const MAX_USER_LENGTH = 512;

/** Milliseconds that a peer has to close its side after this one has. */
const LINGER_MS = 1000;

/** Bytes in a chunk; a string counts its characters. */
function total(chunks: readonly Chunk[]): number {
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

/** A connection, its protocol, and what it has joined. */
export class Session implements ClientChannel {
  readonly id: string;
  readonly protocol: ClientProtocol;
  readonly request: Request | undefined;
  /** When the connection was made. */
  readonly since: number;
  /** Names of the rooms that it is in, or about to be. */
  readonly rooms: Set<string> = new Set();
  /** What the transport calls. */
  readonly events: ConnectionHandler;
  /** For whom its messages are routed; undefined before the session is open. */
  sender: Sender | undefined;
  /** `new`: has not said who it is. `opening`: is being authenticated. */
  state: "new" | "opening" | "open" | "ended" = "new";
  readonly #host: SessionHost;
  readonly #connection: Connection;
  readonly #handler: ClientHandler;
  #outbox: Chunk[] = [];
  #outboxBytes = 0;
  /** Undoes the end of the peer's time to close its side. */
  #linger: Cancel | undefined;
  #closing: { code: number | undefined; reason: string | undefined } | undefined;
  /** How many want it not to be read: its authentication, its unsent messages. */
  #pauses = 0;
  #user = "";

  /** Takes over a connection that was just made. */
  constructor(
    host: SessionHost,
    connection: Connection,
    protocol: ClientProtocol,
    request: Request | undefined,
  ) {
    this.#host = host;
    this.#connection = connection;
    this.protocol = protocol;
    this.request = request;
    this.id = host.nextSessionId();
    this.since = host.clock.now();
    this.#handler = protocol.accept(this);
    this.events = {
      data: (chunk) => this.#data(chunk),
      drain: () => {},
      close: (reason) => this.#closed(reason),
    };
  }

  /** The user's id; empty before the session is open. */
  get user(): string {
    return this.#user;
  }

  /** The peer's address. */
  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  /** Time and chance. */
  get clock(): Clock {
    return this.#host.clock;
  }

  /** The limits in force. */
  get limits(): ProxyLimits {
    return this.#host.limits;
  }

  /** Where to count. */
  get metrics(): Metrics {
    return this.#host.metrics;
  }

  /** Where to report. */
  get log(): Logger {
    return this.#host.log;
  }

  /** The same for all sessions of a proxy. */
  get proxy(): object {
    return this.#host;
  }

  /** How its unacknowledged deliveries are encoded. */
  get encoding(): Encoding {
    return this.#handler.encoding;
  }

  #data(chunk: Chunk): void {
    if (this.#closing) return;
    try {
      this.#handler.data(chunk);
    } catch (error) {
      // A protocol must not throw; if it does, the client that made it do so is the one to go.
      this.log("error", "protocol_failed", { protocol: this.protocol.name, error: errorMessage(error) });
      this.#connection.terminate();
    }
  }

  /** See {@linkcode ClientChannel.open}. */
  async open(credentials: Credentials): Promise<OpenedSession | undefined> {
    if (this.state !== "new") return undefined;
    this.state = "opening";
    this.#pause(true);
    let user: string | undefined;
    try {
      user = await this.#host.authenticate(credentials);
    } catch (error) {
      this.log("error", "authenticate_failed", { error: errorMessage(error) });
    }
    this.#pause(false);
    if (this.state !== "opening" || this.#closing) return undefined;
    if (user && user.length > MAX_USER_LENGTH) {
      this.log("warn", "user_id_too_long", { length: user.length, most: MAX_USER_LENGTH });
      user = undefined;
    }
    if (!user) {
      this.state = "new";
      return undefined;
    }
    this.#user = user;
    this.sender = new Sender(this.id, user, (on) => this.#pause(on));
    this.state = "open";
    this.#host.opened(this);
    return { user, session: this.id };
  }

  #pause(on: boolean): void {
    this.#pauses += on ? 1 : -1;
    if (on && this.#pauses === 1) this.#connection.pause();
    else if (!on && this.#pauses === 0) this.#connection.resume();
  }

  /** See {@linkcode ClientChannel.send}. */
  send(chunk: Chunk): void {
    if (this.state === "ended") return;
    if (this.#outbox.length === 0) this.#host.dirty(this);
    this.#outbox.push(chunk);
    this.#outboxBytes += chunk.length;
  }

  /** Queues deliveries, unless the client reads too slowly. */
  deliver(chunks: readonly Chunk[]): void {
    const bytes = total(chunks);
    // A protocol may have nothing to say for a delivery.
    if (bytes === 0) return;
    if (this.#connection.bufferedAmount + this.#outboxBytes + bytes > this.limits.maxQueuedBytes) {
      return this.#slow();
    }
    if (this.#outbox.length === 0) {
      if (this.state === "ended") return;
      this.#host.dirty(this);
    }
    for (const chunk of chunks) if (chunk.length > 0) this.#outbox.push(chunk);
    this.#outboxBytes += bytes;
  }

  /** Delivers a message that this client is to acknowledge. */
  deliverAcknowledged(delivery: Delivery): void {
    const chunk = this.#handler.encode(delivery);
    if (chunk === undefined) return;
    // An acknowledged delivery is never left out: a client that does not take it has to come back.
    if (this.#connection.bufferedAmount + this.#outboxBytes > this.limits.maxQueuedBytes) {
      this.end("slow_consumer");
    } else this.send(chunk);
  }

  #slow(): void {
    this.metrics.count("toychat_slow_consumer_total");
    if (this.protocol.slowConsumer !== "drop") this.end("slow_consumer");
  }

  /** Writes what was queued in this turn. */
  flush(): void {
    const chunks = this.#outbox;
    if (chunks.length > 0) {
      this.#outbox = [];
      this.#outboxBytes = 0;
      if (chunks.length === 1) this.#connection.send(chunks[0] as Chunk);
      else this.#connection.sendAll(chunks);
    }
    if (this.#closing) this.#connection.close(this.#closing.code, this.#closing.reason);
  }

  /** See {@linkcode ClientChannel.join}. */
  join(room: string, options: JoinOptions, done: (refusal: Refusal | undefined) => void): void {
    if (this.state === "open") this.#host.join(this, room, options, done);
    else done("gone");
  }

  /** See {@linkcode ClientChannel.leave}. */
  leave(room: string, done: () => void): void {
    if (this.state === "open") this.#host.leave(this, room);
    done();
  }

  /** See {@linkcode ClientChannel.publish}. */
  publish(room: string, body: Body, done?: (refusal: Refusal | undefined) => void): void {
    if (this.state === "open") this.#host.publish(this, room, body, done);
    else done?.("gone");
  }

  /** See {@linkcode ClientChannel.close}. */
  close(code?: number, reason?: string): void {
    if (this.#closing || this.state === "ended") return;
    this.#closing = { code, reason };
    if (this.#outbox.length === 0) this.#host.dirty(this);
    // A peer that has vanished, or does not read, never closes its side: its rooms must not wait for it.
    this.#linger = this.clock.after(LINGER_MS, () => this.terminate());
  }

  /** Ends the session for a reason of the server's. */
  end(reason: EndReason): void {
    if (this.#closing || this.state === "ended") return;
    this.metrics.count("toychat_sessions_ended_total", 1, { reason });
    if (reason !== "shutting_down") {
      this.log("info", "session_ended", {
        user: this.#user,
        session: this.id,
        address: this.remoteAddress,
        reason,
      });
    }
    this.#handler.end(reason);
    this.close();
  }

  /** Ends the connection without a word. */
  terminate(): void {
    if (this.state !== "ended") this.#connection.terminate();
  }

  /** The room has moved; see {@linkcode ClientHandler.moved}. */
  moved(room: string, lost: boolean): void {
    this.#handler.moved(room, lost);
  }

  /** The user is out of a room; see {@linkcode ClientHandler.left}. */
  left(room: string, reason: string): void {
    this.#handler.left(room, reason);
  }

  #closed(reason: CloseReason): void {
    this.#linger?.();
    try {
      this.#handler.close(reason);
    } catch (error) {
      this.log("error", "protocol_failed", { protocol: this.protocol.name, error: errorMessage(error) });
    }
    this.state = "ended";
    this.#outbox = [];
    this.#host.closed(this, reason);
  }
}
