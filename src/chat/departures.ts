/**
 * Links of members that have left the cluster.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import type { Link } from "../link/link.ts";
import type { View } from "../membership/view.ts";

/** How often a link whose peer has left the view is looked at. */
const EXPEL_MS = 50;

/**
 * Ends them: a member that has left the view is seldom back while its link waits to be resumed. After a partition it comes
 * back under its incarnation: then it has its link still, or makes a new one.
 */
export class Departures {
  readonly #clock: Clock;
  readonly #links: () => Iterable<Link>;
  /** Who is in the last view, as `id.incarnation`. */
  #members: ReadonlySet<string> = new Set();

  /** `links` gives those that others dialled. */
  constructor(clock: Clock, links: () => Iterable<Link>) {
    this.#clock = clock;
    this.#links = links;
  }

  /** Looks at who was in the last view and is not in this one. */
  viewChanged(view: View): void {
    const before = this.#members;
    const members = this.#members = new Set(
      view.members.map((member) => `${member.id}.${member.incarnation}`),
    );
    for (const link of this.#links()) {
      const name = `${link.peer.id}.${link.peer.incarnation}`;
      // One that was never in the view may be newer than it.
      if (before.has(name) && !members.has(name)) this.#expel(link);
    }
  }

  /** Ends a link as soon as it has no connection: as long as it has one, what its peer sent last may be on its way. */
  #expel(link: Link): void {
    if (link.ended || this.#members.has(`${link.peer.id}.${link.peer.incarnation}`)) return;
    if (!link.connected) return link.close("left_view", "the member has left the view");
    this.#clock.after(EXPEL_MS, () => this.#expel(link));
  }
}
