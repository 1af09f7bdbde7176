import { expect, test } from "bun:test";
import { settle } from "../../tests/support/fake_channel.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { noLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { Authorize } from "../protocols/credentials.ts";
import { Authorization, Gate } from "./authorization.ts";

/** A gate whose questions a test answers. */
class Setup {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  /** What passed, and when the session was held. */
  readonly events: string[] = [];
  /** Questions, in the order in which they were asked. */
  readonly asked: { what: string; answer: (may: boolean) => void; fail: (error: Error) => void }[] = [];
  readonly authorization: Authorization;
  readonly gate: Gate;

  constructor(authorize?: Authorize, cacheMs = 0) {
    const { clock, metrics } = this;
    const ask: Authorize = (user, action, room) =>
      new Promise((resolve, reject) =>
        this.asked.push({ what: `${user.id} ${action} ${room}`, answer: resolve, fail: reject })
      );
    const host = { clock, metrics, log: noLog, limitMs: 5000, cacheMs };
    this.authorization = new Authorization(authorize ?? ask, host);
    const hold = (on: boolean): void => void this.events.push(on ? "hold" : "go on");
    this.gate = new Gate(this.authorization, { id: "ada", claims: {} }, hold);
  }

  publish(room: string, body: string): void {
    this.gate.pass("publish", room, (refusal) => this.events.push(`${body} ${refusal ?? "sent"}`));
  }

  take(): string[] {
    return this.events.splice(0);
  }
}

test("an answer that is there at once lets the message through at once, and holds nothing", () => {
  const setup = new Setup((_user, _action, room) => room === "open");
  setup.publish("open", "1");
  setup.publish("closed", "2");
  expect(setup.take()).toEqual(["1 sent", "2 not_authorized"]);
  expect(setup.metrics.get("toychat_authorizations_refused_total")).toBe(1);
});

test("a later message does not overtake one that is still being asked about, whatever the room", async () => {
  const setup = new Setup();
  for (const [room, body] of [["a", "1"], ["b", "2"], ["a", "3"]] as const) setup.publish(room, body);
  setup.gate.pass(undefined, "a", () => setup.events.push("left"));
  expect(setup.asked.map(({ what }) => what)).toEqual(["ada publish a", "ada publish b", "ada publish a"]);
  setup.asked[2]!.answer(true);
  setup.asked[1]!.answer(false);
  await settle();
  expect(setup.take()).toEqual(["hold"]);
  expect(setup.authorization.pending).toBe(4);
  setup.asked[0]!.answer(true);
  await settle();
  expect(setup.take()).toEqual(["1 sent", "2 not_authorized", "3 sent", "left", "go on"]);
  expect(setup.authorization.pending).toBe(0);
});

test("what is done while others are let through comes behind them", async () => {
  const setup = new Setup();
  setup.gate.pass("join", "a", () => {
    setup.events.push("joined");
    setup.publish("a", "3");
  });
  setup.publish("a", "2");
  setup.asked[1]!.answer(true);
  setup.asked[0]!.answer(true);
  await settle();
  setup.asked[2]!.answer(true);
  await settle();
  expect(setup.take()).toEqual(["hold", "joined", "2 sent", "3 sent", "go on"]);
});

test("no more than sixteen questions of a session are open at a time", async () => {
  const setup = new Setup();
  for (let i = 0; i < 40; i++) setup.publish("a", String(i));
  expect(setup.asked).toHaveLength(16);
  for (let i = 0; i < 40; i++) {
    setup.asked[i]!.answer(true);
    await settle();
  }
  expect(setup.take().slice(1, -1)).toEqual(Array.from({ length: 40 }, (_, i) => `${i} sent`));
});

test("a failure of authorize is told apart from its refusal, and lets nothing through", async () => {
  const setup = new Setup();
  setup.publish("a", "rejected");
  setup.publish("a", "too late");
  setup.asked[0]!.fail(new Error("no database"));
  await settle();
  setup.clock.advance(5000);
  await settle();
  expect(setup.take()).toEqual(["hold", "rejected unavailable", "too late unavailable", "go on"]);
  expect(setup.metrics.get("toychat_authorization_failures_total")).toBe(2);
  expect(setup.metrics.get("toychat_authorizations_refused_total")).toBe(0);
  for (const answer of [undefined, "yes", 1]) {
    const odd = new Setup((() => answer) as unknown as Authorize);
    odd.publish("a", "odd");
    expect(odd.take()).toEqual(["odd unavailable"]);
  }
  const thrown = new Setup(() => {
    throw new Error("a bug");
  });
  thrown.publish("a", "thrown");
  expect(thrown.take()).toEqual(["thrown unavailable"]);
});

test("a yes is kept for as long as it may be, for that action and room alone; a no is not", () => {
  let asked = 0;
  let may = true;
  const setup = new Setup(() => (asked++, may), 1000);
  for (let i = 0; i < 3; i++) setup.publish("a", "x");
  expect(asked).toBe(1);
  setup.gate.pass("join", "a", () => {});
  setup.publish("b", "x");
  expect(asked).toBe(3);
  may = false;
  setup.clock.advance(999);
  setup.publish("a", "kept");
  setup.clock.advance(1);
  setup.publish("a", "asked again");
  setup.publish("a", "asked again");
  expect(asked).toBe(5);
  expect(setup.take().slice(-3)).toEqual([
    "kept sent",
    "asked again not_authorized",
    "asked again not_authorized",
  ]);
});

test("what a message does when it is let through cannot stop those behind it", async () => {
  const setup = new Setup();
  setup.gate.pass("publish", "a", () => {
    throw new Error("a bug");
  });
  setup.publish("a", "2");
  for (const { answer } of setup.asked) answer(true);
  await settle();
  expect(setup.take()).toEqual(["hold", "2 sent", "go on"]);
});
