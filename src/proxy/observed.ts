/**
 * What a ProxyServer says of itself to whoever watches it.
 *
 * @module
 */
import { buildInfo } from "../lib/build_info.ts";
import type { Logger } from "../lib/log.ts";
import type { Counter, Metrics } from "../lib/metrics.ts";
import { type Readiness, READY, waiting } from "../lib/readiness.ts";
import type { Peers } from "../link/peers.ts";
import type { Router } from "../link/router.ts";
import type { View } from "../membership/view.ts";
import { gaugeView } from "../membership/view_metrics.ts";
import type { Refusal } from "../protocols/protocol.ts";
import type { ProxyRooms } from "./proxy_rooms.ts";
import type { ProxyServer } from "./proxy_server.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** Whether a proxy that runs should get users: it needs a link to a ChatServer. */
export function linkReadiness(linked: boolean, view: View): Readiness {
  if (linked) return READY;
  const known = view.members.some(({ role }) => role === "chat");
  return waiting(known ? "no link to a ChatServer" : "no ChatServer is in the list of members");
}

/** Registers what is read from a proxy and its parts when it is asked for. */
export function gaugeProxy(
  proxy: ProxyServer,
  sessions: Sessions,
  rooms: ProxyRooms,
  router: Router,
  peers: Peers,
): void {
  const { metrics, membership, transport, id } = proxy;
  metrics.gauge("toychat_build_info", () => 1, buildInfo(transport, id));
  gaugeView(metrics, membership);
  metrics.gauge("toychat_sessions", () => sessions.size);
  metrics.gauge("toychat_rooms", () => rooms.size);
  metrics.gauge("toychat_messages_pending", () => router.pending);
  metrics.gauge("toychat_messages_pending_bytes", () => router.bytes);
  metrics.gauge("toychat_senders_pushed_back", () => router.pushed);
  metrics.gauge("toychat_links", () => [...peers.links()].length, { direction: "out" });
}

/** Counts and logs a join that is refused. */
export function countRefusal({ metrics, log, user, id }: Session, room: string, reason: Refusal): void {
  metrics.count("toychat_joins_refused_total", 1, { reason });
  log("debug", "join_refused", { user, session: id, room, reason });
}

/** Has a join that is refused counted and logged; gives what to call with its outcome. */
export function countRefusals(
  session: Session,
  room: string,
  done: (refusal: Refusal | undefined) => void,
): (refusal: Refusal | undefined) => void {
  return (refusal) => {
    if (refusal) countRefusal(session, room, refusal);
    done(refusal);
  };
}

/** Tells the log how many messages go out again because an owner is gone, and how many may be lost. */
export class Repeats {
  readonly #redelivered: Counter;
  readonly #lost: Counter;
  readonly #log: Logger;
  #told = { redelivered: 0, lost: 0 };

  /** The router counts; this only reads. */
  constructor(metrics: Metrics, log: Logger) {
    this.#redelivered = metrics.counter("toychat_messages_redelivered_total");
    this.#lost = metrics.counter("toychat_messages_lost_total");
    this.#log = log;
  }

  /** Logs what came since the last call, where something did. Call it after what may have cost an owner. */
  report(): void {
    const redelivered = this.#redelivered.value - this.#told.redelivered;
    const lost = this.#lost.value - this.#told.lost;
    if (redelivered + lost === 0) return;
    this.#told = { redelivered: this.#redelivered.value, lost: this.#lost.value };
    this.#log("info", "messages_redelivered", { redelivered, lost });
  }
}
