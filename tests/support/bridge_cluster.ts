/**
 * A bridge and members in virtual time, on a network in memory whose hosts can freeze, vanish and come back.
 *
 * @module
 */
import { Bridge, type BridgeOptions } from "../../src/http/bridge.ts";
import type { Cancel, Clock } from "../../src/lib/clock.ts";
import { BridgeMembership, type BridgeMembershipOptions } from "../../src/membership/bridge_client.ts";
import type { Lease, MemberInfo, Role } from "../../src/membership/membership.ts";
import type { View } from "../../src/membership/view.ts";
import { memoryTransport } from "../../transports/memory.ts";
import { TurnClock } from "./turn_clock.ts";

/** The clock of one host: while it is frozen, time passes and nothing is called. */
export class HostClock implements Clock {
  frozen = false;
  readonly #base: Clock;
  #due: (() => void)[] = [];

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#base.now();
  }

  wallTime(): number {
    return this.#base.wallTime();
  }

  after(ms: number, fn: () => void): Cancel {
    let cancelled = false;
    const cancel = this.#base.after(ms, () => this.#run(() => cancelled || fn()));
    return () => {
      cancelled = true;
      cancel();
    };
  }

  every(ms: number, fn: () => void): Cancel {
    let cancelled = false;
    const cancel = this.#base.every(ms, () => this.#run(() => cancelled || fn()));
    return () => {
      cancelled = true;
      cancel();
    };
  }

  defer(fn: () => void): void {
    this.#base.defer(() => this.#run(fn));
  }

  random(): number {
    return this.#base.random();
  }

  randomBytes(length: number): Uint8Array {
    return this.#base.randomBytes(length);
  }

  thaw(): void {
    this.frozen = false;
    const due = this.#due;
    this.#due = [];
    for (const fn of due) fn();
  }

  #run(fn: () => void): void {
    if (this.frozen) this.#due.push(fn);
    else fn();
  }
}

/** A member on a host of its own. */
export interface TestMember {
  readonly host: string;
  readonly clock: HostClock;
  readonly membership: BridgeMembership;
  /** The views that it was told of. */
  readonly views: View[];
  lease: Lease;
  rejoins: number;
}

/** The host that bridges listen on, and their port. */
export const BRIDGE_HOST = "10.0.0.1";
const PORT = 7374;

/** One network with at most one bridge at a time. */
export class BridgeCluster {
  readonly clock: TurnClock;
  readonly bridgeClock: HostClock;
  readonly members: TestMember[] = [];
  bridge!: Bridge;
  readonly #network;
  readonly #frozen: Set<string> = new Set();
  #hosts = 0;

  constructor(seed = 1) {
    this.clock = new TurnClock(seed);
    this.bridgeClock = new HostClock(this.clock);
    const delay = ({ to }: { to: string }) => this.#frozen.has(to) ? Infinity : 0;
    this.#network = memoryTransport({ clock: this.clock, delay });
  }

  get url(): string {
    return `ws://${BRIDGE_HOST}:${PORT}/rpc`;
  }

  /** Starts a bridge: a new life, with an empty book. */
  async startBridge(options: Partial<BridgeOptions> = {}): Promise<Bridge> {
    this.bridge = new Bridge({
      transport: this.#network.at(BRIDGE_HOST),
      clock: this.bridgeClock,
      listen: { host: BRIDGE_HOST, port: PORT },
      secret: "s3cret",
      ...options,
    });
    await this.bridge.start();
    return this.bridge;
  }

  /** The network as seen from a host. */
  at(host: string): ReturnType<typeof memoryTransport> {
    return this.#network.at(host);
  }

  /** A membership on a host of its own, not joined. */
  membership(options: Partial<BridgeMembershipOptions> = {}, host = this.nextHost()): BridgeMembership {
    const transport = this.#network.at(host);
    return new BridgeMembership({
      transport,
      clock: this.clock,
      url: this.url,
      secret: "s3cret",
      ...options,
    });
  }

  nextHost(): string {
    return `10.0.1.${++this.#hosts}`;
  }

  /** Joins a member and lets the time pass that it takes. */
  async join(
    id: string,
    role: Role = "chat",
    options: Partial<BridgeMembershipOptions> = {},
  ): Promise<TestMember> {
    const host = this.nextHost();
    const clock = new HostClock(this.clock);
    const membership = this.membership({ clock, ...options }, host);
    const views: View[] = [];
    membership.onView((view) => views.push(view));
    const info: MemberInfo = { id, role, address: `${host}:7001` };
    const lease = await this.finish(membership.join(info));
    const member: TestMember = { host, clock, membership, views, lease, rejoins: 0 };
    lease.onRejoin(() => member.rejoins++);
    this.members.push(member);
    return member;
  }

  /** Lets time pass until a promise has settled. */
  async finish<T>(work: Promise<T>, ms = 30_000): Promise<T> {
    let settled = false;
    const done = (): boolean => settled = true;
    work.then(done, done);
    await this.clock.until(() => settled, ms);
    return await work;
  }

  /** Stops a host: nothing runs there and nothing arrives. */
  freeze(host: string, clock: HostClock): void {
    this.#frozen.add(host);
    clock.frozen = true;
  }

  /** Lets a host run again, timers first. */
  thaw(host: string, clock: HostClock): void {
    this.#frozen.delete(host);
    clock.thaw();
    this.#network.retry();
  }

  /** Breaks a host's connections. */
  cut(host: string): void {
    this.#network.break((from, to) => from === host || to === host);
  }

  /** The ids in the bridge's view. */
  ids(view: View = this.bridge.view): string[] {
    return view.members.map((member) => member.id);
  }
}
