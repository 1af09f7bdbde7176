import { expect, test } from "bun:test";
import fc from "fast-check";
import { agentAddress, incarnation, memberId, publishedMember } from "../../../tests/support/host_members.ts";
import { placementKey } from "../placement.ts";
import { decodeDelta, encodeDelta, type HostDelta } from "./host_delta.ts";
import { memberOf } from "./host_record.ts";
import { clusterTag, hostHash, SEQ_MODULUS } from "./host_tag.ts";
import { readIp } from "./ip.ts";

const TAG = clusterTag("main", placementKey());

test("whatever changes on a host arrives, in payloads that an event can carry", () => {
  const change = agentAddress.chain((agent) =>
    fc.record({
      agentAddress: fc.constant(agent),
      agentName: fc.string(),
      seq: fc.integer({ min: 0, max: SEQ_MODULUS - 1 }),
      changed: fc.array(publishedMember(agent), { maxLength: 40 }),
      withdrawn: fc.array(fc.record({ id: memberId, incarnation }), { maxLength: 60 }),
    })
  );
  fc.assert(fc.property(change, (change) => {
    const payloads = encodeDelta({ clusterTag: TAG, ...change });
    for (const payload of payloads) expect(payload).toMatch(/^[ -~]{15,400}$/);
    const deltas = payloads.map((payload) => decodeDelta(payload, TAG) as HostDelta);
    for (const { host, seq } of deltas) expect([host, seq]).toEqual([hostHash(change.agentName), change.seq]);
    expect(deltas.flatMap(({ withdrawn }) => withdrawn)).toEqual(change.withdrawn);
    expect(
      deltas.flatMap(({ changed }) => changed).map((record) => memberOf(record, readIp(change.agentAddress))),
    )
      .toEqual(change.changed);
  }));
});

test("one small change is one short payload, no change is none", () => {
  const change = { clusterTag: TAG, agentName: "a", agentAddress: "10.0.0.1", seq: 7, changed: [] };
  expect(encodeDelta({ ...change, withdrawn: [] })).toEqual([]);
  expect(encodeDelta({ ...change, withdrawn: [{ id: "c-1", incarnation: "abc123" }] }))
    .toEqual([`${TAG}${hostHash("a")}AAAH-c-1.abc123`]);
});

test("a member that was never published needs no withdrawal", () => {
  const change = { clusterTag: TAG, agentName: "a", agentAddress: "10.0.0.1", seq: 7, changed: [] };
  expect(encodeDelta({ ...change, withdrawn: [{ id: "c-1", incarnation: "too-long" }] })).toEqual([]);
});

test("a payload of another cluster says nothing, nor does one that is damaged", () => {
  const change = { clusterTag: TAG, agentName: "a", agentAddress: "10.0.0.1", seq: 7, changed: [] };
  const [payload = ""] = encodeDelta({ ...change, withdrawn: [{ id: "c-1", incarnation: "abc123" }] });
  expect(decodeDelta(payload, clusterTag("test", placementKey()))).toBeUndefined();
  const damaged = [
    "",
    payload.slice(0, 13),
    payload.slice(0, -1),
    payload + "-",
    payload + "x",
    payload + "+c.AAAA",
  ];
  for (const text of damaged) expect([text, decodeDelta(text, TAG)]).toEqual([text, undefined]);
  expect(decodeDelta(payload + payload.slice(14).repeat(50), TAG)).toBeUndefined();
});

const bytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => String.fromCharCode(...bytes));

test("whatever an event holds, reading it never fails", () => {
  const text = fc.oneof(bytes, fc.string().map((tail) => `${TAG}AAAAAAAAA${tail}`));
  fc.assert(
    fc.property(text, (text) => {
      const delta = decodeDelta(text, TAG);
      expect(delta === undefined || delta.host.length === 5).toBe(true);
    }),
    { numRuns: 500 },
  );
});
