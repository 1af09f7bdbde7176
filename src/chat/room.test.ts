import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { type Attachment, type Cause, type Job, type Recipients, Room } from "./room.ts";

function attach(room: Room, link: FakeLink, ...sessions: string[]): Attachment {
  const attachment = room.attach(link, new Set(sessions), 1, undefined);
  for (const session of sessions) {
    const user = { userId: `user of ${session}`, sessionId: session, proxyId: link.peer.id };
    room.add(attachment, user, true);
  }
  return attachment;
}

function open(name = "r"): Room {
  const room = new Room(name);
  room.phase = "open";
  return room;
}

function cause(): Cause {
  return {
    room: new Room("r"),
    from: "ada",
    origin: { sender: "p1.b.1", next: 70 },
    frames: new Map(),
    routed: 0,
    failure: undefined,
    settled: undefined,
    over: false,
  };
}

describe("what happens in a room", () => {
  test("happens one after the other, whatever takes time", async () => {
    const room = open();
    const events: string[] = [];
    const job = (name: string, ms?: number): Job => ({
      message: undefined,
      run: () => {
        events.push(`${name} begins`);
        if (ms === undefined) return;
        return new Promise<void>((resolve) => queueMicrotask(resolve)).then(() =>
          void events.push(`${name} ends`)
        );
      },
    });
    room.enqueue(job("a", 1));
    room.enqueue(job("b"));
    room.enqueue(job("c", 1));
    expect(events).toEqual(["a begins"]);
    expect(room.busy).toBe(true);
    while (room.busy) await undefined;
    expect(events).toEqual(["a begins", "a ends", "b begins", "c begins", "c ends"]);
  });

  test("waits for its turn also where a listener causes it itself", () => {
    const room = open();
    const events: string[] = [];
    const inner: Job = { message: undefined, run: () => void events.push("inner") };
    const outer: Job = {
      message: undefined,
      run: () => {
        events.push("outer begins");
        room.enqueue(inner);
        events.push("outer ends");
      },
    };
    room.enqueue(outer);
    expect(events).toEqual(["outer begins", "outer ends", "inner"]);
  });

  test("waits until it is open, behind what comes first", () => {
    const room = new Room("r");
    const events: string[] = [];
    const job = (name: string): Job => ({ message: undefined, run: () => void events.push(name) });
    room.enqueue(job("later"));
    room.phase = "open";
    room.first([job("open"), job("join")]);
    room.run();
    expect(events).toEqual(["open", "join", "later"]);
  });

  test("stops when the room is sealed, after the job under way has ended", async () => {
    const room = open();
    const events: string[] = [];
    let end = (): void => {};
    room.enqueue({ message: undefined, run: () => new Promise<void>((resolve) => end = resolve) });
    room.enqueue({ message: undefined, run: () => void events.push("next") });
    room.phase = "sealed";
    room.whenIdle(() => events.push("idle"));
    expect(events).toEqual([]);
    end();
    for (let i = 0; i < 5; i++) await undefined;
    expect(events).toEqual(["idle"]);
    room.whenIdle(() => events.push("idle again"));
    expect(events).toEqual(["idle", "idle again"]);
  });
});

describe("a message that waits", () => {
  function hold(room: Room, link: FakeLink, seq: number, since: number, run = () => {}): void {
    const frame = { type: "message" as const, room: "r", session: "p1.b.1", seq, body: seq };
    room.enqueue({ message: { frame, n: seq, link, since, held: true }, run });
  }

  test("does so for a link that has too much outstanding, where members are behind it, and events do not", () => {
    const told: FakeLink[] = [];
    const room = new Room("r", 0, (_, link) => void told.push(link as FakeLink));
    room.phase = "open";
    const [near, far, nobody] = [new FakeLink("p1"), new FakeLink("p2"), new FakeLink("p3")] as const;
    attach(room, near, "p1.i1.1");
    attach(room, far, "p2.i1.1");
    attach(room, nobody);
    const done: (number | string)[] = [];
    const message = (n: number) => hold(room, near, n, 0, () => void done.push(n));
    const event = (name: string) => room.enqueue({ message: undefined, run: () => void done.push(name) });
    nobody.full = true;
    expect(room.ready).toBe(true);
    message(1);
    far.full = true;
    expect(room.ready).toBe(false);
    event("at the front");
    message(2);
    event("behind");
    message(3);
    expect([done, new Set(told)]).toEqual([[1, "at the front"], new Set([far])]);
    far.full = false;
    room.run();
    expect([done, room.ready]).toEqual([[1, "at the front", 2, "behind", 3], true]);
  });

  test("is taken back by its link, and the others keep their order", () => {
    const room = new Room("r");
    const [one, two] = [new FakeLink("p1"), new FakeLink("p2")];
    hold(room, one, 1, 0);
    hold(room, two, 2, 0);
    hold(room, one, 3, 0);
    expect(room.takeFrom(one).map(({ frame }) => frame.seq)).toEqual([1, 3]);
    expect(room.clear().map(({ frame }) => frame.seq)).toEqual([2]);
    expect(room.busy).toBe(false);
  });

  test("expires from the front, at its time", () => {
    const room = new Room("r");
    const link = new FakeLink("p1");
    for (const [seq, since] of [[1, 100], [2, 200], [3, 300]] as const) hold(room, link, seq, since);
    expect(room.expire(99)).toEqual([]);
    expect(room.expire(200).map(({ frame }) => frame.seq)).toEqual([1, 2]);
    expect(room.clear().map(({ frame }) => frame.seq)).toEqual([3]);
  });
});

describe("a delivery", () => {
  test("to all goes once to each link with members, numbered in the epoch", () => {
    const room = open();
    const [one, two, empty, ended] = ["p1", "p2", "p3", "p4"].map((id) => new FakeLink(id, "proxy"));
    attach(room, one!, "p1.b.1", "p1.b.2");
    attach(room, two!, "p2.b.1");
    attach(room, empty!);
    attach(room, ended!, "p4.b.1");
    ended!.ended = true;
    room.deliver({ from: "ada", body: "x" }, { kind: "all" }, undefined);
    room.deliver({ body: "AA==", encoding: "base64" }, { kind: "all" }, undefined);
    const expected = [
      { type: "deliver", room: "r", offset: 1, from: "ada", body: "x", n: 1 },
      { type: "deliver", room: "r", offset: 2, body: "AA==", encoding: "base64", n: 2 },
    ];
    expect<unknown>([one!.frames, two!.frames]).toEqual([expected, expected]);
    expect([empty!.frames, ended!.frames]).toEqual([[], []]);
    expect(room.offset).toBe(2);
  });

  test("that an acknowledged message caused is numbered under it, and remembers which frames must be taken", () => {
    const room = open();
    const [one, two] = [new FakeLink("p1", "proxy"), new FakeLink("p2", "proxy")];
    attach(room, one, "p1.b.1");
    attach(room, two, "p2.b.1");
    const why = cause();
    room.deliver({ body: 1 }, { kind: "only", sessions: new Set(["p1.b.1"]) }, why);
    room.deliver({ body: 2 }, { kind: "all" }, why);
    expect(one.take("deliver").map((frame) => frame.cause)).toEqual([["p1.b.1", 70], ["p1.b.1", 71]]);
    expect(two.take("deliver").map((frame) => frame.cause)).toEqual([["p1.b.1", 71]]);
    expect([...why.frames]).toEqual([[one, 2], [two, 1]]);
  });

  test("names the fewer: those who get it or those who do not, and reaches whom it should", () => {
    const sessions = Array.from({ length: 7 }, (_, i) => `p1.b.${i}`);
    const some = fc.subarray([...sessions, "p2.b.1", "p2.b.2"]);
    fc.assert(fc.property(fc.constantFrom("only" as const, "except" as const), some, (kind, named) => {
      const room = open();
      const link = new FakeLink("p1", "proxy");
      attach(room, link, ...sessions);
      const to: Recipients = { kind, sessions: new Set(named) };
      room.deliver({ body: 1 }, to, undefined);
      const reached = sessions.filter((one) => named.includes(one) === (kind === "only"));
      const [frame] = link.take("deliver");
      if (reached.length === 0) return expect(frame).toBeUndefined();
      const { only, except } = frame!;
      expect(sessions.filter((one) => only ? only.includes(one) : !except?.includes(one))).toEqual(reached);
      expect((only ?? except ?? []).length * 2).toBeLessThanOrEqual(sessions.length);
      expect([only, except].filter(Boolean).length).toBe(reached.length === sessions.length ? 0 : 1);
    }));
  });
});

test("a member that is announced again changes its wish for an echo and is no new member", () => {
  const room = open();
  const attachment = attach(room, new FakeLink("p1", "proxy"), "p1.b.1");
  const user = { userId: "ada", sessionId: "p1.b.1", proxyId: "p1" };
  expect(room.add(attachment, user, false)).toBeUndefined();
  expect(room.members.get("p1.b.1")?.echo).toBe(false);
  expect(room.remove("p1.b.1")).toBeDefined();
  expect(room.remove("p1.b.1")).toBeUndefined();
  expect(attachment.members.size).toBe(0);
});
