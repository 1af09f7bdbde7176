/**
 * Who is let in, as far as numbers go: sessions, connections of one address, and connections that have not said who they
 * are.
 *
 * @module
 */
import type { Metrics } from "../lib/metrics.ts";
import type { HandshakeOptions } from "../lib/transport.ts";
import type { EndReason } from "../protocols/protocol.ts";
import type { ProxyLimits } from "./options.ts";
import type { Session } from "./session.ts";

/** Why a connection is turned away. */
export type TurnAway = Extract<EndReason, "server_busy" | "too_many_connections">;

/** Counts the connections of one proxy by how far they have come. */
export class Admission {
  /** How long, and how many at a time, clients may be in their TLS handshake on one port: they are no sessions yet either. */
  readonly handshake: HandshakeOptions;
  readonly #limits: ProxyLimits;
  readonly #metrics: Metrics;
  /** Those that have not said who they are, the one that waits longest first. */
  readonly #silent: Set<Session> = new Set();
  /** Those that have, and are not in: being authenticated, or about to be closed. */
  readonly #opening: Set<Session> = new Set();
  #open = 0;
  /** Requests for a WebSocket whose credentials are being checked before the upgrade. */
  #asking = 0;
  /** Connections of each address; kept only where there is a limit. */
  readonly #addresses: Map<string, number> = new Map();

  /** Nobody has come yet. `handshakes`: how many are in their TLS handshake, which transports count. */
  constructor(limits: ProxyLimits, metrics: Metrics, handshakes: () => number = () => 0) {
    this.#limits = limits;
    this.#metrics = metrics;
    metrics.gauge("toychat_unauthenticated_connections", () => this.unauthenticated + handshakes());
    this.handshake = {
      most: limits.maxUnauthenticated,
      cut: (why) => {
        if (why === "evicted") metrics.count("toychat_unauthenticated_evicted_total");
        else metrics.count("toychat_authentication_timeouts_total");
      },
    };
  }

  /** Connections that are not sessions yet, but for those in a TLS handshake. */
  get unauthenticated(): number {
    return this.#silent.size + this.#opening.size + this.#asking;
  }

  /** Counts a client that is authenticated before it has a connection here, until that is done. */
  async asking<T>(work: Promise<T>): Promise<T> {
    this.#asking++;
    try {
      return await work;
    } finally {
      this.#asking--;
    }
  }

  /** A connection was made. */
  entered(session: Session): void {
    this.#silent.add(session);
    if (this.#limits.maxConnectionsPerAddress === 0) return;
    const { remoteAddress } = session;
    this.#addresses.set(remoteAddress, (this.#addresses.get(remoteAddress) ?? 0) + 1);
  }

  /** It says who it is. Gives why it is turned away, where it is. */
  opening(session: Session): TurnAway | undefined {
    this.#silent.delete(session);
    this.#opening.add(session);
    const most = this.#limits.maxConnectionsPerAddress;
    if (most > 0 && (this.#addresses.get(session.remoteAddress) ?? 0) > most) {
      return this.#turnAway("too_many_connections");
    }
    const { maxSessions } = this.#limits;
    if (maxSessions > 0 && this.#open + this.#opening.size > maxSessions) {
      return this.#turnAway("server_busy");
    }
    return undefined;
  }

  /** It is a session now. */
  opened(session: Session): void {
    this.#opening.delete(session);
    this.#open++;
  }

  /** It has ended. */
  left(session: Session): void {
    if (!this.#silent.delete(session) && !this.#opening.delete(session) && session.sender) this.#open--;
    if (this.#limits.maxConnectionsPerAddress === 0) return;
    const { remoteAddress } = session;
    const rest = (this.#addresses.get(remoteAddress) ?? 0) - 1;
    if (rest > 0) this.#addresses.set(remoteAddress, rest);
    else this.#addresses.delete(remoteAddress);
  }

  /** Why a connection from an address would be turned away now; undefined where it would not. It is counted. */
  turnsAway(remoteAddress: string): TurnAway | undefined {
    const { maxSessions, maxUnauthenticated, maxConnectionsPerAddress: most } = this.#limits;
    if (most > 0 && (this.#addresses.get(remoteAddress) ?? 0) >= most) {
      return this.#turnAway("too_many_connections");
    }
    const full = maxSessions > 0 && this.#open + this.#opening.size >= maxSessions;
    return full || this.#opening.size + this.#asking >= maxUnauthenticated
      ? this.#turnAway("server_busy")
      : undefined;
  }

  #turnAway(reason: TurnAway): TurnAway {
    if (reason === "server_busy") this.#metrics.count("toychat_sessions_refused_total");
    else this.#metrics.count("toychat_address_connections_refused_total");
    return reason;
  }

  /**
   * To be called with each connection. Where more than may be are not authenticated it ends one: that which has said
   * nothing for longest, as one that means well has said it by then; else the newest.
   */
  trim(newest: Session): void {
    if (this.unauthenticated <= this.#limits.maxUnauthenticated) return;
    this.#metrics.count("toychat_unauthenticated_evicted_total");
    const [oldest] = this.#silent;
    if (!oldest) return newest.end("server_busy");
    this.#silent.delete(oldest);
    oldest.terminate();
  }

  /** Ends those that have not been authenticated in time. */
  sweep(now: number): void {
    const before = now - this.#limits.authenticationMs;
    for (const session of this.#silent) {
      if (session.since > before) break;
      // One that was ended for another reason only waits for its client to close.
      if (session.ending) continue;
      this.#silent.delete(session);
      this.#metrics.count("toychat_authentication_timeouts_total");
      session.terminate();
    }
    for (const session of this.#opening) {
      // While it is being authenticated it is not the client that takes its time.
      if (session.since > before || session.ending || session.state === "opening") continue;
      this.#metrics.count("toychat_authentication_timeouts_total");
      session.end("authentication_timeout");
    }
  }
}
