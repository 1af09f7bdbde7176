import { describe, expect, test } from "bun:test";
import { Area } from "../../examples/plaza/area.ts";
import { Chronicle } from "../../examples/plaza/chronicle.ts";
import { type PlazaRequest, readRequest } from "../../examples/plaza/requests.ts";
import type { Body, ChatUser, Json } from "../../mod.ts";

function user(name: string): ChatUser {
  return { userId: name, sessionId: `s-${name}`, proxyId: "proxy-1" };
}

class Square {
  readonly users: ChatUser[] = [];
  readonly got: Map<string, Json[]> = new Map();
  readonly area: Area = new Area({
    users: () => this.users,
    send: (users, body) => {
      for (const { userId } of users) this.got.set(userId, [...this.got.get(userId) ?? [], body]);
    },
  });

  join(name: string, ...requests: Body[]): ChatUser {
    const joining = user(name);
    this.users.push(joining);
    this.area.joined(joining);
    for (const request of requests) this.take(joining, request);
    return joining;
  }

  take(who: ChatUser, body: Body): void {
    this.area.take(who, readRequest(body, who.userId) as PlazaRequest);
  }

  last(name: string): Json | undefined {
    return this.got.get(name)?.at(-1);
  }
}

const here = (x: number, y = 700): Json => ({ kind: "here", name: "Ann", look: [1, 2, 3, 4], x, y });

describe("an area", () => {
  test("tells a page that says hello who is there: people by their avatars, others as birds", () => {
    const square = new Square();
    square.join("ann", { kind: "hello" }, here(10));
    square.join("mosquitto");
    square.join("bob", { kind: "hello" });
    expect(square.last("bob")).toEqual({
      kind: "people",
      people: [{ who: "s-ann", name: "Ann", look: [1, 2, 3, 4], x: 10, y: 700 }],
      birds: [{ who: "s-mosquitto", name: "mosquitto" }],
    });
  });

  test("tells pages alone who walks, and of speech by whom it is", () => {
    const square = new Square();
    const ann = square.join("ann", { kind: "hello" }, here(10));
    square.join("mosquitto");
    square.join("bob", { kind: "hello" });
    square.take(ann, { kind: "walk", x: 20, y: 30 });
    expect(square.last("bob")).toEqual({ kind: "walk", who: "s-ann", x: 20, y: 30 });
    square.take(ann, "good morning");
    expect(square.last("bob")).toEqual({ kind: "say", who: "s-ann", name: "Ann", text: "good morning" });
    square.take(ann, { kind: "away" });
    expect(square.last("bob")).toEqual({ kind: "away", who: "s-ann" });
    expect(square.area.avatars).toBe(0);
    expect(square.got.get("mosquitto")).toBeUndefined();
    expect(square.area.listeners().map(({ userId }) => userId)).toEqual(["mosquitto"]);
  });

  test("lets nobody walk who has no avatar here, and forgets who has left", () => {
    const square = new Square();
    const ann = square.join("ann", { kind: "hello" });
    square.join("bob", { kind: "hello" });
    square.take(ann, { kind: "walk", x: 20, y: 30 });
    expect(square.last("bob")).toMatchObject({ kind: "people" });
    square.take(ann, here(10));
    square.area.left(ann);
    expect(square.last("bob")).toEqual({ kind: "gone", who: "s-ann" });
    expect(square.area.avatars).toBe(0);
  });
});

describe("what comes from pages", () => {
  test("is taken only as far as it makes sense", () => {
    expect(readRequest({ kind: "walk", x: "1", y: 2 }, "ann")).toBeUndefined();
    expect(readRequest({ kind: "walk", x: -5, y: 1e9 }, "ann")).toEqual({ kind: "walk", x: 0, y: 900 });
    expect(readRequest({ kind: "dance" }, "ann")).toBeUndefined();
    expect(readRequest({ __proto__: null, kind: "people", people: [] }, "ann")).toBeUndefined();
    expect(readRequest({ kind: "here", x: 1, y: 2, look: [99, "1", -1, 3.5], name: "\u202e\u0007 " }, "ann"))
      .toEqual({ kind: "here", avatar: { name: "ann", look: [0, 0, 0, 0], x: 1, y: 2 } });
  });

  test("is one line of text where it is speech, whatever it was", () => {
    const text = (body: Body): unknown => (readRequest(body, "ann") as { text?: unknown }).text;
    expect(text("two\r\nlines\u202e")).toBe("two lines");
    expect(text(new Uint8Array(3))).toBe("(3 bytes)");
    expect(text(42)).toBe("42");
    expect(text([1, null])).toBe("[1,null]");
    expect([...text("é".repeat(1000)) as string]).toHaveLength(280);
  });
});

test("the chronicle times from the kill how soon it was noticed and each area opened again, once", () => {
  const chronicle = new Chronicle();
  chronicle.opened("fountain", "chat-1", "first-join");
  chronicle.killed("chat-1", 4711, ["fountain"]);
  chronicle.seen(["chat-1", "chat-2"]);
  chronicle.seen(["chat-2"]);
  chronicle.seen(["chat-2"]);
  chronicle.opened("fountain", "chat-2", "failover");
  chronicle.opened("fountain", "chat-1", "hand-off");
  expect(chronicle.events.map(({ n: _n, at: _at, ...event }) => event)).toEqual([
    { kind: "opened", id: "chat-1", area: "fountain", reason: "first-join", from: undefined, ms: undefined },
    { kind: "killed", id: "chat-1", pid: 4711, areas: ["fountain"] },
    { kind: "noticed", id: "chat-1", ms: expect.any(Number) },
    {
      kind: "opened",
      id: "chat-2",
      area: "fountain",
      reason: "failover",
      from: "chat-1",
      ms: expect.any(Number),
    },
    { kind: "opened", id: "chat-1", area: "fountain", reason: "hand-off", from: "chat-2", ms: undefined },
  ]);
});
