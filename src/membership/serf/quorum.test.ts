import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  LONELY_MS,
  NEWCOMER_MS,
  PROOF_MS,
  Quorum,
  type QuorumHost,
  REGAIN_MS,
  ROUND_MS,
  SILENT_MS,
} from "./quorum.ts";

const TICK_MS = 50;

interface Delivery {
  readonly at: number;
  readonly run: () => void;
}

/** Hosts that ask each other every second over a network that comes apart and together; each has a clock of its own. */
class Network {
  now = 0;
  readonly names: readonly string[];
  readonly quorums: readonly Quorum[];
  readonly offsets: readonly number[];
  /** The group of each host: only hosts of one group hear each other. */
  groups: readonly number[];
  readonly lastAccepted: number[];
  readonly dropped: Set<number>[];
  /** By host: when it was dropped, and by whom. */
  readonly drops: { at: number; by: number; of: number }[] = [];
  readonly #delay: () => number;
  #deliveries: Delivery[] = [];
  #queries = 0;

  constructor(offsets: readonly number[], delay: () => number) {
    this.offsets = offsets;
    this.#delay = delay;
    this.names = offsets.map((_, i) => `host-${i}`);
    this.groups = offsets.map(() => 0);
    this.quorums = this.names.map((self) => new Quorum({ self, mode: "seal" }));
    this.lastAccepted = offsets.map(() => -Infinity);
    this.dropped = offsets.map(() => new Set());
    this.each((quorum, now) =>
      quorum.base(this.names.map((name) => ({ name, chats: true, status: "alive" })), now)
    );
  }

  each(action: (quorum: Quorum, now: number, i: number) => void): void {
    for (const [i, quorum] of this.quorums.entries()) action(quorum, this.clock(i), i);
  }

  clock(i: number): number {
    return this.now + (this.offsets[i] as number);
  }

  accepting(i: number): boolean {
    return (this.quorums[i] as Quorum).mayAccept(this.clock(i));
  }

  /** Runs until a time; what happens is checked at every tick. */
  run(until: number): void {
    for (; this.now < until; this.now += TICK_MS) {
      this.#deliver();
      for (const i of this.names.keys()) if (this.now % 1000 === (i * 150) % 1000) this.#ask(i);
      this.each((quorum, now, i) => {
        if (quorum.mayAccept(now)) this.lastAccepted[i] = this.now;
      });
      this.#drop();
    }
  }

  /** Every host takes every other for failed all the time, as if Serf had given all verdicts already. */
  #drop(): void {
    this.each((quorum, now, by) => {
      for (const [of, name] of this.names.entries()) {
        if (of === by || this.dropped[by]?.has(of) || !quorum.mayDrop(name, now)) continue;
        this.dropped[by]?.add(of);
        this.drops.push({ at: this.now, by, of });
        expect(this.now - (this.lastAccepted[of] as number)).toBeGreaterThanOrEqual(1000 + TICK_MS);
      }
    });
  }

  #send(from: number, to: number, run: () => void): void {
    if (this.groups[from] !== this.groups[to]) return;
    const at = this.now + this.#delay();
    this.#deliveries.push({ at, run: () => this.groups[from] === this.groups[to] && run() });
  }

  #deliver(): void {
    const due = this.#deliveries.filter(({ at }) => at <= this.now);
    this.#deliveries = this.#deliveries.filter(({ at }) => at > this.now);
    for (const { run } of due.sort((a, b) => a.at - b.at)) run();
  }

  #ask(from: number): void {
    const id = ++this.#queries;
    const [asker, name] = [this.quorums[from] as Quorum, this.names[from] as string];
    asker.asked(id, this.clock(from));
    for (const to of this.names.keys()) {
      if (to === from) continue;
      this.#send(from, to, () => {
        const other = this.quorums[to] as Quorum;
        other.heard(name, this.clock(to));
        this.dropped[to]?.delete(from);
        const silent = other.silent(this.clock(to));
        const dropped = [...this.dropped[to] as Set<number>].map((i) => this.names[i] as string);
        this.#send(to, from, () => {
          asker.answered(id, this.names[to] as string, this.clock(from), { silent, dropped });
        });
      });
    }
  }
}

const clocks = (min: number, max: number) =>
  fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: min, maxLength: max });

/** Whether a group of hosts of `count` may go on: most of them, or half of them with the first. */
function goesOn(group: readonly number[], count: number): boolean {
  return group.length * 2 > count || (group.length * 2 === count && group.includes(0));
}

describe("partitions", () => {
  test("the side with the majority goes on throughout, the others stop within 5 s, and are dropped after 8 s", () => {
    const cut = clocks(2, 7).chain((offsets) =>
      fc.record({
        offsets: fc.constant(offsets),
        groups: fc.array(fc.nat(2), { minLength: offsets.length, maxLength: offsets.length }),
        delays: fc.infiniteStream(fc.integer({ min: 0, max: 400 })),
        at: fc.integer({ min: 100, max: 140 }),
      })
    );
    fc.assert(
      fc.property(cut, ({ offsets, groups, delays, at }) => {
        const network = new Network(offsets, () => delays.next().value as number);
        network.run(3000);
        const hosts = [...groups.keys()];
        for (const i of hosts) expect(network.accepting(i)).toBe(true);
        const cutAt = at * TICK_MS;
        network.run(cutAt);
        network.groups = groups;
        const side = (i: number) => hosts.filter((other) => groups[other] === groups[i]);
        const survive = hosts.filter((i) => goesOn(side(i), hosts.length));
        network.run(cutAt + 25_000);
        for (const i of hosts) {
          const quorum = network.quorums[i] as Quorum;
          expect([i, network.accepting(i), quorum.lapses]).toEqual([
            i,
            survive.includes(i),
            survive.includes(i) ? 0 : 1,
          ]);
          if (!survive.includes(i)) expect((network.lastAccepted[i] as number) - cutAt).toBeLessThan(5000);
        }
        const expected = survive.flatMap((by) =>
          hosts.filter((of) => !survive.includes(of)).map((of) => `${by} ${of}`)
        );
        expect(network.drops.map(({ by, of }) => `${by} ${of}`).sort()).toEqual(expected.sort());
        for (const drop of network.drops) {
          expect(drop.at - cutAt).toBeGreaterThanOrEqual(SILENT_MS - 1500);
          expect(drop.at - cutAt).toBeLessThanOrEqual(SILENT_MS + 3000);
        }
        network.groups = hosts.map(() => 0);
        network.run(network.now + 2000 + REGAIN_MS);
        for (const i of hosts) expect(network.accepting(i)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("whoever is dropped has stopped accepting at least 1 s before, however the network comes apart and together", () => {
    const phase = fc.record({
      groups: fc.array(fc.nat(2), { minLength: 7, maxLength: 7 }),
      ticks: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 40, max: 250 })),
    });
    const history = fc.record({
      offsets: clocks(2, 7),
      phases: fc.array(phase, { minLength: 1, maxLength: 12 }),
      delays: fc.infiniteStream(
        fc.oneof(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 6000 })),
      ),
    });
    let drops = 0;
    fc.assert(
      fc.property(history, ({ offsets, phases, delays }) => {
        const network = new Network(offsets, () => delays.next().value as number);
        network.run(3000);
        for (const { groups, ticks } of phases) {
          network.groups = groups;
          network.run(network.now + ticks * TICK_MS);
        }
        drops += network.drops.length;
      }),
      { numRuns: 150 },
    );
    expect(drops).toBeGreaterThan(50);
  });

  test("a host that answers both of two that are cut off from each other keeps the one from taking over the other", () => {
    const network = new Network([0, 0, 0], () => 0);
    network.run(3000);
    // First 0 and 2 are together, then 1 and 2: for 8 s host 1 did not hear host 0, which host 2 had answered just before.
    network.groups = [0, 1, 0];
    network.run(11_950);
    network.groups = [0, 1, 1];
    network.run(13_500);
    expect([network.accepting(0), network.quorums[1]?.lastHeard("host-0")]).toEqual([true, 2150]);
    expect(network.drops.filter(({ of }) => of === 0)).toEqual([]);
    network.run(24_000);
    expect([network.accepting(0), network.accepting(1)]).toEqual([false, true]);
    expect(network.drops.some(({ of, by }) => of === 0 && by === 1)).toBe(true);
  });

  test("of two hosts the one with the lower name goes on, and takes over from the other", () => {
    const network = new Network([5, 900_000], () => 20);
    network.run(5000);
    network.groups = [0, 1];
    network.run(20_000);
    expect([network.accepting(0), network.accepting(1)]).toEqual([true, false]);
    expect(network.drops.map(({ by, of }) => [by, of])).toEqual([[0, 1]]);
  });
});

/** The quorum of host `b` among hosts with ChatServers, which has asked its first question at 0. */
function quorum(...names: string[]): Quorum {
  const it = new Quorum({ self: "b", mode: "seal" });
  it.base(base(...names), 0);
  it.asked(1, 0);
  return it;
}

function base(...names: string[]): QuorumHost[] {
  return names.map((name) => ({ name, chats: true, status: "alive" }));
}

describe("the right to accept", () => {
  test("a host that is the whole base, or knows of no ChatServers, always may accept", () => {
    expect([quorum("b").mayAccept(1e9), quorum("b").endsAt()]).toEqual([true, Infinity]);
    expect(quorum().mayAccept(1e9)).toBe(true);
  });

  test("proof counts from the moment at which the question was sent, for 4 s", () => {
    const it = quorum("a", "b", "c");
    expect([it.mayAccept(0), it.acceptAt()]).toEqual([false, Infinity]);
    it.answered(1, "c", 900);
    const from = 900 + ROUND_MS;
    expect([it.mayAccept(from), it.endsAt(), it.acceptAt()]).toEqual([true, PROOF_MS, from]);
    expect([it.mayAccept(PROOF_MS - 1), it.mayAccept(PROOF_MS), it.lapses]).toEqual([true, false, 1]);
    expect(it.endsAt()).toBe(PROOF_MS);
  });

  test("the right ends when so many proofs have run out that the rest is no majority", () => {
    const it = quorum("a", "b", "c", "d", "e");
    it.answered(1, "a", 10);
    it.asked(2, 1000);
    it.answered(2, "c", 1010);
    it.asked(3, 2000);
    it.answered(3, "d", 2010);
    expect(it.endsAt()).toBe(1000 + PROOF_MS);
  });

  test("an answer to no question, to a question long ago, or from the host itself proves nothing", () => {
    const it = quorum("a", "b", "c");
    it.answered(7, "c", 10);
    it.answered(1, "b", 10);
    for (let i = 2; i < 20; i++) it.asked(i, i);
    it.answered(1, "c", 30);
    expect(it.acceptAt()).toBe(Infinity);
    it.answered(19, "c", 30);
    expect(it.mayAccept(30 + ROUND_MS)).toBe(true);
  });

  test("who has sealed accepts again after 3 s of majority, and can tell that it had sealed", () => {
    const it = quorum("a", "b", "c");
    it.answered(1, "c", 100);
    for (let at = 10_000; at <= 13_000; at += 1000) {
      it.asked(at, at);
      it.answered(at, "c", at + 100);
    }
    expect([it.lapses, it.acceptAt()]).toEqual([1, 10_100 + REGAIN_MS]);
    expect([it.mayAccept(13_099), it.mayAccept(13_100)]).toEqual([false, true]);
  });

  test("a process that slept through the end of its right finds it lost, though an answer comes first", () => {
    const it = quorum("a", "b", "c");
    it.answered(1, "c", 100);
    it.asked(2, 3900);
    it.answered(2, "c", 60_000);
    expect([it.mayAccept(60_000), it.lapses]).toEqual([false, 1]);
    const other = quorum("a", "b", "c");
    other.answered(1, "c", 100);
    other.asked(2, 2000);
    other.answered(2, "c", 5000);
    expect([other.mayAccept(5000), other.lapses]).toEqual([false, 1]);
  });

  test("with serve everybody always may accept and drop", () => {
    const it = new Quorum({ self: "b", mode: "serve" });
    it.base(base("a", "b", "c"), 0);
    expect([it.mayAccept(1e9), it.mayDrop("a", 0), it.endsAt(), it.silent(1e9), it.lapses])
      .toEqual([true, true, Infinity, [], 0]);
  });
});

describe("the base", () => {
  const names = (it: Quorum) => it.hosts.join(" ");

  test("it has the hosts with ChatServers, and shrinks only by who left or has none any more", () => {
    const it = quorum("a", "b", "c", "d", "e");
    it.base([
      { name: "a", chats: true, status: "failed" },
      { name: "b", chats: true, status: "alive" },
      { name: "c", chats: true, status: "left" },
      { name: "d", chats: undefined, status: "alive" },
      { name: "f", chats: false, status: "alive" },
    ], 1);
    expect(names(it)).toBe("a b d e");
    it.base([{ name: "d", chats: false, status: "alive" }], 2);
    expect(names(it)).toBe("a b e");
  });

  /** A host that accepts, and knows of others without ChatServers. */
  function accepting(...names: string[]): Quorum {
    const it = quorum(...names);
    it.base([...base(...names), { name: "p", chats: false, status: "alive" }], 0);
    for (const name of names) it.answered(1, name, 10);
    expect(it.mayAccept(10)).toBe(true);
    return it;
  }

  test("a new host counts 5 s after it became known, when nobody accepts any more who had not heard of it", () => {
    const it = accepting("a", "b");
    const [more, later] = [base("a", "b", "c"), 1000 + NEWCOMER_MS];
    it.base(more, 1000);
    it.asked(2, 3000);
    it.answered(2, "a", 3010);
    it.base(more, later - 1);
    expect(names(it)).toBe("a b");
    it.base(more, later);
    expect([names(it), it.mayAccept(later), it.lapses, NEWCOMER_MS > PROOF_MS]).toEqual([
      "a b c",
      true,
      0,
      true,
    ]);
  });

  test("a new host that never counted does not count on a side that has sealed before", () => {
    const it = accepting("a", "b", "c");
    const more = base("a", "b", "c", "d");
    it.base(more, 3000);
    it.base(more, 3000 + NEWCOMER_MS);
    expect([names(it), it.mayAccept(3000 + NEWCOMER_MS)]).toEqual(["a b c", false]);
  });

  test("a new host that is heard no more is dropped only by the word of a majority", () => {
    const it = accepting("a", "b");
    it.base([...base("a", "b"), { name: "c", chats: true, status: "failed" }], 1000);
    for (let at = 1000; at <= 5000; at += 1000) {
      it.asked(at, at);
      it.answered(at, "a", at + 10, { silent: [], dropped: [] });
    }
    expect([it.silent(9000), it.mayDrop("c", 5900)]).toEqual([["a", "c"].slice(1), false]);
  });

  test("who knows of no other host waits for some before it takes itself for the whole cluster", () => {
    const it = quorum("b");
    expect([it.mayAccept(LONELY_MS - 1), it.mayAccept(LONELY_MS), it.lapses]).toEqual([false, true, 0]);
    const other = quorum();
    other.base(base("a", "c"), 1000);
    expect([other.mayAccept(LONELY_MS), other.lapses]).toEqual([false, 0]);
    other.asked(2, 1000);
    other.answered(2, "a", 1100);
    expect(other.mayAccept(1100 + ROUND_MS)).toBe(true);
  });

  test("who is told how many hosts there are waits for most of them, and only before it ever could accept", () => {
    const it = new Quorum({ self: "b", mode: "seal", expectHosts: 3 });
    const idle = [{ name: "a", chats: false, status: "alive" }, { name: "b", chats: false, status: "alive" }];
    it.base(idle, 0);
    expect([it.mayAccept(60_000), it.hasLost(60_000)]).toEqual([false, false]);
    it.asked(1, 60_000);
    it.answered(1, "a", 60_100);
    expect(it.mayAccept(60_100)).toBe(true);
    it.base([{ name: "b", chats: true, status: "alive" }], 60_200);
    expect([it.mayAccept(90_000), it.lapses]).toEqual([true, 0]);
  });

  test("a host that others have given up waits until they have it back, so that they see it serve", () => {
    const it = quorum("a", "b", "c");
    it.answered(1, "a", 10);
    for (let at = 10_000; at <= 13_000; at += 1000) {
      it.asked(at, at);
      it.answered(at, "a", at, { silent: [], dropped: [], out: ["b"] });
    }
    expect([it.mayAccept(13_500), it.acceptAt()]).toEqual([false, 13_000 + REGAIN_MS]);
    it.asked(14_000, 14_000);
    it.answered(14_000, "a", 14_000);
    it.asked(15_500, 15_500);
    it.answered(15_500, "a", 15_500);
    expect(it.mayAccept(13_000 + REGAIN_MS)).toBe(true);
  });

  test("a host that starts and was given up waits as well, whoever answers it first", () => {
    const out = { silent: [], dropped: [], out: ["b"] };
    const given = quorum("a", "b", "c");
    given.answered(1, "a", 10, out);
    expect([given.acceptAt(), given.mayAccept(10 + REGAIN_MS - 1)]).toEqual([10 + REGAIN_MS, false]);
    const it = quorum("a", "b", "c");
    it.answered(1, "a", 10);
    expect(it.mayAccept(10 + ROUND_MS - 1)).toBe(false);
    it.answered(1, "c", 400, out);
    expect([it.acceptAt(), it.mayAccept(400 + REGAIN_MS)]).toEqual([400 + REGAIN_MS, true]);
    const five = quorum("a", "b", "c", "d", "e");
    five.answered(1, "a", 10, out);
    five.answered(1, "c", 20);
    expect(five.acceptAt()).toBe(10 + REGAIN_MS);
  });

  test("a host that starts accepts as soon as all have answered, else after a while", () => {
    const it = quorum("a", "b", "c");
    it.answered(1, "a", 10);
    expect([it.mayAccept(10), it.acceptAt()]).toEqual([false, 10 + ROUND_MS]);
    it.answered(1, "c", 20);
    expect(it.mayAccept(20)).toBe(true);
  });

  test("who was never part of a majority does not become one by a side that has lost it", () => {
    const it = quorum("a");
    it.answered(1, "a", 10, { silent: [], dropped: [], lost: true });
    expect(it.mayAccept(10)).toBe(false);
    it.answered(1, "a", 20, { silent: [], dropped: [], lost: false });
    expect(it.mayAccept(20)).toBe(true);
  });

  test("hosts that sealed at the same time find a majority among each other again", () => {
    const it = quorum("a", "b", "c");
    it.answered(1, "a", 10);
    it.asked(2, 6000);
    it.answered(2, "a", 6010, { silent: [], dropped: [], lost: true });
    it.asked(3, 8000);
    it.answered(3, "a", 8010, { silent: [], dropped: [], lost: true });
    expect([it.hasLost(6010), it.mayAccept(6010 + REGAIN_MS)]).toEqual([true, true]);
  });

  test("the last ChatServer of a host is drained: it leaves the base, unless the rest needs it for a majority", () => {
    const drained = { name: "c", chats: false, status: "alive" };
    const whole = accepting("a", "b", "c");
    whole.base([...base("a", "b"), drained], 100);
    expect([names(whole), whole.mayAccept(100)]).toEqual(["a b", true]);
    const it = quorum("a", "b", "c");
    it.answered(1, "c", 10);
    it.base([{ name: "a", chats: true, status: "failed" }, ...base("b"), drained], 1000);
    expect([names(it), it.mayAccept(1000)]).toEqual(["a b c", true]);
  });

  test("a side without the majority cannot make itself one by new hosts", () => {
    const it = accepting("a", "b", "c");
    expect(it.mayAccept(PROOF_MS)).toBe(false);
    it.base(base("a", "b", "c", "d", "e", "f"), 10_000);
    it.asked(2, 10_000);
    for (const name of ["d", "e", "f"]) it.answered(2, name, 10_100);
    expect([names(it), it.mayAccept(20_000)]).toEqual(["a b c", false]);
    it.answered(2, "a", 10_200);
    expect(it.mayAccept(10_200 + REGAIN_MS)).toBe(true);
  });

  test("an operator who removes hosts gives the rest its right back, after the usual wait", () => {
    const it = quorum("a", "b", "c");
    it.answered(1, "a", 100);
    expect(it.mayAccept(5000)).toBe(false);
    const left = ["a", "c"].map((name) => ({ name, chats: true, status: "left" }));
    it.base([...base("b"), ...left], 6000);
    expect([it.acceptAt(), it.mayAccept(6000 + REGAIN_MS)]).toEqual([6000 + REGAIN_MS, true]);
  });
});

describe("dropping", () => {
  /** Host `b`, which has asked each second up to `until` and was answered by some. */
  function asking(
    it: Quorum,
    until: number,
    by: readonly string[],
    silent: string[],
    dropped: string[] = [],
  ): Quorum {
    for (let at = 1000; at <= until; at += 1000) {
      it.asked(at, at);
      for (const name of by) it.answered(at, name, at + 10, { silent, dropped });
    }
    return it;
  }

  test("it takes a majority that has not heard the host for 8 s, this host among it", () => {
    expect(asking(quorum("a", "b", "c"), 8000, ["a"], ["c"]).mayDrop("c", 8100)).toBe(true);
    expect(asking(quorum("a", "b", "c"), 8000, ["a"], []).mayDrop("c", 8100)).toBe(false);
    expect(asking(quorum("a", "b", "c"), 7000, ["a"], ["c"]).mayDrop("c", 7999)).toBe(false);
    const heard = asking(quorum("a", "b", "c"), 9000, ["a"], ["c"]);
    heard.heard("c", 1500);
    expect([heard.mayDrop("c", 9499), heard.mayDrop("c", 9500), heard.lastHeard("c")]).toEqual([
      false,
      true,
      1500,
    ]);
  });

  test("what others said more than 2 s ago does not count", () => {
    const it = asking(quorum("a", "b", "c"), 8000, ["a"], ["c"]);
    expect([it.mayDrop("c", 9999), it.mayDrop("c", 10_000), it.mayAccept(10_000)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test("an older answer that comes late does not replace a newer one", () => {
    const it = asking(quorum("a", "b", "c"), 8000, ["a"], ["c"]);
    it.answered(7000, "a", 8050, { silent: [], dropped: [] });
    expect(it.mayDrop("c", 8100)).toBe(true);
  });

  test("nobody drops itself, or anybody without the right to accept", () => {
    const it = asking(quorum("a", "b", "c"), 8000, ["a"], ["b", "c"]);
    expect([it.mayDrop("b", 8100), it.mayDrop("c", 8100 + PROOF_MS)]).toEqual([false, false]);
  });

  test("a bridge that has just started drops whom others have dropped, unless it has heard the host", () => {
    expect(asking(quorum("a", "b", "c"), 1000, ["a"], ["c"], ["c"]).mayDrop("c", 1600)).toBe(true);
    expect(asking(quorum("a", "b", "c"), 1000, ["a"], ["c"]).mayDrop("c", 1600)).toBe(false);
    const heard = asking(quorum("a", "b", "c"), 1000, ["a"], ["c"], ["c"]);
    heard.heard("c", 1050);
    expect(heard.mayDrop("c", 1600)).toBe(false);
  });

  test("a failed host without ChatServers needs no witnesses", () => {
    const it = quorum("b");
    it.base([...base("b"), { name: "p", chats: false, status: "failed" }], 0);
    expect([it.mayDrop("p", 7999), it.mayDrop("p", 8000)]).toEqual([false, true]);
  });

  test("a host says of others that they are silent once it has known them for 8 s", () => {
    const it = quorum("a", "b", "c");
    it.heard("c", 3000);
    expect([it.silent(7999), it.silent(8000), it.silent(11_000)]).toEqual([[], ["a"], ["a", "c"]]);
  });

  test("what is remembered of hosts is bounded", () => {
    const it = quorum("a", "b");
    for (let i = 0; i < 5000; i++) it.heard(`x${i}`, 1);
    expect([it.lastHeard("x2000"), it.lastHeard("x4999")]).toEqual([1, undefined]);
    it.base(base("a", "b"), 2);
    expect(it.lastHeard("x2000")).toBeUndefined();
  });
});
