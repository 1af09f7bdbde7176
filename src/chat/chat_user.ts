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
export type RoomCloseReason = "idle" | "hand-off" | "merged" | "lease-lost" | "stopped";

/**
 * The life of a room that ended on another server because the room goes on in the life that is open here: both sides of a
 * partition went on, and it has healed.
 */
export interface RoomMerge {
  /** Id of the ChatServer where it was open last. */
  readonly from: string;
  /** Identity of the life that ended. */
  readonly epoch: string;
  /** How many messages were sent in it. */
  readonly offset: number;
  /**
   * Who was in it at its end, where that server knew of this life in time, else nobody; of a very large room, with over a
   * million characters of ids, only the first. Those who are still connected join here by themselves, before or after this:
   * compare them by `sessionId`.
   */
  readonly users: readonly ChatUser[];
}

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
