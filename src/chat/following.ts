/**
 * What a ChatServer does with a new view, in the order that the rules for moving rooms ask for.
 *
 * @module
 */
import type { Link } from "../link/link.ts";
import type { LinkListener } from "../link/listener.ts";
import type { Peers } from "../link/peers.ts";
import type { Router } from "../link/router.ts";
import type { View } from "../membership/view.ts";
import type { Departures } from "./departures.ts";
import type { ClusterTypes } from "./events.ts";
import type { Rooms } from "./rooms.ts";

/** The parts of a ChatServer that follow its view. */
export interface Followers<Types extends ClusterTypes> {
  readonly peers: Peers;
  readonly departures: Departures;
  readonly inbound: LinkListener;
  readonly rooms: Rooms<Types>;
  readonly router: Router;
}

/** Links follow the view, then rooms, then what waits for rooms. `self` is the server's link to itself. */
export function follow<Types extends ClusterTypes>(
  view: View,
  { peers, departures, inbound, rooms, router }: Followers<Types>,
  self: Link | undefined,
): void {
  peers.update(view);
  departures.viewChanged(view);
  // Who hears the digest acts on it: what it has to know for that comes before.
  rooms.exchange.viewCame();
  for (const link of inbound.links) link.send({ type: "digest", digest: view.digest });
  rooms.viewChanged();
  router.viewChanged(self ? [...peers.links(), self] : [...peers.links()]);
}
