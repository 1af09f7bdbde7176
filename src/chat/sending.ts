/**
 * What an application sends: into rooms that are open here, and into rooms of any owner.
 *
 * @module
 */
import { type Body, encodeBody } from "../lib/body.ts";
import type { Metrics } from "../lib/metrics.ts";
import { isRoom, isUser } from "../link/check.ts";
import { encodeFrame, type Link } from "../link/link.ts";
import type { RouteFailure, Router } from "../link/router.ts";
import type { Sender } from "../link/sender.ts";
import type { ChatUser } from "./chat_user.ts";
import type { Cause, Recipients, Room } from "./room.ts";

/** Bytes that an application may have on their way to rooms of any owner. */
const APPLICATION_BYTES = 8 << 20;

/** Sends, and numbers what is sent under the message that caused it. Throws for bodies that links do not carry. */
export class Sending {
  readonly #metrics: Metrics;
  readonly #router: Router;

  /** Messages for rooms of any owner go through `router`. */
  constructor(metrics: Metrics, router: Router) {
    this.#metrics = metrics;
    this.#router = router;
  }

  /** Sends to members of a room; `false` where it is not open here, or no more in the life that `cause` came to. */
  toMembers(room: Room | undefined, body: Body, to: Recipients, cause: Cause | undefined): boolean {
    const own = cause?.room.name === room?.name;
    // A listener that runs on after its life of the room has ended says nothing to the next one: what came later may be
    // through already.
    if (!room || (own && cause?.room !== room)) {
      skip(cause);
      this.#metrics.count("toychat_sends_to_closed_rooms_total");
      return false;
    }
    const from = cause?.from === undefined ? {} : { from: cause.from };
    // What goes to another room than the one that caused it must not be taken for a message of its sender there.
    room.deliver({ ...encodeBody(body), ...from }, to, own ? cause : derived(cause));
    return true;
  }

  /** Sends to all members of a room, whoever owns it; `false` where too much is on its way already. */
  toRoom(sender: Sender | undefined, room: string, body: Body, cause: Cause | undefined): boolean {
    // Applications may take a room's name from what users say: one that links do not take would end those of everybody.
    if (!sender || sender.bytes > APPLICATION_BYTES || !isRoom(room)) {
      skip(cause);
      this.#metrics.count("toychat_sends_dropped_total");
      return false;
    }
    if (!cause?.origin) {
      this.#router.publish(sender, room, body);
      return true;
    }
    cause.routed++;
    const done = (failure: RouteFailure | undefined): void => {
      cause.failure ??= failure;
      if (--cause.routed === 0) cause.settled?.();
    };
    // Not the name that `derived` gives: what goes straight to members would overtake this, which is routed.
    const origin = `${source(cause, cause.origin)}>`;
    try {
      this.#router.publish(sender, room, body, done, [origin, cause.origin.next++]);
    } catch (error) {
      // Nothing is on its way that the cause could wait for.
      cause.routed--;
      throw error;
    }
    return true;
  }

  /** Sends to the sessions of a user, over the links of the proxies that may have any. */
  toUser(links: Iterable<Link>, user: string, body: Body): void {
    if (!isUser(user)) return this.#metrics.count("toychat_sends_dropped_total");
    const encoded = encodeFrame({ type: "direct", user, ...encodeBody(body) });
    for (const link of links) if (link.peer.role === "proxy") link.sendEncoded(encoded);
  }
}

/** What could not be sent has its number all the same: what follows must get the same ones when it all comes again. */
function skip(cause: Cause | undefined): void {
  if (cause?.origin) cause.origin.next++;
}

/** Names what a message caused in other rooms than its own. */
function source(cause: Cause, origin: NonNullable<Cause["origin"]>): string {
  return `${origin.sender}>${cause.room.name}`;
}

/** The cause as another room's members see it. */
function derived(cause: Cause | undefined): Cause | undefined {
  if (!cause?.origin) return undefined;
  return { ...cause, origin: { sender: source(cause, cause.origin), next: cause.origin.next++ } };
}

/** The sessions of some users. */
export function sessionsOf(users: Iterable<ChatUser>): Set<string> {
  const sessions = new Set<string>();
  for (const user of users) sessions.add(user.sessionId);
  return sessions;
}
