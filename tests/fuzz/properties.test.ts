/**
 * What holds for every input of the parts that meet the outside first.
 *
 * @module
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { printable } from "../../src/lib/errors.ts";
import { jsonLine, prettyLine } from "../../src/lib/log_line.ts";
import { BadLine, decodeLine } from "../../src/link/decode.ts";
import { LineReader } from "../../src/link/line_reader.ts";
import { readMessages } from "../../src/membership/json_rpc.ts";
import { roomNameProblem } from "../../src/protocols/room_name.ts";
import { readRequest } from "../../src/protocols/websocket_messages.ts";
import { PROXY_LIMITS } from "../../src/proxy/options.ts";
import { cut } from "../support/mqtt_wire.ts";
import { SCRIBBLE } from "./connection.ts";
import { eventProblem, lineProblem } from "./log_check.ts";
import { mayBeRoom } from "./room_inputs.ts";

const anyText = fc.string({ unit: "binary", maxLength: 300 });
const brokenText = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) =>
  String.fromCharCode(...units)
);
const text = fc.oneof(
  anyText,
  brokenText,
  fc.constantFrom("\n", "\r\n", "\u2028", "\u009b2J", "\u202e", "\ud800"),
);
const RUNS = { numRuns: 2000 };

test("text from outside never reaches a log raw, whatever it is and wherever it stands", () => {
  fc.assert(
    fc.property(text, text, fc.anything(), (name, value, thing) => {
      expect(eventProblem("info", "event", { [name]: value, value: { [value]: [value, thing] }, thing }))
        .toBeUndefined();
      expect(lineProblem(printable(value))).toBeUndefined();
    }),
    RUNS,
  );
});

test("a line of the log is one line of bounded length, and JSON where it says so", () => {
  const huge = "x".repeat(1_000_000);
  const nested = JSON.parse("[".repeat(5000) + "]".repeat(5000)) as unknown;
  const fields = {
    huge,
    nested,
    many: new Array(10_000).fill(huge),
    error: new Error(huge),
    bytes: new Uint8Array(9),
  };
  for (const line of [jsonLine("t", "warn", huge, fields), prettyLine("t", "warn", huge, fields, false)]) {
    expect(line.length).toBeLessThan(200_000);
    expect(line.trimEnd()).not.toContain("\n");
  }
  expect(JSON.parse(jsonLine("t", "warn", "e", { a: 1n, b: "c" }))).toEqual({
    time: "t",
    level: "warn",
    event: "e",
    fields: { a: "1", b: "c" },
  });
});

test("a name is a room's or refused, by one rule", () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ minLength: 160, maxLength: 600 })), (name) => {
      const problem = roomNameProblem(name, PROXY_LIMITS.maxRoomBytes);
      expect(problem === undefined).toBe(mayBeRoom(name));
      if (problem !== undefined) expect(lineProblem(problem)).toBeUndefined();
    }),
    RUNS,
  );
});

test("no text makes a reader of messages throw", () => {
  const junk = fc.oneof(
    text,
    fc.json(),
    fc.json().map((json) => `{"type":"message","room":"a","body":${json},"id":${json}}`),
  );
  fc.assert(
    fc.property(junk, (line) => {
      const request = readRequest(line, PROXY_LIMITS);
      if (request.type === "error") expect(lineProblem(request.message)).toBeUndefined();
      const frame = decodeLine(line);
      if (frame instanceof BadLine) expect(lineProblem(frame.message)).toBeUndefined();
      expect(readMessages(line).items.length).toBeGreaterThan(0);
    }),
    RUNS,
  );
});

test("lines come whole whatever the chunks are, and whatever becomes of a chunk's memory", () => {
  fc.assert(
    fc.property(fc.array(text), fc.array(fc.nat()), (texts, places) => {
      const lines = texts.map((line) => line.toWellFormed().replaceAll("\n", " "));
      const bytes = new TextEncoder().encode(lines.map((line) => line + "\n").join(""));
      const got: string[] = [];
      const reader = new LineReader(10_000);
      for (const chunk of cut(bytes, places)) {
        expect(reader.push(chunk, (line) => got.push(line) > 0)).toBeUndefined();
        chunk.fill(SCRIBBLE);
      }
      expect(got).toEqual(lines);
    }),
    RUNS,
  );
});
