/**
 * Links of members that have left the view.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import type { Link } from "../link/link.ts";
import type { View } from "../membership/view.ts";

/** How often a link whose peer has left the view is looked at. */
const EXPEL_MS = 50;

/** Ends them: a member that has left does not come back under its incarnation, and its link need not wait to be resumed. */
export class Departures {
  readonly #clock: Clock;
  /** Who is in the last view, as `id.incarnation`. */
  #members: ReadonlySet<string> = new Set();

  /** Knows no member at first. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends those of the links whose peers were in the last view and are not in this one. */
  viewChanged(view: View, links: Iterable<Link>): void {
    const members = new Set(view.members.map((member) => `${member.id}.${member.incarnation}`));
    for (const link of links) {
      const name = `${link.peer.id}.${link.peer.incarnation}`;
      // One that was never in the view may be newer than it.
      if (this.#members.has(name) && !members.has(name)) this.#expel(link);
    }
    this.#members = members;
  }

  /** Ends a link as soon as it has no connection: as long as it has one, what its peer sent last may be on its way. */
  #expel(link: Link): void {
    if (link.ended) return;
    if (!link.connected) return link.close("left_view", "the member has left the view");
    this.#clock.after(EXPEL_MS, () => this.#expel(link));
  }
}
