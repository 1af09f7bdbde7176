import { describe, expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { Metrics } from "../lib/metrics.ts";
import type { Placement } from "../membership/placement.ts";
import type { Member } from "../membership/view.ts";
import type { AnnouncedMember } from "./frames.ts";
import { Router } from "./router.ts";
import type { RouterLimits } from "./router_limits.ts";
import { Sender } from "./sender.ts";

function member(id: string, incarnation = "i1"): Member {
  return { id, role: "chat", incarnation, address: "h:1", state: "alive", slot: 0 };
}

/** A router, with a view of which the test decides and links that note what is sent. */
class Setup {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  readonly links = new Map<string, FakeLink>();
  readonly members = new Map<string, AnnouncedMember[]>();
  readonly router: Router;
  digest = "v1";
  chats: Member[] = [member("c1"), member("c2")];
  owner: string | undefined = "c1";

  constructor(limits?: Partial<RouterLimits>) {
    this.router = new Router({
      clock: this.clock,
      metrics: this.metrics,
      limits: {
        acceptMs: 10_000,
        senderBytes: 64 << 10,
        ownerBytes: 32 << 20,
        totalBytes: 64 << 20,
        ...limits,
      },
      placement: () => this.#placement(),
      link: (id) => this.links.get(id),
      members: (room) => this.members.get(room) ?? [],
      occupied: (room) => (this.members.get(room) ?? []).length > 0,
    });
    this.router.start();
  }

  #placement(): Placement {
    const owner = this.chats.find((chat) => chat.id === this.owner);
    return {
      view: { members: this.chats, slots: 2, revision: 1, digest: this.digest },
      owner: () => owner,
    };
  }

  open(id: string): FakeLink {
    const link = new FakeLink(id);
    this.links.set(id, link);
    this.router.linkOpened(link);
    return link;
  }

  /** The view changes: `owner` owns every room. */
  view(owner: string | undefined, digest = this.digest + "+", chats = this.chats): void {
    this.owner = owner;
    this.digest = digest;
    this.chats = chats;
    this.router.viewChanged(this.links.values());
  }

  reset(link: FakeLink): void {
    link.ended = true;
    this.links.delete(link.peer.id);
    this.router.linkReset(link);
  }

  /** Publishes; gives the outcome when there is one. */
  ask(sender: Sender, room = "r"): { outcome: string | undefined } {
    const result: { outcome: string | undefined } = { outcome: undefined };
    this.router.publish(sender, room, `${sender.seq + 1}`, (failure) => {
      if (result.outcome !== undefined) throw new Error("answered twice");
      result.outcome = failure ?? "done";
    });
    return result;
  }

  tell(sender: Sender, room = "r"): void {
    this.router.publish(sender, room, `${sender.seq + 1}`);
  }

  /** The numbers of the messages that were sent on a link since the last call. */
  sent(link: FakeLink): number[] {
    return link.take("message").map((frame) => frame.seq);
  }

  refuse(link: FakeLink, frame: { session: string; seq: number; n: number }): void {
    const { session, seq, n } = frame;
    this.router.frame(link, { type: "refused", room: "r", session, seq, frame: n, digest: "x" });
  }

  release(link: FakeLink, attach: number): void {
    this.router.frame(link, { type: "released", room: "r", attach });
  }
}

function sender(id = "p.b.1"): Sender {
  return new Sender(id, "ada", () => {});
}

describe("a room without an owner", () => {
  test("queues in order, and sends when the owner's link is up, after the announcement", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const ada = sender();
    setup.tell(ada);
    setup.ask(ada);
    setup.tell(ada);
    const link = setup.open("c1");
    expect(link.types).toEqual(["digest", "announce", "announced", "message", "message", "message"]);
    expect(link.take("announce")).toMatchObject([{ room: "r", members: [["p.b.1", "ada"]], attach: 1 }]);
    expect(link.take("message").map(({ seq, ack, user }) => [seq, ack, user])).toEqual([
      [1, undefined, "ada"],
      [2, true, "ada"],
      [3, undefined, "ada"],
    ]);
  });

  test("fails what nobody takes in time, acknowledged or not, and forgets the route", () => {
    const setup = new Setup();
    const ada = sender();
    const result = setup.ask(ada);
    setup.tell(ada);
    setup.clock.advance(9000);
    expect(result.outcome).toBeUndefined();
    setup.clock.advance(3000);
    expect(result.outcome).toBe("unavailable");
    expect([setup.router.pending, setup.router.bytes, ada.bytes]).toEqual([0, 0, 0]);
    expect(setup.metrics.get("toychat_messages_failed_total")).toBe(2);
    setup.clock.advance(30_000);
    expect(setup.router.find("r")).toBeUndefined();
  });
});

describe("refusals", () => {
  test("rewind the sender to the refused message, and wait until a view changes", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const [ada, bob] = [sender("p.b.1"), sender("p.b.2")];
    for (let i = 0; i < 3; i++) setup.ask(ada);
    setup.tell(bob);
    const frames = link.take("message");
    setup.refuse(link, frames[1]!);
    setup.refuse(link, frames[2]!);
    setup.router.confirmed(link, frames[3]!.n);
    setup.ask(ada);
    expect(setup.sent(link)).toEqual([]);
    setup.router.frame(link, { type: "digest", digest: "v2" });
    expect(link.take("message").map(({ seq, head }) => [seq, head])).toEqual([
      [2, true],
      [3, undefined],
      [4, undefined],
    ]);
    expect(setup.router.pending).toBe(4);
  });

  test("are tried again after a while where no view changes, as when a lease was in doubt", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    setup.ask(sender());
    setup.refuse(link, link.take("message")[0]!);
    setup.clock.advance(1000);
    expect(setup.sent(link)).toEqual([1]);
  });

  test("of an earlier try do not touch the next one", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    setup.ask(ada);
    setup.ask(ada);
    const first = link.take("message");
    setup.refuse(link, first[0]!);
    setup.view("c1");
    expect(setup.sent(link)).toEqual([1, 2]);
    setup.refuse(link, first[1]!);
    setup.view("c1");
    expect(setup.sent(link)).toEqual([]);
  });

  test("let the next message go where the refused one was given up", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    const result = setup.ask(ada);
    setup.clock.advance(5000);
    setup.ask(ada);
    const frames = link.take("message");
    setup.view("c2");
    for (const frame of frames) setup.refuse(link, frame);
    setup.release(link, 1);
    setup.router.confirmed(link, frames[1]!.n);
    setup.clock.advance(6000);
    expect(result.outcome).toBe("unavailable");
    const next = setup.open("c2");
    expect(next.take("message").map(({ seq, head }) => [seq, head])).toEqual([[2, undefined]]);
  });

  test("are followed by a head where the refused message was given up at the same owner", () => {
    const setup = new Setup({ acceptMs: 3000 });
    const link = setup.open("c1");
    const ada = sender();
    setup.ask(ada);
    const [first] = link.take("message");
    setup.clock.advance(2500);
    setup.ask(ada);
    setup.refuse(link, first!);
    link.take("message");
    setup.clock.advance(1500);
    expect(link.take("message").map(({ seq, head }) => [seq, head])).toEqual([[2, true]]);
  });
});

describe("acknowledgements", () => {
  test("come for what was accepted, with the owner's error, once", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    const results = [setup.ask(ada), setup.ask(ada)];
    setup.router.confirmed(link, link.frames.at(-1)!.n);
    setup.router.frame(link, { type: "ack", room: "r", session: ada.id, seq: 1 });
    setup.router.frame(link, { type: "ack", room: "r", session: ada.id, seq: 2, error: "listener_failed" });
    setup.router.frame(link, { type: "ack", room: "r", session: ada.id, seq: 2 });
    expect(results.map((result) => result.outcome)).toEqual(["done", "listener_failed"]);
    expect(setup.router.pending).toBe(0);
  });

  test("of a server that was not sent the message do not count", () => {
    const setup = new Setup();
    const [link, other] = [setup.open("c1"), setup.open("c2")];
    const ada = sender();
    const result = setup.ask(ada);
    setup.router.confirmed(link, link.frames.at(-1)!.n);
    setup.router.frame(other, { type: "ack", room: "r", session: ada.id, seq: 1 });
    expect([result.outcome, setup.router.pending]).toEqual([undefined, 1]);
    setup.router.frame(link, { type: "ack", room: "r", session: ada.id, seq: 1 });
    expect(result.outcome).toBe("done");
  });

  test("are awaited for ever where the owner holds the message, until it says more", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    setup.tell(ada);
    const result = setup.ask(ada);
    for (const seq of [1, 2]) setup.router.frame(link, { type: "held", room: "r", session: ada.id, seq });
    setup.router.confirmed(link, link.frames.at(-1)!.n);
    setup.clock.advance(20_000);
    expect(setup.router.pending).toBe(2);
    setup.router.frame(link, { type: "accepted", room: "r", session: ada.id, seq: 1 });
    expect(setup.router.pending).toBe(1);
    setup.router.frame(link, { type: "accepted", room: "r", session: ada.id, seq: 2 });
    expect(result.outcome).toBeUndefined();
    setup.router.frame(link, { type: "ack", room: "r", session: ada.id, seq: 2 });
    expect(result.outcome).toBe("done");
  });

  test("end with the router", () => {
    const setup = new Setup();
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    const ada = sender();
    const results = [setup.ask(ada)];
    setup.router.confirmed(first, first.frames.at(-1)!.n);
    setup.view("c2");
    setup.release(first, 1);
    results.push(setup.ask(ada));
    setup.router.stop();
    results.push(setup.ask(ada));
    expect(results.map((result) => result.outcome)).toEqual(["unavailable", "unavailable", "unavailable"]);
    expect([setup.router.pending, setup.sent(second)]).toEqual([0, []]);
  });
});

describe("a room that moves by plan", () => {
  test("is announced to its next owner only after the last one has released it", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    setup.router.route("r").settle();
    expect(first.take("announce").length).toBe(1);
    setup.view("c2");
    expect(first.take("yield").length).toBe(1);
    setup.tell(sender());
    expect(second.types).not.toContain("announce");
    setup.release(first, 1);
    expect(second.types.filter((type) => type === "announce" || type === "message")).toEqual([
      "announce",
      "message",
    ]);
    expect(setup.router.find("r")).toMatchObject({ source: second, clean: true, away: true });
  });

  test("sends nothing to the next owner before it is known what the last one made of the rest", () => {
    const setup = new Setup();
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    const ada = sender();
    setup.tell(ada);
    setup.tell(ada);
    const frames = first.take("message");
    setup.view("c2");
    setup.release(first, 1);
    setup.tell(ada);
    expect(setup.sent(second)).toEqual([]);
    setup.refuse(first, frames[1]!);
    expect(setup.sent(second)).toEqual([]);
    setup.router.confirmed(first, frames[1]!.n);
    expect(setup.sent(second)).toEqual([2, 3]);
  });

  test("sends nothing later before what the last owner accepted is acknowledged", () => {
    const setup = new Setup();
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    const ada = sender();
    const result = setup.ask(ada);
    setup.router.confirmed(first, first.frames.at(-1)!.n);
    setup.view("c2");
    setup.release(first, 1);
    setup.tell(ada);
    expect(setup.sent(second)).toEqual([]);
    setup.router.frame(first, { type: "ack", room: "r", session: ada.id, seq: 1 });
    expect(result.outcome).toBe("done");
    expect(setup.sent(second)).toEqual([2]);
  });

  test("sends again, in order, what the last owner accepted and never acknowledged", () => {
    const setup = new Setup();
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    const ada = sender();
    setup.ask(ada);
    setup.router.confirmed(first, first.frames.at(-1)!.n);
    setup.view("c2");
    setup.release(first, 1);
    setup.ask(ada);
    setup.reset(first);
    expect(second.take("message").map(({ seq, redelivered }) => [seq, redelivered])).toEqual([
      [1, true],
      [2, undefined],
    ]);
  });

  test("is announced again to the same owner where the view comes back before the release", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    setup.members.set("r", [["p.b.1", "ada"]]);
    setup.router.route("r").settle();
    setup.view("c2");
    setup.view("c1");
    expect(link.take("announce").map((frame) => frame.attach)).toEqual([1, 2]);
    setup.release(link, 1);
    expect(setup.router.find("r")?.source).toBe(link);
    setup.release(link, 2);
    expect(setup.router.find("r")?.source).toBeUndefined();
  });

  test("is sent nothing more, after such an announcement, before it is known what became of the rest", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    setup.tell(ada);
    const [first] = link.take("message");
    setup.view("c2");
    setup.view("c1");
    setup.tell(ada);
    expect(setup.sent(link)).toEqual([]);
    setup.refuse(link, first!);
    expect(setup.sent(link)).toEqual([]);
    setup.router.confirmed(link, first!.n);
    expect(link.take("message").map(({ seq, head }) => [seq, head])).toEqual([[1, true], [2, undefined]]);
  });

  test("is sent nothing more, after such an announcement, before what the owner holds is accepted or refused", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    for (const late of [false, true]) {
      setup.tell(ada);
      const [first] = link.take("message");
      const held = { type: "held" as const, room: "r", session: ada.id, seq: first!.seq };
      if (!late) setup.router.frame(link, held);
      setup.view("c2");
      setup.view("c1");
      if (late) setup.router.frame(link, held);
      setup.router.confirmed(link, first!.n);
      setup.tell(ada);
      expect(setup.sent(link)).toEqual([]);
      setup.refuse(link, first!);
      const again = link.take("message");
      expect(again.map(({ seq, head }) => [seq, head])).toEqual([[ada.seq - 1, true], [ada.seq, undefined]]);
      setup.router.confirmed(link, again.at(-1)!.n);
    }
  });

  test("is announced to the next owner without members too, since that one may wait for it", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    setup.router.route("r").settle();
    setup.router.route("r").epoch = "e1";
    setup.view("c2");
    setup.members.delete("r");
    setup.release(first, 1);
    expect(second.take("announce")).toMatchObject([{ members: [], epoch: "e1" }]);
  });

  test("is announced so also where the next owner died before the room had come to it", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    const route = setup.router.route("r");
    route.settle();
    Object.assign(route, { epoch: "e1", away: false });
    setup.view("c2");
    setup.release(first, 1);
    expect(second.take("announce").length).toBe(1);
    setup.members.delete("r");
    first.take("announce");
    setup.view("c1");
    setup.reset(second);
    expect(first.take("announce")).toMatchObject([{ members: [], epoch: "e1" }]);
  });
});

describe("a release that was not asked for", () => {
  test("waits for either view to change", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const link = setup.open("c1");
    setup.router.frame(link, { type: "digest", digest: "newer" });
    setup.router.route("r").settle();
    setup.release(link, 1);
    expect(setup.router.find("r")?.source).toBeUndefined();
    setup.clock.advance(5000);
    expect(link.take("announce").length).toBe(1);
    setup.router.frame(link, { type: "digest", digest: "newest" });
    expect(link.take("announce")).toMatchObject([{ attach: 2 }]);
  });

  test("is followed by an announcement at once where both have one view: the room has come back meanwhile", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const link = setup.open("c1");
    setup.router.frame(link, { type: "digest", digest: setup.digest });
    setup.router.route("r").settle();
    setup.release(link, 1);
    expect(link.take("announce").map((frame) => frame.attach)).toEqual([1, 2]);
  });
});

describe("an owner that is lost", () => {
  test("gets what it did not acknowledge sent to the next one, and what needs no acknowledgement is given up", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    const ada = sender();
    const results = [1, 2, 3, 4, 5, 6].map((n) => n % 2 ? (setup.tell(ada), undefined) : setup.ask(ada));
    const frames = first.take("message");
    // 1 and 2 are accepted, 3 and 4 held, 5 and 6 under way.
    for (const seq of [3, 4]) setup.router.frame(first, { type: "held", room: "r", session: ada.id, seq });
    setup.router.confirmed(first, frames[3]!.n);
    setup.view("c2", "v2", [member("c2")]);
    setup.reset(first);
    expect(second.take("announce").length).toBe(1);
    expect(second.take("message").map(({ seq, redelivered }) => [seq, redelivered])).toEqual([
      [2, true],
      [4, true],
      [6, true],
    ]);
    expect(setup.metrics.get("toychat_messages_lost_total")).toBe(2);
    expect(setup.metrics.get("toychat_messages_redelivered_total")).toBe(3);
    expect(results.every((result) => result?.outcome === undefined)).toBe(true);
    expect(setup.router.find("r")).toMatchObject({ clean: false, away: true });
  });

  test("that was refused something and has a new link gets everything from the start", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    setup.ask(ada);
    setup.ask(ada);
    const frames = link.take("message");
    setup.refuse(link, frames[0]!);
    setup.reset(link);
    const again = setup.open("c1");
    expect(again.take("message").map(({ seq, head }) => [seq, head])).toEqual([[1, undefined], [
      2,
      undefined,
    ]]);
  });

  test("stays lost although the one that followed it lets go in order without ever having opened the room", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const first = setup.open("c1");
    setup.router.route("r").settle();
    setup.view("c2", "v2", [member("c2")]);
    setup.reset(first);
    const second = setup.open("c2");
    setup.open("c3");
    setup.view("c3", "v3", [member("c2"), member("c3")]);
    setup.release(second, 2);
    expect(setup.router.find("r")).toMatchObject({ clean: false, away: true });
  });

  test("is not the next life of the same server", () => {
    const setup = new Setup();
    setup.members.set("r", [["p.b.1", "ada"]]);
    const link = setup.open("c1");
    setup.router.route("r").settle();
    setup.view("c1", "v2", [member("c1", "i2")]);
    expect(setup.router.find("r")?.source).toBeUndefined();
    setup.reset(link);
    const next = new FakeLink("c1", "chat", "i2");
    setup.links.set("c1", next);
    setup.router.linkOpened(next);
    expect(next.take("announce")).toMatchObject([{ attach: 2 }]);
  });
});

describe("a route that nobody needs", () => {
  test("lets go of its owner after a while, and is forgotten", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    setup.tell(sender());
    setup.router.confirmed(link, link.frames.at(-1)!.n);
    setup.router.find("r")!.epoch = "e1";
    link.take("announce");
    setup.clock.advance(12_000);
    expect(link.take("yield").length).toBe(1);
    setup.release(link, 1);
    expect(setup.router.find("r")).toBeUndefined();
    expect(link.take("announce")).toEqual([]);
  });

  test("stays where somebody comes while it lets go", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    setup.tell(ada);
    setup.router.confirmed(link, link.frames.at(-1)!.n);
    setup.clock.advance(12_000);
    setup.tell(ada);
    setup.release(link, 1);
    expect(link.take("announce").map((frame) => frame.attach)).toEqual([1, 2]);
    expect(setup.sent(link)).toEqual([1, 2]);
  });
});

describe("pressure", () => {
  test("is put on the sender that fills its share, and taken off at half of it", () => {
    const setup = new Setup({ senderBytes: 1000 });
    const link = setup.open("c1");
    const pushes: string[] = [];
    const ada = new Sender("p.b.1", "ada", (on) => pushes.push(`ada ${on}`));
    const bob = new Sender("p.b.2", "bob", (on) => pushes.push(`bob ${on}`));
    for (let i = 0; i < 10; i++) setup.ask(ada);
    setup.ask(bob);
    expect(pushes).toEqual(["ada true"]);
    setup.router.confirmed(link, link.frames.at(-1)!.n);
    for (let seq = 1; seq <= 6; seq++) {
      setup.router.frame(link, { type: "ack", room: "r", session: ada.id, seq });
      expect(pushes.length).toBe(seq < 6 ? 1 : 1);
    }
    setup.router.frame(link, { type: "ack", room: "r", session: ada.id, seq: 7 });
    expect(pushes).toEqual(["ada true", "ada false"]);
  });

  test("of everybody together is taken off everybody, also who has nothing under way by then", () => {
    const setup = new Setup({ senderBytes: 10_000, totalBytes: 1000 });
    const link = setup.open("c1");
    const pushed = new Set<string>();
    const make = (id: string): Sender =>
      new Sender(id, "u", (on) => void (on ? pushed.add(id) : pushed.delete(id)));
    const [ada, bob] = [make("p.b.1"), make("p.b.2")];
    for (let i = 0; i < 7; i++) setup.ask(bob);
    setup.ask(ada);
    expect([...pushed]).toEqual(["p.b.1"]);
    setup.router.confirmed(link, link.frames.at(-1)!.n);
    setup.router.frame(link, { type: "ack", room: "r", session: ada.id, seq: 1 });
    for (let seq = 1; seq <= 7; seq++) {
      setup.router.frame(link, { type: "ack", room: "r", session: bob.id, seq });
    }
    expect(setup.router.bytes).toBe(0);
    expect([...pushed]).toEqual([]);
  });

  test("of one owner holds up who sends to its rooms, and nobody else, also after its rooms have moved", () => {
    const setup = new Setup({ ownerBytes: 500 });
    const slow = setup.open("c1");
    setup.open("c2");
    const pushed = new Set<string>();
    const make = (id: string): Sender =>
      new Sender(id, "u", (on) => void (on ? pushed.add(id) : pushed.delete(id)));
    const [ada, bob, eve] = [make("p.b.1"), make("p.b.2"), make("p.b.3")];
    for (let i = 0; i < 4; i++) setup.router.publish(ada, "slow", "x");
    expect([...pushed]).toEqual(["p.b.1"]);
    setup.owner = "c2";
    setup.router.publish(bob, "fast", "x");
    expect([...pushed]).toEqual(["p.b.1"]);
    setup.router.viewChanged([...setup.links.values()]);
    setup.router.publish(eve, "fast", "x");
    expect([...pushed]).toEqual(["p.b.1", "p.b.3"]);
    setup.router.linkReset(slow);
    expect([...pushed]).toEqual(["p.b.3"]);
    expect(setup.metrics.get("toychat_senders_pushed_back_total")).toBe(2);
    setup.router.stop();
    expect(setup.router.bytes).toBe(0);
    expect(setup.router.find("fast")?.pool.bytes).toBe(0);
  });

  test("of a full link keeps messages back, and the link's drain lets them go, in order", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const ada = sender();
    setup.tell(ada);
    link.full = true;
    setup.tell(ada);
    setup.tell(ada);
    expect(setup.sent(link)).toEqual([1]);
    link.full = false;
    setup.router.drain(link);
    expect(setup.sent(link)).toEqual([2, 3]);
  });
});

describe("an owner that has no place for a room", () => {
  test("is told so to all who wait for it, messages and members, and the room is forgotten", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const refused: string[] = [];
    setup.router.host.refused = (room) => {
      refused.push(room);
      setup.members.delete(room);
    };
    setup.members.set("r", [["p.b.1", "ada"]]);
    const failures: (string | undefined)[] = [];
    const ada = sender();
    setup.router.publish(ada, "r", "x", (failure) => failures.push(failure));
    setup.router.publish(ada, "r", "y");
    const [announce] = link.take("announce");
    setup.router.frame(link, { type: "released", room: "r", attach: announce?.attach as number, full: true });
    expect(failures).toEqual(["server_full"]);
    expect(refused).toEqual(["r"]);
    expect(setup.router.find("r")).toBeUndefined();
    expect([setup.router.bytes, ada.bytes]).toEqual([0, 0]);
    setup.router.confirmed(link, 10);
    setup.router.publish(ada, "r", "again");
    expect(link.take("announce").length).toBe(1);
  });
});

describe("members", () => {
  test("join and leave one by one while the room is attached", () => {
    const setup = new Setup();
    const link = setup.open("c1");
    const route = setup.router.route("r");
    setup.members.set("r", [["p.b.1", "ada"]]);
    expect(route.join(["p.b.1", "ada"])).toBe(false);
    expect(link.take("announce").length).toBe(1);
    expect(route.join(["p.b.2", "bob", 0])).toBe(true);
    route.leave("p.b.1", "left");
    expect(link.frames.slice(-2)).toMatchObject([
      { type: "join", room: "r", member: ["p.b.2", "bob", 0] },
      { type: "leave", room: "r", session: "p.b.1", reason: "left" },
    ]);
  });

  test("who come while the room is between owners are announced with the others", () => {
    const setup = new Setup();
    const [first, second] = [setup.open("c1"), setup.open("c2")];
    setup.members.set("r", [["p.b.1", "ada"]]);
    const route = setup.router.route("r");
    route.settle();
    setup.view("c2");
    setup.members.set("r", [["p.b.1", "ada"], ["p.b.2", "bob"]]);
    expect(route.join(["p.b.2", "bob"])).toBe(false);
    expect(first.types).not.toContain("join");
    setup.release(first, 1);
    expect(second.take("announce")).toMatchObject([{ members: [["p.b.1", "ada"], ["p.b.2", "bob"]] }]);
  });
});

test("a round ends only when a room that waits at another owner, and was never open there, has been announced too", () => {
  const setup = new Setup();
  setup.members.set("r", [["p.b.1", "ada"]]);
  const lost = setup.open("c1");
  const [first, second] = [setup.open("c2"), setup.open("c3")];
  setup.chats = [member("c1"), member("c2"), member("c3")];
  setup.router.route("r").settle();
  setup.view("c2", "v2", [member("c2"), member("c3")]);
  setup.reset(lost);
  setup.view("c3", "v3");
  first.frames = [];
  second.frames = second.frames.filter((frame) => frame.type !== "announced");
  expect(second.types).not.toContain("announced");
  // A link that ends elsewhere does not end the round.
  setup.reset(setup.open("c4"));
  expect(second.types).not.toContain("announced");
  setup.release(first, 2);
  expect(second.types.slice(-2)).toEqual(["announce", "announced"]);
  expect(second.take("announced")).toMatchObject([{ digest: "v3" }]);
});

test("a new view is announced in one run that ends with its digest, before any message", () => {
  const setup = new Setup();
  const first = setup.open("c1");
  setup.members.set("a", [["p.b.1", "ada"]]);
  for (const room of ["a", "b"]) setup.tell(sender(), room);
  setup.view(undefined, "v2");
  for (const room of ["a", "b"]) setup.router.frame(first, { type: "released", room, attach: 1 });
  setup.router.confirmed(first, 99);
  setup.tell(sender("p.b.9"), "b");
  const second = setup.open("c2");
  second.frames = [];
  setup.view("c2", "v3");
  expect(second.types).toEqual(["digest", "announce", "announce", "announced", "message"]);
  expect(second.take("announced")).toMatchObject([{ digest: "v3" }]);
});
