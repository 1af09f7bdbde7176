import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeBody } from "../lib/body.ts";
import { MAX_JSON_BYTES, MAX_MESSAGE_BYTES } from "../lib/body_size.ts";
import { BadLine, decodeLine } from "./decode.ts";
import type { ControlFrame, Frame } from "./frames.ts";

/** One of each, as short and as long as they get. */
const FRAMES: { readonly [T in (Frame | ControlFrame)["type"]]: readonly Record<string, unknown>[] } = {
  hello: [
    { version: 1, role: "chat", id: "c1", incarnation: "aa", cluster: "toychat", nonce: "A".repeat(16) },
    {
      version: 1,
      role: "proxy",
      id: "p-1",
      incarnation: "aa",
      cluster: "bühne 7",
      nonce: "_-".repeat(32),
      mac: "m".repeat(43),
      resume: { link: "abc", received: 0 },
    },
  ],
  welcome: [{ link: "abc", received: 0 }, { link: "abc", received: 12, mac: "m".repeat(43) }],
  ping: [{}],
  confirm: [{ n: 1 }],
  goodbye: [{ code: "draining", message: "" }],
  digest: [{ digest: "d41d8" }],
  announce: [
    { room: "r", members: [], attach: 1 },
    { room: "r", members: [["p1.aa.1", "ada"], ["p1.aa.2", "bob", 0]], attach: 2, epoch: "e1" },
  ],
  announced: [{ digest: "d41d8" }],
  yield: [{ room: "r".repeat(1024) }],
  join: [{ room: "r", member: ["p1.aa.1", "ada"] }],
  leave: [{ room: "r", session: "p1.aa.1", reason: "" }],
  gone: [{ session: "p1.aa.1", reason: "closed" }],
  message: [
    { room: "r", session: "c1.bb", seq: 1, body: null },
    {
      room: "a/b",
      session: "p1.aa.9007199254740991",
      seq: 68719476736,
      user: "ada",
      body: "AAEC",
      encoding: "base64",
      ack: true,
      redelivered: true,
      head: true,
      cause: ["p2.bb.7", 3],
    },
  ],
  opened: [{ room: "r", epoch: "e1", offset: 0, reason: "first-join" }],
  joined: [{ room: "r", session: "p1.aa.1" }],
  kicked: [{ room: "r", session: "p1.aa.1", reason: "rude" }],
  deliver: [
    { room: "r", offset: 0, body: { any: ["thing", 1, true] } },
    {
      room: "r",
      offset: 7,
      from: "ada",
      body: "AAEC",
      encoding: "base64",
      only: ["p1.aa.1"],
      except: [],
      cause: ["p2.bb.7", 3],
    },
  ],
  direct: [{ user: "ada", body: 0 }, { user: "ada", body: "", encoding: "base64" }],
  refused: [{ room: "r", session: "p1.aa.1", seq: 1, frame: 9, digest: "d41d8" }],
  held: [{ room: "r", session: "p1.aa.1", seq: 1 }],
  accepted: [{ room: "r", session: "p1.aa.1", seq: 1 }],
  ack: [{ room: "r", session: "p1.aa.1", seq: 1 }, { room: "r", session: "p1.aa.1", seq: 1, error: "gone" }],
  released: [{ room: "r", attach: 1 }],
  handing: [{ digest: "d41d8", rooms: [] }, { digest: "d41d8", rooms: ["r", "__proto__"] }],
  handoff: [
    { room: "r", epoch: "e1", offset: 4, term: 1, senders: [["p1.aa.1", 4]], proxies: [["p1", "aa"]] },
    { room: "r", epoch: "e1", offset: 4, term: 1, senders: [], proxies: [], members: [["p1.aa.1", "ada"]] },
  ],
  holding: [{ digest: "d41d8", rooms: [] }, { digest: "d41d8", rooms: [["r", "e1"]] }],
  taken: [
    { room: "r", epoch: "e1", term: 1 },
    { room: "r", epoch: "e1", term: 1, refused: true },
  ],
};

const CONTROL = ["hello", "welcome", "ping", "confirm", "goodbye"];

const all = Object.entries(FRAMES).flatMap(([type, frames]) =>
  frames.map((frame) =>
    ({ ...(CONTROL.includes(type) ? {} : { n: 1 }), type, ...frame }) as Record<string, unknown>
  )
);

/** A value of every kind that a field must not take unless it is that kind. */
const VALUES: unknown[] = [null, true, false, 0, -1, 1.5, 2 ** 53, 1e300, "", "x", "é\n", [], [1], {}, {
  length: 1,
}];

describe("decoding", () => {
  test("takes every frame there is, as it was written", () => {
    for (const frame of all) expect(decodeLine(JSON.stringify(frame)) as unknown).toEqual(frame);
  });

  test("takes a frame with its fields in any order, with fields that it does not know", () => {
    for (const frame of all) {
      const turned = { future: { field: 1 }, ...Object.fromEntries(Object.entries(frame).toReversed()) };
      expect(decodeLine(JSON.stringify(turned)) as unknown).toEqual(turned);
    }
  });

  test("refuses every frame that lacks a field it must have, and names the field", () => {
    const optional = new Set([
      "mac",
      "resume",
      "epoch",
      "user",
      "encoding",
      "ack",
      "redelivered",
      "head",
      "cause",
    ])
      .union(new Set(["from", "only", "except", "error"]));
    for (const frame of all) {
      for (const name of Object.keys(frame)) {
        if (optional.has(name) && frame[name] !== undefined) continue;
        if (name === "refused" && frame.type === "taken") continue;
        if (name === "members" && frame.type === "handoff") continue;
        if (name === "user" || (name === "epoch" && frame.type === "announce")) continue;
        const result = decodeLine(JSON.stringify({ ...frame, [name]: undefined }));
        expect(result).toBeInstanceOf(BadLine);
        if (name === "type") expect((result as BadLine).code).toBe("unknown_frame");
        else {
          expect((result as BadLine).code).toBe("bad_frame");
          expect((result as BadLine).message).toContain(`"${name}" in frame "${frame.type}" is nothing`);
        }
      }
    }
    const { body: _body, ...noUser } = { ...FRAMES.direct[0], n: 1, type: "direct", body: 1 } as Record<
      string,
      unknown
    >;
    delete noUser.user;
    expect(decodeLine(JSON.stringify({ ...noUser, body: 1 }))).toBeInstanceOf(BadLine);
  });

  test("refuses in every field what does not belong there", () => {
    for (const frame of all) {
      for (const name of Object.keys(frame)) {
        if (name === "body") continue;
        const taken = VALUES.filter((value) => {
          return !(decodeLine(JSON.stringify({ ...frame, [name]: value })) instanceof BadLine);
        });
        // What one field may be, another may not; but null, a fraction and a number too large are right nowhere.
        for (const wrong of [null, -1, 1.5, 2 ** 53, 1e300]) expect(taken).not.toContain(wrong);
        if (Array.isArray(frame[name])) expect(taken.every(Array.isArray)).toBe(true);
        else if (typeof frame[name] !== "object") {
          expect(taken.every((value) => typeof value === typeof frame[name])).toBe(true);
        }
      }
    }
  });

  test("knows the bounds of rooms, sessions and bodies", () => {
    const refuses = (fields: Record<string, unknown>): boolean =>
      decodeLine(JSON.stringify({ n: 1, type: "message", ...FRAMES.message[0], ...fields })) instanceof
        BadLine;
    expect(refuses({ room: "r".repeat(1025) })).toBe(true);
    expect(refuses({ room: "" })).toBe(true);
    for (
      const session of [
        "p1",
        "p1.",
        "p1.aa.",
        "p1.aa.x",
        "P1.aa.1",
        "p1.aa.1.2",
        "toolongid.aa.1",
        "p1.aa.1 ",
      ]
    ) {
      expect(refuses({ session })).toBe(true);
    }
    expect(refuses({ seq: 0 })).toBe(true);
    expect(refuses({ n: 0 })).toBe(true);
    expect(refuses({ user: "u".repeat(513) })).toBe(true);
    expect(refuses({ user: "u".repeat(512) })).toBe(false);
    expect(refuses({ encoding: "base64" })).toBe(true);
    expect(refuses({ encoding: "hex", body: "00" })).toBe(true);
    expect(refuses({ encoding: "base64", body: "0000" })).toBe(false);
    expect(refuses({ cause: ["p1.aa.1", -1] })).toBe(true);
    expect(refuses({ cause: ["", 1] })).toBe(true);
    expect(refuses({ cause: ["p1.aa.1>other/room", 0] })).toBe(false);
    expect(refuses({ cause: ["p1.aa.1"] })).toBe(true);
    expect(refuses({ body: { __proto__: 1, constructor: 2 } })).toBe(false);
  });

  test("takes no member of a longer name than proxies give", () => {
    const named = (length: number) => ["p1.aa.1", "u".repeat(length)];
    for (const length of [512, 513]) {
      for (
        const frame of [{ type: "announce", members: [named(length)], attach: 1 }, {
          type: "join",
          member: named(length),
        }]
      ) {
        const read = decodeLine(JSON.stringify({ n: 1, room: "r", ...frame }));
        expect(read instanceof BadLine).toBe(length === 513);
        if (read instanceof BadLine) expect(read.message).toContain("the user of 1 to 512 characters");
      }
    }
  });

  test("takes base64 that is padded and has no white space, and no other", () => {
    const frames = [
      { type: "message", ...FRAMES.message[0] },
      { type: "deliver", ...FRAMES.deliver[0] },
      { type: "direct", ...FRAMES.direct[0] },
    ];
    for (const frame of frames) {
      const read = (body: unknown) =>
        decodeLine(JSON.stringify({ n: 1, ...frame, body, encoding: "base64" })) as unknown;
      for (const good of ["", "AA==", "AAA=", "AAAA", "+/+/", "z".repeat(40_000)]) {
        expect(read(good)).toMatchObject({ type: frame.type, body: good });
      }
      const wrong = ["@@@", "A", "AA", "AAA", "AAA==", "A===", "====", "AA=A", "=AAA", "AAAAA", "AA==AAAA"];
      for (const bad of [...wrong, "AA =", "AAA\n", "AA==\n", "-_-_", "AAAé", 7, ["AAAA"], null]) {
        const { code, message } = read(bad) as BadLine;
        expect([code, message]).toEqual([
          "bad_frame",
          expect.stringContaining(`"body" in frame "${frame.type}"`),
        ]);
        expect(message).toContain('must be base64 beside encoding "base64": A-Z, a-z, 0-9');
      }
      expect(decodeBody({ body: "AAA=", encoding: "base64" })).toEqual(Uint8Array.of(0, 0));
    }
  });

  test("refuses a body whose JSON is longer than may be sent on, however short its line is", () => {
    const frames = [
      { type: "message", ...FRAMES.message[0] },
      { type: "deliver", ...FRAMES.deliver[0] },
      { type: "direct", ...FRAMES.direct[0] },
    ];
    const bodies: [string, boolean][] = [
      [`[${"1e20,".repeat(600_000)}1]`, false],
      [`[${"1e20,".repeat(200_000)}1]`, true],
      [`"${"a".repeat(MAX_JSON_BYTES - 1)}"`, false],
      [`"${"a".repeat(MAX_JSON_BYTES - 2)}"`, true],
      [`"${"\\u0001".repeat(MAX_MESSAGE_BYTES)}"`, true],
      [`"${"\\u0001".repeat(MAX_MESSAGE_BYTES + 1)}"`, false],
    ];
    for (const { body: _, ...frame } of frames as { body?: unknown; type: string }[]) {
      for (const [body, taken] of bodies) {
        const read = decodeLine(`${JSON.stringify({ n: 1, ...frame }).slice(0, -1)},"body":${body}}`);
        expect(read instanceof BadLine).toBe(!taken);
        if (!(read instanceof BadLine)) continue;
        expect(read.code).toBe("bad_frame");
        expect(read.message).toMatch(
          new RegExp(
            `^"body" in frame "${frame.type}" takes \\d+ bytes of JSON: it must take at most 6291458$`,
          ),
        );
      }
    }
  });

  test("says what was wrong, with the value and what to write instead, safe to print", () => {
    const message = (line: string): string => (decodeLine(line) as BadLine).message;
    expect(message('{"n":1,"type":"yield","room":7}')).toBe(
      '"room" in frame "yield" is 7: it must be a string of 1 to 1024 characters',
    );
    expect(message('{"n":1,"type":"dance\\u001b[31m"}')).not.toContain("\u001b");
    expect(message("\u001b[31m{")).not.toContain("\u001b");
    expect(message("x".repeat(10_000)).length).toBeLessThan(200);
    expect(message('{"n":1,"type":"ack","room":"r","session":"p1.aa.1","seq":1,"error":"bored"}')).toBe(
      '"error" in frame "ack" is "bored": it must be "listener_failed" or "listener_timeout" or "unavailable" or ' +
        '"not_authorized" or "server_full" or "too_large" or "gone"',
    );
  });

  test("survives any line at all", () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc.anything().map((value) => JSON.stringify(value) ?? "undefined"),
    );
    fc.assert(fc.property(anything, (line) => {
      const result = decodeLine(line);
      if (!(result instanceof BadLine)) expect(Object.keys(FRAMES)).toContain(result.type);
    }));
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expect(decodeLine(`{"n":1,"type":"yield","room":${deep}}`)).toBeInstanceOf(BadLine);
  });

  test("leaves nothing behind on what every object inherits", () => {
    const line =
      '{"n":1,"type":"direct","user":"u","body":1,"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    decodeLine(line);
    expect(({} as Record<string, unknown>).polluted).toBe(undefined);
    expect(decodeLine('{"__proto__":{"n":1,"type":"ping"}}')).toBeInstanceOf(BadLine);
  });
});
