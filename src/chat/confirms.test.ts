import { expect, test } from "bun:test";
import { FakeLink } from "../../tests/support/fake_link.ts";
import { Confirms } from "./confirms.ts";

test("calls back once every link has confirmed its frame", () => {
  const confirms = new Confirms();
  const [one, two] = [new FakeLink("p1"), new FakeLink("p2")];
  let done = 0;
  confirms.all(new Map([[one, 5], [two, 3]]), () => done++);
  confirms.confirmed(one, 4);
  confirms.confirmed(two, 3);
  expect([done, confirms.idle]).toEqual([0, false]);
  confirms.confirmed(one, 9);
  confirms.confirmed(one, 10);
  expect([done, confirms.idle]).toEqual([1, true]);
});

test("does not wait for what was confirmed before", () => {
  const confirms = new Confirms();
  const link = new FakeLink("p1");
  confirms.confirmed(link, 5);
  let done = 0;
  confirms.all(new Map([[link, 5]]), () => done++);
  expect(done).toBe(1);
  confirms.all(new Map([[link, 6]]), () => done++);
  expect(done).toBe(1);
});

test("does not wait for links that have ended, before or meanwhile", () => {
  const confirms = new Confirms();
  const [one, two] = [new FakeLink("p1"), new FakeLink("p2")];
  let done = 0;
  confirms.all(new Map(), () => done++);
  one.ended = true;
  confirms.all(new Map([[one, 1], [two, 0]]), () => done++);
  expect(done).toBe(2);
  confirms.all(new Map([[two, 1]]), () => done++);
  confirms.all(new Map([[two, 2]]), () => done++);
  confirms.reset(two);
  expect([done, confirms.idle]).toEqual([4, true]);
});

test("a callback may wait again", () => {
  const confirms = new Confirms();
  const link = new FakeLink("p1");
  const order: string[] = [];
  confirms.all(new Map([[link, 1]]), () => {
    order.push("first");
    confirms.all(new Map([[link, 2]]), () => order.push("second"));
  });
  confirms.confirmed(link, 1);
  expect(order).toEqual(["first"]);
  confirms.confirmed(link, 2);
  expect(order).toEqual(["first", "second"]);
});
