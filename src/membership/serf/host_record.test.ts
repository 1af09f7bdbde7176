import { expect, test } from "bun:test";
import { toDigits } from "./digits.ts";
import { type HostRecord, memberOf, readRecord } from "./host_record.ts";
import { ipv4 } from "./ip.ts";

/** A record by its fields, as anyone may write one. */
function record(
  fields: { role?: number; state?: number; slotted?: number; port?: number; slot?: number; rest?: number },
) {
  const { role = 0, state = 1, slotted = 1, port = 7001, slot = 5, rest = 0 } = fields;
  const life = ((parseInt("abc123", 36) * 2 + role) * 4 + state) * 2 + slotted;
  const place = ((port * 1024 + slot) * 4 + 0) * 4 + rest;
  return readRecord(`c-1.${toDigits(life, 6)}${toDigits(place, 5)}`, 0)?.record;
}

const CHAT: HostRecord = {
  id: "c-1",
  incarnation: "abc123",
  role: "chat",
  state: "alive",
  slot: 5,
  port: 7001,
  host: undefined,
};

test("a record has the layout that is documented", () => {
  expect(record({})).toEqual(CHAT);
  expect(record({ role: 1, slotted: 0, slot: 0, port: 0 }))
    .toEqual({ ...CHAT, role: "proxy", slot: undefined, port: 0 });
  expect(record({ state: 2, slotted: 0, slot: 0 })).toEqual({ ...CHAT, state: "draining", slot: undefined });
});

test("a record whose fields do not go together is none", () => {
  expect(record({ port: 0 })).toBeUndefined();
  expect(record({ slotted: 0, slot: 0 })).toBeUndefined();
  expect(record({ slotted: 0, slot: 0, state: 0 })).toBeUndefined();
  expect(record({ slotted: 0, state: 2 })).toBeUndefined();
  expect(record({ role: 1 })).toBeUndefined();
  expect(record({ state: 3 })).toBeUndefined();
  expect(record({ rest: 1 })).toBeUndefined();
});

test("there is no member of a record whose agent has no address", () => {
  expect(memberOf(CHAT, undefined)).toBeUndefined();
  expect(memberOf({ ...CHAT, host: ipv4(0x0a000009) }, undefined)).toBeUndefined();
});
