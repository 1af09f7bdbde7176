/**
 * Random users: who comes and goes, where they are, and what they say.
 *
 * @module
 */
import type { Random } from "../support/virtual_clock.ts";
import type { Speech, UserAct, World } from "./schedule.ts";

const SPEECHES: readonly Speech[] = [
  "model",
  "model",
  "mqtt4",
  "mqtt5",
  "mqtt5-ws",
  "websocket",
  "websocket",
];
/** Fewer than this many users are too few to talk. */
const FEW = 3;

/** A user as the generator believes it to be. */
interface User {
  readonly client: string;
  readonly login: string;
  readonly speaks: Speech;
  readonly proxy: string;
  readonly rooms: Set<string>;
  live: boolean;
  /** When it reads again. */
  stalledUntil: number;
}

/** Everybody who was ever connected. */
export class Crowd {
  readonly #random: Random;
  readonly #world: World;
  readonly #add: (act: UserAct, at: number) => void;
  readonly #rooms: readonly string[];
  readonly #users: User[] = [];

  constructor(random: Random, world: World, add: (act: UserAct, at: number) => void) {
    this.#random = random;
    this.#world = world;
    this.#add = add;
    this.#rooms = Array.from({ length: world.rooms }, (_, i) => `r${i}`);
  }

  /** The first six come and join rooms; returns when they are there. */
  begin(proxies: readonly string[]): number {
    const random = this.#random;
    for (let i = 0; i < 6; i++) this.#connect(0, proxies);
    const there = 20 + 10 * this.#world.latency;
    for (const user of this.#users) {
      for (let i = 0; i <= random.below(3); i++) this.#join(user, random.pick(this.#rooms), there);
    }
    return there + random.pick([0, 100, 1000]);
  }

  /** A proxy is gone, and all who were there. */
  lost(proxy: string): void {
    for (const user of this.#users) if (user.proxy === proxy) user.live = false;
  }

  /** One of them does something. */
  act(at: number, proxies: readonly string[]): void {
    const random = this.#random;
    const live = this.#users.filter((user) => user.live && proxies.includes(user.proxy));
    if (live.length < FEW) return void this.#connect(at, proxies);
    const user = random.pick(live);
    if (user.stalledUntil > at) return;
    const dice = random.next();
    const room = random.pick(this.#rooms);
    if (dice < 0.08) this.#join(user, room, at);
    else if (dice < 0.13) this.#leave(user, room, at);
    else if (dice < 0.18) this.#connect(at, proxies);
    else if (dice < 0.22) this.#farewell(user, room, at);
    else if (dice < 0.25) this.#stall(user, at);
    else this.#publish(user, at, dice);
  }

  #connect(at: number, proxies: readonly string[]): void {
    const random = this.#random;
    const proxy = random.pick(proxies);
    if (proxy === undefined) return;
    const client = `u${this.#users.length + 1}`;
    const speaks = random.pick(SPEECHES);
    const login = this.#login(client, speaks);
    const acknowledged = random.chance(speaks === "model" ? 0.3 : 0.6);
    this.#users.push({
      client,
      login,
      speaks,
      proxy,
      rooms: new Set(),
      live: true,
      stalledUntil: 0,
    });
    this.#add({
      do: "connect",
      client,
      ...(login === client ? {} : { login }),
      proxy,
      speaks,
      ...(acknowledged && speaks !== "websocket" ? { acknowledged } : {}),
      ...(speaks.startsWith("mqtt5") && random.chance(0.3) ? { receiveMaximum: 1 + random.below(4) } : {}),
    }, at);
  }

  /** Now and then somebody comes back, or comes a second time. */
  #login(client: string, speaks: Speech): string {
    if (speaks === "model" || !this.#random.chance(0.25)) return client;
    const before = this.#users.filter((user) => user.speaks === speaks);
    return before.length > 0 ? this.#random.pick(before).login : client;
  }

  #join(user: User, room: string, at: number): void {
    user.rooms.add(room);
    this.#add({ do: "join", client: user.client, room }, at);
  }

  #leave(user: User, room: string, at: number): void {
    user.rooms.delete(room);
    this.#add({ do: "leave", client: user.client, room }, at);
  }

  #farewell(user: User, room: string, at: number): void {
    const random = this.#random;
    const { client } = user;
    if (random.chance(0.6)) {
      this.#add({ do: "publish", client, room, ...(random.chance(0.5) ? { acknowledged: true } : {}) }, at);
    }
    user.live = false;
    this.#add({ do: random.chance(0.7) ? "end" : "drop", client }, at);
  }

  #stall(user: User, at: number): void {
    const random = this.#random;
    if (user.speaks === "model" || (this.#world.kind !== "slow" && random.chance(0.7))) return;
    const forever = random.chance(0.3);
    const ms = forever ? undefined : random.pick([20, 200, 1000, 3000]);
    user.stalledUntil = ms === undefined ? Infinity : at + ms;
    this.#add({ do: "stall", client: user.client, ...(ms === undefined ? {} : { ms }) }, at);
  }

  #publish(user: User, at: number, dice: number): void {
    const random = this.#random;
    const rooms = user.rooms.size > 0 && random.chance(0.9) ? [...user.rooms] : this.#rooms;
    const room = random.pick(rooms);
    const count = 1 + (dice > 0.9 ? random.below(8) : 0);
    for (let i = 0; i < count; i++) {
      const acknowledged = random.chance(0.5);
      const forward = random.chance(0.15) ? random.pick(this.#rooms) : undefined;
      this.#add({
        do: "publish",
        client: user.client,
        room,
        ...(acknowledged ? { acknowledged } : {}),
        ...(forward === undefined ? {} : { forward }),
      }, at);
    }
  }
}
