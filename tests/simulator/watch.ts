/**
 * What is looked at while a run goes on.
 *
 * @module
 */
import type { Chat, Cluster, Process } from "./cluster.ts";

/** Milliseconds after which each room has its owner, once all views agree and the network is whole. */
const SETTLED_MS = 2000;
/** The same for each millisecond of the network's latency. */
const PER_LATENCY = 40;

/** All agree on a view. */
interface Agreement {
  readonly digest: string;
  readonly since: number;
  /** Rooms that somebody was in then. */
  readonly rooms: readonly string[];
}

/** Looks at all ChatServers of a cluster. */
export class Watch {
  readonly #cluster: Cluster;
  #agreed: Agreement | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /**
   * Among ChatServers whose views agree, each room is open at one at most. After a partition, once all views agree, each
   * room is open at its owner two seconds later.
   */
  look(): void {
    const accepting = this.#cluster.chats.filter((chat) => accepts(chat));
    this.#unique(accepting);
    if (this.#cluster.splits.length > 0) this.#settled(accepting);
  }

  #unique(accepting: readonly Chat[]): void {
    const owners = new Map<string, string>();
    for (const { id, server, membership } of accepting) {
      for (const room of server.rooms) {
        const key = `${membership.view.digest} ${room}`;
        const other = owners.get(key);
        if (other) this.#fault(`${room} is open at ${other} and ${id}, whose views agree`);
        owners.set(key, id);
      }
    }
  }

  #settled(accepting: readonly Chat[]): void {
    const { clock, world } = this.#cluster;
    const digest = this.#digest();
    if (digest === undefined || digest !== this.#agreed?.digest) {
      this.#agreed = digest === undefined
        ? undefined
        : { digest, since: clock.now(), rooms: this.#occupied() };
      return;
    }
    if (clock.now() - this.#agreed.since < SETTLED_MS + PER_LATENCY * world.latency) return;
    const occupied = this.#occupied();
    for (const room of this.#agreed.rooms) {
      const owner = accepting[0]?.membership.placement.owner(room)?.id;
      const open = accepting.some(({ id, server }) => id === owner && server.rooms.includes(room));
      if (!open && occupied.includes(room)) this.#fault(`${room} is not open at ${owner}, its owner`);
    }
  }

  /** The view in which all agree, where the network is whole. */
  #digest(): string | undefined {
    const cluster = this.#cluster;
    const all: Process[] = [...cluster.serving(cluster.chats), ...cluster.serving(cluster.proxies)];
    const digests = new Set(all.map(({ membership }) => membership.view.digest));
    const held = all.every(({ membership, frozen }) => !frozen && membership.lease?.held());
    // One that has just died, or stops, may be in it still.
    const serve = all[0]?.membership.view.members.every(({ id }) => cluster.find(id)?.running);
    return digests.size === 1 && held && serve && !cluster.disturbed ? [...digests][0] : undefined;
  }

  /** Rooms that somebody is in. */
  #occupied(): string[] {
    const live = this.#cluster.clients.filter((client) => client.live && !client.stalled);
    const stays = live.flatMap((client) =>
      client.stays.filter(({ from, to }) => from !== undefined && to === undefined)
    );
    return [...new Set(stays.map(({ room }) => room))];
  }

  #fault(text: string): void {
    this.#cluster.faults.push(`${this.#cluster.clock.now()} ${text}`);
  }
}

function accepts({ clock, frozen, membership }: Chat): boolean {
  return clock.alive && !frozen && (membership.lease?.held() ?? false);
}
