/**
 * Where the processes of a model cluster have their list of members from: a model of it, or a real bridge.
 *
 * @module
 */
import { Bridge } from "../../src/http/bridge.ts";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import type { Lease, MemberInfo, Membership } from "../../src/membership/membership.ts";
import type { MemoryTransport } from "../../transports/memory.ts";
import { Gossip } from "../support/gossip_membership.ts";
import type { ModelMembership } from "../support/model_membership.ts";
import { SkewedRegistry } from "../support/skewed_membership.ts";
import { SplitRegistry } from "../support/split_membership.ts";
import { ProcessClock, type Random, type VirtualClock } from "../support/virtual_clock.ts";
import { type Process, ProcessSockets } from "./process.ts";
import type { ProcessAct, World } from "./schedule.ts";

/** The network is cut in two. */
export type Split = ProcessAct & { do: "split" };

/** Milliseconds after which a process that stands still is struck off the list. */
const STRIKE_MS = 3000;
/** Milliseconds after its last renewal at which a lease is in doubt. */
const DOUBT_MS = 2000;
/** Milliseconds in which those whose leases were lost all at once are entered again. */
const REJOIN_MS = 300;
/** Milliseconds in which a process that wakes has heard from its list. */
const RENEWED_MS = 20;

/** Membership of a process, with the lease that it has by it. */
export interface ProcessMembership extends Membership {
  /** Undefined until it has joined. */
  readonly lease: Lease | undefined;
}

/** A list, and what may happen between it and the processes. */
export interface List {
  /** The membership of one process. */
  process(id: string, clock: ProcessClock, sockets: ProcessSockets): ProcessMembership;
  /** A process has died. */
  killed(process: Process): void;
  /** A process stands still for so long. */
  frozen(process: Process, ms: number): void;
  /** A process loses its lease, is struck off, and is entered again. */
  expel(process: Process, strike: number, back: number): void;
  /** A process and the list do not hear of each other. */
  mute(id: string, ms: number): void;
  /** An older view counts for a process. */
  relapse(process: Process, back: number, ms: number): void;
  /** The processes on two sides do not hear of each other; `all` are all that there are when it is asked. */
  split(split: Split, all: () => readonly Process[]): void;
}

/** A model of a list: one that sends views, or single changes that each process puts together. */
export class ModelList implements List {
  readonly registry: SkewedRegistry | Gossip | SplitRegistry;
  readonly #clock: VirtualClock;
  readonly #world: World;
  readonly #random: (purpose: string) => Random;

  constructor(clock: VirtualClock, world: World, random: (purpose: string) => Random) {
    this.registry = new (REGISTRIES[world.membership as keyof typeof REGISTRIES])(clock);
    this.registry.delay = (id) => random(`view ${id}`).below(world.skew + 1);
    this.#clock = clock;
    this.#world = world;
    this.#random = random;
  }

  process(id: string, clock: ProcessClock): ModelMembership {
    return this.registry.process(id, clock);
  }

  killed({ id, membership }: Process): void {
    const { lease } = membership as ModelMembership;
    const noticed = this.#random("deaths").below(this.#world.detection + 1);
    this.#clock.after(noticed, () => this.registry.withdraw(id, lease?.entered));
  }

  frozen(process: Process, ms: number): void {
    const { lease } = process.membership as ModelMembership;
    if (ms >= STRIKE_MS) this.expel(process, STRIKE_MS, ms - STRIKE_MS);
    else if (ms >= DOUBT_MS && lease) {
      // When it wakes it must hear from its list first.
      lease.doubtUntil = this.#clock.now() + ms + 1 + this.#random("deaths").below(RENEWED_MS);
    }
  }

  expel(process: Process, strike: number, back: number): void {
    const membership = process.membership as ModelMembership;
    const { incarnation } = membership.lease ?? {};
    membership.lose();
    this.#clock.after(strike, () => this.registry.withdraw(process.id, incarnation));
    this.#clock.after(strike + back, () => {
      if (process.running) membership.rejoin();
    });
  }

  mute(id: string, ms: number): void {
    this.registry.mute(id, ms);
  }

  relapse({ membership }: Process, back: number, ms: number): void {
    (membership as ModelMembership).relapse(back, ms);
  }

  split({ b, seals, drops, merge, ms }: Split, all: () => readonly Process[]): void {
    const registry = this.registry as SplitRegistry;
    const second = new Set(b);
    const sealed: Process[] = [];
    registry.split(second);
    let over = false;
    for (const side of ["a", "b"] as const) {
      this.#clock.after(drops[side], () => {
        if (over) return;
        if (side !== seals) return registry.drop(side);
        sealed.push(...all().filter(({ id, running }) => running && second.has(id) === (side === "b")));
        for (const { membership } of sealed) (membership as ModelMembership).lose();
        registry.seal(side);
      });
    }
    this.#clock.after(ms + merge, () => {
      over = true;
      registry.merge();
      for (const process of sealed) this.#rejoin(process);
    });
  }

  /** A process of a side that was sealed is entered again as soon as it has heard that it may be. */
  #rejoin({ id, membership, running, clock }: Process): void {
    this.#clock.after(this.#random(`rejoin ${id}`).below(REJOIN_MS), () => {
      if (running && clock.alive) (membership as ModelMembership).rejoin();
    });
  }
}

/** What keeps a list, by the kind of membership. */
const REGISTRIES = { list: SkewedRegistry, gossip: Gossip, sides: SplitRegistry };

/** The host of the bridge. */
export const BRIDGE = "b";
const PORT = 7374;
const SECRET = "model";

/** A process of a cluster with a real bridge. */
class BridgedMembership extends BridgeMembership implements ProcessMembership {
  lease: Lease | undefined;

  override async join(member: MemberInfo): Promise<Lease> {
    return this.lease = await super.join(member);
  }
}

/** What a bridge needs of its cluster. */
export interface BridgeHost {
  readonly clock: VirtualClock;
  readonly network: MemoryTransport;
  random(purpose: string): Random;
  cut(a: string, b: string, ms: number, ways: "both" | "there", broken: boolean): void;
}

/** A real bridge on a host of its own, which can die and stand still like all others. */
export class BridgeList implements List {
  readonly #host: BridgeHost;
  #life: { clock: ProcessClock; sockets: ProcessSockets } | undefined;
  #lives = 0;

  constructor(host: BridgeHost) {
    this.#host = host;
  }

  /** The clock of the bridge that is there, or was. */
  get clock(): ProcessClock | undefined {
    return this.#life?.clock;
  }

  /** Starts a bridge, or another one in place of one that died. */
  async start(): Promise<void> {
    const { clock: time, network, random } = this.#host;
    const clock = new ProcessClock(time, random(`bridge ${++this.#lives}`));
    const sockets = new ProcessSockets(network.at(BRIDGE), clock);
    const listen = { host: BRIDGE, port: PORT };
    const bridge = new Bridge({ transport: sockets, clock, secret: SECRET, listen });
    this.#life = { clock, sockets };
    await bridge.start();
  }

  /** The bridge dies, and another one starts `ms` later. */
  restart(ms: number): void {
    const { clock, network } = this.#host;
    if (!this.#life?.clock.alive) return;
    this.#life.clock.alive = false;
    this.#life.sockets.close();
    network.break((from) => from === BRIDGE);
    clock.after(ms, () => void this.start());
  }

  process(_id: string, clock: ProcessClock, sockets: ProcessSockets): ProcessMembership {
    return new BridgedMembership({
      url: `ws://${BRIDGE}:${PORT}/rpc`,
      transport: sockets,
      clock,
      secret: SECRET,
    });
  }

  /** Its connection ends. */
  killed(): void {}

  /** It falls silent. */
  frozen(): void {}

  /** It cannot reach the bridge for so long that it is struck off, and then it can. */
  expel({ id }: Process, strike: number, back: number): void {
    this.#host.cut(id, BRIDGE, strike + back, "both", true);
  }

  mute(id: string, ms: number): void {
    this.#host.cut(id, BRIDGE, ms, "both", false);
  }

  /** There is but one bridge. */
  relapse(): void {}

  /** Nor is there a second one for another side. */
  split(): void {}
}
