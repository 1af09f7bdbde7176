/**
 * What a ChatServer can be told.
 *
 * @module
 */
import { MESSAGE_MOST } from "../lib/body_size.ts";
import type { Clock } from "../lib/clock.ts";
import { withDefaults } from "../lib/limits.ts";
import type { Logger } from "../lib/log.ts";
import type { ClientTlsOptions, ListenOptions, Transport } from "../lib/transport.ts";
import type { Membership } from "../membership/membership.ts";

/** Limits and times of a ChatServer; times are in milliseconds. */
export interface ChatLimits {
  /** How long an async listener may take before its message fails with `listener_timeout`; default 10000. */
  readonly listenerMs: number;
  /** How long a message waits for its room to open before it fails with `unavailable`; default 10000. */
  readonly holdMs: number;
  /** How long a room that must open afresh waits for the proxies to announce their members; default 700. */
  readonly announceMs: number;
  /** How long a room waits for a hand-off that makes no progress; default 5000. */
  readonly handoffMs: number;
  /** How long a room stays open with nobody in it; default 30000. */
  readonly idleMs: number;
  /** How long `stop` lets rooms be handed off; default 30000. */
  readonly drainMs: number;
  /** Rooms that the server takes; default 100000, 0: any. Those that move here from another one are always taken. */
  readonly maxOpenRooms: number;
  /** Users that a room takes, on all proxies together; default 0: any. */
  readonly maxRoomMembers: number;
  /**
   * Bytes of a user's message, as proxies count them; default 256 KiB, at most 1 MiB. What a proxy lets in that is longer is
   * refused: set it on ChatServers as on proxies, and raise it on ChatServers first.
   */
  readonly maxMessageBytes: number;
  /** Connections of proxies and ChatServers that have not proven yet who they are; default 1024. */
  readonly maxHandshakes: number;
}

/** The default limits. */
export const CHAT_LIMITS: ChatLimits = {
  listenerMs: 10_000,
  holdMs: 10_000,
  announceMs: 700,
  handoffMs: 5000,
  idleMs: 30_000,
  drainMs: 30_000,
  maxOpenRooms: 100_000,
  maxRoomMembers: 0,
  maxMessageBytes: 256 << 10,
  maxHandshakes: 1024,
};

/** The limits that 0 switches off, and times that may be 0. */
export const CHAT_UNBOUNDED: ReadonlySet<string> = new Set([
  "maxOpenRooms",
  "maxRoomMembers",
  "announceMs",
  "handoffMs",
  "idleMs",
  "drainMs",
]);

/** The limits in force; throws `bad_option`. */
export function chatLimits(given: Partial<ChatLimits> | undefined): ChatLimits {
  return withDefaults(CHAT_LIMITS, given, CHAT_UNBOUNDED, MESSAGE_MOST);
}

/** Options of a ChatServer. */
export interface ChatServerOptions {
  /** Where the list of members comes from. */
  readonly membership: Membership;
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** Where links are taken; default port 0 (any) on 127.0.0.1. */
  readonly listen?: ListenOptions;
  /** `host:port` at which others reach it, where that is not what it listens on; port 0 stands for the one listened on. */
  readonly address?: string;
  /** `[a-z0-9-]{1,8}`, unique in the cluster; default `c` and a random part. */
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
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<ChatLimits>;
  /** Time and chance; default the runtime's own. */
  readonly clock?: Clock;
  /** Takes events worth logging; default none. */
  readonly log?: Logger;
}
