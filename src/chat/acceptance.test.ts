import { describe, expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { createContext } from "../../transports/context.ts";
import { noLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { MessageFrame } from "../link/frames.ts";
import { Acceptance } from "./acceptance.ts";
import { Confirms } from "./confirms.ts";
import { type AnyTypes, Listeners } from "./events.ts";
import { type Attachment, type Cause, Room } from "./room.ts";
import { Sessions } from "./sessions.ts";

/** A room with members on two proxies. */
class Setup {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  readonly listeners = new Listeners<AnyTypes>(
    this.clock,
    this.metrics,
    noLog,
    createContext<Cause | undefined>(),
    10_000,
  );
  readonly confirms = new Confirms();
  readonly sessions = new Sessions({ connected() {}, disconnected() {} });
  readonly room = new Room("r");
  readonly one = new FakeLink("p1", "proxy");
  readonly two = new FakeLink("p2", "proxy");
  readonly attachment: Attachment;
  accepts = true;
  readonly acceptance = new Acceptance<AnyTypes>({
    clock: this.clock,
    metrics: this.metrics,
    listeners: this.listeners,
    confirms: this.confirms,
    sessions: this.sessions,
    maxMessageBytes: 1000,
    digest: () => "v1",
    accepts: () => this.accepts,
  });

  constructor() {
    this.room.phase = "open";
    this.attachment = this.attach(this.one, "p1.b.1");
    this.attach(this.two, "p2.b.1");
  }

  attach(link: FakeLink, session: string): Attachment {
    const attachment = this.room.attach(link, new Set(), 1, undefined);
    this.room.add(attachment, { userId: session, sessionId: session, proxyId: link.peer.id }, true);
    return attachment;
  }

  /** A message comes from the first proxy; gives what is answered at once. */
  say(seq: number, more: Partial<MessageFrame> = {}, attachment = this.attachment): string[] {
    const frame: MessageFrame = {
      type: "message",
      room: "r",
      session: "p1.b.1",
      seq,
      user: "ada",
      body: seq,
      ...more,
    };
    this.acceptance.message(this.room, attachment, frame, 100 + seq);
    return this.answers(attachment.link as FakeLink);
  }

  /** What was answered on a link, and no delivery. */
  answers(link = this.one): string[] {
    const answers = link.frames.filter((frame) => frame.type !== "deliver");
    link.frames = link.frames.filter((frame) => frame.type === "deliver");
    return answers.map((frame) => {
      const error = "error" in frame ? ` ${frame.error}` : "";
      return `${frame.type}${"seq" in frame ? ` ${frame.seq}` : ""}${error}`;
    });
  }

  /** The bodies that were delivered on a link since the last call. */
  delivered(link = this.two): unknown[] {
    return link.take("deliver").map((frame) => frame.body);
  }

  /** Both proxies take everything that was sent to them. */
  take(): void {
    for (const link of [this.one, this.two]) this.confirms.confirmed(link, 1_000_000);
  }
}

describe("a message that is too large", () => {
  const LARGE: [string, Partial<MessageFrame>][] = [
    ["text", { body: "é".repeat(501) }],
    ["numbers that grow when they are written", { body: Array(100).fill(1e20) }],
    ["bytes", { body: btoa("x".repeat(1001)), encoding: "base64" }],
    ["a value", { body: { a: "x".repeat(1000) } }],
  ];
  test.each(LARGE)("is refused and delivered to nobody: %s", (_, frame) => {
    const setup = new Setup();
    expect(setup.say(1, { ...frame, ack: true })).toEqual(["ack 1 too_large"]);
    expect(setup.say(2, frame)).toEqual([]);
    expect(setup.delivered()).toEqual([]);
    expect(setup.metrics.get("toychat_messages_too_large_total")).toBe(2);
    expect(setup.say(3)).toEqual([]);
    expect(setup.delivered()).toEqual([3]);
  });

  test("is one over the limit, as proxies count: text by its UTF-8, however long its JSON is", () => {
    const setup = new Setup();
    const most = ["\u0001".repeat(1000), "x".repeat(1000), "é".repeat(500), { a: "x".repeat(992) }];
    for (const [index, body] of most.entries()) setup.say(index + 1, { body });
    setup.say(5, { body: btoa("x".repeat(1000)), encoding: "base64" });
    expect(setup.delivered()).toEqual([...most, btoa("x".repeat(1000))]);
  });

  test("is a user's: an application may send more", () => {
    const setup = new Setup();
    setup.say(1, { user: undefined, body: "x".repeat(5000) });
    expect(setup.delivered()).toEqual(["x".repeat(5000)]);
  });

  test("is refused as others are where nothing is accepted", () => {
    const setup = new Setup();
    setup.accepts = false;
    expect(setup.say(1, { body: "x".repeat(1001), ack: true })).toEqual(["refused 1"]);
  });
});

describe("a message that is not accepted", () => {
  test("is refused with all that follow of its sender, until it comes again", () => {
    const setup = new Setup();
    setup.accepts = false;
    expect(setup.say(5)).toEqual(["refused 5"]);
    setup.accepts = true;
    expect(setup.say(6)).toEqual(["refused 6"]);
    expect(setup.say(1, { session: "p1.b.2" })).toEqual([]);
    expect(setup.say(5)).toEqual([]);
    expect(setup.say(6)).toEqual([]);
    expect(setup.delivered()).toEqual([1, 5, 6]);
  });

  test("is given up where its router says that a later one is the first", () => {
    const setup = new Setup();
    setup.accepts = false;
    setup.say(5);
    setup.accepts = true;
    expect(setup.say(7, { head: true })).toEqual([]);
    expect(setup.say(8)).toEqual([]);
  });

  test("says which transmission it was, and the view it was refused by", () => {
    const setup = new Setup();
    setup.accepts = false;
    setup.acceptance.message(setup.room, setup.attachment, {
      type: "message",
      room: "r",
      session: "p1.b.1",
      seq: 5,
      body: 1,
    }, 42);
    expect(setup.one.take("refused")).toMatchObject([{
      session: "p1.b.1",
      seq: 5,
      frame: 42,
      digest: "v1",
    }]);
  });
});

describe("a message that has to wait", () => {
  test("is held, and accepted when its turn comes", () => {
    const setup = new Setup();
    setup.room.phase = "waiting";
    expect(setup.say(1)).toEqual(["held 1"]);
    expect(setup.delivered()).toEqual([]);
    setup.room.phase = "open";
    setup.room.run();
    expect([setup.answers(), setup.delivered()]).toEqual([["accepted 1"], [1]]);
  });

  test("is refused when the room is let go, and what follows it too", () => {
    const setup = new Setup();
    setup.room.phase = "waiting";
    setup.say(1);
    setup.say(2);
    setup.acceptance.refuseHeld(setup.room);
    expect(setup.answers()).toEqual(["refused 1", "refused 2"]);
    expect(setup.say(3)).toEqual(["refused 3"]);
    expect(setup.say(1)).toEqual(["held 1"]);
  });

  test("fails when it has waited too long, and is dropped where nobody asked for an answer", () => {
    const setup = new Setup();
    setup.room.phase = "waiting";
    setup.say(1, { ack: true });
    setup.say(2);
    setup.answers();
    setup.acceptance.expire(setup.room, setup.clock.now());
    expect(setup.answers()).toEqual(["ack 1 unavailable", "accepted 2"]);
  });
});

describe("an acknowledgement", () => {
  test("waits until every proxy has taken what the message led to", () => {
    const setup = new Setup();
    expect(setup.say(1, { ack: true })).toEqual([]);
    setup.confirms.confirmed(setup.one, 1);
    expect(setup.answers()).toEqual([]);
    setup.confirms.confirmed(setup.two, 1);
    expect(setup.answers()).toEqual(["ack 1"]);
  });

  test("does not wait for a proxy that is lost", () => {
    const setup = new Setup();
    setup.say(1, { ack: true });
    setup.confirms.confirmed(setup.one, 1);
    setup.two.ended = true;
    setup.confirms.reset(setup.two);
    expect(setup.answers()).toEqual(["ack 1"]);
  });

  test("says that a listener failed, or took too long", async () => {
    const setup = new Setup();
    setup.listeners.emitter.on("message", (_user, _room, body) => {
      if (body === 1) throw new Error("bad");
      return new Promise(() => {});
    });
    expect(setup.say(1, { ack: true })).toEqual(["ack 1 listener_failed"]);
    setup.say(2, { ack: true });
    setup.clock.advance(10_000);
    for (let i = 0; i < 10; i++) await undefined;
    expect(setup.answers()).toEqual(["ack 2 listener_timeout"]);
  });

  test("waits for what was sent to other rooms, and fails with it", () => {
    const setup = new Setup();
    let cause: Cause | undefined;
    setup.listeners.emitter.on("message", () => {
      cause = setup.listeners.cause;
      if (cause) cause.routed = 2;
    });
    setup.say(1, { ack: true });
    expect(setup.answers()).toEqual([]);
    cause!.failure = "unavailable";
    cause!.settled?.();
    expect(setup.answers()).toEqual(["ack 1 unavailable"]);
  });
});

describe("a repeat", () => {
  test("of what was acknowledged is acknowledged again, and does nothing else", () => {
    const setup = new Setup();
    setup.say(1, { ack: true });
    setup.take();
    expect([setup.answers(), setup.delivered()]).toEqual([["ack 1"], [1]]);
    expect([setup.say(1, { ack: true, redelivered: true }), setup.delivered()]).toEqual([["ack 1"], []]);
  });

  test("of what is not acknowledged yet is answered with it, over the link that it came over last", () => {
    const setup = new Setup();
    setup.say(1, { ack: true });
    setup.one.ended = true;
    const again = new FakeLink("p1", "proxy");
    const attachment = setup.attach(again, "p1.b.9");
    expect(setup.say(1, { ack: true, redelivered: true }, attachment)).toEqual([]);
    setup.take();
    setup.confirms.reset(setup.one);
    expect([setup.answers(), setup.answers(again)]).toEqual([[], ["ack 1"]]);
  });

  test("of an application's message by another server is answered with the first one", () => {
    const setup = new Setup();
    const cause: [string, number] = ["p1.b.1>a>", 7];
    const [first, second] = [new FakeLink("c1"), new FakeLink("c2")];
    const from = (link: FakeLink, id: string): string[] =>
      setup.say(
        1,
        { ack: true, session: `${id}.i1`, user: undefined, cause },
        setup.attach(link, `${id}.i1`),
      );
    expect(from(first, "c1")).toEqual([]);
    expect(from(second, "c2")).toEqual([]);
    expect(setup.delivered()).toEqual([1]);
    setup.take();
    for (const link of [first, second]) setup.confirms.confirmed(link, 1_000_000);
    expect([setup.answers(first), setup.answers(second)]).toEqual([["ack 1"], ["ack 1"]]);
  });

  test("of what nobody waits for is no repeat", () => {
    const setup = new Setup();
    setup.say(1);
    setup.say(1);
    expect(setup.delivered()).toEqual([1, 1]);
  });
});

test("a member that wants no echo gets none from the relay", () => {
  const setup = new Setup();
  setup.room.members.get("p1.b.1")!.echo = false;
  setup.say(1);
  expect([setup.delivered(setup.one), setup.delivered(setup.two)]).toEqual([[], [1]]);
});

test("a message of who is not in the room reaches the application with its user", () => {
  const setup = new Setup();
  const heard: unknown[] = [];
  setup.listeners.emitter.on("message", (user, room, body) => void heard.push([user, room, body]));
  setup.say(3, { session: "p1.b.7", user: "bob" });
  expect(heard).toEqual([[{ userId: "bob", sessionId: "p1.b.7", proxyId: "p1" }, "r", 3]]);
});
