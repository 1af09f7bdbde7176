import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fakeMember, wireMember } from "../../../tests/support/fake_serf_agent.ts";
import { FakeSerf } from "../../../tests/support/fake_serf_client.ts";
import { VirtualClock } from "../../../tests/support/virtual_clock.ts";
import type { ToychatError } from "../../lib/errors.ts";
import type { Connection } from "../../lib/transport.ts";
import { encodeObjects } from "./serf_codec.ts";
import { SerfConnection } from "./serf_connection.ts";
import { membersCall, queryCall, statsCall } from "./serf_calls.ts";
import { readEvent } from "./serf_read.ts";

let serf: FakeSerf | undefined;
afterEach(() => serf?.client.stop());

/** A connection whose other end is the test. */
class OneEnd {
  readonly clock = new VirtualClock();
  readonly connection: SerfConnection;
  readonly outcomes: string[] = [];
  sent = 0;
  ended = 0;

  constructor() {
    const socket = { send: () => ++this.sent > 0, terminate: () => {}, close: () => {} };
    this.connection = new SerfConnection(socket as unknown as Connection, {
      ...{ transport: undefined as never, authKey: undefined, clock: this.clock, timeoutMs: 1000 },
      ...{ address: { host: "127.0.0.1", port: 7373 }, maxReplyBytes: 65_536 },
      onEnd: () => this.ended++,
    });
  }

  /** Calls of every kind; their numbers are 0 to 3. */
  callAll(): Promise<unknown>[] {
    const { connection } = this;
    const query = queryCall("q", new Uint8Array(0), { acks: true, timeoutMs: 500 }, 1000);
    const stream = {
      ...{ command: "stream", endless: true, timeoutMs: 1000 },
      record: (body: unknown) => readEvent(body) === undefined,
    };
    const calls = [
      connection.call(membersCall(1000)),
      connection.call(query.call),
      connection.call(stream),
      connection.call(statsCall(1000)),
    ];
    return calls.map((call) =>
      call.then(() => this.outcomes.push("ok"), (error: ToychatError) => this.outcomes.push(error.code))
    );
  }
}

const header = (seq: number, error = ""): unknown => ({ Seq: seq, Error: error });
const replies = encodeObjects(
  ...[header(0), { Members: [fakeMember("a"), fakeMember("b")].map(wireMember) }],
  ...[header(1), header(2), header(1), { Type: "ack", From: "a", Payload: null }],
  ...[header(2), { Event: "user", LTime: 1, Name: "n", Payload: Uint8Array.of(1), Coalesce: false }],
  ...[header(1), { Type: "done", From: "", Payload: null }],
  ...[header(3), { agent: { name: "a" }, tags: {} }],
);

function feed(connection: SerfConnection, bytes: Uint8Array, sizes: readonly number[]): void {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    connection.data(bytes.slice(at, at + size));
    at += size;
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 10 });

describe("a connection", () => {
  test("gives every call its answer, however the replies are cut", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async (sizes) => {
        const end = new OneEnd();
        const calls = end.callAll();
        feed(end.connection, replies, sizes);
        await Promise.all(calls);
        expect(end.outcomes).toEqual(["ok", "ok", "ok", "ok"]);
        expect(end.connection.over).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  test("fed with damaged replies or garbage throws nothing, and every call ends", async () => {
    const change = fc.tuple(fc.nat(replies.length - 1), fc.integer({ min: 0, max: 255 }));
    const damaged = fc.tuple(fc.array(change, { maxLength: 4 }), fc.nat(replies.length), fc.boolean())
      .map(([changes, cut, removes]) => {
        const bytes = Uint8Array.from(replies);
        for (const [at, byte] of changes) bytes[at] = byte;
        return removes ? Uint8Array.from([...bytes.subarray(0, cut), ...bytes.subarray(cut + 1)]) : bytes;
      });
    const input = fc.oneof({ weight: 3, arbitrary: damaged }, fc.uint8Array({ maxLength: 300 }));
    await fc.assert(
      fc.asyncProperty(input, sizes, async (bytes, sizes) => {
        const end = new OneEnd();
        const calls = end.callAll();
        feed(end.connection, bytes, sizes);
        await end.clock.run(2000);
        await Promise.all(calls);
        expect(end.outcomes).toHaveLength(4);
        const known = ["ok", "serf_bad_reply", "serf_timeout", "serf_refused", "serf_auth_refused"];
        for (const outcome of end.outcomes) expect(known).toContain(outcome);
        expect(end.ended).toBe(end.connection.over ? 1 : 0);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ["text", "hello"],
    ["HTTP", new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["an answer to a call that was never made", encodeObjects(header(99))],
    ["an answer without a number", encodeObjects({ Error: "" })],
    ["an answer whose error is no text", encodeObjects({ Seq: 0, Error: 7 })],
    ["a body in a header's place", encodeObjects({ Members: [] })],
    ["a body that makes no sense", encodeObjects(header(0), { Members: 7 })],
    ["a second answer", encodeObjects(header(0), { Members: [] }, header(0))],
    ["a record that is an error", encodeObjects(header(1), header(1, "no"))],
    ["an event that there is not", encodeObjects(header(2), header(2), { Event: "party" })],
    ["a reply over the limit", encodeObjects(header(0), "x".repeat(70_000))],
  ])("ends with %s, once, and says so", async (_, bytes) => {
    const end = new OneEnd();
    const calls = end.callAll();
    end.connection.data(bytes);
    await Promise.all(calls);
    expect(end.outcomes).toContain("serf_bad_reply");
    expect(end.connection.over?.code).toBe("serf_bad_reply");
    expect(end.ended).toBe(1);
    end.connection.data(replies);
    end.connection.close({ kind: "terminated" });
    expect(end.ended).toBe(1);
  });

  test("keeps nothing of the memory that a chunk came in", async () => {
    const end = new OneEnd();
    const payloads: Uint8Array[] = [];
    const record = (body: unknown): boolean => {
      const event = readEvent(body);
      if (event.type === "user") payloads.push(event.payload);
      return false;
    };
    const call = end.connection.call({ command: "stream", endless: true, record, timeoutMs: 1000 });
    const event = { Event: "user", LTime: 1, Name: "n", Payload: Uint8Array.of(1, 2, 3), Coalesce: false };
    const bytes = encodeObjects(header(0), header(0), event, header(0), event);
    for (const memory of [bytes.slice(0, -20), bytes.slice(-20)]) {
      end.connection.data(memory);
      memory.fill(0xff);
    }
    await call;
    expect(payloads).toEqual([Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)]);
  });

  test("takes the answer of agents that send a body with force-leave, and of those that do not", async () => {
    for (const body of [[{ Exists: true }], []]) {
      const end = new OneEnd();
      const force = end.connection.call({
        command: "force-leave",
        body: {},
        bodyMayFollow: true,
        timeoutMs: 1,
      });
      const members = end.connection.call(membersCall(1000));
      end.connection.data(encodeObjects(header(0), ...body, header(1), { Members: [] }));
      await force;
      expect(await members).toEqual([]);
    }
  });
});

test("a client that is answered with garbage connects again, and works then", async () => {
  serf = new FakeSerf();
  await serf.start();
  const { agent, client } = serf;
  agent.hanging.add("members");
  const call = client.members();
  await serf.clock.settle();
  for (const connection of agent.connections) connection.sendRaw(new TextEncoder().encode("\u0007what?"));
  expect(await serf.codeOf(call)).toBe("serf_bad_reply");
  agent.hanging.clear();
  await serf.clock.until(() => client.connected, 1000);
  expect(await serf.end(client.members())).toHaveLength(1);
  expect(serf.told).toEqual(["up", "down serf_bad_reply", "up"]);
});
