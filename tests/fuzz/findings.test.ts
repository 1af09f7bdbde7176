/**
 * What the fuzzer has found, each as a story of its own.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { decodeLine } from "../../src/link/decode.ts";
import { encodeFrame, MAX_FRAME_DEPTH } from "../../src/link/link.ts";
import { ChatServer } from "../../src/chat/chat_server.ts";
import { LocalMembership } from "../../src/membership/local.ts";
import { mqtt } from "../../src/protocols/mqtt.ts";
import { websocket } from "../../src/protocols/websocket.ts";
import type { Connection } from "../../src/lib/transport.ts";
import { memoryTransport } from "../../transports/memory.ts";
import { ReadableSide } from "../../transports/web_streams.ts";
import { FakeChannel, settle } from "../support/fake_channel.ts";
import { connect, publish, subscribe } from "../support/mqtt_wire.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { concat } from "./bytes.ts";
import { SCRIBBLE } from "./connection.ts";
import type { Input } from "./input.ts";
import { playAlone } from "./run.ts";
import { TARGETS } from "./targets.ts";

/** What goes wrong when one input is played. */
async function play(name: string, input: Input): Promise<string[]> {
  const target = TARGETS.find((candidate) => candidate.name === name);
  if (!target) throw new Error(`there is no target ${name}`);
  return await playAlone(target, [input]);
}

function lines(...frames: object[]): Uint8Array {
  return new TextEncoder().encode(frames.map((frame) => JSON.stringify(frame) + "\n").join(""));
}

describe("one packet that ends the links of everybody", () => {
  test("a client's first PUBLISH may name the empty topic: it is refused, and nobody else notices", async () => {
    for (const version of [4, 5] as const) {
      for (const qos of [0, 1, 2]) {
        // An empty topic, in the packet that mqtt-packet would not write.
        const rest = [...(qos > 0 ? [0, 7] : []), ...(version === 5 ? [0] : [])];
        const packet = Uint8Array.of(0x30 | qos << 1, 2 + rest.length, 0, 0, ...rest);
        const chunks = [connect({ protocolVersion: version }), packet];
        expect(await play("mqtt", { variant: "tcp", chunks })).toEqual([]);
      }
    }
  });

  test("the empty topic is no room, whether or not another was named before", async () => {
    const channel = new FakeChannel();
    const session = mqtt().accept(channel);
    session.data(connect());
    await settle();
    session.data(Uint8Array.of(0x30, 2, 0, 0));
    session.data(publish("plaza", "x"));
    session.data(Uint8Array.of(0x30, 2, 0, 0));
    expect(channel.published.map(({ room }) => room)).toEqual(["plaza"]);
  });

  test("a peer's message whose number cannot be counted on from ends that peer's link and no other", async () => {
    const room = "lobby";
    const chunks = [
      lines(
        { n: 1, type: "announce", room, members: [["evil.aaaa.1", "eve"]], attach: 1 },
        {
          n: 2,
          type: "message",
          room,
          session: "evil.aaaa.1",
          seq: Number.MAX_SAFE_INTEGER,
          user: "eve",
          body: "x",
          ack: true,
        },
      ),
    ];
    expect(await play("link-secret", { variant: "proxy", chunks })).toEqual([]);
    expect(decodeLine(new TextDecoder().decode(chunks[0]).split("\n")[1] ?? "")).toMatchObject({
      code: "bad_frame",
    });
  });

  test("a peer's message that nests deeper than can be written out again ends that peer's link and no other", async () => {
    const deep = "[".repeat(50_000) + "]".repeat(50_000);
    const line =
      `{"n":2,"type":"message","room":"lobby","session":"evil.aaaa.1","seq":1,"user":"eve","body":${deep},"ack":true}`;
    const announce = lines({
      n: 1,
      type: "announce",
      room: "lobby",
      members: [["evil.aaaa.1", "eve"]],
      attach: 1,
    });
    const chunks = [concat([announce, new TextEncoder().encode(line + "\n")])];
    expect(await play("link", { variant: "proxy", chunks })).toEqual([]);
  });

  test("an application's value that nests too deep is refused to the application", () => {
    const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));
    const frame = (depth: number) =>
      encodeFrame({ type: "deliver", room: "a", offset: 1, body: nested(depth) as never });
    expect(decodeLine(`{"n":1,${frame(MAX_FRAME_DEPTH - 1)}`)).toMatchObject({ type: "deliver" });
    expect(() => frame(MAX_FRAME_DEPTH)).toThrow("nests deeper than 1023 levels");
  });

  test("an application that sends to a room or a user whose name it took from a message is told that it cannot be", async () => {
    const clock = new VirtualClock(1);
    const membership = new LocalMembership({ clock });
    const chat = new ChatServer({ membership, transport: memoryTransport({ clock }), clock });
    const started = chat.start();
    await clock.run(100);
    await started;
    expect(chat.sendToRoom("", "x")).toBe(false);
    expect(chat.sendToRoom("x".repeat(65_536), "x")).toBe(false);
    expect(chat.sendToRoom("lobby", "x")).toBe(true);
    chat.sendToUser("", "x");
    expect(chat.metrics.get("toychat_sends_dropped_total")).toBe(3);
  });
});

test("a proxy that hands a room over is cut off, and nobody is told that the room was lost", async () => {
  for (const type of ["handoff", "handing"]) {
    const numbers = { epoch: "e", term: 2, offset: 1, senders: [], proxies: [["p1", "bbbb"]] };
    const fields = type === "handoff" ? { room: "lobby", ...numbers } : { digest: "abc", rooms: ["lobby"] };
    expect(await play("link", { variant: "proxy", chunks: [lines({ n: 1, type, ...fields })] })).toEqual([]);
  }
});

describe("memory of chunks", () => {
  test("what follows CONNECT in its chunk is kept until the session is open, whatever becomes of the chunk", async () => {
    const channel = new FakeChannel();
    const session = mqtt().accept(channel);
    const chunk = concat([connect(), subscribe(1, { plaza: 0 }), publish("plaza", "hello")]);
    session.data(chunk);
    chunk.fill(SCRIBBLE);
    await settle();
    expect(channel.joins.map(({ room }) => room)).toEqual(["plaza"]);
    expect(channel.published.map(({ room, body }) => [room, body])).toEqual([["plaza", "hello"]]);
  });

  test("binary messages before a WebSocket session is open are copied, and empty ones count towards the limit", () => {
    const channel = new FakeChannel({ open: () => new Promise(() => {}) });
    const session = websocket().accept(channel);
    for (let i = 0; i < 100_000 && channel.closed === undefined; i++) session.data("");
    expect(channel.closed).toMatchObject({ code: 1009 });
  });

  test("a stream of a connection has its own copies", async () => {
    const connection = { pause() {}, resume() {} } as unknown as Connection;
    const side = new ReadableSide(connection, false);
    const handler = side.wrap({ data() {}, drain() {}, close() {} });
    const chunk = new TextEncoder().encode("hello");
    handler.data(chunk);
    chunk.fill(SCRIBBLE);
    const { value } = await side.stream.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("hello");
  });
});
