/**
 * What has happened on the plaza, with how long it took.
 *
 * @module
 */
import type { NumberedEvent, PlazaEvent } from "./state.ts";

const KEPT = 40;

interface Kill {
  readonly id: string;
  readonly since: number;
  /** Areas that have not opened elsewhere. */
  readonly areas: Set<string>;
  noticed: boolean;
}

/** The book of events. */
export class Chronicle {
  #events: NumberedEvent[] = [];
  #kills: Kill[] = [];
  #count = 0;
  /** Who had an area last. */
  readonly #owners: Map<string, string> = new Map();

  /** The last events, the newest last. */
  get events(): readonly NumberedEvent[] {
    return this.#events;
  }

  /** Writes one down. */
  add(event: PlazaEvent): void {
    this.#events = [...this.#events, { ...event, n: ++this.#count, at: Date.now() }].slice(-KEPT);
  }

  /** A ChatServer is being killed, which owned some areas. */
  killed(id: string, pid: number, areas: readonly string[]): void {
    this.#kills = [...this.#kills.filter((kill) => kill.id !== id), {
      id,
      since: performance.now(),
      areas: new Set(areas),
      noticed: false,
    }];
    this.add({ kind: "killed", id, pid, areas });
  }

  /** A proxy has a view with these members. The first one without a killed member tells how soon that was noticed. */
  seen(members: readonly unknown[]): void {
    for (const kill of this.#kills) {
      if (kill.noticed || members.includes(kill.id)) continue;
      kill.noticed = true;
      this.add({ kind: "noticed", id: kill.id, ms: Math.round(performance.now() - kill.since) });
    }
  }

  /** An area has opened on a ChatServer. */
  opened(area: string, id: string, reason: string): void {
    const kill = this.#kills.find((kill) => kill.areas.has(area));
    kill?.areas.delete(area);
    const ms = kill && Math.round(performance.now() - kill.since);
    const from = this.#owners.get(area);
    this.#owners.set(area, id);
    this.add({ kind: "opened", id, area, reason, from, ms });
  }
}
