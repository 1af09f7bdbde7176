/**
 * What a proxy does with its links to ChatServers.
 *
 * @module
 */
import { decodeBody } from "../lib/body.ts";
import type { Logger } from "../lib/log.ts";
import type { LinkHandler } from "../link/link.ts";
import type { Router } from "../link/router.ts";
import type { ProxyRooms } from "./proxy_rooms.ts";
import type { Sessions } from "./sessions.ts";

/** What {@linkcode proxyLinkHandler} needs; what is made after the links is asked for. */
export interface ProxyLinkHost {
  readonly log: Logger;
  readonly sessions: Sessions;
  router(): Router;
  rooms(): ProxyRooms;
  /** A link has been reset, and the router knows. */
  reset(): void;
}

/** Handles the links that a proxy dialled. */
export function proxyLinkHandler({ log, sessions, router, rooms, reset }: ProxyLinkHost): LinkHandler {
  return {
    open: (link) => router().linkOpened(link),
    frame: (link, frame) => {
      if (frame.type === "direct") sessions.direct(frame.user, decodeBody(frame));
      else if (!rooms().frame(link, frame) && !router().frame(link, frame)) {
        link.close("unexpected_frame", `a proxy takes no frame of type ${frame.type}`);
      }
    },
    confirmed: (link, n) => router().confirmed(link, n),
    drain: (link) => router().drain(link),
    reset: (link, reason) => {
      log("info", "link_reset", { peer: link.peer.id, reason });
      sessions.linkReset(link);
      router().linkReset(link);
      reset();
    },
  };
}
