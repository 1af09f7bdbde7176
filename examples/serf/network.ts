/**
 * Hosts on one machine: each is a network namespace with an address of its own, and a router between them, itself a
 * namespace, that drops what it is told to. The machine itself has one leg into that network, so that users on it reach
 * all hosts; of its own network nothing is touched.
 *
 * The router drops packets as a broken cable does, without a word to anybody, by a rule for each direction of each pair.
 *
 * @module
 */
import { randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { forward, Guard, ip, makeFolder, obstacle, prefixOf, sweep } from "./ip.ts";

/** Who can be cut off from whom: a host by its number, from 1, or the machine itself, which is 0. */
export type Place = number;

/** Which way packets are lost, as the host that is cut off sees it: what comes in, what goes out, or both. */
export type Way = "in" | "out" | "both";

const MOST_HOSTS = 100;
const ROUTER = 253;
const MACHINE = 254;
/** Tries to find a network that nobody uses. */
const TRIES = 20;
/** Networks in use at this moment by this process: each needs names of its own. */
let opened = 0;

/** The hosts and what is between them. */
export class HostNetwork {
  /** How many hosts there are. */
  readonly size: number;
  /** Where the machine itself is in this network. */
  readonly machine: string;
  /** A folder for the hosts' files; it goes with them. */
  readonly folder: string;
  readonly #prefix: string;
  readonly #net: string;
  readonly #guard: Guard;
  /** The addresses that each place has or has had; the last one is in use. */
  readonly #addresses: string[][];
  /** Lost directions of pairs, as `1>2`. */
  #lost: ReadonlySet<string> = new Set();

  private constructor(size: number, prefix: string, net: string, guard: Guard) {
    this.size = size;
    this.machine = `${net}.${MACHINE}`;
    this.folder = makeFolder(prefix);
    this.#prefix = prefix;
    this.#net = net;
    this.#guard = guard;
    this.#addresses = [[this.machine], ...numbers(size).map((host) => [`${net}.${host}`])];
  }

  /**
   * Makes so many hosts, 1 to 100, which all reach each other. Namespaces are called `LABEL-PID-…`; what earlier
   * processes have left under the same label goes first.
   *
   * @throws {Error} where this machine or this user cannot, with what to do.
   */
  static async open(size: number, label = "toychat"): Promise<HostNetwork> {
    const problem = obstacle();
    if (problem) throw new Error(problem);
    if (!(Number.isInteger(size) && size >= 1 && size <= MOST_HOSTS)) {
      throw new Error(`a network has 1 to ${MOST_HOSTS} hosts, not ${size}`);
    }
    await sweep(label);
    const own = prefixOf(label, process.pid);
    const prefix = `${own}-${++opened}`;
    const guard = new Guard(prefix);
    try {
      const net = await join(prefix);
      const network = new HostNetwork(size, prefix, net, guard);
      await network.#build();
      return network;
    } catch (error) {
      await guard.remove();
      throw error;
    }
  }

  async #build(): Promise<void> {
    const router = routerOf(this.#prefix);
    const hosts = numbers(this.size);
    await ip(hosts.flatMap((host) => [
      `netns add ${this.namespace(host)}`,
      `link add eth0 netns ${this.namespace(host)} type veth peer name h${host} netns ${router}`,
    ]));
    await ip(
      hosts.flatMap((host) => [
        `link set h${host} up`,
        `route add ${this.address(host)}/32 dev h${host}`,
      ]),
      router,
    );
    await Promise.all(hosts.map((host) =>
      ip([
        "link set lo up",
        `addr add ${this.address(host)}/32 dev eth0`,
        "link set eth0 up",
        `route add ${this.#net}.${ROUTER} dev eth0`,
        `route add ${this.#net}.0/24 via ${this.#net}.${ROUTER}`,
      ], this.namespace(host))
    ));
  }

  /** The name of a host's namespace. */
  namespace(host: Place): string {
    this.#own(host);
    return `${this.#prefix}-h${host}`;
  }

  /** The address of a host. */
  address(host: Place): string {
    return this.#own(host).at(-1) as string;
  }

  #own(place: Place): string[] {
    const found = this.#addresses[place];
    if (!found) throw new Error(`there is no host ${place}: the hosts are 1 to ${this.size}`);
    return found;
  }

  /** The command that runs another one on a host; it becomes that one, with the same process id. */
  on(host: Place, command: readonly string[]): string[] {
    this.#own(host);
    return ["ip", "netns", "exec", this.namespace(host), ...command];
  }

  /** Gives a host another address; it no longer has the one before. */
  async readdress(host: Place): Promise<string> {
    const before = this.address(host);
    const address = `${this.#net}.${host + MOST_HOSTS}`;
    if (this.#own(host).includes(address)) throw new Error(`host ${host} has had two addresses already`);
    this.#own(host).push(address);
    const lost = [...this.#lost].filter((pair) => pair.endsWith(`>${host}`));
    await ip([
      ...lost.map((pair) => ruleOf("add", pair, address)),
      `route add ${address}/32 dev h${host}`,
      `route del ${before}/32`,
    ], routerOf(this.#prefix));
    const route = `${this.#net}.0/24 via ${this.#net}.${ROUTER}`;
    await ip([
      `addr add ${address}/32 dev eth0`,
      `route change ${route} src ${address}`,
      `addr del ${before}/32 dev eth0`,
    ], this.namespace(host));
    return address;
  }

  /** Loses what a host says to the other hosts, or they to it; the machine itself still reaches it, and it the machine. */
  async cut(host: Place, way: Way = "both"): Promise<void> {
    this.#own(host);
    await this.part([host], numbers(this.size).filter((other) => other !== host), way);
  }

  /** Loses what a host says to anybody, the machine itself too, and what anybody says to it. */
  async isolate(host: Place): Promise<void> {
    this.#own(host);
    await this.part([host], [0, ...numbers(this.size)].filter((other) => other !== host));
  }

  /** Loses what some say to others, and the other way round; `"in"` and `"out"` as those named first see it. */
  async part(some: readonly Place[], others: readonly Place[], way: Way = "both"): Promise<void> {
    const pairs = some.flatMap((one) => others.map((other) => [one, other] as const));
    await this.#change(
      new Set([
        ...this.#lost,
        ...pairs.flatMap(([one, other]) => [
          ...(way === "in" ? [] : [`${one}>${other}`]),
          ...(way === "out" ? [] : [`${other}>${one}`]),
        ]),
      ]),
    );
  }

  /** Mends everything between a host and all others, or between all. */
  async heal(host?: Place): Promise<void> {
    if (host !== undefined) this.#own(host);
    const kept = [...this.#lost].filter((pair) =>
      host !== undefined && !pair.split(">").map(Number).includes(host)
    );
    await this.#change(new Set(kept));
  }

  /** The hosts that a host cannot both hear and speak to. */
  cutFrom(host: Place): Place[] {
    this.#own(host);
    const other = [...this.#lost].map((pair) => pair.split(">").map(Number)).flatMap(([from, to]) =>
      from === host ? [to as Place] : to === host ? [from as Place] : []
    );
    return [...new Set(other)].sort((a, b) => a - b);
  }

  /** All rules of one change go out together; those that stay are not touched. */
  async #change(lost: ReadonlySet<string>): Promise<void> {
    const before = this.#lost;
    this.#lost = lost;
    const lines = [
      ...[...lost].filter((pair) => !before.has(pair)).flatMap((pair) => this.#rules("add", pair)),
      ...[...before].filter((pair) => !lost.has(pair)).flatMap((pair) => this.#rules("del", pair)),
    ];
    if (lines.length > 0) await ip(lines, routerOf(this.#prefix));
  }

  #rules(verb: "add" | "del", pair: string): string[] {
    const to = Number(pair.split(">")[1]);
    return this.#own(to).map((address) => ruleOf(verb, pair, address));
  }

  /** Ends everything that runs on the hosts and removes them; resolves when nothing is left. */
  async close(): Promise<void> {
    await this.#guard.remove();
  }

  /** The same, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function routerOf(prefix: string): string {
  return `${prefix}-router`;
}

function ruleOf(verb: "add" | "del", pair: string, address: string): string {
  return `rule ${verb} pref 1000 iif h${pair.split(">")[0]} to ${address}/32 blackhole`;
}

function numbers(size: number): Place[] {
  return Array.from({ length: size }, (_, index) => index + 1);
}

/**
 * Makes the router and the machine's leg to it, in a network that nobody uses: where two processes pick the same one, the
 * second one's route is refused.
 *
 * @returns the network's first three numbers.
 */
async function join(prefix: string): Promise<string> {
  const router = routerOf(prefix);
  const leg = `tc${process.pid.toString(36)}x${opened}`;
  await ip([
    `netns add ${router}`,
    `link add ${leg} type veth peer name h0 netns ${router}`,
    `link set ${leg} up`,
  ]);
  await ip(["link set lo up", "link set h0 up"], router);
  await forward(router);
  const net = await claim(leg);
  await ip([
    `addr add ${net}.${MACHINE}/32 peer ${net}.${ROUTER} dev ${leg}`,
    `route change ${net}.0/24 via ${net}.${ROUTER} dev ${leg} src ${net}.${MACHINE}`,
  ]);
  await ip([`addr add ${net}.${ROUTER}/32 dev lo`, `route add ${net}.${MACHINE}/32 dev h0`], router);
  return net;
}

/** Takes a network, 10.77.N, for this leg. */
async function claim(leg: string): Promise<string> {
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []).map(({ address }) => address);
  for (let tries = 1;; tries++) {
    const net = `10.77.${randomInt(1, 255)}`;
    if (own.some((address) => address.startsWith(`${net}.`))) continue;
    try {
      await ip([`route add ${net}.0/24 dev ${leg}`]);
      return net;
    } catch (error) {
      if (tries >= TRIES) throw error;
    }
  }
}
