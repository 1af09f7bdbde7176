/**
 * What a session needs from its proxy, and the proxy's parts that do it.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { CloseReason } from "../lib/transport.ts";
import { isRoom } from "../link/check.ts";
import type { Router } from "../link/router.ts";
import type { Credentials, User } from "../protocols/credentials.ts";
import type { JoinOptions, OpenRefusal, Refusal } from "../protocols/protocol.ts";
import type { Admission } from "./admission.ts";
import type { Authentication } from "./authentication.ts";
import type { Authorization } from "./authorization.ts";
import type { ProxyListeners, ProxyUser } from "./events.ts";
import { countRefusals } from "./observed.ts";
import type { ProxyLimits } from "./options.ts";
import type { ProxyRooms } from "./proxy_rooms.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** Close code of a WebSocket for a message that is too long (RFC 6455, 7.4.1). */
const MESSAGE_TOO_BIG = 1009;

/** What a session needs from its proxy. */
export interface SessionHost {
  readonly clock: Clock;
  readonly limits: ProxyLimits;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Who is let in. */
  readonly admission: Admission;
  /** Says who a client is; never rejects. */
  authenticate(credentials: Credentials): Promise<User | OpenRefusal>;
  /** Says what users may do; undefined where everybody may do everything. */
  readonly authorization: Authorization | undefined;
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

/** The parts of a proxy that its sessions work with. */
export interface SessionParts
  extends Pick<SessionHost, "clock" | "limits" | "metrics" | "log" | "admission"> {
  readonly authentication: Authentication;
  readonly authorization: Authorization | undefined;
  readonly listeners: ProxyListeners;
  readonly sessions: Sessions;
  readonly rooms: ProxyRooms;
  readonly router: Router;
  /** What the names of its sessions begin with. */
  readonly prefix: string;
  /** Whether the proxy runs. */
  running(): boolean;
}

/** A user as the proxy's application sees it. */
export function userOf(session: Session): ProxyUser {
  return { userId: session.user, sessionId: session.id, protocol: session.protocol.name };
}

/** How a connection's end is told to applications. */
function endOf({ kind }: CloseReason): string {
  return kind === "peer" || kind === "local" ? "disconnected" : "connection lost";
}

/** Joins a proxy's parts to what its sessions need. */
export function sessionHost(parts: SessionParts): SessionHost {
  const { metrics, log, listeners, sessions, rooms } = parts;
  let count = 0;
  return {
    clock: parts.clock,
    limits: parts.limits,
    metrics,
    log,
    admission: parts.admission,
    authenticate: (credentials) => parts.authentication.check(credentials),
    authorization: parts.authorization,
    nextSessionId: () => `${parts.prefix}.${++count}`,
    opened: (session) => listeners.emit("connect", userOf(session)),
    join: (session, room, options, done) => {
      const answer = countRefusals(session, room, done);
      if (isRoom(room)) rooms.join(session, room, options, answer);
      else answer("invalid_room");
    },
    leave: (session, room) => rooms.leave(session, room, "left"),
    publish: publisher(parts),
    closed: (session, reason) => closed(parts, session, reason),
    dirty: (session) => sessions.dirty(session),
  };
}

function publisher({ metrics, router, listeners }: SessionParts): SessionHost["publish"] {
  const messagesIn = metrics.counter("toychat_messages_in_total");
  return (session, room, body, done) => {
    if (!session.sender) return done?.("gone");
    // Protocols check names, and by stricter rules. A name that links do not take would end those of everybody.
    if (!isRoom(room)) return done?.("invalid_room");
    messagesIn.value++;
    router.publish(session.sender, room, body, done);
    if (listeners.emitter.listeners("message").length > 0) {
      listeners.emit("message", userOf(session), room, body);
    }
  };
}

function closed(parts: SessionParts, session: Session, reason: CloseReason): void {
  countTooLarge(parts, session, reason);
  if (!parts.sessions.delete(session) || !session.sender) return;
  const why = parts.running() ? endOf(reason) : "proxy stopped";
  parts.rooms.ended(session, why);
  for (const link of session.sender.seenBy) {
    if (!link.ended) link.send({ type: "gone", session: session.id, reason: why });
  }
  parts.listeners.emit("disconnect", userOf(session), why);
}

/** What a transport refuses for its size, no protocol has seen. */
function countTooLarge({ metrics }: SessionParts, session: Session, { kind, code }: CloseReason): void {
  if (kind !== "error" || code !== MESSAGE_TOO_BIG) return;
  if (session.sender) metrics.count("toychat_messages_too_large_total");
  else metrics.count("toychat_hellos_too_large_total");
}
