import { describe, expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { Member, View } from "../membership/view.ts";
import { Settlement } from "./settlement.ts";

function member(id: string, incarnation = "i1"): Member {
  return id.startsWith("p")
    ? { id, role: "proxy", incarnation, address: "h:1", state: "alive" }
    : { id, role: "chat", incarnation, address: "h:1", state: "alive", slot: 0 };
}

function view(digest: string, ...ids: string[]): View {
  return { members: ids.map((id) => member(id)), slots: 1, revision: 1, digest };
}

class Setup {
  readonly clock = new ManualClock();
  changes = 0;
  readonly settlement: Settlement = new Settlement({
    clock: this.clock,
    id: "c1",
    announceMs: 700,
    handoffMs: 5000,
    changed: () => this.changes++,
  });

  open(id: string, incarnation?: string): FakeLink {
    const link = new FakeLink(id, id.startsWith("p") ? "proxy" : "chat", incarnation);
    this.settlement.open(link);
    return link;
  }
}

test("nothing is settled before there is a view", () => {
  const { settlement, clock } = new Setup();
  expect(settlement.settled).toBe(false);
  clock.advance(10_000);
  expect(settlement.settled).toBe(false);
});

test("one alone is settled at once", () => {
  const { settlement } = new Setup();
  settlement.restart(view("v1", "c1"));
  expect(settlement.settled).toBe(true);
});

test("a view is settled when every proxy has ended its announcements for it, and every server said what it holds", () => {
  const setup = new Setup();
  const { settlement } = setup;
  const [proxy, chat] = [setup.open("p1"), setup.open("c2")];
  settlement.announced(proxy, "v0");
  settlement.restart(view("v1", "c1", "c2", "p1"));
  settlement.announced(proxy, "v1");
  expect(settlement.settled).toBe(false);
  settlement.handing(chat, "v0", []);
  expect(settlement.settled).toBe(false);
  settlement.handing(chat, "v1", ["r"]);
  expect(settlement.settled).toBe(true);
  settlement.restart(view("v2", "c1", "c2", "p1"));
  expect(settlement.settled).toBe(false);
});

test("what a peer said before the view was ours counts", () => {
  const setup = new Setup();
  const proxy = setup.open("p1");
  setup.settlement.announced(proxy, "v1");
  setup.settlement.restart(view("v1", "c1", "p1"));
  expect(setup.settlement.settled).toBe(true);
});

test("what another life of a peer said does not", () => {
  const setup = new Setup();
  const proxy = setup.open("p1", "i0");
  setup.settlement.announced(proxy, "v1");
  setup.settlement.restart(view("v1", "c1", "p1"));
  expect(setup.settlement.settled).toBe(false);
});

test("proxies are waited for 700 ms, servers 5 s, and whoever waits is woken then", () => {
  const setup = new Setup();
  setup.settlement.restart(view("v1", "c1", "p1"));
  setup.clock.advance(699);
  expect(setup.settlement.settled).toBe(false);
  setup.clock.advance(10);
  expect([setup.settlement.settled, setup.changes]).toEqual([true, 1]);
  setup.settlement.restart(view("v2", "c1", "c2"));
  setup.clock.advance(4990);
  expect([setup.settlement.settled, setup.settlement.overdue]).toEqual([false, false]);
  setup.clock.advance(20);
  expect([setup.settlement.settled, setup.settlement.overdue]).toEqual([true, true]);
  expect(setup.changes).toBe(3);
});

test("a proxy whose link was reset has to announce again, as far as its view was not settled", () => {
  const setup = new Setup();
  const proxy = setup.open("p1");
  setup.settlement.announced(proxy, "v1");
  setup.settlement.reset(proxy);
  setup.open("p1");
  setup.settlement.restart(view("v1", "c1", "p1"));
  expect(setup.settlement.settled).toBe(false);
});

describe("a hand-off", () => {
  function expecting(): Setup & { chat: FakeLink } {
    const setup = new Setup();
    setup.settlement.restart(view("v1", "c1", "c2", "c3"));
    const chat = setup.open("c2");
    setup.settlement.handing(chat, "v1", ["r", "s"]);
    return Object.assign(setup, { chat });
  }

  test("is expected until it has come, whoever brings it", () => {
    const { settlement, open } = expecting();
    expect([settlement.expects("r"), settlement.expects("q")]).toEqual([true, false]);
    void open;
    const other = new FakeLink("c3");
    settlement.open(other);
    settlement.arrived(other, "r");
    expect([settlement.expects("r"), settlement.expects("s")]).toEqual([false, true]);
  });

  test("is waited for 5 s, counted anew with each that comes", () => {
    const { settlement, clock, chat } = expecting();
    clock.advance(4000);
    settlement.arrived(chat, "s");
    clock.advance(4000);
    expect(settlement.expects("r")).toBe(true);
    clock.advance(1100);
    expect(settlement.expects("r")).toBe(false);
  });

  test("wakes whoever waits when the wait is over", () => {
    const setup = expecting();
    setup.clock.advance(4000);
    setup.settlement.arrived(setup.chat, "s");
    const before = setup.changes;
    setup.clock.advance(900);
    expect(setup.changes).toBe(before);
    setup.clock.advance(4200);
    expect(setup.changes).toBeGreaterThan(before);
  });

  test("is expected no more when its server has left the view, at once", () => {
    const { settlement } = expecting();
    settlement.restart(view("v2", "c1", "c3"));
    expect(settlement.expects("r")).toBe(false);
  });

  test("is expected on, though the link that announced it has ended", () => {
    const { settlement, chat } = expecting();
    settlement.reset(chat);
    expect(settlement.expects("r")).toBe(true);
    const again = new FakeLink("c2");
    settlement.open(again);
    expect(settlement.expects("r")).toBe(true);
    settlement.handing(again, "v1", []);
    expect(settlement.expects("r")).toBe(false);
  });

  test("is expected although its server has a later view, by which the room may go elsewhere, until we have it too", () => {
    const { settlement, chat } = expecting();
    settlement.handing(chat, "v2", ["s"]);
    expect([settlement.expects("r"), settlement.expects("s")]).toEqual([true, true]);
    settlement.restart(view("v2", "c1", "c2", "c3"));
    expect([settlement.expects("r"), settlement.expects("s")]).toEqual([false, true]);
  });
});

test("what a peer said before it left the view counts no more when it is back, though the view is as it was", () => {
  const setup = new Setup();
  const { settlement } = setup;
  const [proxy, chat] = [setup.open("p1"), setup.open("c2")];
  const whole = view("v1", "c1", "c2", "p1");
  settlement.restart(whole);
  settlement.announced(proxy, "v1");
  settlement.handing(chat, "v1", []);
  expect(settlement.settled).toBe(true);
  settlement.restart(view("v2", "c1"));
  settlement.restart(whole);
  expect([settlement.settled, [...settlement.named("v1")]]).toEqual([false, []]);
  settlement.announced(proxy, "v1");
  settlement.handing(chat, "v1", ["r"]);
  expect([settlement.settled, settlement.expects("r")]).toEqual([true, true]);
  expect([...settlement.named("v1")].map(([link, rooms]) => [link, [...rooms]])).toEqual([[chat, ["r"]]]);
});

test("what a peer says before it has come into the view counts", () => {
  const setup = new Setup();
  const { settlement } = setup;
  settlement.restart(view("v1", "c1"));
  settlement.handing(setup.open("c2"), "v3", []);
  settlement.restart(view("v2", "c1", "c3"));
  settlement.restart(view("v3", "c1", "c2"));
  expect(settlement.settled).toBe(true);
});

test("what a proxy announced for a view counts no more once it has another one, also before it has ended its new announcements", () => {
  const setup = new Setup();
  const { settlement } = setup;
  const [one, two] = [setup.open("p1"), setup.open("p2")];
  settlement.announced(one, "v1");
  settlement.restart(view("v1", "c1", "p1", "p2"));
  settlement.turned(one, "v1");
  settlement.turned(one, "v2");
  settlement.announced(two, "v1");
  expect(settlement.settled).toBe(false);
  settlement.turned(one, "v1");
  expect(settlement.settled).toBe(false);
  settlement.announced(one, "v1");
  expect(settlement.settled).toBe(true);
});
