/**
 * Cases about buffers: what is buffered, when a sender hears that there is room, and what a paused reader does to it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import type { Transport } from "../../src/lib/transport.ts";
import { calm, done, pair, pattern, Peer, type Registrar, sameBytes, settled, until } from "./support.ts";

const MEGABYTE = 1_000_000;

/** Sends until `send` says that the buffer is over its mark. */
function fill(peer: Peer, chunk: Uint8Array | string): number {
  for (let sent = 1; sent < 10_000; sent++) if (!peer.connection.send(chunk)) return sent;
  assert.fail("send never returned false");
}

/** Registers them. */
export function backPressureCases(make: () => Transport, test: Registrar): void {
  test("bufferedAmount is zero, grows towards a paused reader, and is zero again when all has left", async () => {
    const [near, far] = await pair(make(), new Peer(false));
    assert.equal(near.connection.bufferedAmount, 0);
    far.connection.pause();
    for (let i = 0; i < 32; i++) near.connection.send(pattern(MEGABYTE));
    const buffered = near.connection.bufferedAmount;
    assert.ok(buffered > 8 * MEGABYTE, `${buffered}`);
    far.connection.resume();
    await until(() => far.size === 32 * MEGABYTE, "32 MB");
    await until(() => near.connection.bufferedAmount === 0, "an empty buffer");
    await done(near, far);
  });

  test("a paused reader stops the sender, and a resumed one gets everything", async () => {
    const far = new Peer();
    const [near] = await pair(make(), far);
    far.connection.pause();
    const chunk = pattern(MEGABYTE);
    for (let i = 0; i < 32; i++) near.connection.send(chunk);
    const stuck = await settled(() => near.connection.bufferedAmount);
    assert.ok(stuck > 8 * MEGABYTE, `${stuck} bytes wait at the sender`);
    assert.ok(far.size < 4 * MEGABYTE, `${far.size} bytes came through a pause`);
    far.connection.resume();
    await until(() => far.size >= 32 * MEGABYTE, "everything");
    const all = far.bytes();
    for (let i = 0; i < 32; i++) assert.ok(sameBytes(all.subarray(i * MEGABYTE, (i + 1) * MEGABYTE), chunk));
    await done(near, far);
  });

  test("a reader may pause inside data and gets nothing doubled or lost", async () => {
    const far = new Peer();
    let pauses = 0;
    far.onData = () => {
      if (pauses++ % 3 !== 0) return;
      far.connection.pause();
      setTimeout(() => far.connection.resume(), 1);
    };
    const [near] = await pair(make(), far);
    const sent = pattern(3 * MEGABYTE);
    for (let at = 0; at < sent.length; at += 50_000) near.connection.send(sent.subarray(at, at + 50_000));
    await until(() => far.size >= sent.length, "everything");
    assert.ok(sameBytes(far.bytes(), sent));
    await done(near, far);
  });

  test("drain comes exactly once after send returned false, and not otherwise", async () => {
    const [near, far] = await pair(make(), new Peer(false));
    for (const round of [1, 2, 3]) {
      near.connection.send("small");
      await until(() => near.connection.bufferedAmount === 0, "an empty buffer");
      await calm();
      assert.equal(near.drains, round - 1, "no drain without a false");
      far.connection.pause();
      fill(near, pattern(MEGABYTE));
      for (let i = 0; i < 32; i++) near.connection.send(pattern(MEGABYTE));
      assert.equal(near.drains, round - 1, "no drain inside send");
      await settled(() => near.connection.bufferedAmount);
      // What lies between the two may take all of it although the reader is paused.
      if (near.connection.bufferedAmount > 0) {
        assert.equal(near.drains, round - 1, "no drain while much waits");
      }
      far.connection.resume();
      await until(() => near.drains === round, "drain");
      await calm();
      assert.equal(near.drains, round);
    }
    await done(near, far);
  });

  test("a sender that heeds drain keeps its buffer small", async () => {
    const [near, far] = await pair(make(), new Peer(false));
    let sent = 0;
    let most = 0;
    const chunk = pattern(20_000);
    const more = () => {
      while (sent < 400) {
        sent++;
        const room = near.connection.send(chunk);
        most = Math.max(most, near.connection.bufferedAmount);
        if (!room) return;
      }
    };
    near.onDrain = more;
    more();
    await until(() => far.size === 400 * 20_000, "everything");
    assert.ok(most <= 65536 + 20_000, `${most} bytes were buffered`);
    await done(near, far);
  });

  test("sendAll tells of a full buffer as send does", async () => {
    const [near, far] = await pair(make(), new Peer(false));
    far.connection.pause();
    const chunks = Array.from({ length: 40 }, () => pattern(MEGABYTE));
    assert.equal(near.within((c) => c.sendAll(chunks)), false);
    assert.equal(near.within((c) => c.sendAll([])), false);
    far.connection.resume();
    await until(() => near.drains === 1 && far.size === 40 * MEGABYTE, "drain and everything");
    assert.equal(near.within((c) => c.sendAll(["x"])), true);
    await done(near, far);
  });

  test("a connection is a pair of Web Streams", async () => {
    const [near, far] = await pair(make());
    const echo = far.connection.readable.pipeTo(far.connection.writable);
    const writer = near.connection.writable.getWriter();
    const reader = near.connection.readable.getReader();
    const sent = pattern(2 * MEGABYTE);
    const written = (async () => {
      for (let at = 0; at < sent.length; at += 70_000) await writer.write(sent.slice(at, at + 70_000));
    })();
    const received: Uint8Array[] = [];
    for (let size = 0; size < sent.length;) {
      const { value } = await reader.read();
      received.push(value!);
      size += value!.length;
    }
    await written;
    assert.ok(sameBytes(Buffer.concat(received), sent));
    assert.equal(far.received.length, 0, "the handler gets no data any more");
    await writer.close();
    assert.equal((await reader.read()).done, true);
    await echo;
    assert.equal((await near.ended()).kind, "local");
    assert.equal((await far.ended()).kind, "peer");
    await done(near, far);
  });

  test("streams push back: nobody reads, so writes wait", async () => {
    const [near, far] = await pair(make());
    const reader = far.connection.readable.getReader();
    const writer = near.connection.writable.getWriter();
    let written = 0;
    const writing = (async () => {
      for (let i = 0; i < 40; i++) {
        await writer.write(pattern(MEGABYTE));
        written++;
      }
    })();
    const stuck = await settled(() => written);
    assert.ok(stuck < 30, `${stuck} MB were written to a reader that does not read`);
    for (let size = 0; size < 40 * MEGABYTE;) size += (await reader.read()).value!.length;
    await writing;
    await done(near, far);
  });

  test("streams made in accept carry everything from the first byte", async () => {
    const transport = make();
    let read: Promise<string> | undefined;
    const far = new Peer();
    const server = await transport.listen({ port: 0 }, (connection) => {
      read = new Response(connection.readable as ReadableStream<Uint8Array<ArrayBuffer>>).text();
      return far.accept(connection);
    });
    const near = new Peer();
    await transport.connect({ host: server.host, port: server.port }, near.accept);
    near.connection.send("hello, ");
    near.connection.send("streams");
    near.connection.close();
    await near.ended();
    assert.equal(await read, "hello, streams");
    await server.close();
    await done(near, far);
  });

  test("streams of a connection that breaks are broken too", async () => {
    const [near, far] = await pair(make());
    const reader = near.connection.readable.getReader();
    const writer = near.connection.writable.getWriter();
    const reading = reader.read().then(() => "read", () => "failed");
    far.connection.terminate();
    assert.equal(await reading, "failed");
    await near.ended();
    await assert.rejects(writer.write(pattern(1)));
    await done(near, far);
  });

  test("a cancelled readable drops what comes, and the connection still sends", async () => {
    const [near, far] = await pair(make());
    await near.connection.readable.cancel();
    far.connection.send(pattern(500_000));
    near.connection.send("still here");
    await until(() => far.size === 10, "ten bytes");
    await until(() => far.connection.bufferedAmount === 0, "an empty buffer");
    await done(near, far);
  });
}
