/**
 * What the rooms of a ChatServer need from it.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Link } from "../link/link.ts";
import type { Placement } from "../membership/placement.ts";
import type { Confirms } from "./confirms.ts";
import type { ClusterTypes, Listeners } from "./events.ts";
import type { ChatLimits } from "./options.ts";

/** What `Rooms` needs from its server. */
export interface RoomsHost<Types extends ClusterTypes> {
  readonly id: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly limits: ChatLimits;
  readonly listeners: Listeners<Types>;
  readonly confirms: Confirms;
  /** Whether the lease lets the server accept. */
  held(): boolean;
  placement(): Placement;
  /** The open link to another ChatServer. */
  link(id: string): Link | undefined;
  links(): Iterable<Link>;
  /** Whether the ChatServer at the other end of a link has the same view as this one. */
  agrees(link: Link): boolean;
}
