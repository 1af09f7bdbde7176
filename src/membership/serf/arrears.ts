/**
 * Which hosts have published more than has arrived here. Gossip tells a change for a second or so; what was cut off then
 * learns of it by Serf's own comparison, which comes every half minute, unless it asks for it.
 *
 * @module
 */
import { isNewerSeq } from "./host_tag.ts";

/** A tag that is behind what its bridge has said for so long is asked for: it is on its way for less. */
const LATE_MS = 1000;

/** What bridges have said of how often they have published. Times are monotonic milliseconds. */
export class Arrears {
  readonly #told: Map<string, number> = new Map();
  /** Since when a host's tag is behind. */
  readonly #since: Map<string, number> = new Map();

  /** A bridge says how often it has published. */
  tell(host: string, seq: number): void {
    this.#told.set(host, seq);
  }

  /** Whether a host's tag, which was published as the `seq`th, is as new as what its bridge has said; of no tag it is. */
  isCurrent(host: string, seq: number | undefined): boolean {
    const told = this.#told.get(host);
    return told === undefined || seq === undefined || !isNewerSeq(told, seq);
  }

  /** Those whose tags are to be asked for now. */
  late(hosts: readonly { readonly name: string; readonly seq: number | undefined }[], now: number): string[] {
    return hosts.flatMap(({ name, seq }) => {
      if (this.isCurrent(name, seq)) {
        this.#since.delete(name);
        return [];
      }
      const since = this.#since.get(name) ?? now;
      this.#since.set(name, since);
      return now >= since + LATE_MS ? [name] : [];
    });
  }

  /** A host that was silent is back: what it has said meanwhile was not heard, and is asked for at once. */
  returned(host: string): void {
    this.#since.set(host, -Infinity);
  }

  /** Forgets hosts that are not among these. */
  keep(names: ReadonlySet<string>): void {
    for (const map of [this.#told, this.#since]) {
      for (const name of map.keys()) if (!names.has(name)) map.delete(name);
    }
  }
}
