import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CHAT, named, openPair, Pair, RawPeer, Side } from "../../tests/support/links.ts";
import type { LinkDialerOptions } from "./dialer.ts";
import type { LinkListenerOptions } from "./listener.ts";

/** What each side logs where the two do not fit. */
async function refusal(dial: Partial<LinkDialerOptions>, accept: Partial<LinkListenerOptions> = {}) {
  const pair = new Pair({ dial, accept });
  const messages: string[] = [];
  const log = (_level: string, event: string, fields?: Record<string, unknown>): void => {
    if (event === "link_refused") messages.push(`${fields?.code}: ${fields?.message}`);
  };
  pair.listen({ log });
  pair.dial({ log }).start();
  await pair.clock.until(() => messages.length >= 2);
  const { clock, network, proxy, chat } = pair;
  return { clock, network, proxy, chat, messages };
}

describe("a handshake is refused on both sides, with the reason,", () => {
  test("where the secrets differ", async () => {
    const { messages, proxy, chat } = await refusal({ secret: "sesame" }, { secret: "open sesame" });
    const reason = "wrong_secret: the peer's cluster secret is another one: start both with the same secret";
    expect(messages).toEqual([reason, reason]);
    expect([...proxy.events, ...chat.events]).toEqual([]);
  });

  test("where only one side has a secret, whichever it is", async () => {
    const [first] = (await refusal({ secret: undefined })).messages;
    expect(first).toBe(
      "wrong_secret: this process has a cluster secret and the peer has none: start both with the same secret",
    );
    const [second] = (await refusal({}, { secret: undefined })).messages;
    expect(second).toBe(
      "wrong_secret: the peer has a cluster secret and this process has none: start both with the same secret",
    );
  });

  test("where the clusters differ", async () => {
    const { messages } = await refusal({ cluster: "blue" });
    expect(messages[0]).toBe('wrong_cluster: the peer belongs to the cluster "test", this process to "blue"');
    expect(messages[1]).toBe(messages[0] as string);
  });

  test("where another process or another life of it answers than was dialled", async () => {
    const id = await refusal({ expect: { id: "c2" } });
    expect(id.messages[0]).toBe(
      'wrong_peer: this process dialled "c2" and "c1" in incarnation "bb" answered',
    );
    const proxy = await refusal({}, { self: { ...CHAT, role: "proxy" } });
    expect(proxy.messages[0]).toContain("no ChatServer, answered");
    const life = await refusal({ expect: { id: "c1", incarnation: "zz" } });
    expect(life.messages[0]).toContain('"c1" in incarnation "zz" and "c1" in incarnation "bb" answered');
  });

  test("where the versions differ", async () => {
    const pair = new Pair();
    const raw = await pair.raw();
    raw.send({ ...raw.hello(), version: 2 });
    await pair.clock.run(5);
    expect(raw.frames.at(-1)).toMatchObject({
      type: "goodbye",
      code: "wrong_version",
      message: "the peer speaks version 2 of the link, this one 1",
    });
    expect(pair.logged).toEqual(["link_refused wrong_version"]);
  });
});

describe("a handshake", () => {
  test("works without a secret where neither side has one", async () => {
    const pair = await openPair({ dial: { secret: undefined }, accept: { secret: undefined } });
    expect(pair.proxy.events).toEqual(["open c1"]);
    expect(pair.network.dialled[0]?.sent.join("")).not.toContain("mac");
  });

  test("that is refused is tried again, ever slower", async () => {
    const { clock, network, chat } = await refusal({ cluster: "blue" });
    const before = network.dialled.length;
    await clock.run(60_000);
    const tries = network.dialled.length - before;
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(30);
    expect(chat.events).toEqual([]);
  });

  test("says in its hello on the dialled side that it may accept nothing any more, and takes links all the same", async () => {
    const pair = new Pair();
    let lapsed = true;
    pair.listen({ lapsed: () => lapsed });
    const raw = await pair.raw();
    expect(raw.frames).toMatchObject([{ type: "hello", lapsed: true }]);
    raw.send(raw.hello());
    await pair.clock.run(5);
    expect(raw.frames[1]).toMatchObject({ type: "welcome" });
    lapsed = false;
    expect((await pair.raw()).frames[0]).not.toHaveProperty("lapsed");
  });

  test("with the last life of who has lost its lease is tried again soon, and not called refused", async () => {
    const pair = new Pair({ dial: { expect: { id: "c1", incarnation: "next" } } });
    let incarnation = "last";
    const logged: string[] = [];
    pair.listen({ self: () => ({ ...CHAT, incarnation }), lapsed: () => incarnation === "last" });
    pair.dial({ log: (_, event) => logged.push(event) }).start();
    await pair.clock.until(() => pair.network.dialled.length > 2);
    incarnation = "next";
    await pair.clock.until(() => pair.proxy.events.length > 0, 1000);
    expect(pair.proxy.events).toEqual(["open c1"]);
    expect(logged.filter((event) => event === "link_refused")).toEqual([]);
  });

  test("says hello at once on the dialled side, with a nonce that is new each time", async () => {
    const pair = new Pair();
    const [a, b] = [await pair.raw(), await pair.raw()];
    expect(a.frames).toEqual([
      { type: "hello", version: 1, ...CHAT, cluster: "test", nonce: expect.stringMatching(/^[\w-]{22}$/) },
    ]);
    expect(a.frames[0]?.nonce).not.toBe(b.frames[0]?.nonce);
  });

  test("by hand, as documented, opens a link", async () => {
    const pair = new Pair();
    const raw = await pair.raw();
    raw.send(raw.hello(), { n: 1, type: "digest", digest: "d" });
    await pair.clock.run(5);
    expect(raw.frames[1]).toMatchObject({ type: "welcome", received: 0, mac: expect.any(String) });
    expect(raw.frames.at(-1)).toEqual({ type: "confirm", n: 1 });
    expect(pair.chat.events).toEqual(["open p1", "frame 1 digest"]);
  });

  test("with a proof from another connection is refused", async () => {
    const pair = new Pair();
    const [first, second] = [await pair.raw(), await pair.raw()];
    second.send(first.hello());
    await pair.clock.run(5);
    expect(second.goodbye).toBe("wrong_secret");
    expect(pair.chat.events).toEqual([]);
  });

  test("asked to resume by an impostor leaves the link alone", async () => {
    const pair = await openPair();
    const resume = { link: "x", received: 0 };
    const raw = await pair.raw();
    raw.send(raw.hello({ resume }, "guess"));
    await pair.clock.run(5);
    expect(raw.goodbye).toBe("wrong_secret");
    expect(pair.chat.events).toEqual(["open p1"]);
    pair.proxy.link.send(named("unharmed"));
    await pair.clock.run(5);
    expect(pair.chat.names).toEqual(["unharmed"]);
  });

  test("to resume with a number that was never sent gets a new link", async () => {
    const pair = new Pair();
    const raw = await pair.raw();
    raw.send(raw.hello());
    await pair.clock.run(5);
    const link = raw.frames[1]?.link as string;
    const again = await pair.raw();
    again.send(again.hello({ resume: { link, received: 7 } }));
    await pair.clock.run(5);
    expect(again.frames[1]?.link).not.toBe(link);
    expect(pair.chat.events).toEqual(["open p1", "reset replaced", "open p1"]);
  });

  test("must be complete in time", async () => {
    const pair = new Pair();
    const raw = await pair.raw();
    await pair.clock.run(4900);
    expect(raw.goodbye).toBe(undefined);
    await pair.clock.run(200);
    expect(raw.goodbye).toBe("handshake_timeout");
    expect(raw.closed?.kind).toBe("peer");
  });

  test("with a server that takes connections and says nothing is given up and tried again", async () => {
    const pair = new Pair();
    const silent = new RawPeer();
    pair.network.listen({ port: 1 }, (connection) => silent.attach(connection));
    pair.dialer.start();
    await pair.clock.run(5100);
    expect(pair.logged).toEqual(["link_dial_failed handshake_timeout"]);
    expect(silent.goodbye).toBe("handshake_timeout");
    pair.listen();
    await pair.clock.until(() => pair.proxy.links.length === 1);
  });

  test("with an address that swallows connection attempts is given up and tried again", async () => {
    const pair = new Pair();
    pair.network.latency = 60_000;
    pair.dialer.start();
    await pair.clock.run(5100);
    pair.network.latency = 1;
    await pair.clock.until(() => pair.proxy.links.length === 1, 6000);
    expect(pair.logged).toContain("link_dial_failed connect_timeout");
  });

  test("that has begun first is ended where too many are under way, so that a peer gets in", async () => {
    const pair = new Pair({ options: { maxHandshakes: 3 } });
    const silent: RawPeer[] = [];
    for (let n = 0; n < 4; n++) silent.push(await pair.raw());
    expect(silent.map(({ goodbye }) => goodbye)).toEqual(["handshake_busy", undefined, undefined, undefined]);
    pair.dialer.start();
    await pair.clock.until(() => pair.chat.links.length > 0);
    expect(silent.map(({ goodbye }) => goodbye)).toEqual([
      "handshake_busy",
      "handshake_busy",
      undefined,
      undefined,
    ]);
    expect(pair.listener.metrics.get("toychat_link_handshakes_evicted_total")).toBe(2);
  });

  test("takes no line over 4 KiB", async () => {
    const pair = new Pair();
    const raw = await pair.raw();
    raw.send("x".repeat(4097));
    await pair.clock.run(5);
    expect(raw.goodbye).toBe("line_too_long");
  });

  test("takes no frame but a hello, and only one", async () => {
    const pair = new Pair();
    const early = await pair.raw();
    early.send({ n: 1, type: "digest", digest: "d" });
    await pair.clock.run(5);
    expect(early.goodbye).toBe("out_of_order");
    const twice = await pair.raw();
    twice.send(twice.hello(), twice.hello());
    await pair.clock.run(5);
    expect(twice.goodbye).toBe("out_of_order");
    expect(pair.chat.events).toEqual(["open p1", "reset out_of_order"]);
  });

  test("is not begun with a name or a secret that no peer could accept", () => {
    const pair = new Pair();
    expect(() => pair.dial({ cluster: "two\nlines" })).toThrow('"two\\nlines" cannot be a cluster\'s name');
    expect(() => pair.listen({ cluster: "" })).toThrow("use 1 to 64 characters");
    expect(() => pair.listen({ secret: "" })).toThrow("the cluster secret is empty");
  });

  test("under way ends with the dialer or the listener", async () => {
    const pair = new Pair();
    pair.network.latency = 10;
    pair.dialer.start();
    await pair.clock.run(12);
    pair.dialer.close();
    await pair.clock.run(200);
    expect(pair.network.open.size).toBe(0);

    const raw = await pair.raw();
    await pair.clock.run(20);
    pair.listener.close();
    await pair.clock.run(20);
    expect(raw.goodbye).toBe("closed");
    await pair.clock.run(2000);
    expect(pair.clock.pending).toBe(0);
  });
});

describe("what is not the protocol ends its link with a reason and harms no other", () => {
  const hello = (): Record<string, unknown> => ({
    type: "hello",
    version: 1,
    ...CHAT,
    cluster: "test",
    nonce: "A".repeat(22),
  });
  const cases: [what: string, sent: (string | Uint8Array | Record<string, unknown>)[], code: string][] = [
    ["bytes that are not UTF-8", [Uint8Array.of(0x22, 0xff, 0x22, 10)], "not_utf8"],
    ["a line that is not JSON", ["hello?\n"], "not_json"],
    ["an empty line", ["\n"], "not_json"],
    ["a JSON array", ["[]\n"], "not_json"],
    ["a JSON string", ['"ping"\n'], "not_json"],
    ["a type that does not exist", [{ n: 1, type: "dance" }], "unknown_frame"],
    ["a type that every object inherits", [{ n: 1, type: "constructor" }], "unknown_frame"],
    ["a frame without a number", [{ type: "digest", digest: "d" }], "bad_frame"],
    ["a frame with a wrong field", [{ n: 1, type: "yield", room: 7 }], "bad_frame"],
    [
      "a gap in the numbers",
      [{ n: 1, type: "yield", room: "r" }, { n: 3, type: "yield", room: "r" }],
      "out_of_order",
    ],
    ["a number that begins too high", [{ n: 2, type: "yield", room: "r" }], "out_of_order"],
    [
      "a repeated number",
      [{ n: 1, type: "yield", room: "r" }, { n: 1, type: "yield", room: "r" }],
      "out_of_order",
    ],
    ["a confirmation of what was not sent", [{ type: "confirm", n: 1 }], "bad_confirm"],
    ["a second hello", [hello()], "out_of_order"],
    ["a welcome to the dialled side", [{ type: "welcome", link: "x", received: 0 }], "out_of_order"],
  ];
  for (const [what, sent, code] of cases) {
    test(what, async () => {
      const pair = new Pair();
      const bystander = new Side();
      pair.dial({ handler: bystander, self: { role: "proxy", id: "p2", incarnation: "cc" } }).start();
      await pair.clock.until(() => bystander.links.length === 1);
      const raw = await pair.raw();
      raw.send(raw.hello());
      await pair.clock.run(5);
      raw.send(...sent);
      await pair.clock.run(5);
      expect(raw.goodbye).toBe(code);
      expect(pair.chat.events.at(-1)).toBe(`reset ${code}`);
      expect(raw.closed?.kind).toBe("peer");
      bystander.link.send(named("unharmed"));
      await pair.clock.run(5);
      expect(pair.chat.names).toContain("unharmed");
      expect(bystander.events).toEqual(["open c1", "confirmed 1"]);
    });
  }

  test("a confirmation that goes back", async () => {
    const pair = new Pair();
    const raw = await pair.raw();
    raw.send(raw.hello());
    await pair.clock.run(5);
    for (const name of ["a", "b"]) pair.chat.link.send(named(name));
    await pair.clock.run(5);
    raw.send({ type: "confirm", n: 2 }, { type: "confirm", n: 2 }, { type: "confirm", n: 1 });
    await pair.clock.run(5);
    expect(raw.goodbye).toBe("bad_confirm");
    expect(pair.chat.events).toEqual(["open p1", "confirmed 2", "reset bad_confirm"]);
  });

  test("any garbage at all, before the handshake and after it", async () => {
    const garbage = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.json().map((text) => new TextEncoder().encode(text + "\n")),
      fc.record({
        n: fc.anything(),
        type: fc.constantFrom("message", "deliver", "confirm", "hello"),
        room: fc.anything(),
      })
        .map((frame) => new TextEncoder().encode((JSON.stringify(frame) ?? "") + "\n")),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(garbage, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (chunks, after) => {
          const pair = await openPair();
          const raw = await pair.raw();
          if (after) raw.send(raw.hello({ id: "p2" }));
          await pair.clock.run(5);
          // The newline ends what might still be waited for.
          raw.send(...chunks, "\n");
          await pair.clock.run(5);
          expect(raw.goodbye).toBeString();
          pair.proxy.link.send(named("unharmed"));
          await pair.clock.run(5);
          expect(pair.chat.names.at(-1)).toBe("unharmed");
          expect(pair.proxy.events).toEqual(["open c1", "confirmed 1"]);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("what the dialled side may send wrong ends the dialler's attempt, which goes on trying", async () => {
    for (const bad of ["nonsense\n", '{"type":"welcome","link":"x","received":0}\n', '{"type":"ping"}\n']) {
      const pair = new Pair();
      const server = new RawPeer();
      pair.network.listen({ port: 1 }, (connection) => server.attach(connection));
      pair.dialer.start();
      await pair.clock.run(5);
      server.send(bad);
      await pair.clock.run(5);
      expect(server.goodbye).toBeString();
      pair.listen();
      await pair.clock.until(() => pair.proxy.links.length === 1);
      expect(pair.proxy.events).toEqual(["open c1"]);
    }
  });

  test("a welcome with a wrong proof", async () => {
    const pair = new Pair();
    const server = new RawPeer();
    pair.network.listen({ port: 1 }, (connection) => server.attach(connection));
    pair.dialer.start();
    await pair.clock.run(5);
    server.send(hello());
    await pair.clock.run(5);
    server.send({ type: "welcome", link: "x", received: 0, mac: "A".repeat(43) });
    await pair.clock.run(5);
    expect(server.goodbye).toBe("wrong_secret");
    expect(pair.proxy.events).toEqual([]);
  });
});
