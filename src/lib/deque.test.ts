import { expect, test } from "bun:test";
import fc from "fast-check";
import { Deque } from "./deque.ts";

test("a deque does what an array does, whatever is done to it", () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), count: fc.integer({ min: 1, max: 900 }) }),
    fc.record({ kind: fc.constant("shift" as const), count: fc.integer({ min: 1, max: 900 }) }),
    fc.record({ kind: fc.constant("prepend" as const), count: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ kind: fc.constant("filter" as const), count: fc.integer({ min: 2, max: 5 }) }),
  );
  fc.assert(fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
    const deque = new Deque<number>();
    let array: number[] = [];
    let next = 0;
    for (const { kind, count } of operations) {
      if (kind === "prepend") {
        const items = Array.from({ length: count }, () => next++);
        deque.prepend(items);
        array = [...items, ...array];
      } else if (kind === "filter") {
        deque.filter((n) => n % count !== 0);
        array = array.filter((n) => n % count !== 0);
      } else {
        for (let i = 0; i < count; i++) {
          if (kind === "push") array.push(next), deque.push(next++);
          else expect(deque.shift()).toBe(array.shift() as number);
        }
      }
      expect(deque.length).toBe(array.length);
      expect(deque.peek()).toBe(array[0] as number);
      expect(deque.at(array.length - 1)).toBe(array.at(-1) as number);
    }
    expect([...deque]).toEqual(array);
  }));
});

test("items may be added while the deque is walked through", () => {
  const deque = new Deque<number>();
  for (const n of [1, 2, 3]) deque.push(n);
  const seen: number[] = [];
  for (const n of deque) {
    seen.push(n);
    if (n < 3) deque.push(n + 10);
  }
  expect(seen).toEqual([1, 2, 3, 11, 12]);
});
