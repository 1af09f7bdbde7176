import { beforeEach, expect, test } from "bun:test";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { BridgeLease } from "./bridge_lease.ts";

let clock: ManualClock;
let lease: BridgeLease;

beforeEach(() => {
  clock = new ManualClock();
  const keeper = { drain: () => Promise.resolve(), leave: () => Promise.resolve() };
  lease = new BridgeLease({ id: "a", role: "chat", address: "h:1" }, clock, keeper);
});

const enter = (): boolean => lease.registered(lease.incarnation, 0, "bridge-1", clock.now());

test("a lease is held from the registration until 2 s after the last proof", () => {
  expect(lease.held()).toBe(false);
  enter();
  clock.advance(1999);
  expect(lease.held()).toBe(true);
  lease.proven(clock.now() - 500);
  clock.advance(1499);
  expect(lease.held()).toBe(true);
  clock.advance(1);
  expect([lease.held(), lease.lost]).toEqual([false, true]);
});

test("proof that comes too late does not bring a lost lease back, even if nobody had looked", () => {
  enter();
  clock.advance(2500);
  lease.proven(clock.now());
  expect(lease.held()).toBe(false);
  expect(lease.registered(lease.incarnation, 0, "bridge-2", clock.now())).toBe(false);
  expect(lease.held()).toBe(false);
});

test("a lost lease comes back as a new incarnation, and listeners are told when it is held", () => {
  enter();
  const { incarnation } = lease;
  const held: boolean[] = [];
  const told: string[] = [];
  lease.onRejoin(() => {
    held.push(lease.held());
    told.push(lease.incarnation);
  });
  lease.lose();
  lease.renew();
  // Others see the new one sooner: who asks for it must not be answered before this life has ended.
  expect([lease.replaces, lease.held(), lease.incarnation]).toEqual([incarnation, false, incarnation]);
  expect(lease.claimed).not.toBe(incarnation);
  expect(lease.registered(lease.claimed, 3, "bridge-1", clock.now())).toBe(true);
  expect([held, lease.slot, lease.replaces]).toEqual([[true], 3, undefined]);
  expect([told, lease.incarnation]).toEqual([[lease.claimed], lease.claimed]);
});

test("a registration that was answered too late, or for an earlier incarnation, does not count", () => {
  const asked = clock.now();
  clock.advance(2000);
  expect(lease.registered(lease.incarnation, 0, "bridge-1", asked)).toBe(false);
  expect(lease.registered("older", 0, "bridge-1", clock.now())).toBe(false);
  expect(lease.held()).toBe(false);
});

test("the first registration and one with the next bridge are no rejoin", () => {
  let rejoins = 0;
  lease.onRejoin(() => rejoins++);
  enter();
  expect(lease.registered(lease.incarnation, 0, "bridge-2", clock.now())).toBe(true);
  expect(rejoins).toBe(0);
});

test("a lease that was left is not held, and not lost either", async () => {
  enter();
  await lease.leave();
  expect([lease.held(), lease.lost]).toEqual([false, false]);
});
