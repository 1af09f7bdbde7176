/**
 * The frames of a link: every shape that travels between roles. `docs/protocol.md` is the prose to it.
 *
 * A *router* is the side that dialled: a proxy, or a ChatServer that messages or hands over rooms. An *owner* is the
 * ChatServer that was dialled. Sessions are named `<proxy id>.<incarnation>.<number>`; a ChatServer as sender is named
 * `<id>.<incarnation>`.
 *
 * @module
 */
import type { Json } from "../lib/body.ts";
import type { Role } from "../membership/view.ts";

/** Version of the protocol between roles. */
export const LINK_VERSION = 1;

/** Both ways, first: who speaks. The dialled side sends its own at once, the dialling side answers with its own. */
export interface HelloFrame {
  type: "hello";
  version: number;
  role: Role;
  id: string;
  incarnation: string;
  cluster: string;
  /** 16 to 64 characters of base64url, new for each connection. */
  nonce: string;
  /** Dialled side: this life of it may accept nothing any more. Only for who asks whether it lives; no proof covers it. */
  lapsed?: true;
  /** Dialling side: proof of the secret over both nonces and identities. */
  mac?: string;
  /** Dialling side: the link that it wants to go on with, and the last frame number it received on it. */
  resume?: { link: string; received: number };
}

/** Dialled side: the handshake is complete. */
export interface WelcomeFrame {
  type: "welcome";
  /** The link's id: the one asked for where it is resumed, else a new one. */
  link: string;
  /** The last frame number received on it, 0 on a new one. */
  received: number;
  /** Proof of the secret. */
  mac?: string;
}

/** Both ways: nothing else was said for a while. */
export interface PingFrame {
  type: "ping";
}

/** Both ways: every frame up to `n` has been taken. */
export interface ConfirmFrame {
  type: "confirm";
  n: number;
}

/** Both ways: why the link ends, before it is closed. */
export interface GoodbyeFrame {
  type: "goodbye";
  code: string;
  message: string;
}

/** Frames of the link itself; they are not numbered. */
export type ControlFrame = HelloFrame | WelcomeFrame | PingFrame | ConfirmFrame | GoodbyeFrame;

/** A member as a router announces it: session, user, and `0` where it wants no echo of its own messages. */
export type AnnouncedMember = [session: string, user: string, echo?: 0];

/** Both ways: the digest of the sender's view, at the start and whenever it changes. */
export interface DigestFrame {
  type: "digest";
  digest: string;
}

/** Router: from here on I take this room's deliveries from you; these are all my members of it. */
export interface AnnounceFrame {
  type: "announce";
  room: string;
  members: AnnouncedMember[];
  /** Counts the router's announcements of this room; `released` repeats the last one it answers. */
  attach: number;
  /** The epoch that the router last saw the room in, where it saw one. */
  epoch?: string;
}

/** Router: I have announced everything that I can for the view with this digest. */
export interface AnnouncedFrame {
  type: "announced";
  digest: string;
}

/** Router: I want to let go of this room (my view gives it to another, or I need it no more); answer with `released`. */
export interface YieldFrame {
  type: "yield";
  room: string;
}

/** Router: one more member of an announced room. */
export interface JoinFrame {
  type: "join";
  room: string;
  member: AnnouncedMember;
}

/** Router: one member less. */
export interface LeaveFrame {
  type: "leave";
  room: string;
  session: string;
  reason: string;
}

/** Router: the session has ended. */
export interface GoneFrame {
  type: "gone";
  session: string;
  reason: string;
}

/** Router: a message for a room. */
export interface MessageFrame {
  type: "message";
  room: string;
  /** The sender. */
  session: string;
  /** Counts the sender's messages, from 1; it rises from message to message within a room. */
  seq: number;
  /** The user's id; absent where a ChatServer sends. */
  user?: string;
  body: Json;
  encoding?: "base64";
  /** An acknowledgement is asked for. */
  ack?: true;
  /** It was sent to another owner before, which may have taken it. */
  redelivered?: true;
  /** The first of this sender after a refusal: what was refused before it and does not return has been given up. */
  head?: true;
  /** What an application sent while it handled an acknowledged message: that message's sender and number. */
  cause?: [origin: string, number: number];
}

/** Owner: the room is open for your members; every one announced so far is in. */
export interface OpenedFrame {
  type: "opened";
  room: string;
  epoch: string;
  /** Number of the last message of this epoch. */
  offset: number;
  /** Why it opened; `"open"` where it was open already, `"merged"` where another life of it was refused meanwhile. */
  reason: "first-join" | "failover" | "hand-off" | "open" | "merged";
  /** How often the room was opened in this epoch. */
  term?: number;
}

/** Owner: this member is in. */
export interface JoinedFrame {
  type: "joined";
  room: string;
  session: string;
}

/** Owner: this member is out without having asked for it. */
export interface KickedFrame {
  type: "kicked";
  room: string;
  session: string;
  reason: string;
}

/** Owner: a message for the router's members of a room. */
export interface DeliverFrame {
  type: "deliver";
  room: string;
  offset: number;
  /** Id of the sending user; absent where the application sends. */
  from?: string;
  body: Json;
  encoding?: "base64";
  /** Only these sessions; absent: all members. */
  only?: string[];
  /** All members but these. */
  except?: string[];
  /** The acknowledged message that caused it: its sender and number. A number at or below the last one taken is a repeat. */
  cause?: [origin: string, number: number];
}

/** Owner: a message for one user, wherever its sessions are. */
export interface DirectFrame {
  type: "direct";
  user: string;
  body: Json;
  encoding?: "base64";
}

/** Owner: not accepted, nor is anything of this sender for this room until this one, or a `head`, comes. */
export interface RefusedFrame {
  type: "refused";
  room: string;
  session: string;
  seq: number;
  /** Frame number of the refused frame: tells a refusal of an earlier try. */
  frame: number;
  /** The owner's view. */
  digest: string;
}

/** Owner: not accepted yet; `accepted`, `refused` or `ack` follows. */
export interface HeldFrame {
  type: "held";
  room: string;
  session: string;
  seq: number;
}

/** Owner: a message that was held is accepted. */
export interface AcceptedFrame {
  type: "accepted";
  room: string;
  session: string;
  seq: number;
}

/** Owner: the message is done with: taken by every proxy concerned, or failed. */
export interface AckFrame {
  type: "ack";
  room: string;
  session: string;
  seq: number;
  error?:
    | "listener_failed"
    | "listener_timeout"
    | "unavailable"
    | "not_authorized"
    | "server_full"
    | "too_large"
    | "gone";
}

/** Owner: nothing of this room comes from me any more; announce it to its new owner. */
export interface ReleasedFrame {
  type: "released";
  room: string;
  /** The announcement that is over with it. */
  attach: number;
  /** I have as many rooms as I may, and never had this one: what was to go there fails. */
  full?: true;
}

/** ChatServer: the rooms that I hold and that this view gives to you; every other one I do not hold. */
export interface HandingFrame {
  type: "handing";
  digest: string;
  rooms: string[];
}

/** ChatServer: one room, to its new owner. */
export interface HandoffFrame {
  type: "handoff";
  room: string;
  epoch: string;
  offset: number;
  /** How often the room was opened in this epoch. */
  term: number;
  /** Highest accepted number of each sender that may repeat itself. */
  senders: [sender: string, number: number][];
  /** Proxies that had members: wait for their announcements. `[id, incarnation]` */
  proxies: [id: string, incarnation: string][];
  /** Who was in it, where the owner has said that it holds another life of the room. */
  members?: AnnouncedMember[];
}

/** Owner, to a ChatServer: of the rooms in your last `handing` I hold these, in these epochs. */
export interface HoldingFrame {
  type: "holding";
  /** That of the `handing`. */
  digest: string;
  rooms: [room: string, epoch: string][];
}

/** The new owner: the hand-off has been taken, or was refused as too late. */
export interface TakenFrame {
  type: "taken";
  room: string;
  epoch: string;
  term: number;
  refused?: true;
}

/** Frames that are numbered, confirmed and sent again when a link is resumed. */
export type Frame =
  | DigestFrame
  | AnnounceFrame
  | AnnouncedFrame
  | YieldFrame
  | JoinFrame
  | LeaveFrame
  | GoneFrame
  | MessageFrame
  | OpenedFrame
  | JoinedFrame
  | KickedFrame
  | DeliverFrame
  | DirectFrame
  | RefusedFrame
  | HeldFrame
  | AcceptedFrame
  | AckFrame
  | ReleasedFrame
  | HandingFrame
  | HandoffFrame
  | HoldingFrame
  | TakenFrame;
