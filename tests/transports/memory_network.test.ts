/**
 * What the network in memory offers beyond the contract: hosts, delays, holds and breaks, all by an injected clock.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryTransport } from "../../transports/memory.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { calm, done, pattern, Peer, rejects, sameBytes, until } from "./support.ts";

const never = new AbortController().signal;

test("memory network: hosts have ports of their own, and see each other's addresses", async () => {
  const a = memoryTransport({ host: "10.0.0.1" });
  const b = a.at("10.0.0.2");
  const far = new Peer();
  const near = new Peer();
  const server = await a.listen({ port: 7001, host: "10.0.0.1" }, far.accept);
  const other = await b.listen({ port: 7001, host: "10.0.0.2" }, new Peer().accept);
  await rejects(a.listen({ port: 7001, host: "0.0.0.0" }, new Peer().accept), "address_in_use");
  await rejects(b.connect({ host: "10.0.0.3", port: 7001 }, near.accept), "connection_refused");
  await b.connect({ host: "10.0.0.1", port: 7001 }, near.accept);
  assert.equal(near.connection.remoteAddress, "10.0.0.1");
  assert.equal(far.connection.remoteAddress, "10.0.0.2");
  assert.deepEqual(a.count(), { connections: 2, listeners: 2 });
  await server.close();
  await other.close();
  await done(near, far);
  assert.deepEqual(b.count(), { connections: 0, listeners: 0 });
});

test("memory network: one that listens on 0.0.0.0 is reached under every address", async () => {
  const transport = memoryTransport();
  const far = new Peer();
  const near = new Peer();
  const server = await transport.listen({ port: 0, host: "0.0.0.0" }, far.accept);
  await transport.at("10.0.0.9").connect({ host: "10.1.2.3", port: server.port }, near.accept);
  await server.close();
  await done(near, far);
});

test("memory network: a delivery takes its delay on the clock, and order is kept whatever the delays are", async () => {
  const clock = new ManualClock();
  const delays = [30, 1, 20, 5];
  const transport = memoryTransport({
    clock,
    delay: ({ kind }) => kind === "data" ? delays.shift() ?? 0 : 0,
  });
  const far = new Peer();
  const near = new Peer();
  const server = await transport.listen({ port: 0 }, far.accept);
  await transport.connect({ host: server.host, port: server.port }, near.accept);
  for (const word of ["one ", "two ", "three ", "four"]) near.connection.send(word);
  await calm();
  assert.equal(far.text(), "");
  clock.advance(29);
  await calm();
  assert.equal(far.text(), "", "what follows waits behind the slow one");
  clock.advance(1);
  await until(() => far.text() === "one two three four", "everything, in order");
  await server.close();
  await done(near, far);
});

test("memory network: a partition holds everything, connects too, until it heals", async () => {
  let cut = false;
  const transport = memoryTransport({ host: "a", delay: () => cut ? Infinity : 0 });
  const there = transport.at("b");
  const far = new Peer();
  const near = new Peer();
  const server = await there.listen({ port: 1, host: "b" }, far.accept);
  await transport.connect({ host: "b", port: 1 }, near.accept);
  cut = true;
  near.connection.send("held");
  near.connection.close();
  const late = new Peer();
  const connecting = transport.connect({ host: "b", port: 1 }, late.accept, { signal: never });
  await calm();
  assert.equal(far.size, 0);
  assert.equal(near.closes.length, 0);
  transport.retry();
  await calm();
  assert.equal(far.size, 0, "still cut");
  cut = false;
  transport.retry();
  assert.equal((await far.ended()).kind, "peer");
  assert.equal(far.text(), "held");
  assert.equal((await near.ended()).kind, "local");
  await connecting;
  await server.close();
  await done(late);
});

test("memory network: a connect into a partition can be aborted", async () => {
  const transport = memoryTransport({ delay: () => Infinity });
  const controller = new AbortController();
  const connecting = transport.connect({ host: "b", port: 1 }, new Peer().accept, {
    signal: controller.signal,
  });
  controller.abort();
  await rejects(connecting, "connect_aborted");
});

test("memory network: a break ends both ends with an error, and only between the hosts named", async () => {
  const transport = memoryTransport({ host: "a" });
  const fars: Peer[] = [];
  for (const host of ["b", "c"]) {
    const far = new Peer();
    fars.push(far);
    await transport.at(host).listen({ port: 1, host }, far.accept);
  }
  const toB = new Peer();
  const toC = new Peer();
  await transport.connect({ host: "b", port: 1 }, toB.accept);
  await transport.connect({ host: "c", port: 1 }, toC.accept);
  toB.connection.send("lost");
  transport.break((from, to) => from === "a" && to === "b");
  assert.equal((await toB.ended()).kind, "error");
  assert.equal((await fars[0]!.ended()).kind, "error");
  assert.equal(fars[0]!.size, 0);
  toC.connection.send("kept");
  await until(() => fars[1]!.text() === "kept", "the other connection");
  await done(toB, toC, ...fars);
});

test("memory network: split cuts a stream at places that the clock's chance chooses, the same for one seed", async () => {
  const cuts: number[][] = [];
  for (let run = 0; run < 2; run++) {
    const transport = memoryTransport({ clock: new ManualClock(7), split: true });
    const far = new Peer();
    const near = new Peer();
    const server = await transport.listen({ port: 0 }, far.accept);
    await transport.connect({ host: server.host, port: server.port }, near.accept);
    const sent = pattern(5000);
    near.connection.send(sent);
    await until(() => far.size === sent.length, "everything");
    assert.ok(sameBytes(far.bytes(), sent));
    cuts.push(far.received.map((chunk) => chunk.length));
    await server.close();
    await done(near, far);
  }
  assert.ok(cuts[0]!.length > 2);
  assert.deepEqual(cuts[0], cuts[1]);
});
