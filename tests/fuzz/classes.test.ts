/**
 * Classes of attack that are a matter of time or of chance rather than of one input.
 *
 * @module
 */
import { expect, test } from "bun:test";
import type { Transport } from "../../src/lib/transport.ts";
import { ToychatError } from "../../src/lib/errors.ts";
import { LinkDialer } from "../../src/link/dialer.ts";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { createPlacement, placementKey } from "../../src/membership/placement.ts";
import { createView, type Member } from "../../src/membership/view.ts";
import { memoryTransport } from "../../transports/memory.ts";
import { connect } from "../support/mqtt_wire.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { World } from "./world.ts";

test("a client that says nothing, and one that sends a byte of its CONNECT each second, are ended in time", async () => {
  const world = await World.make();
  const silent = world.client("tcp");
  const slow = world.client("tcp");
  const bytes = connect();
  for (let i = 0; i < 10; i++) world.clock.after(i * 1000, () => slow.feed(bytes.subarray(i, i + 1)));
  await world.clock.run(4500);
  expect([silent.over, slow.over]).toEqual([false, false]);
  await world.clock.run(3000);
  expect([silent.over, slow.over]).toEqual([true, true]);
  await world.rest();
  expect(world.problems()).toEqual([]);
});

test("a peer that sends a byte of its hello each second is ended in time", async () => {
  const world = await World.make("a secret");
  const slow = world.link();
  for (let i = 0; i < 10; i++) world.clock.after(i * 1000, () => slow.feed(Uint8Array.of(0x20)));
  await world.clock.run(4500);
  expect(slow.over).toBe(false);
  await world.clock.run(3000);
  expect(slow.ending?.how).toBe("closed");
});

/** A cluster of four ChatServers. */
function servers(): Member[] {
  return Array.from({ length: 4 }, (_, slot) => ({
    id: `c${slot}`,
    role: "chat" as const,
    address: `127.0.0.1:${7000 + slot}`,
    incarnation: "a",
    state: "alive" as const,
    slot,
  }));
}

test("rooms that are chosen to fall on one server without a secret fall on all where there is one", () => {
  const placed = (key: Uint8Array) =>
    createPlacement(createView({ members: servers(), slots: 4, placementKey: key }), key);
  const known = placed(placementKey());
  const aimed = Array.from({ length: 4000 }, (_, i) => `room-${i}`).filter((room) =>
    known.owner(room)?.id === "c0"
  );
  expect(aimed.length).toBeGreaterThan(800);
  const secret = placed(placementKey("nobody knows"));
  for (const { id } of servers()) {
    const share = aimed.filter((room) => secret.owner(room)?.id === id).length / aimed.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.3);
  }
});

/** A transport on which nothing listens, and the times at which it was asked to connect. */
function nowhere(clock: VirtualClock): { transport: Transport; times: number[] } {
  const times: number[] = [];
  const transport: Transport = {
    ...memoryTransport({ clock }),
    createContext: () => memoryTransport({ clock }).createContext(),
    connect() {
      times.push(clock.now());
      return Promise.reject(new ToychatError("connection_refused", "nothing listens"));
    },
  };
  return { transport, times };
}

/** The most that came within some milliseconds, after a time. */
function crowd(times: readonly number[], after: number, ms: number): number {
  const late = times.filter((time) => time >= after);
  return Math.max(...late.map((time) => late.filter((other) => other >= time && other < time + ms).length));
}

test("processes that lose a server at one moment do not come back at one moment: links", async () => {
  const clock = new VirtualClock(3);
  const { transport, times } = nowhere(clock);
  const handler = { open() {}, frame() {}, confirmed() {}, drain() {}, reset() {} };
  const dialers = Array.from({ length: 100 }, (_, i) =>
    new LinkDialer({
      transport,
      clock,
      handler,
      address: { host: "127.0.0.1", port: 1 },
      self: { role: "proxy", id: `p${i}`, incarnation: "a" },
      expect: { id: "c1" },
      cluster: "toychat",
    }));
  for (const dialer of dialers) dialer.start();
  await clock.run(30_000);
  for (const dialer of dialers) dialer.close();
  // A second is the longest delay, of which up to a half is left to chance.
  expect(times.length).toBeGreaterThan(100 * 25);
  expect(times.length).toBeLessThan(100 * 75);
  expect(crowd(times, 10_000, 50)).toBeLessThan(30);
});

test("processes that lose a server at one moment do not come back at one moment: members of a bridge", async () => {
  const clock = new VirtualClock(4);
  const { transport, times } = nowhere(clock);
  const members = Array.from(
    { length: 100 },
    () => new BridgeMembership({ transport, clock, url: "ws://127.0.0.1:7374/rpc", timeoutMs: 60_000 }),
  );
  for (const [i, member] of members.entries()) {
    member.join({ id: `p${i}`, role: "proxy", address: "127.0.0.1:1" }).catch(() => {});
  }
  await clock.run(20_000);
  for (const member of members) void member.close();
  expect(times.length).toBeGreaterThan(100 * 100);
  expect(crowd(times.filter((time) => time < 12_000), 10_000, 25)).toBeLessThan(50);
});
