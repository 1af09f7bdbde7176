import { expect, test } from "bun:test";
import { blake2b } from "@noble/hashes/blake2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { ToychatError } from "../lib/errors.ts";
import { createPlacement, placementKey } from "./placement.ts";
import { createView, type Member, type MemberState } from "./view.ts";
import { readWireView } from "./wire_view.ts";

const KEY = placementKey();

function wire(): Record<string, unknown> & { view: Record<string, unknown> } {
  const view = createView({
    members: [
      { id: "a", role: "chat", incarnation: "1", address: "127.0.0.1:7001", slot: 0, state: "alive" },
      { id: "b", role: "chat", incarnation: "1", address: "127.0.0.1:7002", slot: 5, state: "joining" },
      { id: "p", role: "proxy", incarnation: "1", address: "127.0.0.1:0", state: "alive" },
    ],
    slots: 3,
    revision: 9,
    placementKey: KEY,
  });
  return JSON.parse(JSON.stringify({ bridge: "b1", view, settling: false, gone: [] }));
}

function chat(id: string, slot: number, state: MemberState): Member {
  return { id, role: "chat", incarnation: "1", address: "127.0.0.1:7001", slot, state };
}

function changed(change: (view: ReturnType<typeof wire>) => void): unknown {
  const value = wire();
  change(value);
  return value;
}

const member = (value: ReturnType<typeof wire>, i: number): Record<string, unknown> =>
  (value.view.members as Record<string, unknown>[])[i] as Record<string, unknown>;

test("a view survives the wire", () => {
  const { view, settling, gone } = readWireView(wire(), KEY);
  expect(view.members.map((m) => m.id)).toEqual(["a", "b", "p"]);
  expect([view.slots, view.revision, settling, gone]).toEqual([3, 9, false, []]);
});

test("a ChatServer that drains may be without a slot, as one that lost its slot to another", () => {
  const { slot: _lost, ...drained } = chat("a", 0, "draining");
  const members = [drained, chat("b", 0, "alive")];
  const view = createView({ members, slots: 1, placementKey: KEY });
  const sent = JSON.parse(JSON.stringify({ bridge: "b1", view, settling: false, gone: [] }));
  const read = readWireView(sent, KEY).view;
  expect([read.members, read.digest]).toEqual([members, view.digest]);
  expect(createPlacement(read, KEY).owner("plaza")?.id).toBe("b");
  for (const state of ["joining", "alive"] as const) {
    const claims = {
      ...sent,
      view: createView({ members: [{ ...drained, state }], slots: 1, placementKey: KEY }),
    };
    expect(() => readWireView(JSON.parse(JSON.stringify(claims)), KEY)).toThrow('slot of "a"');
  }
});

test("the digest writes a dash for a slot that a ChatServer does not have", () => {
  const { slot: _lost, ...drained } = chat("chat-1", 0, "draining");
  const text = "toychat view 1\nslots 1\nchat-1 chat 1 127.0.0.1:7001 - draining\n";
  const digest = bytesToHex(blake2b(new TextEncoder().encode(text), { key: KEY, dkLen: 8 }));
  expect(createView({ members: [drained], slots: 1, placementKey: KEY }).digest).toBe(digest);
});

test("a view whose digest is not that of its members is refused", () => {
  expect(() => readWireView(changed((v) => member(v, 0).address = "127.0.0.1:9"), KEY)).toThrow("digest");
  expect(() => readWireView(wire(), placementKey("another"))).toThrow("same placement key");
});

test("every malformed field is refused", () => {
  const bad: ((value: ReturnType<typeof wire>) => void)[] = [
    (v) => member(v, 0).id = "Not An Id",
    (v) => member(v, 0).role = "boss",
    (v) => member(v, 0).incarnation = 5,
    (v) => member(v, 0).address = "no port",
    (v) => member(v, 0).state = "dead",
    (v) => member(v, 0).slot = 1.5,
    (v) => member(v, 0).slot = 3,
    (v) => member(v, 1).slot = 0,
    (v) => delete member(v, 0).slot,
    (v) => member(v, 2).slot = 1,
    (v) => v.view.slots = -1,
    (v) => v.view.slots = 100_000,
    (v) => v.view.revision = "1",
    (v) => v.view.members = {},
    (v) => v.settling = 1,
    (v) => v.bridge = 7,
    (v) => v.gone = ["__proto__"],
    (v) => delete v.gone,
  ];
  for (const change of bad) expect(() => readWireView(changed(change), KEY)).toThrow("malformed");
});

test("whatever arrives, a refusal is all that can happen", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    expect(() => readWireView(value, KEY)).toThrow(ToychatError);
  }));
});
