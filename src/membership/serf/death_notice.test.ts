import { expect, test } from "bun:test";
import fc from "fast-check";
import { incarnation, memberId } from "../../../tests/support/host_members.ts";
import { VirtualClock } from "../../../tests/support/virtual_clock.ts";
import { noLog } from "../../lib/log.ts";
import { placementKey } from "../placement.ts";
import { type DeathNotice, DeathNotices, decodeNotice, encodeNotice } from "./death_notice.ts";
import { clusterTag, hostHash } from "./host_tag.ts";

const TAG = clusterTag("main", placementKey());

test("whoever was found dead is named, in payloads that an event can carry", () => {
  const lives = fc.array(fc.record({ id: memberId, incarnation }), { maxLength: 60 });
  fc.assert(fc.property(fc.string(), lives, (name, lives) => {
    const payloads = encodeNotice(TAG, { host: hostHash(name), lives });
    for (const payload of payloads) expect(payload).toMatch(/^[ -~]{11,400}$/);
    const notices = payloads.map((payload) => decodeNotice(payload, TAG) as DeathNotice);
    for (const { host } of notices) expect(host).toBe(hostHash(name));
    expect(notices.flatMap(({ lives }) => lives)).toEqual(lives);
  }));
});

test("nobody is no notice, nor is a life that is never published", () => {
  expect(encodeNotice(TAG, { host: hostHash("a"), lives: [] })).toEqual([]);
  expect(encodeNotice(TAG, { host: hostHash("a"), lives: [{ id: "c-1", incarnation: "too-long" }] })).toEqual(
    [],
  );
});

test("a payload of another cluster says nothing, nor does one that is damaged", () => {
  const [payload = ""] = encodeNotice(TAG, {
    host: hostHash("a"),
    lives: [{ id: "c-1", incarnation: "abc123" }],
  });
  expect(payload).toBe(`${TAG}${hostHash("a")}-c-1.abc123`);
  expect(decodeNotice(payload, clusterTag("test", placementKey()))).toBeUndefined();
  const damaged = [
    "",
    payload.slice(0, 9),
    payload.slice(0, 10),
    payload.slice(0, -1),
    `${payload}-`,
    `${payload}x`,
  ];
  for (const text of damaged) expect([text, decodeNotice(text, TAG)]).toEqual([text, undefined]);
  expect(decodeNotice(payload + payload.slice(10).repeat(60), TAG)).toBeUndefined();
});

test("whatever an event holds, reading it never fails", () => {
  const text = fc.oneof(fc.string(), fc.string().map((tail) => `${TAG}AAAAA${tail}`));
  fc.assert(
    fc.property(text, (text) => {
      const notice = decodeNotice(text, TAG);
      expect(notice === undefined || notice.lives.length > 0).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("those of a host who are found within moments are one event; after the end nobody is told", async () => {
  const clock = new VirtualClock();
  const sent: string[] = [];
  const agent = {
    userEvent: (name: string, payload: Uint8Array) =>
      Promise.resolve(void sent.push(`${name} ${new TextDecoder().decode(payload)}`)),
  };
  const notices = new DeathNotices({ agent, clock, log: noLog, clusterTag: TAG });
  notices.add("a", { id: "c-1", incarnation: "abc123" });
  notices.add("a", { id: "c-2", incarnation: "abc124" });
  await clock.run(100);
  expect(sent).toEqual([`tc-dead ${TAG}${hostHash("a")}-c-1.abc123-c-2.abc124`]);
  notices.stop();
  notices.add("a", { id: "c-4", incarnation: "abc126" });
  await clock.run(100);
  expect(sent.length).toBe(1);
});
