import { expect, test } from "bun:test";
import { placementKey } from "./placement.ts";
import { createView, emptyView, type Member } from "./view.ts";

const KEY = placementKey();
const members: Member[] = [
  { id: "proxy-1", role: "proxy", incarnation: "ijkl9012", address: "127.0.0.1:8080", state: "alive" },
  {
    id: "chat-2",
    role: "chat",
    incarnation: "efgh5678",
    address: "127.0.0.1:7002",
    slot: 1,
    state: "draining",
  },
  { id: "chat-1", role: "chat", incarnation: "abcd1234", address: "127.0.0.1:7001", slot: 0, state: "alive" },
];

test("a view lists its members by id and cannot be changed", () => {
  const view = createView({ members, slots: 2, revision: 7, placementKey: KEY });
  expect(view.members.map((member) => member.id)).toEqual(["chat-1", "chat-2", "proxy-1"]);
  expect(view.revision).toBe(7);
  expect(() => (view.members as Member[]).push(members[0] as Member)).toThrow();
  expect(() => Object.assign(view.members[0] as Member, { state: "draining" })).toThrow();
  expect(() => Object.assign(view, { slots: 9 })).toThrow();
});

test("the digest is the one of docs/protocol.md", () => {
  expect(createView({ members, slots: 2, placementKey: KEY }).digest).toBe("c3ff00aa0f16ccf9");
  expect(createView({ members, slots: 2, placementKey: placementKey("correct horse") }).digest)
    .toBe("b4ea64b072393bb3");
  expect(emptyView(KEY).digest).toBe("cad121ae2ed60638");
});

test("equal lists have equal digests in any order, at any revision", () => {
  const one = createView({ members, slots: 2, revision: 1, placementKey: KEY });
  const other = createView({ members: members.toReversed(), slots: 2, revision: 2, placementKey: KEY });
  expect(other.digest).toBe(one.digest);
});

test("every field of a member changes the digest", () => {
  const digests = new Set<string>();
  const changes: Partial<Member>[] = [
    {},
    { id: "chat-0" },
    { role: "proxy" },
    { incarnation: "zzz" },
    { address: "127.0.0.1:1" },
    { slot: 2 },
    { state: "alive" },
  ];
  for (const change of changes) {
    const changed = members.map((member) => member.id === "chat-2" ? { ...member, ...change } : member);
    digests.add(createView({ members: changed, slots: 3, placementKey: KEY }).digest);
  }
  digests.add(createView({ members, slots: 4, placementKey: KEY }).digest);
  expect(digests.size).toBe(changes.length + 1);
});

test("a view with two members of one id is refused", () => {
  const twice = [members[0] as Member, members[0] as Member];
  expect(() => createView({ members: twice, slots: 2, placementKey: KEY })).toThrow('the id "proxy-1"');
});
