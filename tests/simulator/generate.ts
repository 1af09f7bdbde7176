/**
 * Random schedules: a seed and a kind make a world, and what happens in it.
 *
 * @module
 */
import { Random } from "../support/virtual_clock.ts";
import { type DrawnSplit, drawSplits } from "./generate_split.ts";
import { Crowd } from "./generate_users.ts";
import type { Act, Event, Kind, Program, Schedule, World } from "./schedule.ts";
import { isChat, KINDS, SPLIT_EVERY } from "./schedule.ts";

/** Milliseconds that views may differ: those by which nothing is lost that need not be, and longer ones. */
const SKEWS: Record<Kind, readonly number[]> = {
  planned: [0, 5, 50, 300, 1500],
  blip: [0, 5, 50, 300],
  slow: [0, 5, 50],
  kill: [0, 5, 50, 300],
  lag: [300, 1000, 3000],
  cut: [0, 5, 50, 300],
  expel: [0, 5, 50, 300],
  slots: [5, 50, 300, 1500],
  bridge: [0],
  mixed: [0, 5, 50, 300, 1000],
  split: [0, 5, 50, 300],
};

const PROGRAMS: readonly Program[] = ["relay", "listener", "async", "parts"];
/** Longest pause between two acts of users. */
const PACE_MS = 60;
/** The same in schedules of many seconds. */
const SLOW_PACE_MS = 200;
/** How long a drain may take before its server counts as gone. */
const DRAIN_MS = 2000;

/** The kind of a seed, where none is asked for. */
export function kindOf(seed: number): Kind {
  return seed % SPLIT_EVERY === 0 ? "split" : KINDS[seed % KINDS.length] as Kind;
}

/** The schedule of a seed. */
export function generate(seed: number, kind: Kind = kindOf(seed)): Schedule {
  return new Generator(seed, kind).schedule();
}

/** A process as the generator believes it to be. */
interface Process {
  readonly id: string;
  /** Whether it serves. */
  serving: boolean;
  /** Until when it is drained, frozen or expelled: nothing else happens to it. */
  busyUntil: number;
}

class Generator {
  readonly #seed: number;
  readonly #kind: Kind;
  readonly #random: Random;
  readonly #world: World;
  readonly #processes: Process[] = [];
  /** Ids of processes that were killed, which may return. */
  readonly #dead: string[] = [];
  readonly #events: Event[] = [];
  readonly #crowd: Crowd;
  #splits: DrawnSplit[] = [];
  #chats = 0;
  #proxies = 0;
  #now = 0;

  constructor(seed: number, kind: Kind) {
    this.#seed = seed;
    this.#kind = kind;
    this.#random = new Random(Math.imul(seed, 7919) + kind.length * 31 + kind.charCodeAt(0));
    this.#world = this.#makeWorld();
    this.#crowd = new Crowd(this.#random, this.#world, (act, at) => this.#add(act, at));
  }

  #makeWorld(): World {
    const random = this.#random;
    const kind = this.#kind;
    const loose = kind === "mixed" || kind === "lag";
    const latency = random.pick([0, 2, 10, 40]);
    const small = kind === "slow" || random.chance(0.1);
    return {
      kind,
      program: random.pick(PROGRAMS),
      rooms: 3 + random.below(3),
      latency,
      skew: random.pick(SKEWS[kind]),
      detection: random.pick(loose ? [5, 50, 3000] : [5, 50]),
      ...(random.chance(0.3) ? { idleMs: 100 } : {}),
      ...(random.chance(0.2) ? { split: true } : {}),
      membership: this.#membership(),
      ...(small ? { queue: { capacity: 256, maxQueuedBytes: 2048 } } : {}),
    };
  }

  #membership(): World["membership"] {
    if (this.#kind === "bridge") return "bridge";
    if (this.#kind === "split") return "sides";
    return this.#kind === "slots" || (this.#kind !== "planned" && this.#random.chance(0.3))
      ? "gossip"
      : "list";
  }

  #add(act: Act, at: number): void {
    this.#events.push({ at, ...act });
  }

  schedule(): Schedule {
    const processes = ["c1", "c2", "c3", "p1", "p2"];
    for (const id of processes) this.#processes.push({ id, serving: true, busyUntil: 0 });
    this.#chats = 3;
    this.#proxies = 2;
    const begin = this.#crowd.begin(this.#serving("p"));
    if (this.#kind === "split") this.#splits = drawSplits(this.#random, processes, begin + 500);
    for (const { at, split } of this.#splits) this.#add(split, at);
    const end = (this.#splits.at(-1)?.until ?? begin) + 2000 + this.#random.below(3000);
    const troubles = this.#troubles(begin, end);
    const pace = this.#kind === "split" ? SLOW_PACE_MS : PACE_MS;
    for (this.#now = begin; this.#now < end; this.#now += this.#random.below(pace)) {
      for (let at = troubles[0]; at !== undefined && at <= this.#now; at = troubles[0]) {
        troubles.shift();
        this.#disturb();
      }
      this.#crowd.act(this.#now, this.#serving("p"));
    }
    this.#events.sort((a, b) => a.at - b.at);
    return { seed: this.#seed, world: this.#world, processes, events: this.#events, end };
  }

  #troubles(begin: number, end: number): number[] {
    const random = this.#random;
    // Now and then all at once: rooms move on before they have arrived.
    const storm = random.chance(0.25);
    const count = storm ? 3 + random.below(6) : 1 + random.below(5);
    const length = storm ? 500 : end - begin;
    const from = storm ? begin + random.below(end - begin - 500) : begin;
    return Array.from({ length: count }, () => from + random.below(length)).sort((a, b) => a - b);
  }

  /** Ids of the processes of a role (`c` or `p`) that serve. */
  #serving(role: string): string[] {
    return this.#processes.filter((one) => one.serving && one.id.startsWith(role)).map((one) => one.id);
  }

  #process(id: string): Process {
    return this.#processes.findLast((one) => one.id === id) as Process;
  }

  /** One that serves and with which nothing is the matter. */
  #calm(...roles: string[]): Process | undefined {
    const calm = this.#processes.filter((one) =>
      one.serving && one.busyUntil <= this.#now && roles.some((role) => one.id.startsWith(role))
    );
    return calm.length > 0 ? this.#random.pick(calm) : undefined;
  }

  #disturb(): void {
    const random = this.#random;
    const kind = this.#kind;
    const lossless = kind === "planned" || kind === "slow";
    if (this.#sealed) return;
    if (kind === "blip" && random.chance(0.6)) return this.#blip();
    if (lossless || kind === "blip" || random.chance(0.4)) {
      this.#plan();
      if (lossless || kind === "blip" || random.chance(0.5)) return;
      // Something else happens before the move is over.
      this.#now += random.below(PACE_MS);
    }
    if (kind === "kill" || kind === "split") return this.#killChat();
    if (kind === "lag") return random.chance(0.3) ? this.#relapse() : this.#killChat();
    if (kind === "cut") return this.#cut();
    if (kind === "expel") return random.chance(0.3) ? this.#freeze() : this.#expel();
    if (kind === "slots") return this.#contest();
    if (kind === "bridge") return this.#troubleWithBridge();
    this.#anything();
  }

  #anything(): void {
    const dice = this.#random.next();
    if (dice < 0.25) this.#killChat();
    else if (dice < 0.45) this.#cut();
    else if (dice < 0.6) this.#expel();
    else if (dice < 0.75) this.#freeze();
    else if (dice < 0.85) this.#killProxy();
    else if (dice < 0.93) this.#relapse();
    else this.#contest();
  }

  /** A server joins or leaves in order, or a proxy is replaced. */
  #plan(): void {
    const random = this.#random;
    if (random.chance(0.1)) return this.#replaceProxy();
    const chats = this.#serving("c");
    if (chats.length < 3 || (chats.length < 5 && random.chance(0.5))) return this.#start("c", this.#now);
    const chat = this.#process(random.pick(chats));
    chat.serving = false;
    chat.busyUntil = this.#now + DRAIN_MS;
    this.#add({ do: "stop", id: chat.id }, this.#now);
  }

  #start(role: "c" | "p", at: number): void {
    const back = this.#dead.findIndex((id) => id.startsWith(role));
    const id = back >= 0 && this.#random.chance(0.5)
      ? this.#dead.splice(back, 1)[0] as string
      : role === "c"
      ? `c${++this.#chats}`
      : `p${++this.#proxies}`;
    this.#choose(id);
    this.#processes.push({ id, serving: true, busyUntil: at });
    this.#add({ do: "start", id }, at);
  }

  /** On which side of partitions a new process is. */
  #choose(id: string): void {
    for (const { b } of this.#splits) if (!b.includes(id) && this.#random.chance(0.5)) b.push(id);
  }

  /** Whether one side takes nobody in, and lets nobody go in order. */
  get #sealed(): boolean {
    const margin = 2 * DRAIN_MS;
    return this.#splits.some(({ at, until, split }) =>
      split.seals !== undefined && at - margin <= this.#now && this.#now <= until
    );
  }

  #replaceProxy(): void {
    const [proxy] = this.#random.chance(0.5) ? this.#serving("p") : this.#serving("p").reverse();
    this.#start("p", this.#now);
    const at = this.#now + 200 + this.#random.below(800);
    this.#process(proxy as string).serving = false;
    this.#add({ do: "stop", id: proxy as string }, at);
  }

  #killChat(): void {
    if (this.#serving("c").length < 2) return;
    const chat = this.#calm("c");
    if (chat) this.#kill(chat);
  }

  #killProxy(): void {
    if (this.#serving("p").length < 2) return;
    const proxy = this.#calm("p");
    if (!proxy) return;
    this.#kill(proxy);
    this.#crowd.lost(proxy.id);
  }

  #kill(process: Process): void {
    process.serving = false;
    this.#dead.push(process.id);
    this.#add({ do: "kill", id: process.id }, this.#now);
    if (!this.#random.chance(0.3)) return;
    this.#dead.pop();
    this.#processes.push({ id: process.id, serving: true, busyUntil: this.#now + 1000 });
    this.#add({ do: "start", id: process.id }, this.#now + this.#random.pick([1, 50, 500, 2000]));
  }

  /** Connections break and come again soon: their links go on. */
  #blip(): void {
    const random = this.#random;
    const [a, b] = [
      random.pick(this.#serving("c")),
      random.pick([...this.#serving("p"), ...this.#serving("c")]),
    ];
    if (a === b) return;
    this.#add({
      do: "cut",
      a,
      b: b as string,
      ways: "both",
      broken: true,
      ms: random.pick([0, 20, 100, 500]),
    }, this.#now);
  }

  #cut(): void {
    const random = this.#random;
    // One that drains is worth cutting off too.
    const alive = this.#processes.filter((one) => one.serving || one.busyUntil > this.#now);
    const a = random.pick(alive).id;
    const b = random.pick(alive).id;
    if (a === b || (!isChat(a) && !isChat(b))) return;
    const ways = random.chance(0.3) ? "there" : "both";
    const broken = ways === "both" && random.chance(0.7);
    this.#add({ do: "cut", a, b, ways, broken, ms: random.pick([0, 20, 500, 2000, 4000, 7000]) }, this.#now);
  }

  #expel(): void {
    if (this.#serving("c").length < 2) return;
    const process = this.#calm("c", "p");
    if (!process) return;
    const strike = this.#random.pick([0, 100, 1000]);
    const back = this.#random.pick([1, 100, 2000]);
    process.busyUntil = this.#now + strike + back + 500;
    this.#add({ do: "expel", id: process.id, strike, back }, this.#now);
  }

  #freeze(): void {
    const process = this.#calm("c", "p");
    if (!process) return;
    const ms = this.#random.pick([50, 500, 2500, 5000]);
    process.busyUntil = this.#now + ms + 500;
    this.#add({ do: "freeze", id: process.id, ms }, this.#now);
  }

  #relapse(): void {
    const process = this.#calm("c", "p");
    if (!process) return;
    const ms = this.#random.pick([1, 100, 1000, 4000]);
    process.busyUntil = this.#now + ms + 100;
    this.#add({ do: "relapse", id: process.id, back: 1 + this.#random.below(3), ms }, this.#now);
  }

  #troubleWithBridge(): void {
    const random = this.#random;
    const dice = random.next();
    const ms = random.pick([1, 100, 500, 2500, 4000]);
    if (dice < 0.3) this.#add({ do: "bridge", dies: true, ms }, this.#now);
    else if (dice < 0.4) this.#add({ do: "bridge", dies: false, ms }, this.#now);
    else if (dice < 0.55) this.#killChat();
    else if (dice < 0.7) this.#freeze();
    else if (dice < 0.85) this.#expel();
    else {
      const process = this.#calm("c", "p");
      if (process) this.#add({ do: "mute", id: process.id, ms }, this.#now);
    }
  }

  /** Two servers that start side by side and do not hear of each other claim one slot. */
  #contest(): void {
    if (this.#serving("c").length > 5) return this.#killChat();
    const at = this.#now;
    this.#start("c", at);
    this.#start("c", at + this.#random.pick([0, 10, 300, 900]));
    const [a, b] = this.#processes.slice(-2) as [Process, Process];
    for (const one of [a, b]) {
      if (this.#random.chance(0.5)) continue;
      const ms = this.#random.pick([300, 1500, 3000]);
      one.busyUntil = at + 1000 + ms;
      this.#add({ do: "mute", id: one.id, ms }, at + 950);
    }
    if (this.#random.chance(0.5)) return;
    const other = this.#calm("c");
    if (other) this.#add({ do: "mute", id: other.id, ms: this.#random.pick([300, 1500, 3000]) }, at);
  }
}
