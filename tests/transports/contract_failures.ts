/**
 * Cases about what cannot be: each has its error code and a message for people.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Transport } from "../../src/lib/transport.ts";
import { calm, done, pair, Peer, type Registrar, rejects } from "./support.ts";

/** A port on which nothing listens: one that was just free. */
async function freePort(transport: Transport): Promise<number> {
  const server = await transport.listen({ port: 0 }, new Peer().accept);
  await server.close();
  return server.port;
}

/** Registers them. */
export function failureCases(make: () => Transport, test: Registrar): void {
  test("a refused connect says so and makes no connection", async () => {
    const transport = make();
    const near = new Peer();
    await rejects(
      transport.connect({ host: "127.0.0.1", port: await freePort(transport) }, near.accept),
      "connection_refused",
    );
    await calm();
    assert.equal(near.connection, undefined);
    assert.equal(near.closes.length, 0);
  });

  test("an impossible port or host is refused", async () => {
    const transport = make();
    const peer = new Peer();
    for (const port of [0, -1, 65536, 1.5, NaN]) {
      await rejects(transport.connect({ host: "127.0.0.1", port }, peer.accept), "connect_failed");
    }
    await rejects(transport.connect({ host: "", port: 80 }, peer.accept), "connect_failed");
    for (const port of [-1, 65536, 1.5, NaN]) {
      await rejects(transport.listen({ port }, peer.accept), "listen_failed");
    }
  });

  test("a port in use is refused, and free again after close", async () => {
    const transport = make();
    const first = await transport.listen({ port: 0 }, new Peer().accept);
    assert.ok(first.port > 0);
    assert.equal(first.host, "127.0.0.1");
    await rejects(transport.listen({ port: first.port }, new Peer().accept), "address_in_use");
    await first.close();
    const second = await transport.listen({ port: first.port }, new Peer().accept);
    assert.equal(second.port, first.port);
    await second.close();
  });

  test("an aborted connect rejects and leaves nothing behind", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.listen({ port: 0 }, far.accept);
    const near = new Peer();
    const address = { host: server.host, port: server.port };
    await rejects(
      transport.connect(address, near.accept, { signal: AbortSignal.abort() }),
      "connect_aborted",
    );
    const controller = new AbortController();
    const connecting = transport.connect(address, near.accept, { signal: controller.signal });
    controller.abort();
    await rejects(connecting, "connect_aborted");
    await calm();
    assert.equal(near.connection, undefined);
    await server.close();
    if (far.connection) await far.ended();
  });

  test("a signal that is aborted after connect changes nothing", async () => {
    const transport = make();
    const far = new Peer();
    const near = new Peer();
    const server = await transport.listen({ port: 0 }, far.accept);
    const controller = new AbortController();
    await transport.connect({ host: server.host, port: server.port }, near.accept, {
      signal: controller.signal,
    });
    controller.abort();
    await calm();
    assert.equal(near.closes.length, 0);
    await server.close();
    await done(near);
  });

  test("a factory that throws in connect makes it reject with that error", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.listen({ port: 0 }, far.accept);
    const connecting = transport.connect({ host: server.host, port: server.port }, () => {
      throw new Error("changed my mind");
    });
    await assert.rejects(connecting, /changed my mind/);
    await far.ended();
    await server.close();
    await done(far);
  });

  test("a failed connect does not disturb the next", async () => {
    const transport = make();
    await rejects(
      transport.connect({ host: "127.0.0.1", port: await freePort(transport) }, new Peer().accept),
      "connection_refused",
    );
    await done(...await pair(transport));
  });
}
