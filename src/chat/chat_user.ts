/**
 * Users as an application sees them.
 *
 * @module
 */

/** One session of a user, as the application sees it. The same object for as long as the session is known here. */
export interface ChatUser {
  /** The user's id, as the proxy authenticated it. Several sessions may have the same. */
  readonly userId: string;
  /** The session's id, unique in the cluster. */
  readonly sessionId: string;
  /** The proxy that holds the session's connection. */
  readonly proxyId: string;
}

/** Why a room opened on this server. */
export type OpenReason = "first-join" | "failover" | "hand-off";

/** Why a room closed on this server. */
export type RoomCloseReason = "idle" | "hand-off" | "lease-lost" | "stopped";

/** A room on the ChatServer that owns it. */
export interface RoomInfo {
  /** The room's name. */
  readonly name: string;
  /** The members, one for each session. */
  readonly users: readonly ChatUser[];
  /** Identity of one continuous life of the room. */
  readonly epoch: string;
  /** Number of the last message sent in this epoch. */
  readonly offset: number;
}
