import { describe, expect, test } from "bun:test";
import type { Route } from "../link/route.ts";
import type { Chunk, Delivery, Encoding } from "../protocols/protocol.ts";
import { ProxyRoom, type RoomMember } from "./proxy_room.ts";
import type { Session } from "./session.ts";

/** Messages as text, each its own chunk, every time a new object. */
function messages(): Encoding & { encoded: number } {
  return {
    stream: false,
    encoded: 0,
    encode({ body }: Delivery): Chunk {
      this.encoded++;
      return new TextEncoder().encode(String(body));
    },
  };
}

class FakeSession {
  readonly chunks: Chunk[] = [];
  readonly acknowledged: Delivery[] = [];
  readonly id: string;
  readonly encoding: Encoding;

  constructor(id: string, encoding: Encoding) {
    this.id = id;
    this.encoding = encoding;
  }

  deliver(chunks: readonly Chunk[]): void {
    this.chunks.push(...chunks);
  }

  deliverAcknowledged(delivery: Delivery): void {
    this.acknowledged.push(delivery);
  }

  get text(): string[] {
    return this.chunks.map((chunk) => typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk));
  }
}

function join(room: ProxyRoom, encoding: Encoding, ids: string, acknowledged = false): FakeSession[] {
  return [...ids].map((id) => {
    const session = new FakeSession(id, encoding);
    const member: RoomMember = {
      session: session as unknown as Session,
      options: { acknowledged },
      own: undefined,
      pending: undefined,
    };
    room.members.set(id, member);
    room.admit(member);
    return session;
  });
}

function say(body: string, acknowledged = false): Delivery {
  return { room: "r", from: "ada", body, acknowledged };
}

describe("what a room gets in one turn", () => {
  test("is encoded once, and the same bytes go to every member", () => {
    const room = new ProxyRoom("r", {} as Route);
    const encoding = messages();
    const [a, b, c] = join(room, encoding, "abc");
    room.deliver(say("1"), undefined, undefined);
    room.deliver(say("2"), undefined, undefined);
    room.flush();
    expect([a!.text, b!.text, c!.text]).toEqual([["1", "2"], ["1", "2"], ["1", "2"]]);
    expect(encoding.encoded).toBe(2);
    expect([b!.chunks[0], c!.chunks[1]]).toEqual([a!.chunks[0]!, a!.chunks[1]!]);
    expect(b!.chunks[0] === a!.chunks[0] && c!.chunks[1] === a!.chunks[1]).toBe(true);
  });

  test("is one chunk on a byte stream", () => {
    const room = new ProxyRoom("r", {} as Route);
    const stream: Encoding = { stream: true, encode: ({ body }) => `${body};` };
    const mixed: Encoding = {
      stream: true,
      encode: ({ body }) => body === "1" ? "1;" : new TextEncoder().encode(`${body};`),
    };
    const [a, b] = [...join(room, stream, "a"), ...join(room, mixed, "b")];
    for (const body of ["1", "2", "3"]) room.deliver(say(body), undefined, undefined);
    room.flush();
    expect([a!.text, b!.text]).toEqual([["1;2;3;"], ["1;2;3;"]]);
  });

  test("is encoded once for each encoding", () => {
    const room = new ProxyRoom("r", {} as Route);
    const [one, two] = [messages(), messages()];
    join(room, one, "ab");
    join(room, two, "cd");
    room.deliver(say("1"), undefined, undefined);
    room.flush();
    expect([one.encoded, two.encoded]).toEqual([1, 1]);
  });

  test("leaves nothing for the next turn", () => {
    const room = new ProxyRoom("r", {} as Route);
    const [a, b] = join(room, messages(), "ab");
    room.deliver(say("1"), undefined, ["a"]);
    room.flush();
    room.flush();
    room.deliver(say("2"), undefined, undefined);
    room.flush();
    expect([a!.text, b!.text]).toEqual([["2"], ["1", "2"]]);
  });
});

describe("members who get something else", () => {
  test("get it in the order of the room, the others the same bytes", () => {
    const room = new ProxyRoom("r", {} as Route);
    const [a, b, c, d] = join(room, messages(), "abcd");
    room.deliver(say("1"), undefined, undefined);
    room.deliver(say("2"), undefined, ["a"]);
    room.deliver(say("3"), ["a", "b"], undefined);
    room.deliver(say("4"), undefined, ["b", "nobody"]);
    room.deliver(say("5"), undefined, undefined);
    room.flush();
    expect([a!, b!, c!, d!].map((session) => session.text.join(""))).toEqual([
      "1345",
      "1235",
      "1245",
      "1245",
    ]);
    expect(c!.chunks[0] === d!.chunks[0]).toBe(true);
  });

  test("who acknowledge get acknowledged messages so, and the others' bytes for the rest", () => {
    const room = new ProxyRoom("r", {} as Route);
    const encoding = messages();
    const [a] = join(room, encoding, "a", true);
    const [b] = join(room, encoding, "b");
    room.deliver(say("1"), undefined, undefined);
    room.deliver(say("2", true), undefined, undefined);
    room.deliver(say("3"), undefined, undefined);
    room.flush();
    expect([a!.text, a!.acknowledged.map(({ body }) => body), b!.text]).toEqual([
      ["1", "3"],
      ["2"],
      ["1", "2", "3"],
    ]);
  });

  test("who wait to be let in, or have left, get nothing", () => {
    const room = new ProxyRoom("r", {} as Route);
    const [a, b, c] = join(room, messages(), "abc");
    room.members.get("a")!.pending = { since: 0, done: [], asked: true };
    room.deliver(say("1"), undefined, undefined);
    room.deliver(say("2"), ["a", "b"], undefined);
    room.remove("b");
    room.remove("nobody");
    room.flush();
    expect([a!.text, b!.text, c!.text]).toEqual([[], [], ["1"]]);
  });
});
