/**
 * What a ChatServer says of itself to whoever watches it.
 *
 * @module
 */
import type { Metrics } from "../lib/metrics.ts";
import { type Readiness, READY, waiting } from "../lib/readiness.ts";
import type { Link } from "../link/link.ts";
import type { LinkListener } from "../link/listener.ts";
import type { Peers } from "../link/peers.ts";
import type { Lease } from "../membership/membership.ts";
import type { View } from "../membership/view.ts";
import type { ClusterTypes } from "./events.ts";
import type { OpenReason, RoomCloseReason } from "./chat_user.ts";
import type { Room } from "./room.ts";
import type { Rooms } from "./rooms.ts";
import type { RoomsHost } from "./rooms_host.ts";

/** Whether a ChatServer that runs should get work. */
export function chatReadiness(lease: Lease | undefined, view: View): Readiness {
  if (!lease) return waiting("it has not joined the cluster");
  if (!lease.held()) return waiting("its lease has run out: the list of members cannot be reached");
  return view.members.length > 0 ? READY : waiting("the list of members is empty");
}

/** Registers what is read from a ChatServer's rooms, links and lease when it is asked for. */
export function gaugeChat<Types extends ClusterTypes>(
  metrics: Metrics,
  rooms: Rooms<Types>,
  inbound: LinkListener,
  peers: Peers,
  lease: () => Lease | undefined,
): void {
  metrics.gauge("toychat_rooms", () => rooms.open);
  metrics.gauge("toychat_users", () => rooms.sessions.size);
  metrics.gauge("toychat_rooms_handing_over", () => rooms.handoffs.outgoing);
  metrics.gauge("toychat_lease_held", () => lease()?.held() ? 1 : 0);
  metrics.gauge("toychat_links", () => inbound.links.length, { direction: "in" });
  metrics.gauge("toychat_links", () => [...peers.links()].length, { direction: "out" });
}

type Host<Types extends ClusterTypes> = Pick<RoomsHost<Types>, "clock" | "metrics" | "log">;

/** Counts, times and logs the opening of a room. */
export function noteOpened<Types extends ClusterTypes>(
  { clock, metrics, log }: Host<Types>,
  room: Room,
  reason: OpenReason,
): void {
  metrics.count("toychat_rooms_opened_total", 1, { reason });
  metrics.histogram("toychat_room_opening_seconds", { reason }).observe((clock.now() - room.since) / 1000);
  log("debug", "room_open", { room: room.name, reason, members: room.members.size });
}

/** Counts and logs the closing of a room. */
export function noteClosed<Types extends ClusterTypes>(
  { metrics, log }: Host<Types>,
  room: Room,
  reason: RoomCloseReason,
): void {
  metrics.count("toychat_rooms_closed_total", 1, { reason });
  log("debug", "room_close", { room: room.name, reason });
}

/** Counts and logs a hand-off that came when its room was open here already. */
export function noteLate<Types extends ClusterTypes>(
  { metrics, log }: Host<Types>,
  room: string,
  from: string,
): void {
  metrics.count("toychat_handoffs_late_total");
  log("warn", "handoff_late", { room, from });
}

/** Ends the link of a peer that spoke for a session of another one, and counts it. */
export function endForeign<Types extends ClusterTypes>(
  { metrics }: Host<Types>,
  link: Link,
  session: string,
): void {
  metrics.count("toychat_frames_forbidden_total");
  link.close("foreign_session", `${link.peer.id} may not speak for session ${session}`);
}
