/**
 * Histories written by hand: what clients would have recorded, and how the cluster was at the end, without a cluster
 * that ran. The checker must find what is wrong in them.
 *
 * @module
 */
import type { ChatServer } from "../../../src/chat/chat_server.ts";
import type { ProxyServer } from "../../../src/proxy/proxy_server.ts";
import { checkRecords } from "../checks.ts";
import { Client, type ClientOptions, type Publication } from "../client.ts";
import type { Chat, Proxy } from "../cluster.ts";
import { Model } from "../model.ts";
import type { World } from "../schedule.ts";

const WORLD: World = {
  kind: "kill",
  program: "listener",
  rooms: 3,
  latency: 0,
  skew: 0,
  detection: 0,
  membership: "list",
};

/** Where a message stands in its room. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A client that does nothing but record what the test says. */
export class Recorded extends Client {
  protected readonly ready = true;
  readonly #history: History;

  constructor(user: string, history: History, options: Partial<ClientOptions> = {}) {
    const { cluster } = history.model;
    super(user, cluster, history.proxy, { speaks: "model", acknowledged: false, ...options });
    this.#history = history;
    this.opened = true;
  }

  protected override get now(): number {
    return this.#history.now;
  }

  protected askJoin(): void {}
  protected askLeave(): void {}
  protected send(): void {}
  protected hangUp(): void {}
  protected read(): void {}

  /** Joins a room, and is let in at once. */
  enter(room: string): this {
    this.join(room);
    const stay = this.stay(room);
    if (stay) this.answered(stay, undefined);
    return this;
  }

  /** A message of its own is acknowledged, or fails. */
  answer(publication: Publication, failure?: Publication["failure"]): void {
    this.done(publication, failure);
  }

  /** It gets a message, in the room that it was sent to. */
  gets({ room, note }: Publication, position?: Position): this {
    this.arrived({ room, note: { ...note, ...position } });
    return this;
  }

  /** It is told that a room has moved. */
  hears(room: string, lost: boolean): this {
    this.arrived({ room, lost });
    return this;
  }

  /** Its connection ends. */
  breaks(): void {
    this.ended();
  }
}

/** One history. Where a test says nothing else, the cluster is as it should be at the end. */
export class History {
  readonly model: Model;
  readonly proxy: Proxy;
  /** The time, in milliseconds, of what is recorded next. */
  now = 0;
  /** Messages that are under way at the end. */
  pending = 0;
  /** Who is in the rooms that are open at a ChatServer, by its id; absent: all are open at `c1`, with all members. */
  open: Record<string, Record<string, readonly string[]>> | undefined;

  constructor(world: Partial<World> = {}) {
    const schedule = { seed: 1, world: { ...WORLD, ...world }, processes: [], events: [], end: 0 };
    this.model = new Model(schedule);
    this.proxy = this.#proxy();
  }

  /** Connects somebody; each room that is named it enters at once. */
  client(user: string, ...rooms: readonly string[]): Recorded {
    const client = new Recorded(user, this);
    this.model.cluster.clients.push(client);
    for (const room of rooms) client.enter(room);
    return client;
  }

  /** What the checker says of it. */
  faults(): string[] {
    const { cluster } = this.model;
    for (const id of Object.keys(this.#open())) cluster.chats.push(this.#chat(id));
    const faults: string[] = [];
    checkRecords(this.model, faults);
    return faults;
  }

  #open(): NonNullable<History["open"]> {
    if (this.open) return this.open;
    const { cluster, rooms } = this.model;
    const members = (room: string): string[] =>
      cluster.clients.filter((client) => client.live && client.stay(room)).map(({ login }) => login);
    return { c1: Object.fromEntries(rooms.map((room) => [room, members(room)])) };
  }

  #proxy(): Proxy {
    const { cluster } = this.model;
    const proxy = cluster.proxy("p1");
    const server = {
      metrics: { get: () => 0, list: () => [["toychat_messages_pending", "gauge", this.pending]] },
      get sessions(): number {
        return cluster.clients.filter((client) => client.live).length;
      },
    };
    // As much of a server as a checker looks at.
    const recorded: Proxy = { ...proxy, server: server as unknown as ProxyServer };
    cluster.proxies.splice(0, 1, recorded);
    return recorded;
  }

  #chat(id: string): Chat {
    const { cluster } = this.model;
    const chat = cluster.chat(id, () => {});
    cluster.chats.pop();
    const rooms = this.#open()[id] ?? {};
    const server = {
      metrics: { get: () => 0 },
      rooms: Object.keys(rooms),
      room: (name: string) => ({ users: rooms[name]?.map((userId) => ({ userId })) }),
    };
    return { ...chat, server: server as unknown as ChatServer };
  }
}
