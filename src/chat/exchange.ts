/**
 * What ChatServers tell each other of rooms that change hands: what goes where, what of it is there already, the rooms
 * themselves.
 *
 * @module
 */
import type { HandoffFrame } from "../link/frames.ts";
import type { Link } from "../link/link.ts";
import type { ClusterTypes } from "./events.ts";
import type { Handoffs } from "./handoffs.ts";
import type { Merging } from "./merging.ts";
import { noteLate } from "./observed.ts";
import type { Room } from "./room.ts";
import type { RoomsHost } from "./rooms_host.ts";
import type { Settlement } from "./settlement.ts";

/** What {@linkcode Exchange} works on. */
export interface ExchangeHost<Types extends ClusterTypes>
  extends Pick<RoomsHost<Types>, "clock" | "metrics" | "log" | "links" | "placement"> {
  readonly settlement: Settlement;
  readonly handoffs: Handoffs;
  readonly merging: Merging<Types>;
  /** A room that is open here, or that is being released and may come back. */
  here(name: string): Room | undefined;
  /** Names of such rooms, and of those on their way out. */
  held(): Iterable<string>;
}

/** One server's part in it. Keeps no state of its own. */
export class Exchange<Types extends ClusterTypes> {
  readonly #host: ExchangeHost<Types>;

  /** Works on what it is given. */
  constructor(host: ExchangeHost<Types>) {
    this.#host = host;
  }

  /** A new view is here, of which nobody has been told: whoever has said what it hands over in it is answered once more. */
  viewCame(): void {
    const { handoffs, placement, settlement } = this.#host;
    const { view } = placement();
    handoffs.abandon(view);
    for (const [link, rooms] of settlement.named(view.digest)) this.#answer(link, view.digest, rooms);
  }

  /** Says to all other ChatServers which rooms they will get from here. */
  tellAll(): void {
    for (const link of this.#host.links()) this.tell(link);
  }

  /** Says it to one of them. */
  tell(link: Link): void {
    const { held, placement } = this.#host;
    const { owner, view } = placement();
    const rooms = [...new Set(held())].filter((name) => owner(name)?.id === link.peer.id);
    link.send({ type: "handing", digest: view.digest, rooms });
  }

  /** Another ChatServer has said which rooms will come from there. */
  named(link: Link, digest: string, rooms: readonly string[]): void {
    this.#answer(link, digest, rooms);
    this.#host.settlement.handing(link, digest, rooms);
  }

  /** Says what is held here of the rooms that another one is to hand over. */
  #answer(link: Link, digest: string, names: Iterable<string>): void {
    const { handoffs, here } = this.#host;
    const rooms: [room: string, epoch: string][] = [];
    for (const name of names) {
      const epoch = here(name)?.epoch ?? handoffs.epoch(name);
      if (epoch !== undefined) rooms.push([name, epoch]);
    }
    link.send({ type: "holding", digest, rooms });
  }

  /** A room has come. Where it lives here already, the life that comes ends. */
  came(link: Link, frame: HandoffFrame): void {
    const { handoffs, here, merging, settlement } = this.#host;
    settlement.arrived(link, frame.room);
    if (merging.over(frame.epoch)) return handoffs.refuse(frame, link);
    const room = here(frame.room);
    if (!room) return handoffs.receive(frame, link);
    if (room.epoch === frame.epoch && room.term > frame.term) return handoffs.confirm(frame, link);
    noteLate(this.#host, room.name, link.peer.id);
    handoffs.refuse(frame, link);
    merging.ended(room, frame, link);
  }
}
