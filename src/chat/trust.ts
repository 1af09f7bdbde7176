/**
 * What a peer may say on a link: a proxy speaks for its own users, a ChatServer for its own application, and nobody for
 * anybody else, though they know the cluster's secret.
 *
 * @module
 */
import type { AnnouncedMember, Frame, MessageFrame } from "../link/frames.ts";
import type { LinkIdentity } from "../link/link.ts";

/** Why a frame ends its link. */
export interface Overreach {
  /** Code of the `goodbye`. */
  readonly code: "foreign_session" | "unexpected_frame";
  /** In words. */
  readonly message: string;
}

/** Why a peer that has dialled may not send a frame; undefined where it may. */
export function overreach(peer: LinkIdentity, frame: Frame): Overreach | undefined {
  if (frame.type === "message") return messageOverreach(peer, frame);
  return peer.role === "proxy" ? proxyOverreach(peer, frame) : chatOverreach(peer, frame);
}

/** Whose the session is, is looked at where its room is known. */
function messageOverreach(peer: LinkIdentity, frame: MessageFrame): Overreach | undefined {
  if (peer.role === "proxy") {
    if (frame.user === undefined) {
      return unexpected(peer, "send a message as an application's, without a user");
    }
    if (frame.cause !== undefined) return unexpected(peer, "say what made an application send a message");
  } else if (frame.user !== undefined) return unexpected(peer, "send a message for a user");
  return undefined;
}

function proxyOverreach(peer: LinkIdentity, frame: Frame): Overreach | undefined {
  switch (frame.type) {
    case "handing":
    case "handoff":
      return unexpected(peer, "hand rooms over");
    case "announce":
      return foreign(peer, frame.members);
    case "join":
      return foreign(peer, [frame.member]);
    case "leave":
    case "gone":
      return foreign(peer, [[frame.session, ""]]);
    default:
      return undefined;
  }
}

function chatOverreach(peer: LinkIdentity, frame: Frame): Overreach | undefined {
  const hasUsers = frame.type === "join" || frame.type === "leave" || frame.type === "gone" ||
    (frame.type === "announce" && frame.members.length > 0);
  return hasUsers ? unexpected(peer, "have members in rooms") : undefined;
}

function foreign(peer: LinkIdentity, members: readonly AnnouncedMember[]): Overreach | undefined {
  const prefix = `${peer.id}.`;
  const other = members.find(([session]) => !session.startsWith(prefix));
  return other && { code: "foreign_session", message: `${peer.id} may not speak for session ${other[0]}` };
}

function unexpected({ role, id }: LinkIdentity, what: string): Overreach {
  const who = role === "proxy" ? `the proxy ${id}` : `the ChatServer ${id}`;
  return { code: "unexpected_frame", message: `${who} may not ${what}` };
}
