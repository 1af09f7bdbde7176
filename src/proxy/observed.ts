/**
 * What a ProxyServer says of itself to whoever watches it.
 *
 * @module
 */
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { type Readiness, READY, waiting } from "../lib/readiness.ts";
import type { Peers } from "../link/peers.ts";
import type { Router } from "../link/router.ts";
import type { View } from "../membership/view.ts";
import type { Refusal } from "../protocols/protocol.ts";
import type { ProxyRooms } from "./proxy_rooms.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** Whether a proxy that runs should get users: it needs a link to a ChatServer. */
export function linkReadiness(linked: boolean, view: View): Readiness {
  if (linked) return READY;
  const known = view.members.some(({ role }) => role === "chat");
  return waiting(known ? "no link to a ChatServer" : "no ChatServer is in the list of members");
}

/** Registers what is read from a proxy's parts when it is asked for. */
export function gaugeProxy(
  metrics: Metrics,
  sessions: Sessions,
  rooms: ProxyRooms,
  router: Router,
  peers: Peers,
): void {
  metrics.gauge("toychat_sessions", () => sessions.size);
  metrics.gauge("toychat_rooms", () => rooms.size);
  metrics.gauge("toychat_messages_pending", () => router.pending);
  metrics.gauge("toychat_messages_pending_bytes", () => router.bytes);
  metrics.gauge("toychat_senders_pushed_back", () => router.pushed);
  metrics.gauge("toychat_links", () => [...peers.links()].length, { direction: "out" });
}

/** Has a join that is refused counted and logged; gives what to call with its outcome. */
export function countRefusals(
  metrics: Metrics,
  log: Logger,
  { id, user }: Session,
  room: string,
  done: (refusal: Refusal | undefined) => void,
): (refusal: Refusal | undefined) => void {
  return (refusal) => {
    if (refusal) {
      metrics.count("toychat_joins_refused_total", 1, { reason: refusal });
      log("debug", "join_refused", { user, session: id, room, reason: refusal });
    }
    done(refusal);
  };
}
