/**
 * Cases in which a stranger on a bare TCP socket is at the other end: half-closed connections, WebSocket frames that no
 * library would send, rubbish, and TLS.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import type { Transport } from "../../src/lib/transport.ts";
import { calm, done, pattern, Peer, type Registrar, rejects, sameBytes, until } from "./support.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./certificate.ts";

/** A bare socket that may be half-open. */
class Stranger {
  readonly socket: net.Socket;
  received = Buffer.alloc(0);
  ended = false;
  closed = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => this.received = Buffer.concat([this.received, chunk]));
    socket.on("end", () => this.ended = true);
    socket.on("close", () => this.closed = true);
    socket.on("error", () => {});
  }

  static async connect(port: number, allowHalfOpen = true): Promise<Stranger> {
    const stranger = new Stranger(net.connect({ port, host: "127.0.0.1", allowHalfOpen }));
    let connected = false;
    stranger.socket.on("connect", () => connected = true);
    await until(() => connected, "the stranger's connection");
    return stranger;
  }

  /** Opens a WebSocket by hand; what follows the answer is left in `received`. */
  static async upgrade(port: number, path = "/", extra = ""): Promise<Stranger> {
    const stranger = await Stranger.connect(port, false);
    stranger.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${extra}\r\n`,
    );
    await until(() => stranger.received.includes("\r\n\r\n"), "an answer");
    return stranger;
  }

  /** The head of an HTTP answer, taken out of `received`. */
  takeHead(): string {
    const end = this.received.indexOf("\r\n\r\n") + 4;
    const head = this.received.subarray(0, end).toString();
    this.received = this.received.subarray(end);
    return head;
  }
}

/** A client's frame with a mask of zeros. */
function frame(first: number, payload: string | Uint8Array, masked = true): Buffer {
  const body = Buffer.from(payload);
  assert.ok(body.length < 126);
  const head = masked ? [first, 0x80 | body.length, 0, 0, 0, 0] : [first, body.length];
  return Buffer.concat([Buffer.from(head), body]);
}

async function served(transport: Transport, far: Peer): Promise<{ port: number; close(): Promise<void> }> {
  return await transport.serve({
    port: 0,
    fetch: (request, env) =>
      new URL(request.url).pathname === "/"
        ? env.upgrade(far.accept)
        : new Response("no such page", { status: 404 }),
  });
}

/** Registers them. */
export function wireCases(make: () => Transport, test: Registrar): void {
  test("a peer that closes its half still gets what was queued for it, then the end", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.listen({ port: 0 }, far.accept);
    const stranger = await Stranger.connect(server.port);
    await until(() => far.connection !== undefined, "the connection");
    stranger.socket.pause();
    const sent = pattern(12_000_000);
    far.connection.send(sent);
    stranger.socket.end("that is all");
    await until(() => far.text() === "that is all", "the last words");
    await calm();
    assert.equal(far.closes.length, 0, "not closed before everything has left");
    assert.equal(far.connection.send("late"), false);
    stranger.socket.resume();
    await until(() => stranger.ended, "our FIN");
    assert.ok(sameBytes(stranger.received, sent));
    assert.deepEqual(await far.ended(), { kind: "peer" });
    await server.close();
    await done(far);
  });

  test("a reset by the peer is an error, whatever was queued", async () => {
    const transport = make();
    for (const queued of [0, 12_000_000]) {
      const far = new Peer();
      const server = await transport.listen({ port: 0 }, far.accept);
      const stranger = await Stranger.connect(server.port);
      await until(() => far.connection !== undefined, "the connection");
      stranger.socket.pause();
      if (queued > 0) far.connection.send(pattern(queued));
      stranger.socket.resetAndDestroy();
      assert.equal((await far.ended()).kind, "error");
      await server.close();
      await done(far);
    }
  });

  test("our close half-closes: the peer may finish, and nothing of it arrives", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.listen({ port: 0 }, far.accept);
    const stranger = await Stranger.connect(server.port);
    await until(() => far.connection !== undefined, "the connection");
    far.connection.send("goodbye");
    far.connection.close();
    await until(() => stranger.ended, "our FIN");
    assert.equal(stranger.received.toString(), "goodbye");
    assert.equal(far.closes.length, 0, "the peer has not ended yet");
    stranger.socket.end("wait");
    assert.equal((await far.ended()).kind, "local");
    assert.equal(far.size, 0);
    await server.close();
    await done(far);
  });

  test("many chunks in one sendAll are one write: the peer sees them in few pieces", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.listen({ port: 0 }, far.accept);
    const stranger = await Stranger.connect(server.port);
    await until(() => far.connection !== undefined, "the connection");
    let pieces = 0;
    stranger.socket.on("data", () => pieces++);
    far.connection.sendAll(Array.from({ length: 200 }, (_, i) => `chunk ${i}\n`));
    await until(() => stranger.received.includes("chunk 199\n"), "the last chunk");
    assert.ok(pieces <= 3, `${pieces} pieces`);
    stranger.socket.destroy();
    await server.close();
    await done(far);
  });

  test("an upgrade is answered as RFC 6455 says, without compression and with the subprotocol selected", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.serve({
      port: 0,
      fetch: (_, env) => env.upgrade(far.accept, { protocol: "mqtt" }),
    });
    const offers = "Sec-WebSocket-Protocol: other, mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    const stranger = await Stranger.upgrade(server.port, "/", offers);
    const head = stranger.takeHead().toLowerCase();
    assert.match(head, /^http\/1\.1 101 /);
    assert.match(head, /\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk\+xoo=\r\n/);
    assert.match(head, /\r\nsec-websocket-protocol: mqtt\r\n/);
    assert.doesNotMatch(head, /permessage-deflate/);
    stranger.socket.destroy();
    await far.ended();
    await server.close();
    await done(far);
  });

  test("no subprotocol is selected where none was asked for", async () => {
    const transport = make();
    const far = new Peer();
    const server = await served(transport, far);
    const stranger = await Stranger.upgrade(server.port, "/", "Sec-WebSocket-Protocol: a, b\r\n");
    const head = stranger.takeHead();
    assert.match(head, /^HTTP\/1\.1 101 /);
    assert.doesNotMatch(head, /sec-websocket-protocol: *[^\r]/i);
    stranger.socket.destroy();
    await far.ended();
    await server.close();
    await done(far);
  });

  test("frames leave as RFC 6455 says", async () => {
    const transport = make();
    const far = new Peer();
    const server = await served(transport, far);
    const stranger = await Stranger.upgrade(server.port);
    stranger.takeHead();
    far.connection.sendAll(["hé", new Uint8Array([7]), "a".repeat(126), new Uint8Array(65536)]);
    const expected = Buffer.concat([
      Buffer.from([0x81, 3, 0x68, 0xc3, 0xa9, 0x82, 1, 7, 0x81, 126, 0, 126]),
      Buffer.from("a".repeat(126)),
      Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
      Buffer.alloc(65536),
    ]);
    await until(() => stranger.received.length >= expected.length, "the frames");
    assert.ok(sameBytes(stranger.received, expected));
    stranger.received = Buffer.alloc(0);
    far.connection.close(4000, "bye");
    await until(() => stranger.received.length >= 7, "the close frame");
    assert.deepEqual([...stranger.received], [0x88, 5, 0x0f, 0xa0, 0x62, 0x79, 0x65]);
    stranger.socket.write(frame(0x88, new Uint8Array([0x0f, 0xa0])));
    assert.equal((await far.ended()).kind, "local");
    stranger.socket.destroy();
    await server.close();
    await done(far);
  });

  test("a ping is answered by a pong with its payload, and fragments make one message", async () => {
    const transport = make();
    const far = new Peer();
    const server = await served(transport, far);
    const stranger = await Stranger.upgrade(server.port);
    stranger.takeHead();
    stranger.socket.write(frame(0x01, "one "));
    stranger.socket.write(frame(0x89, "are you there?"));
    stranger.socket.write(frame(0x00, "whole "));
    stranger.socket.write(frame(0x80, "message"));
    await until(() => far.received.length === 1, "the message");
    assert.equal(far.received[0], "one whole message");
    await until(() => stranger.received.length >= 16, "the pong");
    assert.deepEqual([...stranger.received], [0x8a, 14, ...Buffer.from("are you there?")]);
    stranger.socket.write(frame(0x8a, "an unasked pong"));
    stranger.socket.write(frame(0x81, "next"));
    await until(() => far.received.length === 2, "the next message");
    stranger.socket.destroy();
    await far.ended();
    await server.close();
    await done(far);
  });

  test("bytes that come a few at a time, or right behind the handshake, are read all the same", async () => {
    const transport = make();
    const far = new Peer();
    const server = await served(transport, far);
    const stranger = await Stranger.connect(server.port);
    const head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stranger.socket.setNoDelay(true);
    stranger.socket.write(Buffer.concat([Buffer.from(head), frame(0x81, "early bird")]));
    await until(() => far.received.length === 1, "the early message");
    for (const byte of frame(0x81, "drip")) {
      stranger.socket.write(Buffer.from([byte]));
      await calm();
    }
    await until(() => far.received.length === 2, "the dripped message");
    assert.deepEqual(far.received, ["early bird", "drip"]);
    stranger.socket.destroy();
    await far.ended();
    await server.close();
    await done(far);
  });

  test("a peer that breaks the protocol loses its WebSocket, and the server lives on", async () => {
    const transport = make();
    const crimes = {
      "a reserved opcode": frame(0x83, "x"),
      "a reserved bit": frame(0xf1, "x"),
      "a continuation of nothing": frame(0x80, "x"),
      "text that is not UTF-8": frame(0x81, new Uint8Array([0xff, 0xfe])),
      "a fragmented ping": frame(0x09, "x"),
    };
    for (const [crime, bytes] of Object.entries(crimes)) {
      const far = new Peer();
      const server = await served(transport, far);
      const stranger = await Stranger.upgrade(server.port);
      stranger.takeHead();
      stranger.socket.write(bytes);
      await until(() => far.closes.length > 0, `the end after ${crime}`);
      assert.equal(far.closes[0]!.kind, "error", crime);
      assert.equal(far.received.length, 0, crime);
      stranger.socket.destroy();
      await server.close();
      await done(far);
    }
  });

  test("a close frame without a code is 1005", async () => {
    const transport = make();
    const far = new Peer();
    const server = await served(transport, far);
    const stranger = await Stranger.upgrade(server.port);
    stranger.socket.write(frame(0x88, ""));
    const reason = await far.ended();
    assert.deepEqual([reason.kind, reason.code], ["peer", 1005]);
    stranger.socket.destroy();
    await server.close();
    await done(far);
  });

  test("a FIN without a close frame is an error with 1006", async () => {
    const transport = make();
    const far = new Peer();
    const server = await served(transport, far);
    const stranger = await Stranger.upgrade(server.port);
    stranger.socket.end();
    const reason = await far.ended();
    assert.deepEqual([reason.kind, reason.code], ["error", 1006]);
    stranger.socket.destroy();
    await server.close();
    await done(far);
  });

  test("refused upgrades are answered by the fetch handler, in full", async () => {
    const transport = make();
    const server = await served(transport, new Peer());
    const stranger = await Stranger.upgrade(server.port, "/nothing-here");
    await until(() => stranger.received.includes("no such page"), "the page");
    assert.match(stranger.takeHead(), /^HTTP\/1\.1 404 Not Found\r\n/);
    stranger.socket.destroy();
    await server.close();
  });

  test("rubbish, half requests and sudden ends do not hurt the server", async () => {
    const transport = make();
    const far = new Peer();
    const server = await served(transport, far);
    for (
      const bytes of [
        "\0\0\0\0",
        "GET",
        "GET / HTTP/1.1\r\nHost: [\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      ]
    ) {
      const stranger = await Stranger.connect(server.port);
      stranger.socket.write(bytes);
      await calm();
      stranger.socket.resetAndDestroy();
    }
    const near = new Peer();
    await transport.connect(`ws://127.0.0.1:${server.port}/`, near.accept);
    near.connection.send("unhurt");
    await until(() => far.received[0] === "unhurt", "the message");
    await server.close();
    await done(near, far);
  });

  test("a client that goes while its upgrade is considered harms nothing", async () => {
    const transport = make();
    let decide = () => {};
    let asked = 0;
    const outcomes: unknown[] = [];
    const far = new Peer();
    const server = await transport.serve({
      port: 0,
      async fetch(_, env) {
        asked++;
        await new Promise<void>((resolve) => decide = resolve);
        try {
          return env.upgrade(far.accept);
        } catch (error) {
          outcomes.push((error as { code?: unknown }).code);
          return new Response("gone");
        }
      },
    });
    const stranger = await Stranger.connect(server.port);
    stranger.socket.write(
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    await until(() => asked === 1, "the question");
    stranger.socket.resetAndDestroy();
    await calm();
    decide();
    await until(() => outcomes.length > 0 || far.closes.length > 0, "either way");
    if (outcomes.length > 0) assert.deepEqual(outcomes, ["not_an_upgrade"]);
    await server.close();
  });

  test("an address that is not this machine's, and a host that is not known, are refused", async () => {
    const transport = make();
    const accept = new Peer().accept;
    await rejects(transport.listen({ port: 0, host: "192.0.2.1" }, accept), "address_unavailable");
    await rejects(
      transport.serve({ port: 0, host: "192.0.2.1", fetch: () => new Response() }),
      "address_unavailable",
    );
    await rejects(transport.connect({ host: "no-such-host.invalid", port: 80 }, accept), "host_not_found");
    await rejects(transport.connect("ws://no-such-host.invalid/", accept), "host_not_found");
  });

  test("a server listens with TLS, for bytes and for HTTP", async () => {
    const transport = make();
    const secret = { cert: TEST_CERTIFICATE, key: TEST_KEY };
    const far = new Peer();
    far.onData = (chunk) => void far.connection.send(chunk);
    const server = await transport.listen({ port: 0, tls: secret }, far.accept);
    const stranger = new Stranger(
      tls.connect({ port: server.port, host: "127.0.0.1", ca: TEST_CERTIFICATE, servername: "localhost" }),
    );
    const sent = pattern(1_000_000);
    stranger.socket.write(sent);
    await until(() => stranger.received.length >= sent.length, "the echo");
    assert.ok(sameBytes(stranger.received, sent));
    far.connection.close();
    await until(() => stranger.closed, "the end");
    assert.equal((await far.ended()).kind, "local");
    await server.close();
    await done(far);
    const web = await transport.serve({ port: 0, tls: secret, fetch: () => new Response("secret page") });
    const browser = new Stranger(
      tls.connect({ port: web.port, host: "127.0.0.1", ca: TEST_CERTIFICATE, servername: "localhost" }),
    );
    browser.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    await until(() => browser.received.includes("secret page"), "the page");
    browser.socket.destroy();
    await web.close();
  });
}
