import { describe, expect, test } from "bun:test";
import { readSerfAddress } from "./serf_address.ts";
import { addressText, readEvent, readMembers, readQueryRecord } from "./serf_read.ts";
import { changedTags, encodedTagsLength, MAX_TAGS_BYTES, roomForTag } from "./serf_tags.ts";

const v6 = (...groups: number[]): string =>
  addressText(Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255])));
const member = {
  ...{ Name: "a", Addr: Uint8Array.of(10, 0, 0, 1), Port: 7946, Tags: { x: "1" }, Status: "alive" },
  ProtocolCur: 2,
};
const bad = { code: "serf_bad_reply" };

describe("an agent's address", () => {
  test("is text, as others write it", () => {
    expect(addressText(Uint8Array.of(127, 0, 0, 1))).toBe("127.0.0.1");
    expect(addressText(new Uint8Array(0))).toBe("");
    expect(v6(0, 0, 0, 0, 0, 0xffff, 0x7f00, 1)).toBe("127.0.0.1");
    expect(v6(0, 0, 0, 0, 0, 0, 0, 1)).toBe("::1");
    expect(v6(0, 0, 0, 0, 0, 0, 0, 0)).toBe("::");
    expect(v6(0x2001, 0xdb8, 0, 0, 1, 0, 0, 0)).toBe("2001:db8:0:0:1::");
    expect(v6(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1)).toBe("2001:db8::1:0:0:1");
    expect(v6(0xfe80, 0, 1, 2, 3, 4, 5, 0xabcd)).toBe("fe80:0:1:2:3:4:5:abcd");
  });

  test("has 4 or 16 bytes", () => {
    expect(() => addressText(new Uint8Array(5))).toThrow(expect.objectContaining(bad));
  });
});

describe("a body", () => {
  test("that makes sense is read, with nil for what is empty", () => {
    expect(readMembers({ Members: null })).toEqual([]);
    expect(readMembers({ Members: [{ ...member, Tags: null, Addr: null }] })).toEqual([
      { name: "a", address: "", port: 7946, tags: new Map(), status: "alive", protocol: 2 },
    ]);
    expect(readEvent({ Event: "user", LTime: 3, Name: "n", Payload: null, Coalesce: true })).toEqual(
      { type: "user", ltime: 3, name: "n", payload: new Uint8Array(0), coalesce: true },
    );
    expect(readEvent({ Event: "member-reap", Members: [member] })).toMatchObject({
      type: "member-reap",
      members: [{ name: "a" }],
    });
  });

  test.each([
    ["no members", { Members: "none" }],
    ["a member that is none", { Members: [7] }],
    ["a status that there is not", { Members: [{ ...member, Status: "dead" }] }],
    ["an address that is text", { Members: [{ ...member, Addr: "10.0.0.1" }] }],
    ["a port below zero", { Members: [{ ...member, Port: -1 }] }],
    ["a tag that is no text", { Members: [{ ...member, Tags: { x: 1 } }] }],
    ["tags that are a list", { Members: [{ ...member, Tags: ["x"] }] }],
    ["nothing", undefined],
  ])("with %s is refused", (_, body) => {
    expect(() => readMembers(body)).toThrow(expect.objectContaining(bad));
  });

  test("of an event or a record that there is not is refused", () => {
    expect(() => readEvent({ Event: "party" })).toThrow(expect.objectContaining(bad));
    expect(() => readEvent({ Event: "query", ID: "1", LTime: 1, Name: "", Payload: null }))
      .toThrow(expect.objectContaining(bad));
    expect(() => readQueryRecord({ Type: "nack", From: "a" })).toThrow(expect.objectContaining(bad));
  });
});

test("an agent's RPC is given by host and port", () => {
  expect(readSerfAddress("127.0.0.1:7373")).toEqual({ host: "127.0.0.1", port: 7373 });
  expect(readSerfAddress("[::1]:7373")).toEqual({ host: "::1", port: 7373 });
  expect(readSerfAddress("agent.local:1")).toEqual({ host: "agent.local", port: 1 });
  for (const wrong of ["", "7373", "host", "host:0", "host:65536", "::1:7373", "http://host:7373", "a b:1"]) {
    expect(() => readSerfAddress(wrong)).toThrow("give HOST:PORT");
  }
});

test("tags are counted as Serf encodes them", () => {
  // A map of one tag: a byte that says what follows, one for the map, one for the name's length, three for a longer value's.
  expect(encodedTagsLength(new Map([["k", "v".repeat(505)]]))).toBe(512);
  expect(encodedTagsLength(new Map())).toBe(2);
  expect(encodedTagsLength(new Map([["k", "é"]]))).toBe(2 + 2 + 3);
  const sixteen = new Map(Array.from({ length: 16 }, (_, i) => [String.fromCharCode(97 + i), ""]));
  expect(encodedTagsLength(sixteen)).toBe(1 + 3 + 16 * 3);
  expect(changedTags(new Map([["a", "1"], ["b", "2"]]), new Map([["c", "3"]]), ["a"]))
    .toEqual(new Map([["b", "2"], ["c", "3"]]));
});

test("the room for a tag is the most that Serf takes beside the others", () => {
  for (let other = 0; other < 500; other++) {
    const others = new Map([["dc", "x".repeat(other)], ["tc", "what was there before"]]);
    const room = roomForTag("tc", others);
    const length = (bytes: number): number =>
      encodedTagsLength(new Map([...others, ["tc", "x".repeat(Math.max(bytes, 0))]]));
    if (room >= 0) expect(length(room)).toBeLessThanOrEqual(MAX_TAGS_BYTES);
    expect(length(room + 1)).toBeGreaterThan(MAX_TAGS_BYTES);
  }
});
