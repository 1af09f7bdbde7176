import { expect, test } from "bun:test";
import fc from "fast-check";
import { accept, type FakeChannel, type FakeOptions, settle } from "../../tests/support/fake_channel.ts";
import { decodeBody } from "../lib/body.ts";
import type { Body } from "../lib/body.ts";
import type { ClientHandler, Refusal } from "./protocol.ts";
import { websocket } from "./websocket.ts";

interface Client {
  readonly channel: FakeChannel;
  readonly handler: ClientHandler;
  /** Sends a value as JSON, and gives what was answered. */
  say(value: unknown): unknown[];
}

async function open(options: FakeOptions = {}): Promise<Client> {
  const { channel, handler } = accept(websocket(), {
    request: new Request("http://h/ws?user=ada"),
    ...options,
  });
  await settle();
  channel.takeJson();
  const say = (value: unknown) => {
    handler.data(JSON.stringify(value));
    return channel.takeJson();
  };
  return { channel, handler, say };
}

test("a client is welcomed as the user that its URL names, with its token as password", async () => {
  const request = new Request("http://h/ws?user=ada%20l&token=t%2B1");
  const { channel } = accept(websocket(), { request });
  expect(channel.credentials).toMatchObject({ username: "ada l", token: "t+1" });
  await settle();
  expect(channel.takeJson()).toEqual([{ type: "welcome", user: "ada l", session: "s1" }]);
});

test("without a name in the URL the proxy names the user", async () => {
  const { channel } = accept(websocket(), { request: new Request("http://h/ws?user=") });
  expect(channel.credentials).toEqual({ username: undefined, password: undefined, token: undefined });
  await settle();
  expect(channel.takeJson()).toMatchObject([{ type: "welcome", user: "guest" }]);
});

test("a client that the proxy refuses is told why and closed", async () => {
  const ends = [
    ["bad_credentials", "not_authenticated", 4401],
    ["not_authorized", "not_authorized", 4403],
    ["unavailable", "unavailable", 1011],
  ] as const;
  for (const [refused, code, closed] of ends) {
    const { channel } = accept(websocket(), { open: () => Promise.resolve({ refused }) });
    await settle();
    expect(channel.takeJson()).toMatchObject([{ type: "error", code }]);
    expect(channel.closed).toMatchObject({ code: closed });
  }
});

test("a message without an id that is refused is answered with the room", async () => {
  const { channel, handler } = await open();
  handler.refused?.("plaza", "not_authorized");
  expect(channel.takeJson()).toMatchObject([{ type: "error", code: "not_authorized", room: "plaza" }]);
});

test("where opening fails the connection ends with 1011", async () => {
  const { channel } = accept(websocket(), { open: () => Promise.reject(new Error("no link")) });
  await settle();
  expect(channel.closed).toMatchObject({ code: 1011 });
});

test("joining and leaving are answered, with the request's id", async () => {
  const { channel, say } = await open();
  expect(say({ type: "join", room: "plaza", id: 1 })).toEqual([{ type: "joined", room: "plaza", id: 1 }]);
  expect(say({ type: "join", room: "plaza" })).toEqual([{ type: "joined", room: "plaza" }]);
  expect(channel.joins[0]!.options.acknowledged ?? false).toBe(false);
  expect(say({ type: "leave", room: "plaza", id: 0 })).toEqual([{ type: "left", room: "plaza", id: 0 }]);
  expect(channel.leaves).toEqual(["plaza"]);
});

test("a message with an id is acknowledged when it is done, one without is just sent", async () => {
  const { channel, say } = await open();
  expect(say({ type: "message", room: "plaza", body: { x: 1 } })).toEqual([]);
  expect(say({ type: "message", room: "plaza", body: null, id: 7 })).toEqual([]);
  expect(channel.published.map(({ room, body }) => [room, body])).toEqual([["plaza", { x: 1 }], [
    "plaza",
    null,
  ]]);
  expect(channel.published[0]!.done).toBeUndefined();
  channel.published[1]!.done!(undefined);
  expect(channel.takeJson()).toEqual([{ type: "ack", id: 7 }]);
});

test("refusals are errors with the refusal as code and the request's id", async () => {
  const refusals: Refusal[] = [
    "too_large",
    "too_many_rooms",
    "unavailable",
    "listener_failed",
    "listener_timeout",
    "not_authorized",
    "gone",
  ];
  for (const code of refusals) {
    const { channel, say } = await open({ answersJoins: false });
    say({ type: "join", room: "plaza", id: 1 });
    say({ type: "message", room: "plaza", body: 1, id: 2 });
    channel.joins[0]!.done(code);
    channel.published[0]!.done!(code);
    expect(channel.takeJson()).toMatchObject([{ type: "error", code, id: 1 }, {
      type: "error",
      code,
      id: 2,
    }]);
  }
});

test("bytes travel as base64, both ways", async () => {
  const { channel, handler, say } = await open();
  say({ type: "message", room: "plaza", body: "AP8=", encoding: "base64" });
  expect(channel.published[0]!.body).toEqual(Uint8Array.of(0, 255));
  const delivery = { room: "plaza", from: "ada", body: Uint8Array.of(0, 255), acknowledged: false };
  channel.send(handler.encoding.encode(delivery));
  expect(channel.takeJson()).toEqual([
    { type: "message", room: "plaza", from: "ada", body: "AP8=", encoding: "base64" },
  ]);
});

test("any body reaches the application as it was, and a client as it was sent", async () => {
  const { channel, handler, say } = await open();
  const body = fc.oneof(fc.jsonValue(), fc.uint8Array({ maxLength: 40 })) as fc.Arbitrary<Body>;
  fc.assert(fc.property(body, (body) => {
    const text = String(handler.encode({ room: "plaza", from: undefined, body, acknowledged: true }));
    const message = JSON.parse(text);
    expect(message).toMatchObject({ type: "message", room: "plaza" });
    expect(JSON.stringify(decodeBody(message))).toBe(JSON.stringify(body));
    say(message);
    expect(JSON.stringify(channel.published.at(-1)!.body)).toBe(JSON.stringify(body));
  }));
});

test("what the application itself sent has no from", async () => {
  const { handler } = await open();
  const text = handler.encoding.encode({ room: "plaza", from: undefined, body: 1, acknowledged: false });
  expect(text).toBe('{"type":"message","room":"plaza","body":1}');
  expect(handler.encoding.stream).toBe(false);
});

test("mistakes are answered by what to write instead, and never end the connection", async () => {
  const { channel, handler, say } = await open();
  const mistakes: [unknown, string, string][] = [
    [[], "bad_message", "send an object"],
    [null, "bad_message", "send an object"],
    [{}, "unknown_type", "type is missing"],
    [{ type: "subscribe" }, "unknown_type", 'type is "subscribe": use "join"'],
    [{ type: "join" }, "bad_message", "room is missing"],
    [{ type: "join", room: 5 }, "bad_message", "room is 5"],
    [{ type: "join", room: "" }, "invalid_room", "empty"],
    [{ type: "join", room: "$SYS" }, "invalid_room", '"$"'],
    [{ type: "leave", room: "a/#" }, "invalid_room", "wildcards"],
    [{ type: "join", room: "a", id: 1.5 }, "bad_message", "id is 1.5"],
    [{ type: "join", room: "a", id: "7" }, "bad_message", "use an integer"],
    [{ type: "message", room: "a" }, "bad_message", "no body"],
    [{ type: "message", room: "a", body: 5, encoding: "base64" }, "bad_message", "base64"],
    [{ type: "message", room: "a", body: "###", encoding: "base64" }, "bad_message", "base64"],
    [{ type: "message", room: "a", body: "x", encoding: "gzip" }, "bad_message", "base64"],
    [{ type: "message", room: "a", body: "x".repeat(1025) }, "too_large", "at most 1024"],
  ];
  for (const [value, code, words] of mistakes) {
    const [answer] = say(value) as { message: string }[];
    expect(answer).toMatchObject({ type: "error", code });
    expect(answer!.message).toContain(words);
  }
  handler.data("{oops");
  handler.data("[".repeat(1000) + "]".repeat(1000));
  handler.data(Uint8Array.of(1, 2));
  expect(channel.takeJson()).toMatchObject([{ code: "bad_json" }, { code: "bad_json" }, {
    code: "bad_message",
  }]);
  expect(channel.closed).toBeUndefined();
  expect([channel.joins, channel.published]).toEqual([[], []]);
});

test("a body counts as long as it is when it is written again", async () => {
  const { channel, handler } = await open();
  const numbers = (count: number) => `{"type":"message","room":"a","body":[${"1e20,".repeat(count)}1]}`;
  handler.data(numbers(50));
  expect(channel.takeJson()).toMatchObject([{
    code: "too_large",
    message: "the body takes 1103 bytes: use at most 1024",
  }]);
  handler.data(numbers(46));
  expect(channel.takeJson()).toEqual([]);
  expect(channel.published).toHaveLength(1);
});

test("an error echoes an id only where it is an integer", async () => {
  const { say } = await open();
  expect(say({ type: "join", room: "", id: 3 })).toMatchObject([{ id: 3 }]);
  expect(say({ type: "dance", id: 3 })).toMatchObject([{ id: 3 }]);
  for (const id of ["3", 1e300, { toString: 1 }, null]) {
    expect((say({ type: "join", room: "", id }) as object[])[0]).not.toHaveProperty("id");
  }
});

test("the largest body is taken as text and as base64, and a message far over it ends the connection", async () => {
  const { channel, handler, say } = await open();
  expect(say({ type: "message", room: "a", body: "é".repeat(512) })).toEqual([]);
  const bytes = new Uint8Array(1024);
  expect(say({ type: "message", room: "a", body: btoa(String.fromCharCode(...bytes)), encoding: "base64" }))
    .toEqual([]);
  expect(channel.published.map((message) => message.body)).toEqual(["é".repeat(512), bytes]);
  handler.data(JSON.stringify({ type: "message", room: "a", body: "x".repeat(5000) }));
  expect(channel.closed).toMatchObject({ code: 1009 });
});

test("a client hears that a room has moved, and that it was put out of one", async () => {
  const { channel, handler } = await open();
  handler.moved("plaza", true);
  handler.left("plaza", "kicked");
  expect(channel.takeJson()).toEqual([
    { type: "moved", room: "plaza", lost: true },
    { type: "left", room: "plaza", reason: "kicked" },
  ]);
});

test("a client that says nothing for the keep-alive time is ended, and a ping is enough", async () => {
  const { channel, say } = await open();
  channel.clock.advance(59_999);
  expect(say({ type: "ping" })).toEqual([{ type: "pong" }]);
  channel.clock.advance(59_999);
  expect(channel.closed).toBeUndefined();
  channel.clock.advance(1);
  expect(channel.closed).toMatchObject({ code: 4408, reason: "keepalive_timeout" });
});

test("each reason to end a session has its close code", async () => {
  const codes = {
    shutting_down: 1001,
    slow_consumer: 1013,
    authentication_timeout: 4401,
    kicked: 4403,
    keepalive_timeout: 4408,
    taken_over: 4409,
  } as const;
  for (const [reason, code] of Object.entries(codes) as [keyof typeof codes, number][]) {
    const { channel, handler } = await open();
    handler.end(reason);
    expect(channel.closed).toEqual({ code, reason });
  }
});

test("messages that came before the session is open are held to the rate, too", async () => {
  const { channel, handler } = accept(websocket());
  for (let n = 0; n < 3; n++) handler.data(`{"type":"message","room":"r","body":${n}}`);
  channel.held = true;
  await settle();
  expect([channel.published, handler.waiting]).toEqual([[], 3]);
  channel.held = false;
  handler.resume?.();
  expect([channel.published.map(({ body }) => body), handler.waiting]).toEqual([[0, 1, 2], 0]);
});

test("messages that come before the session is open wait for it, up to the limit", async () => {
  const early = accept(websocket());
  early.handler.data('{"type":"join","room":"plaza"}');
  expect(early.channel.joins).toEqual([]);
  await settle();
  expect(early.channel.takeJson()).toMatchObject([{ type: "welcome" }, { type: "joined", room: "plaza" }]);
  const flood = accept(websocket());
  flood.handler.data("x".repeat(3000));
  expect(flood.channel.closed).toMatchObject({ code: 1009 });
  await settle();
  expect(flood.channel.takeJson()).toEqual([]);
});

test("after the end nothing is read or sent, and no timer is left", async () => {
  const { channel, handler } = await open();
  handler.data('{"type":"message","room":"a","body":1,"id":1}');
  handler.close({ kind: "peer", code: 1001 });
  handler.data('{"type":"join","room":"plaza"}');
  channel.published[0]!.done!(undefined);
  expect([channel.joins, channel.sent, channel.clock.pending]).toEqual([[], [], 0]);
});

test("whatever a client says, it is answered or taken, and its handler throws nothing", async () => {
  const { channel, handler } = await open();
  const field = fc.constantFrom("type", "room", "body", "id", "encoding", "__proto__");
  const value = fc.oneof(
    fc.constantFrom("join", "message", "leave", "ping", "plaza", "base64"),
    fc.jsonValue(),
  );
  const chunk = fc.oneof(
    fc.dictionary(field, value).map((fields) => JSON.stringify(fields)),
    fc.string({ unit: "binary" }),
    fc.uint8Array(),
  );
  fc.assert(
    fc.property(chunk, (chunk) => {
      handler.data(chunk);
      for (const answer of channel.takeJson()) expect(answer).toHaveProperty("type");
      expect(channel.closed).toBeUndefined();
    }),
    { numRuns: 1000 },
  );
});
