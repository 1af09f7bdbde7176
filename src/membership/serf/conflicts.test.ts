import { expect, test } from "bun:test";
import fc from "fast-check";
import { publishedMember } from "../../../tests/support/host_members.ts";
import { placementKey } from "../placement.ts";
import { createView, type Member, type MemberState } from "../view.ts";
import { readWireView } from "../wire_view.ts";
import { type HostMember, resolveClaims } from "./conflicts.ts";

function chat(id: string, slot: number, state: MemberState = "alive", incarnation = "aaaaaa"): Member {
  return { id, role: "chat", incarnation, address: "10.0.0.1:7001", slot, state };
}

function resolve(...claims: [host: string, member: Member][]): ReturnType<typeof resolveClaims> {
  return resolveClaims(claims.map(([host, member]) => ({ host, member })));
}

/** Who is in the view, as `id:incarnation:slot:state`. */
function view(...claims: [host: string, member: Member][]): string[] {
  return resolve(...claims).members.map(({ member: { id, incarnation, slot, state } }) =>
    `${id}:${incarnation}:${slot ?? "-"}:${state}`
  );
}

test("of two lives with one id the placed one holds it, then the one with the lower incarnation", () => {
  expect(view(["a", chat("c", 0, "joining", "aaaaaa")], ["b", chat("c", 1, "alive", "zzzzzz")]))
    .toEqual(["c:zzzzzz:1:alive"]);
  expect(view(["a", chat("c", 0, "alive", "bbbbbb")], ["b", chat("c", 1, "draining", "aaaaaa")]))
    .toEqual(["c:aaaaaa:1:draining"]);
  const { losses, holders } = resolve(["a", chat("c", 0, "alive", "bbbbbb")], ["b", chat("c", 1)]);
  expect(losses.map(({ loser, what, to }) => [loser.host, what, to.host])).toEqual([["a", "id", "b"]]);
  expect(holders.get("c")?.host).toBe("b");
});

test("who has lost its id does not contend for a slot", () => {
  expect(view(["a", chat("c", 0, "alive", "bbbbbb")], ["b", chat("c", 1)], ["d", chat("d", 0, "joining")]))
    .toEqual(["c:aaaaaa:1:alive", "d:aaaaaa:0:joining"]);
});

test("of two placed ChatServers in one slot the lower id stays, the other drains without a slot", () => {
  expect(view(["a", chat("d", 3)], ["b", chat("c", 3)])).toEqual(["c:aaaaaa:3:alive", "d:aaaaaa:-:draining"]);
});

test("who is placed keeps a slot against who is joining, who waits outside of the view for another one", () => {
  const { members, losses, holders } = resolve(["a", chat("a", 3, "joining")], ["b", chat("b", 3)]);
  expect(members.map(({ member }) => member.id)).toEqual(["b"]);
  expect(losses.map(({ loser, what }) => [loser.member.id, what])).toEqual([["a", "slot"]]);
  expect(holders.get("a")?.host).toBe("a");
  expect(view(["a", chat("a", 3, "joining")], ["b", chat("b", 3, "draining")])).toEqual([
    "b:aaaaaa:3:draining",
  ]);
  expect(view(["a", chat("a", 3, "joining")], ["b", chat("b", 3, "joining")])).toEqual([
    "a:aaaaaa:3:joining",
  ]);
});

test("who drains gives its slot up to who owns rooms", () => {
  expect(view(["a", chat("a", 3, "draining")], ["b", chat("b", 3)])).toEqual([
    "a:aaaaaa:-:draining",
    "b:aaaaaa:3:alive",
  ]);
});

test("one life that two hosts tell of is there once", () => {
  expect(view(["b", chat("c", 0, "draining")], ["a", chat("c", 0)])).toEqual(["c:aaaaaa:0:alive"]);
});

const claim: fc.Arbitrary<HostMember> = fc.record({
  host: fc.constantFrom("a", "b", "c", "d"),
  // Few ids, slots and incarnations, so that there are conflicts.
  member: fc.tuple(publishedMember("10.0.0.1"), fc.constantFrom("x", "y", "z", "w"), fc.nat(3), fc.boolean())
    .map(([member, id, slot, first]) => ({
      ...member,
      id,
      incarnation: first ? "aaaaaa" : "bbbbbb",
      ...(member.slot === undefined ? {} : { slot }),
    })),
});

const claims = fc.uniqueArray(claim, {
  selector: ({ host, member }) => `${host} ${member.id}`,
  maxLength: 12,
});

test("whatever is claimed, everyone comes to the same sound view, in whatever order it was heard", () => {
  fc.assert(
    fc.property(
      claims.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([
        all,
        shuffled,
      ]) => {
        const resolution = resolveClaims(all);
        expect(resolveClaims(shuffled).members).toEqual(resolution.members);
        expect(new Set(resolveClaims(shuffled).losses)).toEqual(new Set(resolution.losses));
        const members = resolution.members.map(({ member }) => member);
        const view = createView({ members, slots: 4, placementKey: placementKey() });
        const sent = JSON.parse(JSON.stringify({ bridge: "b", view, settling: false, gone: [] }));
        expect(readWireView(sent, placementKey()).view.digest).toBe(view.digest);
        const ids = new Set(all.map(({ member }) => member.id));
        expect([...resolution.holders.keys()].sort()).toEqual([...ids].sort());
      },
    ),
    { numRuns: 500 },
  );
});

test("losing settles nothing for others: without the losers the winners are the same", () => {
  fc.assert(
    fc.property(claims, (all) => {
      const { members, losses } = resolveClaims(all);
      const losers = new Set(losses.map(({ loser }) => loser));
      const without = resolveClaims(all.filter((one) => !losers.has(one)));
      const winners = members.filter(({ host, member }) =>
        ![...losers].some((loser) => loser.host === host && loser.member.id === member.id)
      );
      expect(without.members).toEqual(winners);
      expect(without.losses).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
