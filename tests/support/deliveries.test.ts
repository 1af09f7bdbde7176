import { expect, test } from "bun:test";
import { deliveryProblems, lineKey, numbered, orderProblems, type Sent } from "./deliveries.ts";

const acknowledged = (number: number): Sent => ({ number, state: "acknowledged" });
const unasked = (number: number): Sent => ({ number, state: "unasked" });
const sent = new Map([
  [lineKey("ann", "lobby"), [1, 2, 3].map(acknowledged)],
  [lineKey("bob", "lobby"), [1, 2, 3].map(unasked)],
]);
const heard = (...bodies: string[]) => bodies.map((body) => ({ room: "lobby", body }));
const all = ["ann:1", "bob:1", "bob:2", "ann:2", "ann:3", "bob:3"];

test("a body says who sent it and its number", () => {
  expect(numbered("ann", 12)).toBe("ann:12");
});

test("each message once and in order is no problem, whatever else was said", () => {
  expect(deliveryProblems("cat", heard(...all, "who", "{}"), sent, "everything")).toEqual([]);
});

test("a message that came twice is named", () => {
  expect(deliveryProblems("cat", heard(...all, "ann:3"), sent, "everything"))
    .toEqual(["cat: ann in lobby: 3 came twice"]);
});

test("a message that came after a later one is named", () => {
  const mixed = heard("ann:2", "ann:1", "ann:3", "bob:1", "bob:2", "bob:3");
  expect(deliveryProblems("cat", mixed, sent, "everything"))
    .toEqual(["cat: ann in lobby: 1 after 2 came out of order"]);
});

test("a message that never came is named, where it was acknowledged or everything must come", () => {
  const few = heard("ann:1", "ann:3", "bob:3");
  expect(deliveryProblems("cat", few, sent, "acknowledged")).toEqual(["cat: ann in lobby: 2 never came"]);
  expect(deliveryProblems("cat", few, sent, "everything"))
    .toEqual(["cat: ann in lobby: 2 never came", "cat: bob in lobby: 1, 2 never came"]);
  expect(deliveryProblems("cat", few, sent, "nothing")).toEqual([]);
  expect(deliveryProblems("cat", [], sent, "acknowledged"))
    .toEqual(["cat: ann in lobby: 1, 2, 3 never came"]);
});

test("a message that nobody sent is named", () => {
  expect(deliveryProblems("cat", heard(...all, "dan:1"), sent, "everything"))
    .toEqual(["cat: dan in lobby: 1 came and was never sent"]);
});

test("two who heard a room in different orders are named", () => {
  const receiver = (name: string, bodies: string[]) => ({ name, bodies: () => bodies });
  expect(orderProblems("lobby", [receiver("cat", all), receiver("dan", [...all])])).toEqual([]);
  expect(orderProblems("lobby", [receiver("cat", all), receiver("dan", all.toReversed())]))
    .toEqual(["dan heard bob:3 in lobby where cat heard ann:1"]);
  expect(orderProblems("lobby", [receiver("cat", all), receiver("dan", all.slice(0, 5))]))
    .toEqual(["dan heard undefined in lobby where cat heard bob:3"]);
});
