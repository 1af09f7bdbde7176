/**
 * What is looked at while a run goes on.
 *
 * @module
 */
import type { Chat, Cluster } from "./cluster.ts";

/** Looks at all ChatServers of a cluster. */
export class Watch {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Once the views of all who accept agree, each room is open at one of them at most. */
  look(): void {
    const accepting = this.#cluster.chats.filter((chat) => accepts(chat));
    const [first] = accepting;
    if (!first || accepting.some((chat) => chat.membership.view.digest !== first.membership.view.digest)) {
      return;
    }
    const owners = new Map<string, string>();
    for (const { id, server } of accepting) {
      for (const room of server.rooms) {
        const other = owners.get(room);
        if (other) {
          this.#cluster.faults.push(
            `${this.#cluster.clock.now()} ${room} is open at ${other} and ${id}, whose views agree`,
          );
        }
        owners.set(room, id);
      }
    }
  }
}

function accepts({ clock, frozen, membership }: Chat): boolean {
  return clock.alive && !frozen && (membership.lease?.held() ?? false);
}
