/**
 * TLS on both sides of a connection: who is connected to proves who it is, and who connects does where it must.
 *
 * @module
 */

import assert from "node:assert/strict";
import net from "node:net";
import type {
  Address,
  Connection,
  ConnectionHandler,
  ConnectOptions,
  ListenOptions,
  ListenSocket,
  ServeOptions,
  TlsOptions,
  Transport,
} from "../../src/lib/transport.ts";
import { Authority } from "../support/certificates.ts";
import { done, Peer, rejects, until } from "./support.ts";
import type { Registrar } from "./support.ts";

const NAMES = ["DNS:localhost", "IP:127.0.0.1"];

/** Makes the certificates that a case needs, and removes them. */
async function withAuthority(work: (authority: Authority) => Promise<void>): Promise<void> {
  const authority = new Authority();
  try {
    await work(authority);
  } finally {
    authority.close();
  }
}

/** Opens a connection on which the server says hello, and gives what arrived. */
async function hello(transport: Transport, address: Address, options: ConnectOptions): Promise<string> {
  const near = new Peer();
  await transport.connect(address, near.accept, options);
  await until(() => near.received.length > 0 || near.closes.length > 0, "a hello, or the end");
  const text = near.received.map((chunk) =>
    typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)
  );
  near.connection.terminate();
  await near.ended();
  return text.join("");
}

function greet(transport: Transport, tls: TlsOptions) {
  return transport.listen({ port: 0, tls }, hail);
}

const upgrading: ServeOptions["fetch"] = (_, env) => env.upgrade(hail);

/** The first bytes of a TLS record whose rest never comes. */
const HALF_A_RECORD = new Uint8Array([0x16, 3, 1, 0, 200, 1]);

/** Connects by bare TCP, says `bytes` and nothing more. */
async function silent({ port }: ListenSocket, bytes = new Uint8Array()): Promise<{ readonly gone: boolean }> {
  const state = { gone: false };
  const socket = net.connect(port, "127.0.0.1");
  const over = () => {
    state.gone = true;
    socket.destroy();
  };
  let connected = false;
  socket.on("connect", () => connected = true);
  for (const event of ["end", "close"]) socket.on(event, over);
  socket.on("error", over);
  socket.resume();
  await until(() => connected, "a connection by TCP");
  if (bytes.length > 0) socket.write(bytes);
  return state;
}

/** Listens for bytes, and by HTTPS where the runtime lets handshakes be counted there. */
async function greeters(
  transport: Transport,
  options: Pick<ListenOptions, "tls" | "handshake">,
): Promise<{ readonly server: ListenSocket; readonly address: Address }[]> {
  const bytes = await transport.listen({ port: 0, ...options }, hail);
  const web = await transport.serve({ port: 0, fetch: upgrading, ...options });
  const first = { server: bytes, address: { host: "127.0.0.1", port: bytes.port } };
  if (web.handshakes) return [first, { server: web, address: `wss://127.0.0.1:${web.port}/` }];
  assert.equal(transport.name, "bun");
  await web.close();
  return [first];
}

function hail(connection: Connection): ConnectionHandler {
  connection.send("hello");
  return { data() {}, drain() {}, close() {} };
}

/** Registers the cases of TLS. */
export function tlsCases(make: () => Transport, test: Registrar): void {
  test("a client connects over TLS to a server whose certificate it trusts, and sends much", () =>
    withAuthority(async (authority) => {
      const transport = make();
      const far = new Peer();
      far.onData = (chunk) => void far.connection.send(chunk);
      const server = await transport.listen({ port: 0, tls: authority.sign("server", ...NAMES) }, far.accept);
      const near = new Peer();
      const address = { host: "127.0.0.1", port: server.port };
      await transport.connect(address, near.accept, { tls: { ca: authority.ca } });
      near.connection.send(new Uint8Array(1_000_000).fill(7));
      await until(() => near.size === 1_000_000, "the echo");
      near.connection.close();
      assert.equal((await near.ended()).kind, "local");
      assert.equal((await far.ended()).kind, "peer");
      await server.close();
      await done(near, far);
    }));

  test("a server that the client cannot trust gets nothing, and the error says why", () =>
    withAuthority(async (authority) => {
      const transport = make();
      const server = await greet(transport, authority.sign("server", ...NAMES));
      const address = { host: "127.0.0.1", port: server.port };
      const accept = new Peer().accept;
      await rejects(transport.connect(address, accept, { tls: {} }), "certificate_refused");
      const other = { ca: authority.ca, serverName: "other.example" };
      await rejects(transport.connect(address, accept, { tls: other }), "certificate_refused");
      const good = { ca: authority.ca };
      assert.equal(await hello(transport, address, { tls: good }), "hello");
      assert.equal(await hello(transport, { ...address, host: "localhost" }, { tls: good }), "hello");
      await server.close();
    }));

  test("a server may have a name that is not its address", () =>
    withAuthority(async (authority) => {
      const transport = make();
      const server = await greet(transport, authority.sign("server", "DNS:links.toychat.internal"));
      const address = { host: "127.0.0.1", port: server.port };
      const tls = { ca: authority.ca, serverName: "links.toychat.internal" };
      assert.equal(await hello(transport, address, { tls }), "hello");
      await rejects(
        transport.connect(address, new Peer().accept, { tls: { ca: authority.ca } }),
        "certificate_refused",
      );
      await server.close();
    }));

  test("a connection over TLS to a server without it fails", async () => {
    const transport = make();
    const server = await transport.listen({ port: 0 }, (connection) => {
      connection.send("SMTP or so\r\n");
      return { data() {}, drain() {}, close() {} };
    });
    const address = { host: "127.0.0.1", port: server.port };
    await rejects(transport.connect(address, new Peer().accept, { tls: {} }), "connect_failed");
    await server.close();
  });

  test("a server that demands certificates serves only who shows one of its authority", () =>
    withAuthority(async (authority) => {
      const transport = make();
      let bytes = 0;
      const tls = { ...authority.sign("server", ...NAMES), ca: authority.ca };
      const server = await transport.listen({ port: 0, tls }, (connection) => ({
        data: (chunk) => {
          bytes += chunk.length;
          connection.send("hello");
        },
        drain() {},
        close() {},
      }));
      const address = { host: "127.0.0.1", port: server.port };
      const ask = async (show: { cert?: string; key?: string }) => {
        const near = new Peer();
        const options = { tls: { ca: authority.ca, ...show } };
        const open = await transport.connect(address, near.accept, options).catch(() => undefined);
        if (!open) return "refused";
        open.send("let me in");
        await until(() => near.received.length > 0 || near.closes.length > 0, "an answer or the end");
        open.terminate();
        await near.ended();
        return near.received.length > 0 ? "served" : "refused";
      };
      assert.equal(await ask({}), "refused");
      const stranger = new Authority();
      assert.equal(await ask(stranger.sign("client", "DNS:client")), "refused");
      stranger.close();
      assert.equal(bytes, 0);
      assert.equal(await ask(authority.sign("client", "DNS:client")), "served");
      await server.close();
    }));

  test("a WebSocket goes over TLS, to a server that is trusted and to no other", () =>
    withAuthority(async (authority) => {
      const transport = make();
      const tls = authority.sign("server", ...NAMES, "DNS:links.toychat.internal");
      const server = await transport.serve({ port: 0, tls, fetch: upgrading });
      const url = `wss://127.0.0.1:${server.port}/`;
      const ca = authority.ca;
      assert.equal(await hello(transport, url, { tls: { ca } }), "hello");
      const named = { ca, serverName: "links.toychat.internal" };
      assert.equal(await hello(transport, url, { tls: named }), "hello");
      const accept = new Peer().accept;
      await rejects(transport.connect(url, accept), "certificate_refused");
      const other = { ca, serverName: "other.example" };
      await rejects(transport.connect(url, accept, { tls: other }), "certificate_refused");
      await server.close();
    }));

  test("a certificate is changed while the server listens, where the runtime can", () =>
    withAuthority(async (authority) => {
      const transport = make();
      const next = new Authority();
      const bytes = await greet(transport, authority.sign("server", ...NAMES));
      const web = await transport.serve({ port: 0, tls: authority.sign("web", ...NAMES), fetch: upgrading });
      const certificate = next.sign("server", ...NAMES);
      for (const server of [bytes, web]) {
        const address = server === web
          ? `wss://127.0.0.1:${server.port}/`
          : { host: "127.0.0.1", port: server.port };
        if (server.setCertificate) {
          assert.throws(() => server.setCertificate?.({ cert: "none", key: "none" }), {
            code: "bad_certificate",
          });
          assert.equal(await hello(transport, address, { tls: { ca: authority.ca } }), "hello");
          server.setCertificate(certificate);
          assert.equal(await hello(transport, address, { tls: { ca: next.ca } }), "hello");
        } else assert.equal(transport.name, "bun");
        await server.close();
      }
      next.close();
    }));

  test("a certificate that is none is refused when listening", async () => {
    const transport = make();
    const tls = { cert: "none", key: "none" };
    await rejects(transport.listen({ port: 0, tls }, new Peer().accept), "bad_certificate");
    await rejects(transport.serve({ port: 0, tls, fetch: upgrading }), "bad_certificate");
    const empty = { cert: "", key: "" };
    await rejects(transport.listen({ port: 0, tls: empty }, new Peer().accept), "bad_certificate");
  });

  test("who does not finish the handshake is cut off in time, and who has stays", () =>
    withAuthority(async (authority) => {
      const transport = make();
      const cuts: string[] = [];
      const handshake = { limitMs: 3000, cut: (why: string) => void cuts.push(why) };
      const tls = authority.sign("server", ...NAMES);
      for (const { server, address } of await greeters(transport, { tls, handshake })) {
        const near = new Peer();
        await transport.connect(address, near.accept, { tls: { ca: authority.ca } });
        await until(() => server.handshakes?.() === 0, "the end of a handshake that was done");
        const strangers = [await silent(server), await silent(server, HALF_A_RECORD)];
        await until(() => server.handshakes?.() === 2, "two handshakes that are not done");
        await until(() => strangers.every(({ gone }) => gone), "the end of who says too little");
        assert.equal(server.handshakes?.(), 0);
        assert.deepEqual(cuts.splice(0), ["timeout", "timeout"]);
        assert.deepEqual(near.closes, []);
        await server.close();
        await done(near);
      }
    }));

  test("of too many handshakes the first are cut off, and who speaks TLS comes in", () =>
    withAuthority(async (authority) => {
      const transport = make();
      const cuts: string[] = [];
      const handshake = { most: 5, cut: (why: string) => void cuts.push(why) };
      const tls = authority.sign("server", ...NAMES);
      for (const { server, address } of await greeters(transport, { tls, handshake })) {
        const strangers: Awaited<ReturnType<typeof silent>>[] = [];
        for (let n = 0; n < 20; n++) strangers.push(await silent(server));
        assert.equal(await hello(transport, address, { tls: { ca: authority.ca } }), "hello");
        await until(() => strangers.filter(({ gone }) => gone).length === 16, "the end of the first ones");
        assert.deepEqual(strangers.slice(16).map(({ gone }) => gone), [false, false, false, false]);
        assert.equal(server.handshakes?.(), 4);
        assert.deepEqual(cuts.splice(0), Array(16).fill("evicted"));
        await server.close();
      }
    }));

  test("who leaves in the middle of its handshake is counted no more", () =>
    withAuthority(async (authority) => {
      const transport = make();
      const tls = authority.sign("server", ...NAMES);
      for (const { server } of await greeters(transport, { tls })) {
        const leaving = [new Uint8Array(), HALF_A_RECORD, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")];
        const sockets = leaving.map((bytes) => {
          const socket = net.connect(server.port, "127.0.0.1", () => socket.write(bytes));
          return socket.on("error", () => {});
        });
        await until(() => (server.handshakes?.() ?? 0) >= 2, "their handshakes");
        for (const socket of sockets) socket.destroy();
        await until(() => server.handshakes?.() === 0, "the end of their handshakes");
        await server.close();
      }
    }));
}
