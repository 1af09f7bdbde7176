/**
 * What a session needs from its proxy.
 *
 * @module
 */
import type { Body } from "../lib/body.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { CloseReason } from "../lib/transport.ts";
import type { Credentials, User } from "../protocols/credentials.ts";
import type { JoinOptions, OpenRefusal, Refusal } from "../protocols/protocol.ts";
import type { Admission } from "./admission.ts";
import type { Authorization } from "./authorization.ts";
import type { ProxyLimits } from "./options.ts";
import type { Session } from "./session.ts";

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
