/**
 * Random schedules of a whole cluster, and what must hold whatever they are.
 *
 * @module
 */
import type { ChatServer } from "../../src/chat/chat_server.ts";
import type { ChatUser } from "../../src/chat/chat_user.ts";
import type { Body } from "../../src/lib/body.ts";
import { delay } from "../../src/lib/clock.ts";
import type { ProcessClock } from "../support/virtual_clock.ts";
import { Random } from "../support/virtual_clock.ts";
import { check } from "./checks.ts";
import type { Client, Note } from "./client.ts";
import { Cluster } from "./cluster.ts";

/** What happens to the cluster, beside what its users do. */
export type Kind = "planned" | "kill" | "lag" | "cut" | "expel" | "mixed";

/** What the application does with a message. */
export type Program = "relay" | "listener" | "async" | "parts";

/** Milliseconds that views may differ: those by which nothing is lost that need not be, and longer ones. */
const SKEWS: Record<Kind, readonly number[]> = {
  planned: [0, 5, 50, 300, 1500],
  kill: [0, 5, 50, 300],
  lag: [300, 1000, 3000],
  cut: [0, 5, 50, 300],
  expel: [0, 5, 50, 300],
  mixed: [0, 5, 50, 300],
};

/** A run, fixed by its seed. */
export class Model {
  readonly seed: number;
  readonly kind: Kind;
  readonly program: Program;
  readonly cluster: Cluster;
  readonly rooms: readonly string[];
  /** Milliseconds that views differ at most. */
  readonly skew: number;
  /** Milliseconds until a death is noticed at most. */
  readonly detection: number;
  /** What the applications saw that they must not see. */
  readonly complaints: string[] = [];
  /** What applications said straight into rooms that were open beside the one that caused it. */
  readonly beside = new Set<string>();
  /** How often an application was given each message. */
  readonly given = new Map<string, number>();
  /** Whether servers were cut off from each other for so long that hand-offs may have failed. */
  chatsApart = false;
  readonly #random: Random;
  #users = 0;
  #chats = 0;
  /** Nothing is started or stopped before this time. */
  #busyUntil = 0;

  constructor(seed: number, kind: Kind) {
    this.seed = seed;
    this.kind = kind;
    const random = this.#random = new Random(seed * 7919 + kind.length);
    this.program = random.pick<Program>(["relay", "listener", "async", "parts"]);
    this.skew = random.pick(SKEWS[kind]);
    this.detection = random.pick(kind === "mixed" || kind === "lag" ? [5, 50, 3000] : [5, 50]);
    const times = { latency: random.pick([0, 2, 10, 40]), skew: this.skew, detection: this.detection };
    this.cluster = new Cluster(seed, times);
    if (random.chance(0.3)) this.cluster.chatLimits = { idleMs: 100 };
    this.rooms = Array.from({ length: 3 + random.below(3) }, (_, i) => `r${i}`);
    this.cluster.note(`seed ${seed} ${kind} ${this.program} ${JSON.stringify(times)}`);
  }

  /** Runs the schedule, lets everything come to rest, and checks what was recorded. */
  async run(): Promise<void> {
    await this.#begin();
    const end = this.cluster.clock.now() + 3000 + this.#random.below(4000);
    const events = this.#events(end);
    while (this.cluster.clock.now() < end) {
      await this.cluster.clock.run(this.#random.below(60));
      for (let at = events[0]; at !== undefined && at <= this.cluster.clock.now(); at = events[0]) {
        events.shift();
        await this.#disturb();
      }
      this.#act();
    }
    await this.#rest();
    await check(this);
  }

  async #begin(): Promise<void> {
    for (let i = 0; i < 3; i++) await this.cluster.finish(this.#start());
    for (const id of ["p1", "p2"]) await this.cluster.finish(this.cluster.proxy(id).server.start());
    for (let i = 0; i < 6; i++) this.#connect();
    await this.cluster.clock.run(50);
    for (const client of this.cluster.clients) {
      for (let i = 0; i <= this.#random.below(3); i++) client.join(this.#random.pick(this.rooms));
    }
    await this.cluster.clock.run(this.#random.pick([0, 100, 1000]));
  }

  #start(): Promise<void> {
    const id = `c${++this.#chats}`;
    this.cluster.note(`start ${id}`);
    return this.cluster.chat(id, (chat, clock) => this.#program(chat, clock)).server.start();
  }

  #events(end: number): number[] {
    const now = this.cluster.clock.now();
    // Now and then all at once: rooms move on before they have arrived.
    const storm = this.#random.chance(0.25);
    const count = storm ? 3 + this.#random.below(6) : 1 + this.#random.below(5);
    const [from, length] = storm ? [now + this.#random.below(end - now - 500), 500] : [now, end - now];
    return Array.from({ length: count }, () => from + this.#random.below(length)).sort((a, b) => a - b);
  }

  // What users do

  #connect(): Client {
    const proxies = this.cluster.serving(this.cluster.proxies);
    return this.cluster.client(
      `u${++this.#users}`,
      this.#random.pick(proxies),
      this.#random.chance(0.3),
    );
  }

  #act(): void {
    const random = this.#random;
    const live = this.cluster.clients.filter((client) => client.live);
    if (live.length < 3) return void this.#connect();
    const client = random.pick(live);
    const dice = random.next();
    const room = random.pick(this.rooms);
    if (dice < 0.08) client.join(room);
    else if (dice < 0.13) client.leave(room);
    else if (dice < 0.18) this.#connect();
    else if (dice < 0.22) this.#farewell(client, room);
    else this.#publish(client, 1 + (dice > 0.9 ? random.below(8) : 0));
  }

  #farewell(client: Client, room: string): void {
    if (this.#random.chance(0.6)) client.publish(room, this.#random.chance(0.5));
    client.disconnect();
  }

  #publish(client: Client, count: number): void {
    const random = this.#random;
    const rooms = client.rooms.length > 0 && random.chance(0.9) ? client.rooms : this.rooms;
    const room = random.pick(rooms);
    for (let i = 0; i < count; i++) {
      const forward = random.chance(0.15) ? random.pick(this.rooms) : undefined;
      client.publish(room, random.chance(0.5), forward);
    }
  }

  // What happens to the cluster

  async #disturb(): Promise<void> {
    const { kind } = this;
    let dice = this.#random.next();
    if (kind === "planned" || dice < 0.4) {
      await this.#plan();
      if (kind === "planned" || this.#random.chance(0.5)) return;
      // Something else happens before the move is over.
      await this.cluster.clock.run(this.#random.below(60));
    }
    if (kind === "kill" || kind === "lag") return this.#killChat();
    if (kind === "cut") return this.#cut();
    if (kind === "expel") return this.#expel();
    dice = 0.3 + 0.7 * this.#random.next();
    if (dice < 0.5) this.#killChat();
    else if (dice < 0.65) this.#cut();
    else if (dice < 0.8) this.#expel();
    else if (dice < 0.9) this.#freeze();
    else this.#killProxy();
  }

  async #plan(): Promise<void> {
    if (this.#random.chance(0.1)) return await this.#replaceProxy();
    const chats = this.cluster.serving(this.cluster.chats);
    if (chats.length < 3 || (chats.length < 5 && this.#random.chance(0.5))) {
      this.#start().catch((error) => {
        if (error?.code !== "stopped") this.complaints.push(`start: ${error}`);
      });
      // Views travel while users go on.
      return void await this.cluster.clock.run(1);
    }
    const chat = this.#random.pick(chats);
    chat.running = false;
    this.cluster.note(`drain ${chat.id}`);
    const since = this.cluster.clock.now();
    chat.server.stop().then(() => {
      chat.unlisten();
      this.cluster.note(`drained ${chat.id}`);
      if (this.cluster.clock.now() - since > 15_000) this.complaints.push(`the drain of ${chat.id} hung`);
    }, (error) => this.complaints.push(`stop: ${error}`));
  }

  async #replaceProxy(): Promise<void> {
    const proxy = this.#random.pick(this.cluster.serving(this.cluster.proxies));
    const id = `p${this.cluster.proxies.length + 1}`;
    this.cluster.note(`start ${id}, stop ${proxy.id}`);
    await this.cluster.finish(this.cluster.proxy(id).server.start());
    proxy.running = false;
    proxy.server.stop().then(() => proxy.unlisten(), (error) => this.complaints.push(`stop: ${error}`));
  }

  #killChat(): void {
    const chats = this.cluster.serving(this.cluster.chats);
    if (chats.length < 2) return;
    const chat = this.#random.pick(chats);
    this.cluster.note(`kill ${chat.id}`);
    this.cluster.kill(chat);
  }

  #killProxy(): void {
    const proxies = this.cluster.serving(this.cluster.proxies);
    if (proxies.length < 2) return;
    const proxy = this.#random.pick(proxies);
    this.cluster.note(`kill ${proxy.id}`);
    this.cluster.kill(proxy);
    for (const client of this.cluster.clients) if (client.proxy === proxy) client.cutOff();
  }

  #cut(): void {
    const { chats, proxies } = this.cluster;
    // One that drains is worth cutting off too.
    const a = this.#random.pick(chats.filter((chat) => chat.clock.alive));
    const b = this.#random.pick(this.cluster.serving([...proxies, ...chats]));
    if (!a || a === b) return;
    const ms = this.#random.pick([0, 20, 500, 2000, 4000, 7000]);
    this.cluster.note(`cut ${a.id} ${b?.id} for ${ms}`);
    if (ms >= 2000 && b?.id.startsWith("c")) this.chatsApart = true;
    this.cluster.cut(a.id, b?.id ?? "", ms);
  }

  #expel(): void {
    const { chats, proxies } = this.cluster;
    if (this.cluster.clock.now() < this.#busyUntil || this.cluster.serving(chats).length < 2) return;
    const process = this.#random.pick(this.cluster.serving([...proxies, ...chats]));
    const strike = this.#random.pick([0, 100, 1000]);
    const back = this.#random.pick([1, 100, 2000]);
    this.#busyUntil = this.cluster.clock.now() + strike + back + 500;
    this.cluster.note(`expel ${process.id} after ${strike} for ${back}`);
    this.cluster.expel(process, strike, back);
  }

  #freeze(): void {
    const { chats, proxies } = this.cluster;
    if (this.cluster.clock.now() < this.#busyUntil) return;
    const process = this.#random.pick(this.cluster.serving([...proxies, ...chats]));
    const ms = this.#random.pick([50, 500, 2500, 5000]);
    this.#busyUntil = this.cluster.clock.now() + ms + 500;
    this.cluster.note(`freeze ${process.id} for ${ms}`);
    this.cluster.freeze(process, ms);
  }

  async #rest(): Promise<void> {
    const { clock, clients } = this.cluster;
    this.cluster.note("rest");
    const answered = (): boolean =>
      clients.every((client) =>
        !client.live ||
        client.published.every((one) => !one.acknowledged || one.doneAt !== undefined)
      );
    await clock.until(answered, 13_000);
    const calm = this.kind === "planned" ? 2000 + 3 * this.skew : this.kind === "kill" ? 7000 : 16_000;
    await clock.run(calm);
  }

  // What the application does

  #program(chat: ChatServer, clock: ProcessClock): void {
    this.#watch(chat);
    if (this.program === "relay") return;
    chat.on("message", async (user, room, body) => {
      const note = body as unknown as Note;
      const key = `${note.stream} ${note.k}`;
      this.given.set(key, (this.given.get(key) ?? 0) + 1);
      if (this.program !== "async") return this.#say(chat, user, room, note);
      await delay(clock, this.#random.below(30));
      this.#say(chat, user, room, note);
    });
  }

  #say(chat: ChatServer, user: ChatUser, room: string, note: Note): void {
    const numbered = (): Body => {
      const { epoch, offset } = chat.room(room) ?? { epoch: "", offset: 0 };
      return { ...note, epoch, offset: offset + 1 };
    };
    if (this.program === "parts") {
      chat.send([user], room, numbered());
      chat.broadcast(room, numbered(), { except: user });
    } else chat.broadcast(room, numbered());
    const { forward, stream, k } = note;
    if (forward === undefined) return;
    chat.sendToRoom(forward, { stream: `${stream}>${forward}`, k });
    if (chat.broadcast(forward, { stream: `${stream}>>${forward}`, k })) this.beside.add(`${stream} ${k}`);
  }

  /** The events of a room tell one story: it opens, users join and leave, it closes. */
  #watch(chat: ChatServer): void {
    const rooms = new Map<string, Set<string>>();
    const complain = (text: string): void => {
      this.complaints.push(`${this.cluster.clock.now()} ${chat.id} ${text}`);
    };
    chat.on("open", (room) => {
      if (rooms.has(room)) complain(`opened ${room} twice`);
      rooms.set(room, new Set());
    });
    chat.on("close", (room) => {
      if (!rooms.delete(room)) complain(`closed ${room}, which was not open`);
    });
    chat.on("join", (user, room) => {
      const users = rooms.get(room);
      if (!users) return complain(`${user.userId} joined ${room}, which was not open`);
      if (users.has(user.sessionId)) complain(`${user.userId} joined ${room} twice`);
      users.add(user.sessionId);
    });
    chat.on("leave", (user, room) => {
      const users = rooms.get(room);
      if (!users?.delete(user.sessionId)) complain(`${user.userId} left ${room} without having joined`);
    });
    chat.on("error", (error) => complain(String(error)));
  }
}
