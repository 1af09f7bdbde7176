import { beforeEach, expect, test } from "bun:test";
import { placementKey } from "./placement.ts";
import { type Claim, Registry } from "./registry.ts";

let registry: Registry;

beforeEach(() => {
  registry = new Registry(placementKey());
});

function claim(id: string, rest: Partial<Claim> = {}): number | undefined {
  return registry.claim({ id, role: "chat", address: "127.0.0.1:7001", incarnation: "1", ...rest }).slot;
}

test("ChatServers get the lowest free slot, proxies none", () => {
  expect([claim("a"), claim("b"), claim("p", { role: "proxy" }), claim("c")]).toEqual([0, 1, undefined, 2]);
  registry.withdraw("b");
  expect(claim("d")).toBe(1);
  expect(claim("e")).toBe(3);
});

test("a draining member keeps its slot until it leaves", () => {
  claim("a");
  registry.setState("a", "1", "draining");
  expect(claim("b")).toBe(1);
  registry.withdraw("a");
  expect(claim("c")).toBe(0);
});

test("the number of slots never falls", () => {
  claim("a");
  claim("b");
  claim("c");
  registry.withdraw("c");
  registry.withdraw("b");
  expect(registry.view.slots).toBe(3);
  registry.raiseSlots(2);
  expect(registry.view.slots).toBe(3);
  registry.raiseSlots(5);
  expect(registry.view.slots).toBe(5);
});

test("a slot that is only claimed does not count before it is placed", () => {
  claim("a", { state: "joining" });
  expect(registry.view.slots).toBe(0);
  registry.setState("a", "1", "alive");
  expect(registry.view.slots).toBe(1);
});

test("an id that is taken is refused and the message says who has it", () => {
  claim("a", { address: "127.0.0.1:7009" });
  expect(() => claim("a", { incarnation: "2" })).toThrow('the id "a" is taken by the chat at 127.0.0.1:7009');
  expect(registry.get("a")?.incarnation).toBe("1");
});

test("a member may replace its own earlier incarnation and keeps its slot", () => {
  claim("a");
  claim("b");
  expect(claim("b", { incarnation: "2", replaces: "1" })).toBe(1);
  expect(registry.view.members.map((m) => m.incarnation)).toEqual(["1", "2"]);
});

test("a member that comes back gets its slot, unless another holds it", () => {
  expect(claim("a", { slot: 4 })).toBe(4);
  expect(() => claim("b", { slot: 4 })).toThrow('slot 4 is held by "a"');
  expect(registry.get("b")).toBeUndefined();
});

test("withdrawing an old incarnation leaves the new one alone", () => {
  claim("a");
  claim("a", { incarnation: "2", replaces: "1" });
  expect(registry.withdraw("a", "1")).toBe(false);
  expect(registry.setState("a", "1", "draining")).toBe(false);
  expect(registry.view.members).toHaveLength(1);
});

test("the view stays the same object until something changes", () => {
  claim("a");
  const { view } = registry;
  registry.raiseSlots(1);
  registry.setState("a", "1", "alive");
  expect(registry.view).toBe(view);
  registry.setState("a", "1", "draining");
  expect(registry.view.revision).toBeGreaterThan(view.revision);
});

test("bad names are refused with what to write instead", () => {
  expect(() => claim("Chat_1")).toThrow('"Chat_1" cannot be a member\'s id: use 1 to 8 characters');
  expect(() => claim("chat-server-1")).toThrow("1 to 8 characters");
  expect(() => claim("a\u001b[2J")).toThrow("a\\u001b[2J");
  expect(() => claim("a", { address: "localhost" })).toThrow("use host:port");
  expect(() => claim("a", { address: "h:70000" })).toThrow("use host:port");
  expect(() => claim("a", { address: "h:0" })).toThrow("use host:port");
  expect(() => claim("a", { role: "boss" as "chat" })).toThrow('"boss" is not a role');
  expect(() => claim("a", { slot: -1 })).toThrow("from 0 to 1023");
  expect(() => claim("a", { incarnation: "A b" })).toThrow('incarnation is "A b": give');
  expect(claim("a", { address: "[::1]:7001" })).toBe(0);
});

test("when all slots are taken the next ChatServer is refused", () => {
  for (let i = 0; i < 1024; i++) claim(`c${i}`);
  expect(() => claim("more")).toThrow("all 1024 slots");
});

test("a claim whose slot or predecessor makes no sense is refused, null included", () => {
  expect(() => claim("a", { slot: null as never })).toThrow(
    "slot is null: give a whole number from 0 to 1023",
  );
  expect(() => claim("a", { replaces: null as never })).toThrow(
    "replaces is null: give 1 to 32 characters of a-z",
  );
  expect(registry.view.members).toEqual([]);
});
