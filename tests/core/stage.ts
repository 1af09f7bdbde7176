/**
 * A small cluster for single stories, each with its outcome: on the same clusters as the model's.
 *
 * @module
 */
import type { ChatServer } from "../../src/chat/chat_server.ts";
import { createPlacement, placementKey } from "../../src/membership/placement.ts";
import type { Client } from "../simulator/client.ts";
import { ModelClient } from "../simulator/client_model.ts";
import { MqttClient } from "../simulator/client_mqtt.ts";
import { WebSocketClient } from "../simulator/client_websocket.ts";
import { type Chat, Cluster, type Proxy } from "../simulator/cluster.ts";
import type { Speech, World } from "../simulator/schedule.ts";
import type { SkewedRegistry } from "../support/skewed_membership.ts";
import type { ProcessClock } from "../support/virtual_clock.ts";

/** The world of every stage, where no other is asked for. */
export const WORLD: World = {
  kind: "mixed",
  program: "relay",
  rooms: 0,
  latency: 2,
  skew: 0,
  detection: 0,
  membership: "list",
};

/** Adds listeners to a server. */
export type Program = (chat: ChatServer, clock: ProcessClock) => void;

/** Some ChatServers, `c1` and on, and the proxies `p1` and `p2`. */
export class Stage {
  readonly cluster: Cluster;
  readonly chats: Chat[] = [];
  readonly proxies: Proxy[] = [];
  readonly #program: Program;

  private constructor(program: Program, world: Partial<World>) {
    this.cluster = new Cluster(1, { ...WORLD, ...world });
    this.#program = program;
  }

  static async set(chats = 2, program: Program = () => {}, world: Partial<World> = {}): Promise<Stage> {
    const stage = new Stage(program, world);
    for (let i = 0; i < chats; i++) await stage.chat();
    for (const id of ["p1", "p2"]) {
      const proxy = stage.cluster.proxy(id);
      await stage.cluster.finish(stage.cluster.startProxy(proxy));
      stage.proxies.push(proxy);
    }
    await stage.cluster.clock.run(50);
    return stage;
  }

  /** Starts another ChatServer. */
  async chat(): Promise<Chat> {
    const chat = this.make();
    await this.cluster.finish(chat.server.start());
    return chat;
  }

  /** Makes another ChatServer, to be started. */
  make(): Chat {
    const chat = this.cluster.chat(`c${this.chats.length + 1}`, this.#program);
    this.chats.push(chat);
    return chat;
  }

  /** The name of a room that a server owns now; several for different `nth`. */
  room(owner: Chat, nth = 0): string {
    for (let i = 0;; i++) {
      const name = `room-${i}`;
      if (owner.membership.placement.owner(name)?.id === owner.id && nth-- === 0) return name;
    }
  }

  /** The name of a room that servers own one after the other, as each of them leaves. */
  roomOf(...owners: string[]): string {
    const { view } = this.cluster.registry as SkewedRegistry;
    const placements = owners.map((_, left) => {
      const members = view.members.filter((member) => !owners.slice(0, left).includes(member.id));
      return createPlacement({ ...view, members }, placementKey());
    });
    for (let i = 0;; i++) {
      const name = `room-${i}`;
      if (placements.every((placement, at) => placement.owner(name)?.id === owners[at])) return name;
    }
  }

  /** A user in rooms, let in. */
  async user(name: string, proxy: number, ...rooms: string[]): Promise<Client> {
    return await this.speaker("model", name, proxy, ...rooms);
  }

  /** A user who speaks a protocol, in rooms, let in. */
  async speaker(speaks: Speech, name: string, proxy: number, ...rooms: string[]): Promise<Client> {
    const make = speaks === "model" ? ModelClient : speaks === "websocket" ? WebSocketClient : MqttClient;
    const client = new make(name, this.cluster, this.proxies[proxy] as Proxy, {
      speaks,
      acknowledged: false,
    });
    this.cluster.clients.push(client);
    await this.cluster.clock.run(1);
    await this.until(() => client.opened);
    for (const room of rooms) client.join(room);
    await this.until(() => rooms.every((room) => client.stay(room)?.from !== undefined));
    return client;
  }

  async until(condition: () => boolean, ms = 20_000): Promise<void> {
    if (!await this.cluster.clock.until(condition, ms)) {
      throw new Error(`not so after ${ms} ms: ${condition}`);
    }
  }

  run(ms: number): Promise<void> {
    return this.cluster.clock.run(ms);
  }

  get now(): number {
    return this.cluster.clock.now();
  }
}

/** The numbers of what a user got of another one in a room. */
export function got(client: Client, sender: Client, room: string, suffix = ""): number[] {
  return client.arrivals.flatMap((arrival) =>
    "note" in arrival && arrival.room === room && arrival.note.stream.startsWith(`${sender.user}/`) &&
      (suffix === "" || arrival.note.stream.endsWith(suffix))
      ? [arrival.note.k]
      : []
  );
}

/** What a user was told of a room's moves. */
export function moves(client: Client, room: string): boolean[] {
  return client.arrivals.flatMap((arrival) =>
    "lost" in arrival && arrival.room === room ? [arrival.lost] : []
  );
}
