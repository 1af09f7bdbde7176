import { describe, expect, test } from "bun:test";
import { message, named, openPair, Pair, PROXY, Side } from "../../tests/support/links.ts";
import { encodeFrame } from "./link.ts";

describe("a link", () => {
  test("opens on both sides and carries frames both ways, numbered and confirmed", async () => {
    const { clock, proxy, chat } = await openPair();
    expect(proxy.link.send(named("a"))).toBe(1);
    expect(proxy.link.send(named("b"))).toBe(2);
    expect(chat.link.sendEncoded(encodeFrame(named("c")))).toBe(1);
    expect(proxy.link.outstanding).toBeGreaterThan(0);
    await clock.run(10);
    expect(chat.events).toEqual(["open p1", "frame 1 a", "frame 2 b", "confirmed 1"]);
    expect(proxy.events).toEqual(["open c1", "frame 1 c", "confirmed 2"]);
    expect(proxy.link.outstanding).toBe(0);
    expect(proxy.link.peer).toEqual({ role: "chat", id: "c1", incarnation: "bb" });
    expect(chat.link.peer).toEqual(PROXY);
  });

  test("hands over frames that say what was sent, without the link's number in them", async () => {
    const { clock, proxy, chat } = await openPair();
    const frames: unknown[] = [];
    chat.onFrame = (_link, frame) => frames.push(JSON.parse(JSON.stringify(frame)));
    const sent = { ...message(3), body: { text: "grüße \u2028 🚀 \ud800", list: [1, null, "\n"] } } as const;
    proxy.link.send(sent as never);
    await clock.run(10);
    expect(frames).toEqual([sent]);
  });

  test("writes everything that is queued in a turn at once", async () => {
    const { clock, network, proxy } = await openPair();
    const [near] = network.dialled;
    const before = near?.sent.length ?? 0;
    for (let i = 0; i < 50; i++) proxy.link.send(named(`r${i}`));
    await clock.settle();
    expect((near?.sent.length ?? 0) - before).toBe(1);
    expect(near?.sent.at(-1)?.split("\n").length).toBe(51);
  });

  test("confirms all frames of a turn at once, after what the handler answered to them", async () => {
    const { clock, network, proxy, chat } = await openPair();
    const order: string[] = [];
    chat.onFrame = (link, _frame, n) => link.send(named(`answer-${n}`));
    proxy.onFrame = (_link, frame) => order.push("room" in frame ? frame.room as string : "");
    proxy.confirmed = (_link, n) => order.push(`confirmed ${n}`);
    for (let i = 0; i < 3; i++) proxy.link.send(named("q"));
    await clock.run(10);
    expect(order).toEqual(["answer-1", "answer-2", "answer-3", "confirmed 3"]);
    const confirms = network.dialled[0]?.peer.sent.join("").match(/"confirm"/g);
    expect(confirms?.length).toBe(1);
  });

  test("lets a handler send and close from inside any callback", async () => {
    const pair = new Pair();
    pair.chat.onOpen = (link) => link.send(named("from-open"));
    pair.proxy.onFrame = (link) => link.close("enough", "the test has had enough");
    pair.proxy.onReset = (link) => expect(link.send(named("too late"))).toBe(0);
    pair.dialer.start();
    await pair.clock.until(() => pair.chat.events.includes("reset enough"));
    expect(pair.proxy.events).toEqual(["open c1", "frame 1 from-open", "reset enough"]);
    expect(pair.chat.events).toEqual(["open p1", "confirmed 1", "reset enough"]);
  });

  test("closed by one side sends what is queued, and resets both at once with the reason", async () => {
    const { clock, proxy, chat, dialer } = await openPair();
    dialer.close();
    proxy.link.send(named("never"));
    await clock.run(20);
    expect(proxy.events.slice(1)).toEqual(["reset closed"]);
    expect(chat.events.slice(1)).toEqual(["reset closed"]);

    const other = await openPair();
    other.chat.link.send(named("last words"));
    other.chat.link.close("draining", "the server is going");
    expect(other.chat.events).toEqual(["open p1"]);
    await other.clock.settle();
    expect(other.chat.events).toEqual(["open p1", "reset draining"]);
    await other.clock.until(() => other.proxy.events.length >= 3);
    expect(other.proxy.events).toEqual(["open c1", "frame 1 last words", "reset draining"]);
  });

  test("that was closed is dialled again", async () => {
    const { clock, proxy, chat } = await openPair();
    chat.link.close("bye", "try again");
    await clock.until(() => chat.links.length === 2);
    await clock.run(5);
    expect(proxy.events).toEqual(["open c1", "reset bye", "open c1"]);
    expect(proxy.link).not.toBe(proxy.links[0] as never);
  });

  test("is full over the high mark and drains below half of it", async () => {
    const { clock, proxy, network } = await openPair({ options: { highMark: 1000, maxOutstanding: 10_000 } });
    network.held = true;
    while (!proxy.link.full) proxy.link.send(message(100));
    expect(proxy.link.outstanding).toBeGreaterThan(1000);
    expect(proxy.link.outstanding).toBeLessThan(1300);
    await clock.run(100);
    expect(proxy.events).toEqual(["open c1"]);
    network.release();
    await clock.run(10);
    expect(proxy.events.at(-1)).toBe("drain");
    expect(proxy.events.filter((event) => event === "drain").length).toBe(1);
    expect(proxy.links[0]?.full).toBe(false);
  });

  test("does not write to a connection that is clogged until it drains", async () => {
    const { clock, proxy, chat, network } = await openPair();
    network.highMark = 10;
    network.latency = 50;
    proxy.link.send(named("first"));
    await clock.run(1);
    const writes = network.dialled[0]?.sent.length;
    for (let i = 0; i < 5; i++) {
      proxy.link.send(named(`more${i}`));
      await clock.run(1);
    }
    expect(network.dialled[0]?.sent.length).toBe(writes as number);
    await clock.run(500);
    expect(chat.names).toEqual(["first", "more0", "more1", "more2", "more3", "more4"]);
  });

  test("is reset where more is outstanding than allowed, never from inside send", async () => {
    const { clock, proxy, chat, network } = await openPair({ options: { maxOutstanding: 1000 } });
    network.held = true;
    for (let i = 0; i < 20; i++) proxy.link.send(message(100));
    expect(proxy.link.ended).toBe(true);
    expect(proxy.events).toEqual(["open c1"]);
    await clock.settle();
    expect(proxy.events).toEqual(["open c1", "reset overflow"]);
    network.release();
    await clock.run(10);
    expect(chat.events).toEqual(["open p1", "reset overflow"]);
  });

  test("is reset where a frame is not confirmed in time though the connection stands", async () => {
    const pair = new Pair();
    const raw = await pair.raw();
    raw.send(raw.hello());
    await pair.clock.run(5);
    const stopPings = pair.clock.every(500, () => raw.send({ type: "ping" }));
    pair.chat.events.length = 0;
    pair.chat.link.send(named("unanswered"));
    await pair.clock.run(2900);
    expect(pair.chat.events).toEqual([]);
    await pair.clock.run(500);
    expect(pair.chat.events).toEqual(["reset unconfirmed"]);
    expect(raw.goodbye).toBe("unconfirmed");
    stopPings();
  });

  test("whose handler throws ends alone, and is logged", async () => {
    const pair = await openPair();
    const other = new Side();
    const second = pair.dial({ handler: other, self: { role: "proxy", id: "p2", incarnation: "cc" } });
    second.start();
    await pair.clock.until(() => other.links.length === 1);
    pair.chat.onFrame = (_link, frame) => {
      if ("room" in frame && frame.room === "poison") throw new Error("it broke");
    };
    pair.proxy.link.send(named("poison"));
    pair.proxy.link.send(named("after"));
    other.link.send(named("fine"));
    await pair.clock.run(10);
    expect(pair.chat.events).toContain("reset handler_failed");
    expect(pair.proxy.events).toContain("reset handler_failed");
    expect(pair.chat.names.toSorted()).toEqual(["fine", "poison"]);
    expect(other.events).toEqual(["open c1", "confirmed 1"]);
    expect(pair.logged).toContain("link_handler_failed");
  });

  test("whose handler throws in open, confirmed or reset ends alone too", async () => {
    for (const where of ["open", "confirmed", "reset"] as const) {
      const pair = new Pair();
      let thrown = 0;
      const original = pair.proxy[where].bind(pair.proxy) as (...args: unknown[]) => void;
      pair.proxy[where] = (...args: unknown[]) => {
        original(...args);
        if (thrown++ === 0) throw new Error("it broke");
      };
      pair.dialer.start();
      await pair.clock.until(() => pair.proxy.links.length > 0);
      pair.proxy.links[0]?.send(named("a"));
      await pair.clock.run(10);
      if (where === "reset") pair.chat.link.close("bye", "bye");
      await pair.clock.until(() => pair.proxy.links.length === 2);
      pair.proxy.link.send(named("b"));
      await pair.clock.run(10);
      expect(pair.chat.names.at(-1)).toBe("b");
      expect(pair.proxy.events.filter((event) => event.startsWith("reset")).length).toBe(1);
    }
  });
});

describe("heartbeats", () => {
  test("keep a link alive that has nothing to say", async () => {
    const { clock, proxy, chat, network } = await openPair();
    await clock.run(20_000);
    expect(proxy.events).toEqual(["open c1"]);
    expect(chat.events).toEqual(["open p1"]);
    const pings = network.dialled[0]?.sent.filter((text) => text === '{"type":"ping"}\n').length;
    expect(pings).toBeGreaterThan(15);
    expect(pings).toBeLessThan(21);
  });

  test("are not sent while frames flow", async () => {
    const { clock, proxy, network } = await openPair();
    for (let i = 0; i < 50; i++) {
      proxy.link.send(named("a"));
      await clock.run(100);
    }
    expect(network.dialled[0]?.sent.join("")).not.toContain("ping");
  });

  test("that stay away end the connection, and the link after the time to resume", async () => {
    const { clock, proxy, chat, network, logged } = await openPair();
    network.held = true;
    network.down = true;
    await clock.run(3500);
    expect(logged.filter((event) => event === "link_lost").length).toBe(2);
    expect(proxy.events).toEqual(["open c1"]);
    await clock.run(3000);
    expect(proxy.events).toEqual(["open c1", "reset lost"]);
    expect(chat.events).toEqual(["open p1", "reset lost"]);
  });

  test("that stay away give a frame no more time to be confirmed than it has without", async () => {
    const { clock, proxy, chat, network, logged } = await openPair();
    await clock.run(20);
    network.held = true;
    network.down = true;
    proxy.link.send(named("a"));
    await clock.run(2900);
    expect(proxy.events).toEqual(["open c1"]);
    await clock.run(600);
    expect(logged.filter((event) => event === "link_lost").length).toBe(2);
    expect(proxy.events).toEqual(["open c1", "reset lost"]);
    expect(chat.events).toEqual(["open p1"]);
  });

  test("and confirmations are not missed by a process that was held up itself", async () => {
    const { clock, proxy, chat, logged, network } = await openPair();
    await clock.run(990);
    network.latency = 400;
    proxy.link.send(named("a"));
    await clock.run(300);
    clock.freeze(10_000);
    await clock.run(2000);
    expect(logged).not.toContain("link_lost");
    expect(proxy.events).toEqual(["open c1", "confirmed 1"]);
    expect(chat.events).toEqual(["open p1", "frame 1 a"]);
  });

  test("leave no timer behind when everything is closed", async () => {
    const { clock, dialer, listener } = await openPair();
    dialer.close();
    await clock.run(10);
    listener.close();
    await clock.run(1500);
    expect(clock.pending).toBe(0);
  });
});
