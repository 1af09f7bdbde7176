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
import type { GivenCredentials, User } from "../protocols/credentials.ts";
import type {
  Chunk,
  ClientChannel,
  ClientHandler,
  ClientProtocol,
  Delivery,
  Encoding,
  EndReason,
  JoinOptions,
  OpenedSession,
  OpenRefusal,
  Refusal,
} from "../protocols/protocol.ts";
import type { TurnAway } from "./admission.ts";
import { Gate } from "./authorization.ts";
import { Intake } from "./intake.ts";
import { countRefusal } from "./observed.ts";
import type { ProxyLimits } from "./options.ts";
import { Outgoing, totalBytes } from "./outgoing.ts";
import type { SessionHost } from "./session_host.ts";

/** Milliseconds that a peer has to close its side after this one has. */
const LINGER_MS = 1000;

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
  /** When it is over, on the host's clock. */
  expires = Infinity;
  readonly #host: SessionHost;
  readonly #connection: Connection;
  readonly #handler: ClientHandler;
  readonly #out: Outgoing;
  /** Whether `flush` is due. */
  #dirty = false;
  /** Undoes the end of the peer's time to close its side. */
  #linger: Cancel | undefined;
  #closing: { code: number | undefined; reason: string | undefined } | undefined;
  readonly #intake: Intake;
  #user: User | undefined;
  /** Who it was found to be before it was made. */
  readonly #admitted: User | undefined;
  /** Through which everything goes that must be allowed; undefined where nothing must. */
  #gate: Gate | undefined;

  /** Takes over a connection that was just made. `admitted`: the user, where it is known already. */
  constructor(
    host: SessionHost,
    connection: Connection,
    protocol: ClientProtocol,
    request: Request | undefined,
    admitted?: User,
  ) {
    this.#host = host;
    this.#admitted = admitted;
    this.#connection = connection;
    this.#out = new Outgoing(connection, host.limits.maxQueuedBytes);
    this.protocol = protocol;
    this.request = request;
    this.id = host.nextSessionId();
    this.since = host.clock.now();
    this.#intake = new Intake(connection, {
      clock: host.clock,
      metrics: host.metrics,
      take: (chunk) => this.#take(chunk),
      resume: () => this.#take(),
      waiting: () => this.#handler.waiting ?? 0,
      end: () => this.end("rate_exceeded"),
    });
    host.admission.entered(this);
    this.#handler = protocol.accept(this);
    this.events = {
      data: (chunk) => this.#data(chunk),
      drain: () => {},
      pong: () => this.#handler.pong?.(),
      close: (reason) => this.#closed(reason),
    };
  }

  /** The user's id; empty before the session is open. */
  get user(): string {
    return this.#user?.id ?? "";
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

  /** Whether its connection is being closed, or is gone. */
  get ending(): boolean {
    return this.#closing !== undefined || this.state === "ended";
  }

  /** See {@linkcode ClientChannel.paused}. */
  get paused(): boolean {
    return this.#intake.paused;
  }

  /** See {@linkcode ClientChannel.held}. */
  get held(): boolean {
    return this.#intake.held;
  }

  #data(chunk: Chunk): void {
    if (!this.#closing && !this.#intake.keep(chunk)) this.#take(chunk);
  }

  /** Lets the protocol take a chunk, or without one go on with what it has. */
  #take(chunk?: Chunk): void {
    if (this.ending) return;
    try {
      if (chunk === undefined) this.#handler.resume?.();
      else this.#handler.data(chunk);
    } catch (error) {
      // A protocol must not throw; if it does, the client that made it do so is the one to go.
      this.log("error", "protocol_failed", { protocol: this.protocol.name, error: errorMessage(error) });
      this.#connection.terminate();
    }
  }

  /** See {@linkcode ClientChannel.open}. */
  async open(
    given: GivenCredentials,
    options: { will?: string } = {},
  ): Promise<OpenedSession | OpenRefusal> {
    if (this.state !== "new") return { refused: "gone" };
    this.state = "opening";
    const away = this.#host.admission.opening(this);
    if (away) return this.#turnAway(away);
    this.#intake.pause(true);
    const answer = await this.#admit(given, options.will);
    this.#intake.pause(false);
    if (this.state !== "opening" || this.#closing) return { refused: "gone" };
    if ("refused" in answer) {
      this.state = "new";
      return answer;
    }
    const { clock, authorization } = this.#host;
    this.#user = answer;
    if (answer.expiresAt !== undefined) this.expires = clock.now() + answer.expiresAt - clock.wallTime();
    if (authorization) this.#gate = new Gate(authorization, answer, (on) => this.#intake.pause(on));
    this.sender = new Sender(this.id, answer.id, (on) => this.#intake.pause(on));
    this.state = "open";
    this.#intake.begin(this.limits);
    this.#host.admission.opened(this);
    this.#host.opened(this);
    return { user: answer.id, session: this.id };
  }

  async #admit(given: GivenCredentials, will: string | undefined): Promise<User | OpenRefusal> {
    const { protocol: { name }, remoteAddress, request } = this;
    const user = this.#admitted ??
      await this.#host.authenticate({ ...given, protocol: name, remoteAddress, request });
    const { authorization } = this.#host;
    if ("refused" in user || will === undefined || !authorization) return user;
    const refusal = await authorization.check(user, "will", will);
    if (refusal === undefined) return user;
    if (refusal === "not_authorized") {
      return { refused: refusal, reason: "the user may not have a will sent to this room" };
    }
    return { refused: "unavailable" };
  }

  /** Says why in the protocol's words, once the protocol has heard that it is being opened. */
  async #turnAway(reason: TurnAway): Promise<OpenRefusal> {
    await Promise.resolve();
    this.end(reason);
    return { refused: "gone" };
  }

  #mark(): void {
    this.#dirty = true;
    this.#host.dirty(this);
  }

  /** See {@linkcode ClientChannel.send}. */
  send(chunk: Chunk): void {
    if (this.ending) return;
    if (!this.#dirty) this.#mark();
    if (!this.#out.answer(chunk)) this.#tooSlow();
  }

  /** Queues deliveries, unless the client reads too slowly. */
  deliver(chunks: readonly Chunk[]): void {
    const bytes = totalBytes(chunks);
    // A protocol may have nothing to say for a delivery.
    if (bytes === 0 || this.ending) return;
    if (!this.#out.deliver(chunks, bytes)) this.#slow();
    else if (!this.#dirty) this.#mark();
  }

  /** Delivers a message that this client is to acknowledge. */
  deliverAcknowledged(delivery: Delivery): void {
    const chunk = this.#handler.encode(delivery);
    if (chunk === undefined || this.ending) return;
    if (!this.#out.deliver([chunk], totalBytes([chunk]))) this.#tooSlow();
    else if (!this.#dirty) this.#mark();
  }

  #slow(): void {
    if (this.protocol.slowConsumer !== "drop") return this.#tooSlow();
    this.metrics.count("toychat_deliveries_dropped_total");
  }

  /** Answers and acknowledged deliveries cannot be left out: a client that does not take them has to come back. */
  #tooSlow(): void {
    if (this.ending) return;
    this.metrics.count("toychat_slow_consumers_total");
    this.#out.clear();
    this.end("slow_consumer");
  }

  /** Writes what was queued in this turn. */
  flush(): void {
    this.#dirty = false;
    if (!this.#out.flush()) this.#tooSlow();
    if (this.#closing && this.#out.empty) {
      this.#connection.close(this.#closing.code, this.#closing.reason);
    }
  }

  /** See {@linkcode ClientChannel.join}. */
  join(room: string, options: JoinOptions, done: (refusal: Refusal | undefined) => void): void {
    this.#intake.charge();
    if (this.state !== "open") return done("gone");
    if (!this.#gate) return this.#host.join(this, room, options, done);
    this.#gate.pass("join", room, (refusal) => {
      if (refusal !== undefined) {
        this.joinRefused(room, refusal);
        done(refusal);
      } else if (this.state !== "open") done("gone");
      else this.#host.join(this, room, options, done);
    });
  }

  /** See {@linkcode ClientChannel.joinRefused}. */
  joinRefused(room: string, reason: Refusal): void {
    countRefusal(this, room, reason);
  }

  /** See {@linkcode ClientChannel.leave}. */
  leave(room: string, done: () => void): void {
    this.#intake.charge();
    if (this.#gate) return this.#gate.pass(undefined, room, () => this.#leave(room, done));
    this.#leave(room, done);
  }

  #leave(room: string, done: () => void): void {
    if (this.state === "open") this.#host.leave(this, room);
    done();
  }

  /** See {@linkcode ClientChannel.publish}. */
  publish(room: string, body: Body, done?: (refusal: Refusal | undefined) => void, will?: boolean): void {
    this.#intake.charge();
    if (this.state !== "open") return done?.("gone");
    if (!this.#gate) return this.#host.publish(this, room, body, done);
    // What was sent before the session's end is sent on after it, too.
    this.#gate.pass(will ? "will" : "publish", room, (refusal) => {
      if (refusal === undefined) this.#host.publish(this, room, body, done);
      else if (done) done(refusal);
      else this.refused(room, refusal);
    });
  }

  /** See {@linkcode ClientChannel.charge}. */
  charge(): void {
    this.#intake.charge();
  }

  /** See {@linkcode ClientChannel.ping}. */
  ping(): void {
    if (!this.ending) this.#connection.ping?.();
  }

  /** See {@linkcode ClientChannel.close}. */
  close(code?: number, reason?: string): void {
    if (this.#closing || this.state === "ended") return;
    this.#closing = { code, reason };
    if (!this.#dirty) this.#mark();
    // A peer that has vanished, or does not read, never closes its side: its rooms must not wait for it.
    this.#linger = this.clock.after(LINGER_MS, () => this.terminate());
  }

  /** Ends the session for a reason of the server's. */
  end(reason: EndReason): void {
    if (this.ending) return;
    if (reason === "shutting_down") this.#intake.finish();
    if (this.ending) return;
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

  /** A message of it that nobody waits for was refused; see {@linkcode ClientHandler.refused}. */
  refused(room: string, refusal: Refusal): void {
    if (this.state === "open") this.#handler.refused?.(room, refusal);
  }

  /** The user is out of a room; see {@linkcode ClientHandler.left}. */
  left(room: string, reason: string): void {
    this.#handler.left(room, reason);
  }

  #closed(reason: CloseReason): void {
    this.#intake.finish();
    this.#intake.stop();
    // What has waited may have ended the session, too.
    this.#linger?.();
    try {
      this.#handler.close(reason);
    } catch (error) {
      this.log("error", "protocol_failed", { protocol: this.protocol.name, error: errorMessage(error) });
    }
    this.state = "ended";
    this.#out.clear();
    this.#host.admission.left(this);
    this.#host.closed(this, reason);
  }
}
