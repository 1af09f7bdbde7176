import { expect, test } from "bun:test";
import fc from "fast-check";
import { ToychatError } from "../lib/errors.ts";
import { placementKey } from "./placement.ts";
import { createView } from "./view.ts";
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
