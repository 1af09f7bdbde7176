import { expect, test } from "bun:test";
import fc from "fast-check";
import { placementKey } from "../placement.ts";
import { createView, type Member, type MemberState, type View } from "../view.ts";
import { readWireView } from "../wire_view.ts";
import { ClusterBook } from "./cluster_book.ts";
import { DELTA_MS } from "./host_book.ts";
import { encodeDelta } from "./host_delta.ts";
import { clusterTag, encodeHost } from "./host_tag.ts";

const KEY = placementKey();
const TAG = clusterTag("main", KEY);
const HOSTS = 3;

/** One host: its members, its book of everybody, and what its agent has published so far. */
class Model {
  readonly name: string;
  readonly address: string;
  readonly book: ClusterBook;
  seq = 1;
  members: Map<string, Member> = new Map();
  /** Tags in the order in which others come to see them; undefined: the agent has just restarted. */
  tags: (string | undefined)[] = [];
  /** Members by tag, for a bridge that restarts. */
  readonly tagged: Map<string, Member[]> = new Map();
  /** How many tags of each host this one has seen, and whether it takes it for failed. */
  readonly seen: number[] = new Array<number>(HOSTS).fill(0);
  readonly failed: boolean[] = new Array<boolean>(HOSTS).fill(false);

  constructor(index: number) {
    this.name = `host-${index}`;
    this.address = `10.0.0.${index + 1}`;
    this.book = new ClusterBook({ clusterTag: TAG, self: () => this.name });
    this.publish();
  }

  publish(): void {
    const members = [...this.members.values()];
    const { seq, address: agentAddress, book: { slots } } = this;
    const tag = encodeHost({ clusterTag: TAG, slots, seq, members, agentAddress });
    this.tags.push(tag);
    this.tagged.set(tag, members);
  }

  /** Changes one member; returns the delta. */
  change(next: Member | undefined, id: string): string[] {
    const before = this.members.get(id);
    const withdrawn = before && before.incarnation !== next?.incarnation ? [before] : [];
    if (next) this.members.set(id, next);
    else this.members.delete(id);
    this.seq += 1;
    this.book.setOwn([...this.members.values()]);
    const { seq, address: agentAddress, name: agentName } = this;
    return encodeDelta({
      clusterTag: TAG,
      agentName,
      agentAddress,
      seq,
      changed: next ? [next] : [],
      withdrawn,
    });
  }

  /** The bridge starts again: it knows what its agent still advertises. */
  restart(): void {
    const last = this.tags.findLast((tag) => tag !== undefined);
    this.members = new Map(this.tagged.get(last ?? "")?.map((member) => [member.id, member]));
    this.seq += 64;
    this.book.setOwn([...this.members.values()]);
  }

  look(all: readonly Model[], now: number): void {
    const list = all.map((host, i) => {
      const status = this.failed[i] ? "failed" : "alive";
      return { name: host.name, address: host.address, status, tag: host.tags[(this.seen[i] as number) - 1] };
    });
    this.book.agents(list, now);
  }

  view(now: number): View {
    const { members, slots } = this.book.resolve(now);
    return createView({ members, slots, placementKey: KEY });
  }
}

class Cluster {
  readonly hosts: Model[] = Array.from({ length: HOSTS }, (_, i) => new Model(i));
  readonly deltas: string[] = [];
  now = 0;
  lives = 0;
  /** Whether a bridge has come back with members that it had withdrawn. */
  restored = false;

  host(index: number): Model {
    return this.hosts[index] as Model;
  }

  /** A member appears, changes its state or slot, or begins a new life. */
  set(index: number, id: string, slot: number, state: MemberState, again: boolean): void {
    const host = this.host(index);
    const before = host.members.get(id);
    const incarnation = before && !again
      ? before.incarnation
      : (++this.lives * 7919 % 36 ** 6).toString(36).padStart(6, "0");
    const address = `${host.address}:7001`;
    this.deltas.push(...host.change({ id, role: "chat", incarnation, address, slot, state }, id));
  }

  withdraw(index: number, id: string): void {
    if (this.host(index).members.has(id)) this.deltas.push(...this.host(index).change(undefined, id));
  }

  restart(index: number): void {
    this.host(index).restart();
    this.restored = true;
  }

  deliver(to: number, pick: number): void {
    const delta = this.deltas[pick % (this.deltas.length || 1)];
    if (delta !== undefined) this.host(to).book.delta(delta, this.now);
  }

  see(by: number, of: number, steps: number): void {
    const { seen } = this.host(by);
    seen[of] = Math.min((seen[of] as number) + steps, this.host(of).tags.length);
    this.host(by).look(this.hosts, this.now);
  }

  fail(by: number, of: number, failed: boolean): void {
    if (by !== of) this.host(by).failed[of] = failed;
    this.host(by).look(this.hosts, this.now);
  }

  /** All tags of all hosts arrive everywhere; twice, since hosts learn of slots from each other. */
  settle(): void {
    for (let round = 0; round < 2; round++) {
      for (const host of this.hosts) {
        host.seq += 1;
        host.publish();
      }
      for (const host of this.hosts) {
        host.failed.fill(false);
        host.seen.splice(0, HOSTS, ...this.hosts.map(({ tags }) => tags.length));
        host.look(this.hosts, this.now);
        for (const { name } of this.hosts) host.book.proved(name);
      }
    }
  }

  digests(at = this.now): string[] {
    return this.hosts.map((host) => host.view(at).digest);
  }
}

type Step = (cluster: Cluster) => void;

const host = fc.nat(HOSTS - 1);
const id = fc.constantFrom("c1", "c2", "c3");
const state = fc.constantFrom<MemberState[]>("joining", "alive", "draining");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(host, id, fc.nat(4), state, fc.boolean()).map((args): Step => (c) => c.set(...args)),
  },
  { weight: 2, arbitrary: fc.tuple(host, id).map((args): Step => (c) => c.withdraw(...args)) },
  { weight: 4, arbitrary: host.map((i): Step => (c) => c.host(i).publish()) },
  { weight: 6, arbitrary: fc.tuple(host, fc.nat(1000)).map((args): Step => (c) => c.deliver(...args)) },
  { weight: 5, arbitrary: fc.tuple(host, host, fc.nat(3)).map((args): Step => (c) => c.see(...args)) },
  { weight: 1, arbitrary: fc.tuple(host, host, fc.boolean()).map((args): Step => (c) => c.fail(...args)) },
  { weight: 1, arbitrary: host.map((i): Step => (c) => c.restart(i)) },
  { weight: 1, arbitrary: host.map((i): Step => (c) => void c.host(i).tags.push(undefined)) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 4000 }).map((ms): Step => (c) => void (c.now += ms)) },
);

test("once all tags have arrived all hosts have one view, whatever was lost, repeated, late or out of order", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
      const cluster = new Cluster();
      for (const step of steps) step(cluster);
      cluster.settle();
      // A bridge that comes back with members which it had withdrawn is believed again after a while.
      if (!cluster.restored) expect(new Set(cluster.digests()).size).toBe(1);
      expect(new Set(cluster.digests(cluster.now + DELTA_MS)).size).toBe(1);
      const truth = cluster.hosts.flatMap(({ members }) => [...members.values()]);
      const ids = new Set(cluster.host(0).view(cluster.now + DELTA_MS).members.map(({ id }) => id));
      for (const { id, state } of truth) if (state !== "joining") expect(ids.has(id)).toBe(true);
      for (const id of ids) expect(truth.some((member) => member.id === id)).toBe(true);
    }),
    { numRuns: 600 },
  );
});

test("at every moment every host's view is sound, and says when it will change by itself", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const cluster = new Cluster();
      for (const step of steps) {
        step(cluster);
        for (const host of cluster.hosts) {
          const view = host.view(cluster.now);
          const sent = JSON.parse(JSON.stringify({ bridge: "b", view, settling: false, gone: [] }));
          expect(readWireView(sent, KEY).view.digest).toBe(view.digest);
          const until = host.book.expireAt(cluster.now) ?? Infinity;
          expect(until).toBeGreaterThan(cluster.now);
          const late = Math.min(until - 1, cluster.now + 60_000);
          expect(host.view(late).digest).toBe(view.digest);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("two hosts that heard the same tags and deltas in different orders have one view even before the tags settle", () => {
  const changes = fc.array(
    fc.tuple(id, fc.nat(4), state, fc.boolean(), fc.boolean()),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(changes, fc.infiniteStream(fc.nat(1000)), (changes, picks) => {
      const cluster = new Cluster();
      for (const [id, slot, state, again, withdraws] of changes) {
        if (withdraws) cluster.withdraw(0, id);
        else cluster.set(0, id, slot, state, again);
      }
      for (const reader of [1, 2]) {
        const rest = [...cluster.deltas];
        const look = picks.next().value as number;
        for (let i = 0; rest.length > 0; i++) {
          if (i === look % (cluster.deltas.length + 1)) cluster.see(reader, 0, 1);
          const [delta] = rest.splice((picks.next().value as number) % rest.length, 1);
          cluster.host(reader).book.delta(delta as string, cluster.now);
        }
        cluster.see(reader, 0, 1);
        cluster.host(reader).book.raiseSlots(5);
      }
      expect(cluster.host(1).view(0).digest).toBe(cluster.host(2).view(0).digest);
      const seen = cluster.host(1).book.membersOf("host-0", 0).sort((a, b) => (a.id < b.id ? -1 : 1));
      const truth = [...cluster.host(0).members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
      expect(seen).toEqual(truth);
    }),
    { numRuns: 500 },
  );
});
