/**
 * Cases about what arrives on a byte connection.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import type { Transport } from "../../src/lib/transport.ts";
import { dice, done, pair, pattern, Peer, type Registrar, sameBytes, until } from "./support.ts";

/** Registers them. */
export function byteCases(make: () => Transport, test: Registrar): void {
  test("strings leave as UTF-8 and everything arrives in order", async () => {
    const [near, far] = await pair(make());
    assert.equal(near.connection.kind, "bytes");
    assert.equal(near.within((c) => c.send("a€𝄞")), true);
    assert.equal(near.within((c) => c.send(new Uint8Array([1, 2]))), true);
    assert.equal(near.within((c) => c.sendAll(["x", new Uint8Array([3]), "ü", ""])), true);
    assert.equal(near.within((c) => c.send("")), true);
    assert.equal(near.within((c) => c.sendAll([])), true);
    const expected = Buffer.concat([
      Buffer.from("a€𝄞"),
      Buffer.from([1, 2]),
      Buffer.from("x"),
      Buffer.from([3]),
      Buffer.from("ü"),
    ]);
    await until(() => far.size >= expected.length, "all bytes");
    assert.ok(sameBytes(far.bytes(), expected));
    assert.ok(far.received.every((chunk) => chunk instanceof Uint8Array && chunk.length > 0));
    await done(near, far);
  });

  test("the peer's address is known on both sides", async () => {
    const [near, far] = await pair(make());
    assert.equal(near.connection.remoteAddress, "127.0.0.1");
    assert.equal(far.connection.remoteAddress, "127.0.0.1");
    await done(near, far);
  });

  test("both directions work at once, also from inside data", async () => {
    const far = new Peer();
    far.onData = (chunk) => void far.connection.send(chunk);
    const [near] = await pair(make(), far);
    const sent = pattern(300_000);
    for (let at = 0; at < sent.length; at += 1000) near.connection.send(sent.subarray(at, at + 1000));
    await until(() => near.size >= sent.length, "the echo");
    assert.ok(sameBytes(near.bytes(), sent));
    await done(near, far);
  });

  test("a stream cut into chunks anywhere arrives whole, by send and sendAll", async () => {
    for (const seed of [1, 2, 3]) {
      const roll = dice(seed);
      const [near, far] = await pair(make());
      const sent = pattern(2_000_000, seed);
      for (let at = 0; at < sent.length;) {
        const chunks: Uint8Array[] = [];
        for (let n = roll(30); n >= 0; n--) {
          const size = roll(10) === 0 ? roll(60_000) : roll(300);
          chunks.push(sent.subarray(at, at + size));
          at = Math.min(sent.length, at + size);
        }
        if (roll(2) === 0) near.within((c) => c.sendAll(chunks));
        else for (const chunk of chunks) near.within((c) => c.send(chunk));
        if (roll(50) === 0) await until(() => near.connection.bufferedAmount === 0, "an empty buffer");
      }
      await until(() => far.size >= sent.length, "all bytes");
      assert.ok(sameBytes(far.bytes(), sent));
      await done(near, far);
    }
  });

  test("megabytes in one chunk reach a slow reader whole", async () => {
    const far = new Peer();
    far.onData = () => {
      far.connection.pause();
      queueMicrotask(() => setTimeout(() => far.connection.resume(), 0));
    };
    const [near] = await pair(make(), far);
    const sent = pattern(8_000_000);
    assert.equal(typeof near.within((c) => c.send(sent)), "boolean");
    await until(() => far.size >= sent.length, "8 MB");
    assert.ok(sameBytes(far.bytes(), sent));
    await until(() => near.connection.bufferedAmount === 0, "an empty buffer");
    await done(near, far);
  });

  test("a long string with characters of several bytes survives partial writes", async () => {
    const far = new Peer();
    const [near] = await pair(make(), far);
    far.connection.pause();
    const text = "größe€𝄞".repeat(400_000);
    near.connection.send(text);
    near.connection.send("the end");
    far.connection.resume();
    await until(() => far.size >= Buffer.byteLength(text) + 7, "the text");
    assert.equal(far.text(), text + "the end");
    await done(near, far);
  });

  test("the same chunks may go to many connections, and a list may be used again with others in it", async () => {
    const transport = make();
    const peers: Peer[] = [];
    const server = await transport.listen({ port: 0 }, (connection) => {
      const peer = new Peer();
      peers.push(peer);
      return peer.accept(connection);
    });
    const senders = Array.from({ length: 10 }, () => new Peer());
    for (const sender of senders) {
      await transport.connect({ host: server.host, port: server.port }, sender.accept);
    }
    const list: (Uint8Array | string)[] = ["one,", new Uint8Array([50, 44]), "three,"];
    for (const sender of senders) sender.connection.sendAll(list);
    list[1] = new Uint8Array([51, 44]);
    for (const sender of senders) sender.connection.sendAll(list);
    list.pop();
    for (const sender of senders) sender.connection.sendAll(list);
    const expected = "one,2,three,one,3,three,one,3,";
    await until(
      () => peers.length === 10 && peers.every((peer) => peer.size >= expected.length),
      "all lists",
    );
    for (const peer of peers) assert.equal(peer.text(), expected);
    await server.close();
    await done(...senders, ...peers);
  });

  test("chunks belong to the handler: what arrives later does not change them", async () => {
    const [near, far] = await pair(make());
    const copies: Uint8Array[] = [];
    far.onData = (chunk) => copies.push(Uint8Array.from(chunk as Uint8Array));
    for (let i = 0; i < 50; i++) {
      near.connection.send(pattern(5000, i));
      await until(() => far.size >= (i + 1) * 5000, "a chunk");
    }
    far.received.forEach((chunk, i) => assert.ok(sameBytes(chunk as Uint8Array, copies[i]!)));
    await done(near, far);
  });

  test("an async context follows the work through awaits", async () => {
    const context = make().createContext<string>();
    assert.equal(context.get(), undefined);
    const seen = await Promise.all(["a", "b"].map((value) =>
      context.run(value, async () => {
        await Promise.resolve();
        await new Promise((resolve) => setTimeout(resolve, 0));
        const inner = context.run(value + value, () => context.get());
        return `${context.get()} ${inner}`;
      })
    ));
    assert.deepEqual(seen, ["a aa", "b bb"]);
    assert.equal(context.get(), undefined);
  });

  test("an async context of a sender does not leak into another connection's data", async () => {
    const transport = make();
    const context = transport.createContext<number>();
    const far = new Peer();
    const seen: unknown[] = [];
    far.onData = () => context.run(1, () => seen.push(context.get()));
    const [near] = await pair(transport, far);
    near.connection.send("x");
    await until(() => far.size === 1, "the byte");
    assert.deepEqual(seen, [1]);
    assert.equal(context.get(), undefined);
    await done(near, far);
  });

  test("a server listens on the IPv6 loopback", async () => {
    const transport = make();
    const far = new Peer();
    const near = new Peer();
    const server = await transport.listen({ port: 0, host: "::1" }, far.accept);
    assert.equal(server.host, "::1");
    await transport.connect({ host: "::1", port: server.port }, near.accept);
    near.connection.send("six");
    await until(() => far.size === 3, "three bytes");
    await server.close();
    await done(near, far);
  });
}
