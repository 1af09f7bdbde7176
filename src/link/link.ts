/**
 * Links as the rest of toychat sees them: an ordered stream of frames between two roles that outlives the TCP
 * connections that carry it. `LinkDialer` and `LinkListener` make them.
 *
 * @module
 */
import { checkJsonBytes } from "../lib/body_size.ts";
import { nestsDeeper } from "../lib/json_depth.ts";
import type { Role } from "../membership/view.ts";
import type { Frame } from "./frames.ts";

/** Who a process is on its links. */
export interface LinkIdentity {
  /** What it does. */
  readonly role: Role;
  /** Its id in the cluster, `[a-z0-9-]{1,8}`. */
  readonly id: string;
  /** Identifies this life of it, `[a-z0-9-]{1,32}`. */
  readonly incarnation: string;
}

/**
 * A frame as text, made once by {@linkcode encodeFrame} and sent on any number of links: its JSON without the opening
 * brace, before which each link puts its own number.
 */
export type EncodedFrame = string;

/**
 * How deep a frame may nest. Applications may send deeper values than clients, who are held to 256 levels; a line beyond
 * this ends a link, so it is never sent.
 */
export const MAX_FRAME_DEPTH = 1024;

/** Levels around a body in a frame. */
const ENVELOPE_DEPTH = 1;

/** Puts a frame into the form in which it is sent. Throws a `RangeError` where a body is nested too deeply, or too long. */
export function encodeFrame(frame: Frame): EncodedFrame {
  const text = JSON.stringify(frame);
  checkDepth(text, frame, MAX_FRAME_DEPTH);
  if ("body" in frame) checkJsonBytes(text, frame.body);
  return text.slice(1);
}

/** Throws a `RangeError` where a value, whose JSON is given too, nests deeper than a frame may hold. */
export function checkDepth(text: string, value: unknown, most = MAX_FRAME_DEPTH - ENVELOPE_DEPTH): void {
  // Each level takes two characters at least, so short text needs no look.
  if (text.length <= 2 * most || !nestsDeeper(value, most)) return;
  const body = MAX_FRAME_DEPTH - ENVELOPE_DEPTH;
  throw new RangeError(`the body of a message nests deeper than ${body} levels: send a flatter one`);
}

/**
 * What happens on links. Every callback may send on any link and close any link. One that throws ends the link that it
 * was called for, and harms nothing else.
 */
export interface LinkHandler {
  /** A new link is up: nothing has been sent or received on it. */
  open(link: Link): void;
  /**
   * A numbered frame, in order, each exactly once.
   *
   * @param length How long its line was, in UTF-16 code units; absent where no line carried it.
   */
  frame(link: Link, frame: Frame, n: number, length?: number): void;
  /** The peer has taken every frame up to `n`, and has sent whatever it answered at once to them. */
  confirmed(link: Link, n: number): void;
  /** After `send` made `link.full` true: it is not any more. */
  drain(link: Link): void;
  /**
   * The link has ended for good; what was not confirmed may or may not have arrived. Once for every `open`, and last.
   * Never called from inside `send` or `close`: what ends there is reported at the end of the turn.
   *
   * @param reason A code: one of {@linkcode LinkEndCode}, or what a `close` on either side said.
   */
  reset(link: Link, reason: string): void;
}

/** One side of a link. */
export interface Link {
  /** Identity of the other side. */
  readonly peer: LinkIdentity;
  /** What was sent and not confirmed, in UTF-16 code units: bytes, where the text is ASCII. */
  readonly outstanding: number;
  /** Whether outstanding is over the high mark: a router stops sending messages until `drain`. */
  readonly full: boolean;
  /** Whether it has a connection now; without one it waits to be resumed. */
  readonly connected: boolean;
  /** Whether it has ended for good; nothing is sent any more, and no frame is handed over. */
  readonly ended: boolean;
  /** Queues a frame; returns its number, or 0 on a link that has ended. All of a turn leaves in one write. */
  send(frame: Frame): number;
  /** As `send`, with a frame that was encoded before. */
  sendEncoded(frame: EncodedFrame): number;
  /** Ends the link for good, after sending what is queued and saying why to the peer. `code` is `[a-z0-9_]{1,64}`. */
  close(code: string, message: string): void;
}

/** Why a link ends, as far as the link itself decides it. A `goodbye` carries the same codes. */
export type LinkEndCode =
  /** The peer sent bytes that are not UTF-8. */
  | "not_utf8"
  /** The peer sent a line over the limit. */
  | "line_too_long"
  /** The peer sent a line that is not a JSON object. */
  | "not_json"
  /** The peer sent a frame of a type that does not exist. */
  | "unknown_frame"
  /** The peer sent a frame with a field that is missing or wrong. */
  | "bad_frame"
  /** The peer sent a frame that is not allowed at that point, or out of its number. */
  | "out_of_order"
  /** The peer confirmed what was not sent, or less than before. */
  | "bad_confirm"
  /** The peer speaks another version of the protocol. */
  | "wrong_version"
  /** The peer belongs to another cluster. */
  | "wrong_cluster"
  /** The peer has another secret, or only one side has one. */
  | "wrong_secret"
  /** Another process than expected answers at the address, or another life of it. */
  | "wrong_peer"
  /** The handshake took too long. */
  | "handshake_timeout"
  /** Too many handshakes were under way. */
  | "handshake_busy"
  /** The connection was lost and not made again in time. */
  | "lost"
  /** A frame was not confirmed in time, though the connection stood. */
  | "unconfirmed"
  /** More was outstanding than allowed. */
  | "overflow"
  /** The same peer opened a new link. */
  | "replaced"
  /** The link ended while it was being resumed. */
  | "too_late"
  /** A handler threw. */
  | "handler_failed"
  /** The dialer or the listener was closed. */
  | "closed";
