import { afterEach, describe, expect, test } from "bun:test";
import { fakeMember, type FakeQuery, FakeSerfAgent } from "../../../tests/support/fake_serf_agent.ts";
import { ProcessClock, VirtualClock } from "../../../tests/support/virtual_clock.ts";
import { type MemoryTransport, memoryTransport } from "../../../transports/memory.ts";
import { ToychatError } from "../../lib/errors.ts";
import type { OnPartition } from "../bridge_agent.ts";
import type { Lease } from "../membership.ts";
import { placementKey } from "../placement.ts";
import type { Member } from "../view.ts";
import { clusterTag, decodeHost, encodeHost, HOST_TAG, hostHash } from "./host_tag.ts";
import { encodeAnswer } from "./live_query.ts";
import { SerfMembership } from "./serf_membership.ts";

const TAG = clusterTag("toychat", placementKey(undefined));
const INFO = { id: "chat-1", role: "chat", address: "10.0.0.1:7001" } as const;

/** A process beside a fake agent, in virtual time. */
class Direct {
  readonly clock: VirtualClock = new VirtualClock();
  /** The process's own: it can be frozen. */
  readonly process: ProcessClock = new ProcessClock(this.clock);
  readonly transport: MemoryTransport = memoryTransport({ clock: this.clock });
  readonly agent: FakeSerfAgent;
  readonly membership: SerfMembership;
  /** Whether the other host's bridge answers. */
  answering = true;
  rejoins = 0;

  constructor(onPartition: OnPartition = "serve") {
    const { clock, transport } = this;
    const words = encodeAnswer(TAG, { host: hostHash("b"), seq: 0, lost: false, silent: [], out: [] }, {
      host: TAG,
      ltime: 1,
    });
    const onQuery = (query: FakeQuery): void => {
      if (this.answering && query.filterNodes.length === 0) {
        query.answer("b", new TextEncoder().encode(words));
      }
    };
    this.agent = new FakeSerfAgent({ transport, clock, name: "a", address: "10.0.0.1", onQuery });
    this.membership = new SerfMembership({ transport, clock: this.process, onPartition });
  }

  /** What a promise comes to, in virtual time. */
  async end<T>(work: Promise<T>, ms = 60_000): Promise<T> {
    let over = false;
    const settled = (): boolean => over = true;
    work.then(settled, settled);
    if (!await this.clock.until(() => over, ms)) throw new Error(`it has not ended within ${ms} ms`);
    return await work;
  }

  async codeOf(work: Promise<unknown>): Promise<string | undefined> {
    return await this.end(
      work.then(() => undefined, (error) => error instanceof ToychatError ? error.code : String(error)),
    );
  }

  async join(): Promise<Lease> {
    await this.agent.start();
    const lease = await this.end(this.membership.join(INFO));
    lease.onRejoin(() => this.rejoins++);
    return lease;
  }

  /** The members that the agent publishes. */
  get published(): readonly Member[] | undefined {
    return decodeHost(this.agent.self.tags.get(HOST_TAG) ?? "", TAG, "10.0.0.1")?.members;
  }

  /** Another host, with these members, whose bridge answers. */
  other(members: readonly Member[]): void {
    const value = encodeHost({ clusterTag: TAG, slots: 1, seq: 1, members, agentAddress: "10.0.0.2" });
    this.agent.members = this.agent.members.filter(({ name }) => name !== "b");
    this.agent.members.push(fakeMember("b", { address: "10.0.0.2", tags: new Map([[HOST_TAG, value]]) }));
  }
}

let direct: Direct;
afterEach(async () => {
  await direct.end(direct.membership.close());
  await direct.agent.kill();
});

describe("a role that follows an agent itself", () => {
  test("has joined when nobody has contested its slot for a second, and is published", async () => {
    direct = new Direct();
    await direct.agent.start();
    const joining = direct.membership.join(INFO);
    await direct.clock.run(900);
    expect(direct.published).toMatchObject([{ id: "chat-1", state: "joining" }]);
    const lease = await direct.end(joining);
    await direct.clock.run(100);
    expect([lease.held(), lease.slot]).toEqual([true, 0]);
    expect(direct.published).toMatchObject([{
      id: "chat-1",
      slot: 0,
      state: "alive",
      address: "10.0.0.1:7001",
    }]);
    expect(direct.membership.placement.owner("a room")?.id).toBe("chat-1");
  });

  test("holds its lease as long as its agent answers", async () => {
    direct = new Direct();
    const lease = await direct.join();
    await direct.clock.run(60_000);
    expect([lease.held(), direct.rejoins]).toEqual([true, 0]);
  });

  test("loses it two seconds after its agent has gone, and has it again in a new life when the agent is back", async () => {
    direct = new Direct();
    const lease = await direct.join();
    await direct.clock.run(3000);
    const before = direct.membership.view.members[0]?.incarnation;
    await direct.agent.kill();
    await direct.clock.run(1400);
    expect(lease.held()).toBe(true);
    await direct.clock.run(700);
    expect(lease.held()).toBe(false);
    direct.agent.self.tags = new Map();
    await direct.agent.start();
    await direct.clock.run(5000);
    expect([lease.held(), lease.slot, direct.rejoins]).toEqual([true, 0, 1]);
    const [after] = direct.membership.view.members;
    expect(after?.incarnation).not.toBe(before as string);
    expect(direct.published).toEqual(after ? [after] : []);
  });

  test("keeps it over a restart of the agent that takes a second, and publishes itself anew", async () => {
    direct = new Direct();
    const lease = await direct.join();
    await direct.clock.run(3000);
    await direct.agent.kill();
    direct.agent.self.tags = new Map();
    await direct.clock.run(1000);
    await direct.agent.start();
    await direct.clock.run(3000);
    expect([lease.held(), direct.rejoins]).toEqual([true, 0]);
    expect(direct.published).toMatchObject([{ id: "chat-1", state: "alive" }]);
  });

  test("loses it where the agent does not answer, though its connections stand", async () => {
    direct = new Direct();
    const lease = await direct.join();
    direct.agent.hanging.add("stats");
    await direct.clock.run(2600);
    expect(lease.held()).toBe(false);
  });

  test("has lost it when it wakes from a sleep of two seconds, before it does anything else", async () => {
    direct = new Direct();
    const lease = await direct.join();
    await direct.clock.run(3000);
    direct.process.freeze();
    await direct.clock.run(2600);
    expect(lease.held()).toBe(false);
    direct.process.thaw();
    await direct.clock.run(4000);
    expect([lease.held(), direct.rejoins]).toEqual([true, 1]);
  });

  test("stops where another host holds its id by an older claim, and comes back when that one is gone", async () => {
    direct = new Direct();
    const lease = await direct.join();
    const rival: Member = {
      ...INFO,
      address: "10.0.0.2:7001",
      incarnation: "000000",
      slot: 0,
      state: "alive",
    };
    direct.other([rival]);
    await direct.clock.run(5000);
    expect(lease.held()).toBe(false);
    expect(direct.membership.view.members).toEqual([rival]);
    expect(direct.published).toEqual([]);
    direct.other([]);
    await direct.clock.run(3000);
    expect([lease.held(), direct.rejoins]).toEqual([true, 1]);
  });

  test("moves to another slot in the same life where a lower id holds its own", async () => {
    direct = new Direct();
    const lease = await direct.join();
    const life = direct.membership.view.members[0]?.incarnation;
    direct.other([{
      ...INFO,
      id: "a",
      address: "10.0.0.2:7001",
      incarnation: "zzzzzz",
      slot: 0,
      state: "alive",
    }]);
    await direct.clock.run(3000);
    expect([lease.held(), lease.slot, direct.rejoins]).toEqual([true, 1, 0]);
    expect(direct.membership.view.members[1]).toMatchObject({
      id: "chat-1",
      slot: 1,
      state: "alive",
      incarnation: life,
    });
  });

  test("joins a moment later where it may not accept at first", async () => {
    direct = new Direct("seal");
    direct.answering = false;
    const address = "10.0.0.2:7001";
    direct.other([{ id: "chat-2", role: "chat", address, incarnation: "bbbbbb", slot: 0, state: "alive" }]);
    await direct.agent.start();
    const joining = direct.membership.join(INFO);
    await direct.clock.run(5000);
    expect(direct.published).toEqual([]);
    direct.answering = true;
    const lease = await direct.end(joining, 10_000);
    expect([lease.held(), lease.slot]).toEqual([true, 1]);
  });

  test("says what is wrong where there is no agent, and joins when it is asked again and there is one", async () => {
    direct = new Direct();
    expect(await direct.codeOf(direct.membership.join(INFO))).toBe("serf_unreachable");
    const lease = await direct.join();
    expect(lease.held()).toBe(true);
  });

  test("does not join on an agent that answers too slowly for any lease, and leaves nothing behind", async () => {
    direct = new Direct();
    await direct.agent.start();
    await direct.end(direct.membership.open());
    direct.agent.delays.set("stats", 2500);
    expect(await direct.codeOf(direct.membership.join(INFO))).toBe("agent_timeout");
    await direct.clock.run(3000);
    expect([direct.membership.view.members, direct.published]).toEqual([[], []]);
    direct.agent.delays.clear();
    await direct.clock.run(6000);
    const lease = await direct.end(direct.membership.join(INFO));
    expect(lease.held()).toBe(true);
  });

  test("leaves its agent's tag without members", async () => {
    direct = new Direct();
    const lease = await direct.join();
    await direct.end(lease.leave());
    expect([lease.held(), direct.published]).toEqual([false, []]);
  });

  test("closes although its agent takes no tags", async () => {
    direct = new Direct();
    await direct.join();
    await direct.clock.run(1000);
    direct.agent.refusals.set("tags", "not now");
    await direct.end(direct.membership.close(), 2500);
    expect(direct.published).toHaveLength(1);
  });
});
