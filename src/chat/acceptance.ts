/**
 * What becomes of a message at the owner: refused, held, or accepted for good, worked on, and acknowledged.
 *
 * @module
 */
import { decodeBody } from "../lib/body.ts";
import { encodedBodyBytes, JSON_GROWTH } from "../lib/body_size.ts";
import type { Clock } from "../lib/clock.ts";
import type { Counter, Metrics } from "../lib/metrics.ts";
import type { AckFrame, MessageFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import type { Confirms } from "./confirms.ts";
import type { ClusterTypes, Listeners } from "./events.ts";
import type { Attachment, Cause, Inbound, Recipients, Room } from "./room.ts";
import type { Sessions } from "./sessions.ts";

/** What {@linkcode Acceptance} needs. */
export interface AcceptanceHost<Types extends ClusterTypes> {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly listeners: Listeners<Types>;
  readonly confirms: Confirms;
  readonly sessions: Sessions;
  /** Bytes that a user's message may have. */
  readonly maxMessageBytes: number;
  /** Identity of the server's view. */
  digest(): string;
  /** Whether messages of this room may be accepted, now or when it has opened. */
  accepts(room: Room): boolean;
}

/** Numbers of one message's consequences: its own number times this, and counting on. */
const CONSEQUENCES = 65_536;

/** Handles the messages of all rooms of one server. */
export class Acceptance<Types extends ClusterTypes> {
  readonly #host: AcceptanceHost<Types>;
  readonly #accepts: Counter;

  /** Keeps no state of its own: what it knows is in the rooms. */
  constructor(host: AcceptanceHost<Types>) {
    this.#host = host;
    this.#accepts = host.metrics.counter("toychat_messages_accepted_total");
  }

  /** A message has come for a room that its router has announced, in a line of `length` UTF-16 code units. */
  message(room: Room, attachment: Attachment, frame: MessageFrame, n: number, length = Infinity): void {
    const { link, refusing } = attachment;
    const from = refusing.get(frame.session);
    if (from !== undefined) {
      if (frame.seq !== from && !frame.head) return this.refuse(link, frame, n);
      refusing.delete(frame.session);
    }
    if (!this.#host.accepts(room)) {
      refusing.set(frame.session, frame.seq);
      return this.refuse(link, frame, n);
    }
    if (frame.user !== undefined && this.#tooLarge(frame, length)) return this.#refuseLarge(link, frame);
    const inbound: Inbound = { frame, n, link, since: this.#host.clock.now(), held: false };
    room.used = inbound.since;
    if (!room.ready) {
      inbound.held = true;
      link.send({ type: "held", room: room.name, session: frame.session, seq: frame.seq });
    }
    room.enqueue({ message: inbound, run: () => this.#accept(room, inbound) });
  }

  /** What proxies let in is measured again: not all of them need have the same limit, or keep to theirs. */
  #tooLarge(frame: MessageFrame, length: number): boolean {
    const { maxMessageBytes } = this.#host;
    return length * JSON_GROWTH > maxMessageBytes && encodedBodyBytes(frame) > maxMessageBytes;
  }

  /** It would be refused wherever it was sent again, so it has failed for good. */
  #refuseLarge(link: Link, { room, session, seq, ack }: MessageFrame): void {
    this.#host.metrics.count("toychat_messages_too_large_total");
    if (ack) link.send({ type: "ack", room, session, seq, error: "too_large" });
  }

  /** Says that a message was not accepted. */
  refuse(link: Link, { room, session, seq }: MessageFrame, n: number): void {
    this.#host.metrics.count("toychat_messages_refused_total");
    link.send({ type: "refused", room, session, seq, frame: n, digest: this.#host.digest() });
  }

  /** Refuses every message that a room holds. */
  refuseHeld(room: Room): void {
    for (const inbound of room.clear()) this.#refuseOne(room, inbound);
  }

  #refuseOne(room: Room, { frame, n, link }: Inbound): void {
    const refusing = room.attachments.get(link)?.refusing;
    if (refusing && !refusing.has(frame.session)) refusing.set(frame.session, frame.seq);
    if (!link.ended) this.refuse(link, frame, n);
  }

  /** Fails the messages that a room has held since before `time`. */
  expire(room: Room, time: number): void {
    for (const inbound of room.expire(time)) {
      const { frame, link } = inbound;
      this.#host.metrics.count("toychat_messages_expired_total");
      if (frame.ack) this.#ack(room, inbound, "unavailable");
      else if (!link.ended) this.#accepted(room, inbound);
    }
  }

  #accepted(room: Room, { frame, link }: Inbound): void {
    link.send({ type: "accepted", room: room.name, session: frame.session, seq: frame.seq });
  }

  /** Accepts a message for good, and lets the application or the relay do with it. */
  #accept(room: Room, inbound: Inbound): void | Promise<void> {
    const { frame } = inbound;
    if (inbound.held) {
      // The lease may have gone while it waited; what waits behind it must not overtake it.
      if (!this.#host.accepts(room)) {
        for (const one of [inbound, ...room.takeMessages()]) this.#refuseOne(room, one);
        return;
      }
      this.#accepted(room, inbound);
    }
    if (this.#repeated(room, inbound)) return;
    this.#accepts.value++;
    const cause = causeOf(room, frame);
    if (frame.user === undefined || !this.#host.listeners.decides) {
      this.#relay(room, inbound, cause);
      return this.#finish(room, inbound, cause, undefined);
    }
    return this.#apply(room, inbound, frame.user, cause);
  }

  #repeated(room: Room, inbound: Inbound): boolean {
    const { frame } = inbound;
    if (!frame.ack) return false;
    const key = `${frame.session} ${frame.seq}`;
    const fresh = room.senders.raise(frame.session, frame.seq) &&
      (!frame.cause || room.senders.raise(`>${frame.cause[0]}`, frame.cause[1]));
    if (fresh) {
      room.unacknowledged.set(key, inbound);
      return false;
    }
    this.#host.metrics.count("toychat_duplicates_dropped_total");
    const first = room.unacknowledged.get(key);
    const twin = first ?? sameCause(room, frame);
    if (first) first.link = inbound.link;
    else if (twin) twin.twins = [...twin.twins ?? [], inbound];
    else this.#ack(room, inbound, undefined);
    return true;
  }

  /** Without an application, and for messages from applications elsewhere: every member gets it. */
  #relay(room: Room, { frame }: Inbound, cause: Cause): void {
    const member = room.members.get(frame.session);
    const silent = member?.echo === false;
    const to: Recipients = silent ? { kind: "except", sessions: new Set([frame.session]) } : { kind: "all" };
    // A session is one user's, whatever a message of it says.
    const from = member ? member.user.userId : frame.user;
    room.deliver({ from, body: frame.body, encoding: frame.encoding }, to, cause);
  }

  #apply(room: Room, inbound: Inbound, userId: string, cause: Cause): void | Promise<void> {
    const { frame, link } = inbound;
    const { listeners, sessions } = this.#host;
    const user = room.members.get(frame.session)?.user ?? sessions.passing(frame.session, userId, link);
    let failure: AckFrame["error"];
    const done = listeners.message([user, room.name, decodeBody(frame)], cause, (error) => {
      const late = (error as { code?: unknown } | null)?.code === "listener_timeout";
      failure = late ? "listener_timeout" : "listener_failed";
    });
    if (!done) return this.#finish(room, inbound, cause, failure);
    return done.then(() => this.#finish(room, inbound, cause, failure));
  }

  /** The listeners have settled: an acknowledged message is acknowledged when all that it led to has been taken. */
  #finish(room: Room, inbound: Inbound, cause: Cause, failure: AckFrame["error"]): void {
    cause.over = true;
    if (!inbound.frame.ack) return;
    if (failure) return this.#ack(room, inbound, failure);
    const taken = (): void =>
      this.#host.confirms.all(cause.frames, () => this.#ack(room, inbound, cause.failure));
    if (cause.routed === 0) taken();
    else {
      inbound.routed = true;
      cause.settled = () => {
        inbound.routed = false;
        taken();
      };
    }
  }

  #ack(room: Room, inbound: Inbound, error: AckFrame["error"]): void {
    const { frame, link, twins } = inbound;
    room.unacknowledged.delete(`${frame.session} ${frame.seq}`);
    for (const twin of twins ?? []) this.#ack(room, twin, error);
    if (link.ended) return;
    const ack: AckFrame = { type: "ack", room: room.name, session: frame.session, seq: frame.seq };
    link.send(error ? { ...ack, error } : ack);
  }
}

/** The unacknowledged message that an application sent, on another server, because of the same message. */
function sameCause(room: Room, { cause }: MessageFrame): Inbound | undefined {
  if (!cause) return undefined;
  for (const inbound of room.unacknowledged.values()) {
    const other = inbound.frame.cause;
    if (other && other[0] === cause[0] && other[1] === cause[1]) return inbound;
  }
  return undefined;
}

/** For messages that nobody waits for: nothing is ever put into it. */
const NO_FRAMES: Map<Link, number> = new Map();

/** What a message's consequences are numbered under. */
function causeOf(room: Room, frame: MessageFrame): Cause {
  let origin: Cause["origin"];
  if (frame.cause) origin = { sender: frame.cause[0], next: frame.cause[1] };
  else if (frame.ack) origin = { sender: frame.session, next: frame.seq * CONSEQUENCES };
  return {
    room,
    from: frame.user,
    origin,
    frames: origin ? new Map() : NO_FRAMES,
    routed: 0,
    failure: undefined,
    settled: undefined,
    over: false,
  };
}
