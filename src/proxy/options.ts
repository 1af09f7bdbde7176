/**
 * What a ProxyServer can be told.
 *
 * @module
 */
import { MESSAGE_MOST } from "../lib/body_size.ts";
import type { Clock } from "../lib/clock.ts";
import { withDefaults } from "../lib/limits.ts";
import type { Logger } from "../lib/log.ts";
import type { ClientTlsOptions, ListenOptions, Transport } from "../lib/transport.ts";
import type { RouterLimits } from "../link/router_limits.ts";
import type { Membership } from "../membership/membership.ts";
import type { Authenticate, Authorize } from "../protocols/credentials.ts";
import type { ClientLimits, ClientProtocol } from "../protocols/protocol.ts";

/** A port on which users are taken in. */
export interface ProxyListen extends ListenOptions {
  /** What is spoken on it. */
  readonly protocol: ClientProtocol;
}

/** A port that a ProxyServer listens on. */
export interface ProxyListening {
  /** Name of the protocol spoken on it. */
  readonly protocol: string;
  /** Address bound to. */
  readonly host: string;
  /** Port bound to. */
  readonly port: number;
  /** Present where it is spoken over TLS. */
  readonly tls?: true;
}

/** Limits of a ProxyServer; every one can be set in {@linkcode ProxyServerOptions.limits}. */
export interface ProxyLimits extends ClientLimits, RouterLimits {
  /** Milliseconds in which a client must say who it is, and in which `authenticate` must answer then; default 5000. */
  readonly authenticationMs: number;
  /** Milliseconds in which `authorize` must answer; default 5000. */
  readonly authorizationMs: number;
  /**
   * Milliseconds for which a `true` of `authorize` holds for the same session, action and room without asking again;
   * default 0, which asks every time. A right that is taken away is felt that much later.
   */
  readonly authorizationCacheMs: number;
  /**
   * Bytes queued to one slow client before its protocol's policy applies; default 1 MiB. A single message may be longer.
   */
  readonly maxQueuedBytes: number;
  /** Rooms that a session may be in; default 128. */
  readonly maxRooms: number;
  /** Milliseconds to wait for a ChatServer to admit a user to a room; default 10000. */
  readonly joinMs: number;
  /** Messages, joins and the like that a session may send in a second before it is held up; default 1000, 0: any. */
  readonly messageRate: number;
  /** The same, at once; default 2000. */
  readonly messageBurst: number;
  /** Sessions that the proxy takes; default 100000, 0: any. */
  readonly maxSessions: number;
  /** Connections that are not authenticated yet; default 4096. */
  readonly maxUnauthenticated: number;
  /** Connections of one remote address; default 0: any. */
  readonly maxConnectionsPerAddress: number;
}

/** The default limits. */
export const PROXY_LIMITS: ProxyLimits = {
  maxMessageBytes: 256 << 10,
  maxHelloBytes: 64 << 10,
  maxRoomBytes: 512,
  maxInflight: 1024,
  keepaliveMs: 60_000,
  acceptMs: 10_000,
  senderBytes: 64 << 10,
  ownerBytes: 32 << 20,
  totalBytes: 64 << 20,
  authenticationMs: 5000,
  authorizationMs: 5000,
  authorizationCacheMs: 0,
  maxQueuedBytes: 1 << 20,
  maxRooms: 128,
  joinMs: 10_000,
  messageRate: 1000,
  messageBurst: 2000,
  maxSessions: 100_000,
  maxUnauthenticated: 4096,
  maxConnectionsPerAddress: 0,
};

/** The limits that 0 switches off. */
export const PROXY_UNBOUNDED: ReadonlySet<string> = new Set([
  "keepaliveMs",
  "messageRate",
  "maxSessions",
  "maxConnectionsPerAddress",
]);

/** The limits in force; throws `bad_option`. */
export function proxyLimits(given: Partial<ProxyLimits> | undefined): ProxyLimits {
  return withDefaults(PROXY_LIMITS, given, PROXY_UNBOUNDED, MESSAGE_MOST);
}

/** Options of a ProxyServer. */
export interface ProxyServerOptions {
  /** Where the list of ChatServers comes from. */
  readonly membership: Membership;
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** Where users are taken in; default nowhere (HTTP may be served beside it, see `serveHttp`). */
  readonly listen?: readonly ProxyListen[];
  /** `[a-z0-9-]{1,8}`, unique in the cluster; default `p` and a random part. */
  readonly id?: string;
  /** The cluster's secret, which links prove to each other; default none. */
  readonly secret?: string;
  /**
   * Dials links over TLS, so; every ChatServer must listen with `listen.tls` then. The name that its certificate must be for
   * is the host in its address, unless `serverName` says one for all. Default no TLS.
   */
  readonly linkTls?: ClientTlsOptions;
  /** Name of the cluster; links between clusters are refused. Default `"toychat"`. */
  readonly cluster?: string;
  /** `host:port` shown in the list of members; default the first one listened on, for whose port 0 stands. */
  readonly address?: string;
  /**
   * Says who a client is, or refuses it; see {@linkcode Authenticate}. Default: whoever it says (its user name, else its
   * client identifier, else a new name).
   */
  readonly authenticate?: Authenticate;
  /** Says what a user may do in a room; see {@linkcode Authorize}. Default: everybody may do everything. */
  readonly authorize?: Authorize;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<ProxyLimits>;
  /** Time and chance; default the runtime's own. */
  readonly clock?: Clock;
  /** Takes events worth logging; default none. */
  readonly log?: Logger;
}
