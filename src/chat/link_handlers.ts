/**
 * What a ChatServer does with its links: those that others dialled, as the owner of rooms, and those that it dialled
 * itself, to hand rooms over and to send into rooms of others.
 *
 * @module
 */
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { LinkHandler } from "../link/link.ts";
import type { Router } from "../link/router.ts";
import type { Confirms } from "./confirms.ts";
import type { ClusterTypes } from "./events.ts";
import type { Rooms } from "./rooms.ts";
import { overreach } from "./trust.ts";

/** What {@linkcode ownerHandler} needs. */
export interface OwnerHost<Types extends ClusterTypes> {
  readonly rooms: Rooms<Types>;
  readonly confirms: Confirms;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Identity of the server's view. */
  digest(): string;
}

/** Handles the links that others dialled. */
export function ownerHandler<Types extends ClusterTypes>(host: OwnerHost<Types>): LinkHandler {
  const { rooms, confirms, log, metrics } = host;
  return {
    open: (link) => {
      rooms.settlement.open(link);
      link.send({ type: "digest", digest: host.digest() });
    },
    frame: (link, frame, n, length) => {
      const wrong = overreach(link.peer, frame);
      if (wrong) {
        metrics.count("toychat_frames_forbidden_total");
        log("warn", "frame_forbidden", { peer: link.peer.id, frame: frame.type, reason: wrong.message });
        return link.close(wrong.code, wrong.message);
      }
      if (rooms.frame(link, frame, n, length)) return;
      const message = `a ChatServer takes no frame of type ${frame.type} from who dialled it`;
      link.close("unexpected_frame", message);
    },
    confirmed: (link, n) => confirms.confirmed(link, n),
    drain: (link) => rooms.drained(link),
    reset: (link, reason) => {
      log("info", "link_reset", { peer: link.peer.id, reason });
      confirms.reset(link);
      rooms.linkReset(link, link.peer.role === "proxy" ? "proxy lost" : "server lost");
    },
  };
}

/** Handles the links that the server dialled, itself (`id`) among them. */
export function dialledHandler<Types extends ClusterTypes>(
  id: string,
  rooms: Rooms<Types>,
  router: () => Router,
  reset: LinkHandler["reset"],
): LinkHandler {
  return {
    open: (link) => {
      router().linkOpened(link);
      if (link.peer.id !== id) rooms.exchange.tell(link);
      rooms.handoffs.retry();
    },
    frame: (link, frame) => {
      if (frame.type === "taken") {
        rooms.handoffs.taken(link, frame.room, frame.epoch, frame.term, frame.refused);
      } else if (frame.type === "holding") rooms.handoffs.holding(link, frame.digest, frame.rooms);
      else if (frame.type !== "opened" && !router().frame(link, frame)) {
        const message = `a ChatServer takes no frame of type ${frame.type} from whom it dialled`;
        link.close("unexpected_frame", message);
      }
      if (frame.type === "digest") rooms.handoffs.retry();
    },
    confirmed: (link, n) => router().confirmed(link, n),
    drain: (link) => router().drain(link),
    reset: (link, reason) => {
      router().linkReset(link);
      rooms.handoffs.reset(link);
      reset(link, reason);
    },
  };
}
