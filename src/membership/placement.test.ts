import { expect, test } from "bun:test";
import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { createPlacement, hashRoom, placementKey } from "./placement.ts";
import { Registry } from "./registry.ts";
import type { Member, View } from "./view.ts";
import { createView } from "./view.ts";

const KEY = placementKey();
const rooms = (count: number): string[] => Array.from({ length: count }, (_, i) => `room/${i}`);

function chat(slot: number, state: Member["state"] = "alive"): Member {
  return { id: `c${slot}`, role: "chat", incarnation: "1", address: `10.0.0.1:${7000 + slot}`, slot, state };
}

function view(slots: number, members: Member[]): View {
  return createView({ members, slots, placementKey: KEY });
}

function counts(at: View, names: string[]): number[] {
  const placement = createPlacement(at, KEY);
  const found = new Array<number>(at.slots).fill(0);
  for (const name of names) {
    const slot = placement.owner(name)?.slot as number;
    found[slot] = (found[slot] as number) + 1;
  }
  return found;
}

test("8 servers get 100,000 rooms within 5 % of an even share", () => {
  const even = 100_000 / 8;
  for (const count of counts(view(8, [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => chat(slot))), rooms(100_000))) {
    expect(Math.abs(count - even)).toBeLessThanOrEqual(even * 0.05);
  }
});

test("servers with empty slots between and behind them get rooms evenly", () => {
  const found = counts(view(12, [1, 2, 5, 7, 9].map((slot) => chat(slot))), rooms(20_000));
  for (const slot of [1, 2, 5, 7, 9]) expect(Math.abs(found[slot] as number - 4000)).toBeLessThanOrEqual(320);
});

test("a few servers among very many empty slots get rooms evenly", () => {
  const found = counts(view(1000, [3, 400, 999].map((slot) => chat(slot))), rooms(3000));
  for (const slot of [3, 400, 999]) expect(Math.abs(found[slot] as number - 1000)).toBeLessThanOrEqual(130);
});

test("nobody owns a room where no ChatServer is alive", () => {
  expect(createPlacement(view(0, []), KEY).owner("lobby")).toBeUndefined();
  expect(createPlacement(view(2, [chat(0, "draining"), chat(1, "joining")]), KEY).owner("lobby"))
    .toBeUndefined();
});

test("a proxy owns nothing", () => {
  const proxy: Member = { id: "p", role: "proxy", incarnation: "1", address: "h:1", state: "alive" };
  expect(createPlacement(view(1, [chat(0), proxy]), KEY).owner("lobby")?.id).toBe("c0");
  expect(createPlacement(view(0, [proxy]), KEY).owner("lobby")).toBeUndefined();
});

type Event = { kind: "join" | "die" | "drain" | "return"; pick: number };

/** Applies an event where it makes sense; tells which server it was about. */
function apply(registry: Registry, dead: Member[], { kind, pick }: Event, step: number): Member | undefined {
  const { members } = registry.view;
  if (kind === "join") {
    if (members.length >= 12) return undefined;
    return registry.claim({ id: `n${step}`, role: "chat", address: "h:1", incarnation: "1" });
  }
  if (kind === "return") {
    const member = dead.splice(pick % Math.max(dead.length, 1), 1)[0];
    if (!member || members.some((other) => other.slot === member.slot)) return undefined;
    return registry.claim({ ...member, incarnation: `r${step}`, state: "alive" });
  }
  const member = members[pick % Math.max(members.length, 1)];
  if (!member) return undefined;
  if (kind === "drain") registry.setState(member.id, member.incarnation, "draining");
  else {
    registry.withdraw(member.id);
    dead.push(member);
  }
  return member;
}

const events = fc.array(
  fc.record({
    kind: fc.constantFrom<Event["kind"]>("join", "join", "die", "drain", "return"),
    pick: fc.nat(100),
  }),
  { maxLength: 30, size: "max" },
);

test("no event moves a room that need not move, in any sequence", () => {
  const names = rooms(150);
  fc.assert(
    fc.property(events, (sequence) => {
      const registry = new Registry(KEY);
      const dead: Member[] = [];
      let before = createPlacement(registry.view, KEY);
      sequence.forEach((event, step) => {
        const about = apply(registry, dead, event, step);
        const after = createPlacement(registry.view, KEY);
        const comes = event.kind === "join" || event.kind === "return";
        for (const name of names) {
          const from = before.owner(name)?.id;
          const to = after.owner(name)?.id;
          if (from !== to) expect(comes ? to : from).toBe(about?.id as string);
          if (!comes && about) expect(to).not.toBe(about.id);
        }
        before = after;
      });
    }),
    { numRuns: 100 },
  );
});

test("the death of any of 8 servers moves an eighth of the rooms, and its return brings exactly them back", () => {
  const names = rooms(2000);
  const all = [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => chat(slot));
  const full = createPlacement(view(8, all), KEY);
  for (const gone of all) {
    const without = createPlacement(view(8, all.filter((m) => m !== gone)), KEY);
    const moved = names.filter((name) => without.owner(name)?.id !== full.owner(name)?.id);
    expect(moved).toEqual(names.filter((name) => full.owner(name)?.id === gone.id));
    expect(moved.length).toBeGreaterThan(180);
    expect(moved.length).toBeLessThan(320);
  }
});

test("the owner depends on the placement key", () => {
  const members = view(8, [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => chat(slot)));
  const ours = createPlacement(members, KEY);
  const theirs = createPlacement(members, placementKey("a secret"));
  const same = rooms(800).filter((name) => ours.owner(name) === theirs.owner(name)).length;
  expect(same).toBeLessThan(160);
});

test("owners stay right for more rooms than are remembered", () => {
  const placement = createPlacement(view(3, [chat(0), chat(1), chat(2)]), KEY);
  const some = rooms(200);
  const first = some.map((name) => placement.owner(name)?.id);
  for (let i = 0; i < 70_000; i++) placement.owner(`other/${i}`);
  expect(some.map((name) => placement.owner(name)?.id)).toEqual(first);
});

test("keys, hashes and owners are those of docs/protocol.md", () => {
  // From an independent implementation in Python (hashlib.blake2b and whole numbers).
  const secretKey = placementKey("correct horse");
  expect(bytesToHex(KEY)).toBe("f03359e72cf104eb2c28b6f4778c53d68cc7dee986ce45bb87397fda2da6da62");
  expect(bytesToHex(secretKey)).toBe("d18f0c302cb9e339d6e1e19dc729bfc35d3e5abc2a5d9049848517c9bf5772f7");
  const hex = (half: number): string => half.toString(16).padStart(8, "0");
  const hashes = ["lobby", "plaza/fountain", "café"].map((name) => hashRoom(name, KEY));
  expect(hashes.map(({ hi, lo }) => hex(hi) + hex(lo))).toEqual([
    "c4cc382acd4b881e",
    "ea2e39a54711d206",
    "1b21cd81efcd0a90",
  ]);
  const names = ["lobby", "plaza/fountain", "café", "room/0", "room/1", "room/2"];
  const slots = (at: View, key: Uint8Array) =>
    names.map((name) => createPlacement(at, key).owner(name)?.slot);
  const holes = view(7, [0, 2, 3, 5].map((slot) => chat(slot)));
  expect(slots(holes, KEY)).toEqual([0, 5, 2, 3, 3, 5]);
  expect(slots(holes, secretKey)).toEqual([2, 5, 0, 2, 5, 3]);
  expect(slots(view(1000, [3, 400, 999].map((slot) => chat(slot))), KEY)).toEqual([999, 3, 400, 3, 400, 400]);
});

test("an empty secret is refused", () => {
  expect(() => placementKey("")).toThrow("the cluster secret is empty");
});
