import { describe, expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { Metrics } from "../lib/metrics.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { HandoffFrame } from "../link/frames.ts";
import type { Member, View } from "../membership/view.ts";
import { Handoffs } from "./handoffs.ts";

function frame(term = 1, epoch = "e1"): HandoffFrame {
  return { type: "handoff", room: "r", epoch, offset: 5, term, senders: [], proxies: [] };
}

function member(id: string): Member {
  return { id, role: "chat", incarnation: "i1", address: "h:1", slot: 0, state: "alive" };
}

/** What a view says of members is all that matters here. */
function view(...ids: string[]): View {
  return { members: ids.map(member) } as unknown as View;
}

class Setup {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  readonly links = new Map<string, FakeLink>();
  readonly disagree = new Set<FakeLink>();
  readonly arrived: string[] = [];
  readonly left: string[] = [];
  readonly ended: string[] = [];
  owner = "c2";
  readonly handoffs: Handoffs = new Handoffs({
    clock: this.clock,
    metrics: this.metrics,
    id: "c1",
    handoffMs: 5000,
    owner: () => member(this.owner),
    link: (id) => this.links.get(id),
    digest: () => "d1",
    agrees: (link) => !this.disagree.has(link as FakeLink),
    arrived: (room) => void this.arrived.push(room),
    leaving: (room, merged) => void this.left.push(`${room} ${merged ? "merged" : "goes on"}`),
    ended: (frame, from) => void this.ended.push(`${frame.room} ${frame.epoch} of ${from.peer.id}`),
  });

  /** A link to a server, which has answered that it holds so many of the rooms that it is to get. */
  link(id: string, ...holding: [room: string, epoch: string][]): FakeLink {
    const link = new FakeLink(id);
    this.handoffs.holding(link, "d1", holding);
    this.links.set(id, link);
    return link;
  }
}

describe("a room on its way out", () => {
  test("goes only when its owner has answered for this view, and the application is told before", () => {
    const setup = new Setup();
    const link = new FakeLink("c2");
    setup.links.set("c2", link);
    setup.handoffs.send(frame());
    setup.handoffs.holding(link, "d0", [["r", "e2"]]);
    expect([link.frames, setup.left]).toEqual([[], []]);
    setup.handoffs.holding(link, "d1", [["r", "e1"]]);
    expect([link.take("handoff")[0]?.members, setup.left]).toEqual([undefined, ["r goes on"]]);
  });

  test("ends where its owner holds another life of it, and takes along who was in it", () => {
    const setup = new Setup();
    const user = { userId: "ada", sessionId: "p1.i1.1", proxyId: "p1" };
    const link = setup.link("c2", ["r", "e2"]);
    setup.handoffs.send(frame(), new Set(), [user]);
    expect(setup.left).toEqual(["r merged"]);
    expect(link.take("handoff")).toMatchObject([{ epoch: "e1", members: [["p1.i1.1", "ada"]] }]);
    // Over a new link it goes as it went before.
    link.ended = true;
    setup.handoffs.reset(link);
    const again = setup.link("c2");
    setup.handoffs.retry();
    expect(again.take("handoff")).toMatchObject([{ epoch: "e1", members: [["p1.i1.1", "ada"]] }]);
    expect(setup.left).toEqual(["r merged"]);
  });

  test("does not go by what its owner answered over a link that has ended", () => {
    const setup = new Setup();
    const link = setup.link("c2");
    link.ended = true;
    setup.handoffs.reset(link);
    const again = new FakeLink("c2");
    setup.links.set("c2", again);
    setup.handoffs.send(frame());
    expect([again.frames, setup.left]).toEqual([[], []]);
  });

  test("goes to its owner, once, and is kept until that one has taken it", () => {
    const setup = new Setup();
    const link = setup.link("c2");
    setup.handoffs.send(frame());
    setup.handoffs.retry();
    expect(link.take("handoff")).toMatchObject([frame()]);
    expect([...setup.handoffs.held()]).toEqual(["r"]);
    setup.handoffs.taken(link, "r", "e1", 2);
    setup.handoffs.taken(link, "r", "e2", 1);
    setup.handoffs.taken(setup.link("c3"), "r", "e1", 1);
    expect(setup.handoffs.away("r")).toBe(true);
    setup.handoffs.taken(link, "r", "e1", 1);
    expect([setup.handoffs.away("r"), setup.handoffs.outgoing]).toEqual([false, 0]);
  });

  test("waits for a link, and for an owner with the same view", () => {
    const setup = new Setup();
    setup.handoffs.send(frame());
    const link = setup.link("c2");
    setup.disagree.add(link);
    setup.handoffs.retry();
    expect(link.frames).toEqual([]);
    setup.disagree.clear();
    setup.handoffs.retry();
    expect(link.take("handoff").length).toBe(1);
  });

  test("goes again over a new link, as the old one may have lost it", () => {
    const setup = new Setup();
    const link = setup.link("c2");
    setup.handoffs.send(frame());
    link.ended = true;
    const again = setup.link("c2");
    setup.handoffs.retry();
    expect(again.take("handoff").length).toBe(1);
  });

  test("is left to the one it was sent to while that one lives, though another owns it by now", () => {
    const setup = new Setup();
    const [link, other] = [setup.link("c2"), setup.link("c3")];
    setup.handoffs.send(frame());
    setup.owner = "c3";
    setup.handoffs.retry();
    link.ended = true;
    setup.handoffs.retry();
    expect(other.frames).toEqual([]);
    const again = setup.link("c2");
    setup.handoffs.retry();
    expect([again.take("handoff").length, other.frames]).toEqual([1, []]);
  });

  test("is given up with the server that it was sent to: that one may have opened it, and what is here is old", () => {
    const setup = new Setup();
    const from = setup.link("c4");
    setup.link("c2");
    setup.handoffs.receive(frame(), from);
    setup.handoffs.abandon(view("c2", "c4"));
    expect(setup.handoffs.away("r")).toBe(true);
    setup.handoffs.abandon(view("c4"));
    expect([setup.handoffs.away("r"), from.take("taken").length]).toEqual([false, 1]);
  });

  test("that is ours again waits until it is returned, with what became of it meanwhile", () => {
    const setup = new Setup();
    const link = setup.link("c2");
    setup.handoffs.send(frame(1));
    setup.owner = "c1";
    setup.handoffs.retry();
    expect([setup.arrived, setup.handoffs.away("r")]).toEqual([[], true]);
    setup.handoffs.receive(frame(2), link);
    expect([setup.arrived, setup.handoffs.away("r")]).toEqual([["r"], false]);
    expect(setup.handoffs.incoming("r")?.frame.term).toBe(2);
  });

  test("that is ours again and never left is here at once", () => {
    const setup = new Setup();
    setup.handoffs.send(frame());
    setup.owner = "c1";
    setup.handoffs.retry();
    expect(setup.arrived).toEqual(["r"]);
  });

  test("that is ours again is given up where nobody returns it: it may have gone on where it was sent", () => {
    const setup = new Setup();
    setup.link("c2");
    setup.handoffs.send(frame());
    setup.owner = "c1";
    setup.handoffs.retry();
    setup.handoffs.giveUp("r");
    setup.handoffs.giveUp("unknown");
    expect([setup.arrived, setup.handoffs.away("r"), setup.handoffs.incoming("r")]).toEqual([
      [],
      false,
      undefined,
    ]);
    expect(setup.metrics.get("toychat_handoffs_total")).toBe(1);
  });
});

describe("a room that comes", () => {
  test("is taken when it opens, and everyone who sent it is told", () => {
    const setup = new Setup();
    setup.owner = "c1";
    const [one, two] = [setup.link("c2"), setup.link("c3")];
    setup.handoffs.receive(frame(), one);
    setup.handoffs.receive(frame(), two);
    expect([one.frames, two.frames]).toEqual([[], []]);
    setup.handoffs.opened("r");
    for (const link of [one, two]) {
      expect(link.take("taken")).toMatchObject([{ room: "r", epoch: "e1", term: 1 }]);
    }
    expect(setup.handoffs.incoming("r")).toBeUndefined();
  });

  test("in an older state than the one that is here changes nothing", () => {
    const setup = new Setup();
    setup.owner = "c1";
    const [one, two] = [setup.link("c2"), setup.link("c3")];
    setup.handoffs.receive(frame(2), one);
    setup.handoffs.receive(frame(1), two);
    expect(two.take("taken").length).toBe(1);
    expect(setup.handoffs.incoming("r")?.frame.term).toBe(2);
  });

  test("in a later state takes the place of the one that is here", () => {
    const setup = new Setup();
    setup.owner = "c1";
    const [one, two] = [setup.link("c2"), setup.link("c3")];
    setup.handoffs.receive(frame(1), one);
    setup.handoffs.receive(frame(2), two);
    expect(one.take("taken")).toMatchObject([{ term: 1 }]);
    expect(setup.handoffs.incoming("r")?.frame.term).toBe(2);
  });

  test("in another epoch is refused", () => {
    const setup = new Setup();
    setup.owner = "c1";
    const [one, two] = [setup.link("c2"), setup.link("c3")];
    setup.handoffs.receive(frame(), one);
    setup.handoffs.receive(frame(1, "e2"), two);
    expect(two.take("taken")).toMatchObject([{ epoch: "e2", refused: true }]);
    expect(setup.ended).toEqual([`r e2 of ${two.peer.id}`]);
  });

  test("though another owns it is passed on, and its sender hears when it was taken", () => {
    const setup = new Setup();
    const [from, to] = [setup.link("c3"), setup.link("c2")];
    setup.handoffs.receive(frame(), from);
    expect(to.take("handoff").length).toBe(1);
    setup.handoffs.taken(to, "r", "e1", 1);
    expect(from.take("taken")).toMatchObject([{ room: "r", epoch: "e1", term: 1 }]);
  });

  test("from a server with another view is kept, not sent back", () => {
    const setup = new Setup();
    const from = setup.link("c2");
    setup.disagree.add(from);
    setup.handoffs.receive(frame(), from);
    expect(from.frames).toEqual([]);
    setup.owner = "c1";
    setup.handoffs.retry();
    expect(setup.arrived).toEqual(["r"]);
  });

  test("and moves on before it opened goes to its next owner", () => {
    const setup = new Setup();
    setup.owner = "c1";
    const [from, to] = [setup.link("c3"), setup.link("c2")];
    setup.handoffs.receive(frame(), from);
    setup.owner = "c2";
    setup.handoffs.retry();
    expect(to.take("handoff").length).toBe(1);
    setup.handoffs.taken(to, "r", "e1", 1);
    expect(from.take("taken").length).toBe(1);
  });

  test("asks for its room again when waiting for proxies is over", () => {
    const setup = new Setup();
    setup.owner = "c1";
    setup.handoffs.receive(frame(), setup.link("c2"));
    expect(setup.handoffs.incoming("r")?.until).toBe(setup.clock.now() + 5000);
    setup.clock.advance(5010);
    expect(setup.arrived).toEqual(["r", "r"]);
    setup.handoffs.opened("r");
    setup.clock.advance(5010);
    expect(setup.arrived.length).toBe(2);
  });
});

test("with the life of a server its hand-offs end", () => {
  const setup = new Setup();
  setup.handoffs.send(frame());
  setup.handoffs.clear();
  expect([...setup.handoffs.held()]).toEqual([]);
});
