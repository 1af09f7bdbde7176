import { expect, test } from "bun:test";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { agentAddress, publishedMember } from "../../../tests/support/host_members.ts";
import { ToychatError } from "../../lib/errors.ts";
import { placementKey } from "../placement.ts";
import type { Member } from "../view.ts";
import { encodeDelta } from "./host_delta.ts";
import {
  clusterTag,
  decodeHost,
  encodeHost,
  firstSeq,
  hostHash,
  isNewerSeq,
  isSerfIncarnation,
  MAX_HOST_VALUE,
  publishedAddress,
  readHost,
  SEQ_MODULUS,
} from "./host_tag.ts";
import { encodeAnswer, encodeQuestion } from "./live_query.ts";

const TAG = clusterTag("main", placementKey());

function chat(i: number, rest: Partial<Member> = {}): Member {
  const address = `10.0.0.1:${65000 + i}`;
  return {
    id: `member${i + 10}`,
    role: "chat",
    incarnation: "zzzzzz",
    address,
    slot: 990 + i,
    state: "alive",
    ...rest,
  };
}

function encode(members: readonly Member[], agent = "10.0.0.1", maxBytes = MAX_HOST_VALUE): string {
  return encodeHost({
    clusterTag: TAG,
    slots: 1024,
    seq: SEQ_MODULUS - 1,
    members,
    agentAddress: agent,
    maxBytes,
  });
}

function refusal(member: Partial<Member>, agent = "10.0.0.1"): string {
  try {
    return encode([chat(0, member)], agent);
  } catch (error) {
    return error instanceof ToychatError ? `${error.code}: ${error.message}` : String(error);
  }
}

test("24 members with ids of 8 characters fit into what an agent publishes", () => {
  const members = Array.from({ length: 24 }, (_, i) => chat(i));
  const value = encode(members);
  expect(value.length).toBe(492);
  expect(decodeHost(value, TAG, "10.0.0.1")).toEqual({
    slots: 1024,
    seq: SEQ_MODULUS - 1,
    awaits: false,
    members,
  });
});

test("members that do not fit are refused, with how many do and what to do", () => {
  const members = Array.from({ length: 25 }, (_, i) => chat(i));
  expect(() => encode(members)).toThrow("25 members of this host need more than the 500 bytes");
  expect(() => encode(members)).toThrow("the first 24 fit");
  expect(() => encode(members)).toThrow("another host");
  expect(() => encode(members, "10.0.0.1", 51)).toThrow("the first 1 fit");
});

test("what any host publishes is read back", () => {
  const slots = fc.integer({ min: 0, max: 1024 });
  const seq = fc.integer({ min: 0, max: SEQ_MODULUS - 1 });
  const host = agentAddress.chain((agent) =>
    fc.record({
      agentAddress: fc.constant(agent),
      slots,
      seq,
      awaits: fc.boolean(),
      members: fc.uniqueArray(publishedMember(agent), { selector: ({ id }) => id, maxLength: 16 }),
    })
  );
  fc.assert(fc.property(host, ({ agentAddress, ...rest }) => {
    const value = encodeHost({ clusterTag: TAG, agentAddress, ...rest });
    expect(value).toMatch(/^[ -~]*$/);
    expect(decodeHost(value, TAG, agentAddress)).toEqual(rest);
    for (const member of rest.members) expect(publishedAddress(member, agentAddress)).toBe(member.address);
  }));
});

test("an agent's own address follows the agent when it gets another one, any other address stays", () => {
  const value = encode([chat(1), chat(2, { address: "10.0.0.9:7000" })]);
  expect(decodeHost(value, TAG, "fd00::5")?.members.map(({ address }) => address))
    .toEqual(["[fd00::5]:65001", "10.0.0.9:7000"]);
});

test("addresses are published in one form, however they were registered", () => {
  expect(publishedAddress(chat(0, { address: "[FD00:0::5]:7001" }), "fd00::5")).toBe("[fd00::5]:7001");
  expect(publishedAddress(chat(0, { address: "[::ffff:10.0.0.1]:7001" }), "10.0.0.1")).toBe("10.0.0.1:7001");
  expect(publishedAddress(chat(0, { address: "10.0.0.1:07001" }), "10.0.0.1")).toBe("10.0.0.1:7001");
});

test("what cannot be published is refused with what to write instead", () => {
  for (
    const address of ["db.example:7001", "localhost:7001", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:70000", ""]
  ) {
    expect(refusal({ address })).toMatch(
      /^invalid_member_address: .*write an IP address and a port, such as 10\.0\.0\.1:/,
    );
  }
  for (const address of ["[fd00::5]:7001", "[::1]:7001"]) {
    expect(refusal({ address })).toMatch(/^invalid_member_address: .*so write 10\.0\.0\.1:7001/);
  }
  expect(refusal({ address: "[fe80::1%eth0]:7001" }, "fe80::1")).toMatch(
    /^invalid_member_address: .*\[fe80::1\]:7001/,
  );
  for (const incarnation of ["abcde", "abcdefg", "abc-ef", "ABCDEF", ""]) {
    expect(refusal({ incarnation })).toMatch(/^invalid_incarnation: .*exactly 6 characters/);
    expect(isSerfIncarnation(incarnation)).toBe(false);
  }
  for (const slot of [-1, 1024, 1.5, undefined]) {
    expect(refusal({ slot: slot as number })).toStartWith("invalid_slot");
  }
  expect(refusal({ role: "proxy", slot: 3 })).toStartWith("invalid_slot");
  expect(refusal({}, "agent.example")).toStartWith("invalid_member_address");
});

test("a ChatServer that other hosts cannot reach is refused, a proxy is not", () => {
  for (const address of ["127.0.0.1:7001", "127.0.0.2:7001", "0.0.0.0:7001"]) {
    expect(refusal({ address })).toMatch(
      /^invalid_member_address: .*start it with --host 10\.0\.0\.1, or --listen 10\.0\.0\.1:0/,
    );
    const proxy: Member = { id: "p", role: "proxy", incarnation: "abcdef", address, state: "alive" };
    expect(decodeHost(encode([proxy]), TAG, "10.0.0.1")?.members).toEqual([proxy]);
  }
  expect(refusal({ address: "127.0.0.1:7001" }, "127.0.0.5")).toStartWith("1");
  expect(refusal({ address: "127.0.0.1:7001" }, "::1")).toStartWith("1");
});

test("a value that names a ChatServer which nobody can reach is malformed", () => {
  const value = encode([chat(0, { address: "127.0.0.1:7001" })], "127.0.0.5");
  expect(readHost(value, TAG, "127.0.0.5").problem).toBeUndefined();
  expect(readHost(value, TAG, "10.0.0.1").problem).toBe("malformed");
});

test("a value of another cluster, another key or another version is told from one that is damaged", () => {
  const value = encode([chat(1)]);
  const problem = (text: string, tag = TAG) => readHost(text, tag, "10.0.0.1").problem;
  expect(problem(value)).toBeUndefined();
  expect(problem(value, clusterTag("test", placementKey()))).toBe("another_cluster");
  expect(problem(value, clusterTag("main", placementKey("a secret")))).toBe("another_cluster");
  expect(problem("2" + value.slice(1))).toBe("another_version");
  const damaged = [
    "",
    value.slice(0, -1),
    value + "A",
    value.slice(0, 11),
    value + value.slice(12),
    value + "x".repeat(500),
  ];
  const fields = [value.slice(0, 6) + "zz" + value.slice(8), value.slice(0, 6) + "A0" + value.slice(8)];
  for (const text of [...damaged, ...fields]) expect([text, problem(text)]).toEqual([text, "malformed"]);
});

const bytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => String.fromCharCode(...bytes));

test("whatever a tag holds, reading it gives sound members or none", () => {
  const value = encode([
    chat(1),
    chat(2, { id: "p", role: "proxy", slot: undefined, address: "10.9.9.9:1" } as never),
  ]);
  const text = fc.oneof(
    bytes,
    fc.string({ unit: "grapheme-ascii" }).map((tail) => value.slice(0, 12) + tail),
    fc.tuple(fc.nat(value.length), fc.string({ unit: "grapheme-ascii", maxLength: 2 })).map(([at, patch]) =>
      value.slice(0, at) + patch + value.slice(at + patch.length)
    ),
  );
  fc.assert(
    fc.property(text, (text) => {
      const read = decodeHost(text, TAG, "10.0.0.1");
      if (read) {
        expect(encodeHost({ clusterTag: TAG, agentAddress: "10.0.0.1", maxBytes: 512, ...read })).toBe(text);
      }
    }),
    { numRuns: 1000 },
  );
});

test("counts of publications are compared across the wrap", () => {
  expect(isNewerSeq(1, 0)).toBe(true);
  expect(isNewerSeq(0, SEQ_MODULUS - 1)).toBe(true);
  expect(isNewerSeq(SEQ_MODULUS / 2 - 1, 0)).toBe(true);
  expect(isNewerSeq(0, 0)).toBe(false);
  expect(isNewerSeq(0, 1)).toBe(false);
  expect(isNewerSeq(SEQ_MODULUS / 2, 0)).toBe(false);
});

test("a host that has lost its count begins ahead of its earlier life", () => {
  const started = 1_790_000_000_000;
  const counted = (firstSeq(started) + 3 * 86_400) % SEQ_MODULUS;
  expect(isNewerSeq(firstSeq(started + 86_400_000), counted)).toBe(true);
});

test("hosts and clusters have tags of 5 digits that differ", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `host-${i}`);
  const hashes = names.map(hostHash);
  for (const hash of hashes) expect(hash).toMatch(/^[A-Za-z0-9_-]{5}$/);
  expect(new Set(hashes).size).toBe(1000);
  expect(TAG).toMatch(/^[A-Za-z0-9_-]{5}$/);
});

test("the specification's example is what is published", () => {
  const tag = clusterTag("toychat", placementKey());
  const [agentName, agentAddress] = ["host-a", "10.0.0.1"];
  const members: Member[] = [
    { id: "chat-1", role: "chat", incarnation: "abc123", address: "10.0.0.1:7001", slot: 0, state: "alive" },
    { id: "proxy-1", role: "proxy", incarnation: "zzzzzz", address: "192.0.2.7:8080", state: "alive" },
  ];
  const gone = members.slice(1);
  const [event] = encodeDelta({
    clusterTag: tag,
    agentName,
    agentAddress,
    seq: 8,
    changed: [],
    withdrawn: gone,
  });
  const answer = { host: hostHash("host-b"), seq: 5, lost: false, silent: [hostHash(agentName)], out: [] };
  const lines = [
    `tag       ${encodeHost({ clusterTag: tag, slots: 1, seq: 7, members, agentAddress })}`,
    `event     ${event}`,
    `question  ${encodeQuestion(tag, hostHash(agentName))}`,
    `answer    ${encodeAnswer(tag, answer, { host: hostHash("host-a"), ltime: 1 })}`,
  ];
  const specification = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  expect(specification).toContain(lines.join("\n"));
});
