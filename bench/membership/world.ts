/**
 * A process that is the Serf agent of one host in a cluster of many hosts that do not exist: 99 others with 10 members
 * each, whose bridges ask and answer each second, and some of whose members come and go.
 *
 *     bun bench/membership/world.ts HOSTS MEMBERS CHANGES
 *
 * Hosts beside the own one, members of each, and members a second that are replaced by a new life.
 *
 * @module
 */
import process from "node:process";
import { placementKey } from "../../src/membership/placement.ts";
import { encodeDelta } from "../../src/membership/serf/host_delta.ts";
import { clusterTag, encodeHost, HOST_TAG, hostHash } from "../../src/membership/serf/host_tag.ts";
import { encodeAnswer, encodeQuestion, LIVE_QUERY } from "../../src/membership/serf/live_query.ts";
import type { Member } from "../../src/membership/view.ts";
import { type FakeMember, fakeMember, FakeSerfAgent } from "../../tests/support/fake_serf_agent.ts";
import { systemTransport } from "../../transports/system.ts";

/** Milliseconds from an event to the tag that follows it, and within which hosts answer, as real agents take. */
const TAG_MS = 200;
const ANSWERS_MS = 250;
const SECOND = 1000;

const [hosts = 99, size = 10, changes = 2] = process.argv.slice(2).map(Number);
const encoder = new TextEncoder();
const tag = clusterTag("toychat", placementKey(undefined));
let lives = 36 ** 5;
let slots = size;

/** A host that does not exist. */
class SimulatedHost {
  readonly name: string;
  readonly hash: string;
  readonly address: string;
  readonly entry: FakeMember;
  #members: Member[];
  #seq = 1;

  constructor(number: number) {
    this.name = `host-${number}`;
    this.hash = hostHash(this.name);
    this.address = `10.1.${number >> 8}.${number & 255}`;
    this.#members = Array.from({ length: size }, (_, i) => this.#member(number, i));
    this.entry = fakeMember(this.name, { address: this.address });
    this.publish();
  }

  #member(number: number, i: number): Member {
    const common = {
      id: `h${number}-${i}`,
      incarnation: (++lives).toString(36),
      address: `${this.address}:${7400 + i}`,
      state: "alive",
    } as const;
    return i % 2 === 0 ? { ...common, role: "chat", slot: slots++ } : { ...common, role: "proxy" };
  }

  /** Sets the tag. */
  publish(): void {
    const value = {
      clusterTag: tag,
      slots,
      seq: this.#seq,
      members: this.#members,
      agentAddress: this.address,
    };
    this.entry.tags = new Map([[HOST_TAG, encodeHost(value)]]);
  }

  /** One member dies, and a new life takes its place; gives what goes out as events. */
  replace(i: number): string[] {
    const before = this.#members[i] as Member;
    const after: Member = { ...before, incarnation: (++lives).toString(36) };
    this.#members = this.#members.with(i, after);
    const common = { clusterTag: tag, agentName: this.name, agentAddress: this.address };
    return [
      ...encodeDelta({ ...common, seq: ++this.#seq, changed: [], withdrawn: [before] }),
      ...encodeDelta({ ...common, seq: ++this.#seq, changed: [after], withdrawn: [] }),
    ];
  }
}

const simulated = Array.from({ length: hosts }, (_, i) => new SimulatedHost(i + 1));
const agent = new FakeSerfAgent({
  transport: await systemTransport(),
  name: "host-0",
  port: 0,
  onQuery: ({ name, filterNodes, answer }) => {
    if (name !== LIVE_QUERY || filterNodes.length > 0) return;
    for (const [i, host] of simulated.entries()) {
      const words = { host: host.hash, seq: 0, lost: false, silent: [], out: [] };
      const text = encodeAnswer(tag, words, { host: hostHash("host-0"), ltime: 0 });
      setTimeout(() => answer(host.name, encoder.encode(text)), ANSWERS_MS * i / hosts);
    }
  },
});
agent.members.push(...simulated.map(({ entry }) => entry));
await agent.start();

let asking = 0;
setInterval(() => {
  const host = simulated[asking++ % hosts] as SimulatedHost;
  agent.deliverQuery(LIVE_QUERY, encoder.encode(encodeQuestion(tag, host.hash)), 3000, () => {});
}, SECOND / hosts);

let changing = 0;
if (changes > 0) {
  setInterval(() => {
    const turn = changing++;
    const host = simulated[turn * 7 % hosts] as SimulatedHost;
    for (const payload of host.replace(turn % size)) {
      agent.deliverUserEvent({ name: "tc", payload: encoder.encode(payload), coalesce: false });
    }
    setTimeout(() => host.publish(), TAG_MS);
  }, SECOND / changes);
}

console.log(`ready ${JSON.stringify({ rpc: agent.rpc })}`);
