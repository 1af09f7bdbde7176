/**
 * Cases about HTTP, and about the decision to upgrade.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import type { ServeEnvironment, Transport } from "../../src/lib/transport.ts";
import { calm, done, Peer, type Registrar, rejects, until } from "./support.ts";

type Send = (transport: Transport, request: Request) => Promise<Response>;

/** Registers them. */
export function httpCases(make: () => Transport, send: Send, test: Registrar): void {
  test("plain requests are answered, with status, headers and body", async () => {
    const transport = make();
    const server = await transport.serve({
      port: 0,
      async fetch(request, env) {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname !== "/echo") return new Response("no such page", { status: 404 });
        const headers = { "x-from": env.remoteAddress, "x-name": searchParams.get("name") ?? "" };
        return new Response(`${request.method} ${await request.text()}`, { status: 201, headers });
      },
    });
    const base = `http://${server.host}:${server.port}`;
    const answer = await send(
      transport,
      new Request(`${base}/echo?name=ada`, { method: "POST", body: "größe" }),
    );
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get("x-from"), "127.0.0.1");
    assert.equal(answer.headers.get("x-name"), "ada");
    assert.equal(await answer.text(), "POST größe");
    const missing = await send(transport, new Request(`${base}/nothing`));
    assert.equal(missing.status, 404);
    assert.equal(await missing.text(), "no such page");
    await server.close();
  });

  test("a body streams: its first part arrives before its last is made", async () => {
    const transport = make();
    let finish = () => {};
    const server = await transport.serve({
      port: 0,
      fetch: () =>
        new Response(
          new ReadableStream<Uint8Array>({
            start(controller) {
              controller.enqueue(new TextEncoder().encode("first "));
              finish = () => {
                controller.enqueue(new TextEncoder().encode("last"));
                controller.close();
              };
            },
          }),
        ),
    });
    const answer = await send(transport, new Request(`http://${server.host}:${server.port}/`));
    const reader = answer.body!.getReader();
    const decoder = new TextDecoder();
    let text = decoder.decode((await reader.read()).value);
    assert.equal(text, "first ");
    finish();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += decoder.decode(part.value);
    }
    assert.equal(text, "first last");
    await server.close();
  });

  test("a fetch handler that throws answers 500 and the server lives on", async () => {
    const transport = make();
    const server = await transport.serve({
      port: 0,
      fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname === "/throw") throw new Error("boom");
        if (pathname === "/reject") return Promise.reject(new Error("late boom"));
        return new Response("fine");
      },
    });
    const base = `http://${server.host}:${server.port}`;
    for (const path of ["/throw", "/reject"]) {
      const answer = await send(transport, new Request(base + path));
      assert.equal(answer.status, 500);
      assert.doesNotMatch(await answer.text(), /boom/, "the message stays inside");
    }
    assert.equal(await (await send(transport, new Request(`${base}/`))).text(), "fine");
    await rejects(
      transport.connect(`ws://${server.host}:${server.port}/throw`, new Peer().accept),
      "upgrade_refused",
    );
    await server.close();
  });

  test("upgrade of a plain request is refused with not_an_upgrade", async () => {
    const transport = make();
    const codes: unknown[] = [];
    const server = await transport.serve({
      port: 0,
      fetch(_, env) {
        try {
          return env.upgrade(new Peer().accept);
        } catch (error) {
          codes.push((error as { code?: unknown }).code);
          return new Response("plain only", { status: 426 });
        }
      },
    });
    assert.equal((await send(transport, new Request(`http://${server.host}:${server.port}/`))).status, 426);
    assert.deepEqual(codes, ["not_an_upgrade"]);
    await server.close();
  });

  test("a request can be upgraded once, and a subprotocol only be one that was offered", async () => {
    const transport = make();
    const codes: unknown[] = [];
    const far = new Peer();
    const attempt = (work: () => unknown) => {
      try {
        work();
      } catch (error) {
        codes.push((error as { code?: unknown }).code);
      }
    };
    const server = await transport.serve({
      port: 0,
      fetch(_, env) {
        attempt(() => env.upgrade(new Peer().accept, { protocol: "never-offered" }));
        const response = env.upgrade(far.accept, { protocol: "beta" });
        attempt(() => env.upgrade(new Peer().accept));
        return response;
      },
    });
    const near = new Peer();
    await transport.connect(`ws://${server.host}:${server.port}/`, near.accept, {
      protocols: ["alpha", "beta"],
    });
    assert.deepEqual(codes, ["subprotocol_not_offered", "not_an_upgrade"]);
    near.connection.send("hi");
    await until(() => far.received[0] === "hi", "the message");
    await server.close();
    await done(near, far);
  });

  test("an upgrade that is answered by plain HTTP is upgrade_refused", async () => {
    const transport = make();
    const server = await transport.serve({
      port: 0,
      fetch: () => new Response("who are you?", { status: 401 }),
    });
    const url = `ws://${server.host}:${server.port}/`;
    const near = new Peer();
    await rejects(transport.connect(url, near.accept), "upgrade_refused");
    await assert.rejects(transport.connect(url, near.accept), /401/);
    await calm();
    assert.equal(near.connection, undefined);
    await server.close();
    await rejects(transport.connect(url, near.accept), "connection_refused");
    await rejects(transport.connect("http://127.0.0.1:1/", near.accept), "connect_failed");
    await rejects(transport.connect("nonsense", near.accept), "connect_failed");
  });

  test("an aborted WebSocket connect rejects and leaves nothing behind", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.serve({ port: 0, fetch: (_, env) => env.upgrade(far.accept) });
    const url = `ws://${server.host}:${server.port}/`;
    const near = new Peer();
    await rejects(transport.connect(url, near.accept, { signal: AbortSignal.abort() }), "connect_aborted");
    const controller = new AbortController();
    const connecting = transport.connect(url, near.accept, { signal: controller.signal });
    controller.abort();
    await rejects(connecting, "connect_aborted");
    await calm();
    assert.equal(near.connection, undefined);
    if (far.connection) await far.ended();
    await server.close();
  });

  test("Hono routes everything, upgrades too, and middleware may replace the response", async () => {
    const transport = make();
    const far = new Peer();
    const app = new Hono<{ Bindings: ServeEnvironment }>();
    app.use(async (c, next) => {
      await next();
      c.res = new Response(c.res.body, c.res);
      c.header("x-seen", "yes");
    });
    app.get("/ws", async (c) => {
      await Promise.resolve();
      return c.env.upgrade(far.accept);
    });
    app.get("/closed", (c) => c.text("closed today", 403));
    app.get("/page", (c) => c.text("a page"));
    const server = await transport.serve({ port: 0, fetch: (request, env) => app.fetch(request, env) });
    const base = `${server.host}:${server.port}`;
    const page = await send(transport, new Request(`http://${base}/page`));
    assert.equal(await page.text(), "a page");
    assert.equal(page.headers.get("x-seen"), "yes");
    assert.equal((await send(transport, new Request(`http://${base}/none`))).status, 404);
    const near = new Peer();
    await transport.connect(`ws://${base}/ws`, near.accept);
    near.connection.send("through middleware");
    await until(() => far.received[0] === "through middleware", "the message");
    await rejects(transport.connect(`ws://${base}/closed`, new Peer().accept), "upgrade_refused");
    await rejects(transport.connect(`ws://${base}/none`, new Peer().accept), "upgrade_refused");
    await server.close();
    await done(near, far);
  });

  test("a fetch handler that throws after its upgrade keeps the WebSocket", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.serve({
      port: 0,
      fetch(_, env) {
        env.upgrade(far.accept);
        throw new Error("middleware stumbled");
      },
    });
    const near = new Peer();
    await transport.connect(`ws://${server.host}:${server.port}/`, near.accept);
    near.connection.send("still here");
    await until(() => far.received[0] === "still here", "the message");
    await server.close();
    await done(near, far);
  });

  test("a port in use is refused to serve, and free again after close while WebSockets live on", async () => {
    const transport = make();
    const far = new Peer();
    const server = await transport.serve({ port: 0, fetch: (_, env) => env.upgrade(far.accept) });
    const again = { port: server.port, fetch: () => new Response("second") };
    await rejects(transport.serve(again), "address_in_use");
    const near = new Peer();
    await transport.connect(`ws://${server.host}:${server.port}/`, near.accept);
    await server.close();
    const second = await transport.serve(again);
    const answer = await send(transport, new Request(`http://${second.host}:${second.port}/`));
    assert.equal(await answer.text(), "second");
    near.connection.send("old friend");
    await until(() => far.received[0] === "old friend", "the message");
    await second.close();
    await done(near, far);
  });
}
