/**
 * Cases about WebSockets: whole messages, their ends, their limits and their back-pressure.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Transport } from "../../src/lib/transport.ts";
import {
  calm,
  done,
  pattern,
  Peer,
  type Registrar,
  sameBytes,
  settled,
  until,
  webSocketPair,
} from "./support.ts";

const MEGABYTE = 1_000_000;
const WHOLE = { near: MEGABYTE, far: MEGABYTE };

/** Registers them. */
export function webSocketCases(make: () => Transport, test: Registrar): void {
  test("text and binary messages keep their kind, order and boundaries both ways", async () => {
    const [near, far] = await webSocketPair(make());
    assert.equal(near.connection.kind, "messages");
    assert.equal(far.connection.kind, "messages");
    assert.equal(far.connection.remoteAddress, "127.0.0.1");
    const messages = ["", "a", "größe €𝄞", new Uint8Array(0), new Uint8Array([0, 255, 10]), "x"];
    for (const [from, to] of [[near, far], [far, near]] as const) {
      for (const message of messages) assert.equal(from.within((c) => c.send(message)), true);
      assert.equal(from.within((c) => c.sendAll(messages)), true);
      assert.equal(from.within((c) => c.sendAll([])), true);
      await until(() => to.received.length === messages.length * 2, "all messages");
      for (const [i, message] of [...messages, ...messages].entries()) {
        const got = to.received[i]!;
        if (typeof message === "string") assert.equal(got, message);
        else assert.ok(typeof got !== "string" && sameBytes(got, message));
      }
    }
    await done(near, far);
  });

  test("messages of every size of header arrive whole both ways", async () => {
    const [near, far] = await webSocketPair(make());
    const sizes = [1, 125, 126, 127, 128, 16383, 16384, 65535, 65536, 200_000, 262_144];
    for (const [from, to] of [[near, far], [far, near]] as const) {
      for (const size of sizes) from.connection.send(pattern(size));
      from.connection.sendAll(sizes.map((size) => "z".repeat(size)));
      from.connection.sendAll(sizes.map((size) => pattern(size, 5)));
      await until(() => to.received.length === sizes.length * 3, "all messages");
      sizes.forEach((size, i) => {
        assert.ok(sameBytes(to.received[i] as Uint8Array, pattern(size)));
        assert.equal(to.received[sizes.length + i], "z".repeat(size));
        assert.ok(sameBytes(to.received[sizes.length * 2 + i] as Uint8Array, pattern(size, 5)));
      });
    }
    await done(near, far);
  });

  test("the same messages may go to many WebSockets, and a list may be used again with others in it", async () => {
    const transport = make();
    const fars: Peer[] = [];
    const server = await transport.serve({
      port: 0,
      fetch: (_, env) =>
        env.upgrade((connection) => {
          const peer = new Peer();
          fars.push(peer);
          return peer.accept(connection);
        }),
    });
    const nears = Array.from({ length: 8 }, () => new Peer());
    for (const near of nears) await transport.connect(`ws://${server.host}:${server.port}/`, near.accept);
    const list: (Uint8Array | string)[] = ["one", new Uint8Array([2])];
    for (const far of fars) far.connection.sendAll(list);
    list[1] = "two";
    for (const far of fars) far.connection.sendAll(list);
    for (const far of fars) far.connection.send("alone");
    await until(() => nears.every((near) => near.received.length === 5), "all messages");
    for (const near of nears) {
      assert.deepEqual(near.received.map((m) => typeof m === "string" ? m : [...m]), [
        "one",
        [2],
        "one",
        "two",
        "alone",
      ]);
    }
    await server.close();
    await done(...nears, ...fars);
  });

  test("close codes and reasons travel both ways", async () => {
    for (const way of ["near", "far"] as const) {
      const [near, far] = await webSocketPair(make());
      const [closing, hearing] = way === "near" ? [near, far] : [far, near];
      closing.within((c) => c.close(4321, "gone fishing"));
      assert.deepEqual(await hearing.ended(), { kind: "peer", code: 4321, message: "gone fishing" });
      assert.equal((await closing.ended()).kind, "local");
      assert.equal(closing.connection.send("late"), false);
      assert.equal(hearing.connection.send("late"), false);
      await done(near, far);
    }
  });

  test("close without a code sends 1000, and a long reason is cut", async () => {
    let [near, far] = await webSocketPair(make());
    near.connection.close();
    const plain = await far.ended();
    assert.deepEqual([plain.kind, plain.code, plain.message], ["peer", 1000, ""]);
    await done(near, far);
    [near, far] = await webSocketPair(make());
    far.connection.close(3000, "ä".repeat(100));
    assert.equal((await near.ended()).message, "ä".repeat(61));
    await done(near, far);
  });

  test("a close code that may not be sent is refused and the connection stays", async () => {
    const [near, far] = await webSocketPair(make());
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2000, 5000, 1000.5]) {
      for (const peer of [near, far]) {
        assert.throws(() => peer.connection.close(code), { code: "invalid_close_code" });
      }
    }
    near.connection.send("still here");
    await until(() => far.received[0] === "still here", "the message");
    await done(near, far);
  });

  test("server codes such as 1001, 1008 and 1012 may be sent by either side", async () => {
    for (const code of [1001, 1008, 1012]) {
      for (const way of ["near", "far"] as const) {
        const [near, far] = await webSocketPair(make());
        const [closing, hearing] = way === "near" ? [near, far] : [far, near];
        closing.connection.close(code, "server business");
        assert.deepEqual(await hearing.ended(), { kind: "peer", code, message: "server business" });
        await done(near, far);
      }
    }
  });

  test("a server that is told so takes messages of many megabytes", async () => {
    const [near, far] = await webSocketPair(make(), { far: 3 * MEGABYTE });
    near.connection.send("x".repeat(3 * MEGABYTE));
    await until(() => far.size === 3 * MEGABYTE, "the message at the limit");
    near.connection.send("x".repeat(3 * MEGABYTE + 1));
    const reason = await far.ended();
    assert.deepEqual([reason.kind, reason.code], ["error", 1009]);
    assert.equal(far.received.length, 1);
    await done(near, far);
  });

  test("a message over the server's limit ends the WebSocket with 1009", async () => {
    const [near, far] = await webSocketPair(make(), { far: 1000 });
    near.connection.send("x".repeat(1000));
    await until(() => far.received.length === 1, "the message at the limit");
    near.connection.send(new Uint8Array(1001));
    const reason = await far.ended();
    assert.deepEqual([reason.kind, reason.code], ["error", 1009]);
    assert.equal((await near.ended()).code, 1009);
    assert.equal(far.received.length, 1);
    await done(near, far);
  });

  test("a message over the client's limit ends the WebSocket with 1009", async () => {
    const [near, far] = await webSocketPair(make(), { near: 1000 });
    far.connection.send("ü".repeat(500));
    await until(() => near.received.length === 1, "the message at the limit");
    far.connection.send("ü".repeat(501));
    const reason = await near.ended();
    assert.deepEqual([reason.kind, reason.code], ["error", 1009]);
    assert.equal((await far.ended()).code, 1009);
    await done(near, far);
  });

  test("a ping of the server is answered by the other side by itself, once that reads", async () => {
    const [near, far] = await webSocketPair(make());
    far.connection.ping?.();
    await until(() => far.pongs === 1, "an answer");
    near.connection.pause();
    near.connection.resume();
    far.connection.ping?.();
    far.connection.send("behind it");
    await until(() => far.pongs === 2 && near.received.length === 1, "both");
    await done(near, far);
    far.connection.ping?.();
    await calm();
    assert.equal(far.pongs, 2);
  });

  test("the limit is 262144 bytes where nothing is said", async () => {
    for (const way of ["near", "far"] as const) {
      const [near, far] = await webSocketPair(make());
      const [from, to] = way === "near" ? [near, far] : [far, near];
      from.connection.send(pattern(262_144));
      await until(() => to.received.length === 1, "the message at the limit");
      from.connection.send(pattern(262_145));
      assert.equal((await to.ended()).code, 1009);
      await done(near, far);
    }
  });

  test("terminate is terminated here, and an error with 1006 there", async () => {
    for (const way of ["near", "far"] as const) {
      const [near, far] = await webSocketPair(make());
      const [ending, hearing] = way === "near" ? [near, far] : [far, near];
      ending.within((c) => c.terminate());
      assert.equal((await ending.ended()).kind, "terminated");
      const reason = await hearing.ended();
      assert.deepEqual([reason.kind, reason.code], ["error", 1006]);
      assert.ok(reason.message!.length > 0);
      await done(near, far);
    }
  });

  test("both sides may close at once", async () => {
    const [near, far] = await webSocketPair(make());
    near.connection.close(4001);
    far.connection.close(4002);
    await near.ended();
    await far.ended();
    await done(near, far);
  });

  test("a paused reader stops the sender, drain comes once, and a resumed reader gets everything", async () => {
    for (const way of ["near", "far"] as const) {
      const [near, far] = await webSocketPair(make(), WHOLE, new Peer(false), new Peer(false));
      const [from, to] = way === "near" ? [near, far] : [far, near];
      assert.equal(from.connection.bufferedAmount, 0);
      to.connection.pause();
      const half = pattern(MEGABYTE / 2);
      for (let i = 0; i < 64; i++) from.within((c) => c.send(half));
      assert.equal(from.connection.send("one more"), false);
      const stuck = await settled(() => from.connection.bufferedAmount);
      assert.ok(stuck > 8 * MEGABYTE, `${way}: ${stuck} bytes wait at the sender`);
      assert.ok(to.size < 8 * MEGABYTE, `${way}: ${to.size} bytes came through a pause`);
      assert.equal(from.drains, 0);
      to.connection.resume();
      await until(() => to.size === 32 * MEGABYTE + 8, "everything");
      await until(() => from.drains === 1, "drain");
      await until(() => from.connection.bufferedAmount === 0, "an empty buffer");
      assert.equal(from.connection.send("room again"), true);
      await calm();
      assert.equal(from.drains, 1);
      await done(near, far);
    }
  });

  test("sendAll keeps order when the socket fills in the middle of it", async () => {
    for (const way of ["near", "far"] as const) {
      const [near, far] = await webSocketPair(make());
      const [from, to] = way === "near" ? [near, far] : [far, near];
      to.connection.pause();
      let number = 0;
      const next = () => `${number++} `.padEnd(20_000, ".");
      for (let round = 0; round < 40; round++) from.connection.sendAll(Array.from({ length: 50 }, next));
      assert.ok(from.connection.bufferedAmount > MEGABYTE);
      to.connection.resume();
      await until(() => to.received.length === number, "everything");
      to.received.forEach((message, i) => assert.equal(parseInt(message as string), i));
      await done(near, far);
    }
  });

  test("close sends what is queued first", async () => {
    for (const way of ["near", "far"] as const) {
      const [near, far] = await webSocketPair(make(), WHOLE);
      const [from, to] = way === "near" ? [near, far] : [far, near];
      to.connection.pause();
      for (let i = 0; i < 24; i++) from.connection.send(pattern(MEGABYTE, i));
      from.connection.close(4000, "after you");
      assert.equal(from.connection.send("late"), false);
      await calm();
      to.connection.resume();
      assert.deepEqual(await to.ended(), { kind: "peer", code: 4000, message: "after you" });
      assert.equal((await from.ended()).kind, "local");
      assert.equal(to.received.length, 24);
      to.received.forEach((message, i) => assert.ok(sameBytes(message as Uint8Array, pattern(MEGABYTE, i))));
      await done(near, far);
    }
  });

  test("a handler that throws ends that WebSocket alone", async () => {
    const transport = make();
    const [near, far] = await webSocketPair(transport);
    const [bystander, other] = await webSocketPair(transport);
    far.onData = () => {
      throw new Error("indigestible");
    };
    near.connection.send("x");
    const reason = await far.ended();
    assert.deepEqual([reason.kind, reason.message], ["error", "indigestible"]);
    assert.equal((await near.ended()).kind, "error");
    bystander.connection.send("fine");
    await until(() => other.received[0] === "fine", "the bystander");
    await done(near, far, bystander, other);
  });

  test("an accept that throws ends that WebSocket and leaves the server up", async () => {
    const transport = make();
    let accepted = 0;
    const far = new Peer();
    const server = await transport.serve({
      port: 0,
      fetch: (_, env) =>
        env.upgrade((connection) => {
          if (accepted++ === 0) throw new Error("not this one");
          return far.accept(connection);
        }),
    });
    const url = `ws://${server.host}:${server.port}/`;
    const turnedAway = new Peer();
    // Some clients see the end before they are told that they are connected.
    await transport.connect(url, turnedAway.accept).then(() => turnedAway.ended(), () => {});
    const near = new Peer();
    await transport.connect(url, near.accept);
    near.connection.send("second");
    await until(() => far.received[0] === "second", "the second WebSocket");
    await server.close();
    await done(near, far);
  });

  test("messages sent in accept are the first to arrive", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.serve({
      port: 0,
      fetch: (_, env) =>
        env.upgrade((connection) => {
          connection.sendAll(["welcome", "friend"]);
          return far.accept(connection);
        }),
    });
    const near = new Peer();
    await transport.connect(`ws://${server.host}:${server.port}/`, near.accept);
    await until(() => near.received.length === 2, "the greeting");
    assert.deepEqual(near.received, ["welcome", "friend"]);
    await server.close();
    await done(near, far);
  });

  test("a WebSocket is a pair of Web Streams of binary messages", async () => {
    const [near, far] = await webSocketPair(make());
    const reader = far.connection.readable.getReader();
    near.connection.send("text as UTF-8");
    assert.equal(new TextDecoder().decode((await reader.read()).value), "text as UTF-8");
    const writer = far.connection.writable.getWriter();
    await writer.write(new Uint8Array([1, 2, 3]));
    await until(() => near.received.length === 1, "the message");
    assert.deepEqual([...near.received[0] as Uint8Array], [1, 2, 3]);
    near.connection.close();
    assert.equal((await reader.read()).done, true);
    await done(near, far);
  });
}
