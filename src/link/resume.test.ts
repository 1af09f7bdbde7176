import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CHAT, named, openPair, Pair } from "../../tests/support/links.ts";

describe("a link whose connection is lost", () => {
  test("goes on where it stopped, and says nothing of it", async () => {
    const { clock, network, proxy, chat } = await openPair();
    proxy.link.send(named("a"));
    chat.link.send(named("x"));
    await clock.settle();
    network.cut();
    proxy.link.send(named("b"));
    await clock.until(() => chat.names.length === 2 && proxy.names.length === 1);
    await clock.run(5);
    expect(chat.events).toEqual(["open p1", "frame 1 a", "frame 2 b", "confirmed 1"]);
    expect(proxy.events).toEqual(["open c1", "frame 1 x", "confirmed 2"]);
  });

  test("does not hand over again what had arrived unconfirmed, and learns that it had", async () => {
    const { clock, network, proxy, chat } = await openPair();
    chat.onFrame = () => network.cut();
    proxy.link.send(named("a"));
    await clock.until(() => proxy.events.includes("confirmed 1"));
    expect(chat.names).toEqual(["a"]);
  });

  test("is reset on both sides where no connection comes in time, and a new one is opened after", async () => {
    const { clock, network, proxy, chat } = await openPair();
    network.down = true;
    network.cut();
    await clock.run(2990);
    expect([...proxy.events, ...chat.events]).toEqual(["open c1", "open p1"]);
    await clock.run(20);
    expect(proxy.events).toEqual(["open c1", "reset lost"]);
    expect(chat.events).toEqual(["open p1", "reset lost"]);
    network.down = false;
    await clock.until(() => proxy.links.length === 2);
    expect(proxy.link.outstanding).toBe(0);
  });

  test("is reset and opened anew at once where the peer no longer knows it", async () => {
    const pair = await openPair();
    pair.proxy.link.send(named("a"));
    pair.listen();
    pair.network.cut();
    await pair.clock.run(50);
    expect(pair.proxy.events).toEqual(["open c1", "reset replaced", "open c1"]);
    await pair.clock.run(2000);
    expect(pair.network.dialled.length).toBe(2);
    pair.proxy.link.send(named("b"));
    await pair.clock.run(10);
    expect(pair.chat.events).toEqual(["open p1", "open p1", "frame 1 b"]);
  });

  test("is reset where the process at the other end is another one by now", async () => {
    const pair = await openPair({ dial: { expect: { id: CHAT.id } } });
    pair.listen({ self: { ...CHAT, incarnation: "b2" } });
    pair.network.cut();
    await pair.clock.run(50);
    expect(pair.proxy.events).toEqual(["open c1", "reset replaced", "open c1"]);
    expect(pair.proxy.link.peer.incarnation).toBe("b2");
  });

  test("is not resumed by a process that is another one by now", async () => {
    let incarnation = "aa";
    const pair = await openPair({ dial: { self: () => ({ role: "proxy", id: "p1", incarnation }) } });
    incarnation = "a2";
    pair.network.cut();
    await pair.clock.run(50);
    expect(pair.proxy.events).toEqual(["open c1", "reset replaced", "open c1"]);
    expect(pair.chat.events).toEqual(["open p1", "reset replaced", "open p1"]);
    expect(pair.chat.link.peer.incarnation).toBe("a2");
  });

  test("that ends while it is being resumed is not resumed by half", async () => {
    const { clock, network, proxy, chat } = await openPair({ options: { resumeMs: 100 } });
    network.latency = 25;
    network.cut();
    await clock.until(() => proxy.links.length === 2);
    proxy.link.send(named("fresh"));
    await clock.until(() => chat.names.length === 1);
    expect(proxy.events.slice(0, 3)).toEqual(["open c1", "reset lost", "open c1"]);
    expect(chat.events).toEqual(["open p1", "reset too_late", "open p1", "frame 1 fresh"]);
  });

  test("takes frames that are sent again from an earlier one on, but hands over only what is new", async () => {
    const pair = new Pair();
    const raw = await pair.raw();
    raw.send(raw.hello(), { n: 1, ...named("a") }, { n: 2, ...named("b") }, { n: 3, ...named("c") });
    await pair.clock.run(5);
    const again = await pair.raw();
    again.send(again.hello({ resume: { link: raw.frames[1]?.link, received: 0 } }));
    again.send({ n: 2, ...named("b") }, { n: 3, ...named("c") }, { n: 4, ...named("d") });
    await pair.clock.run(5);
    expect(again.goodbye).toBe(undefined);
    expect(again.frames[1]).toMatchObject({ type: "welcome", link: raw.frames[1]?.link, received: 3 });
    expect(again.frames.at(-1)).toEqual({ type: "confirm", n: 4 });
    expect(pair.chat.names).toEqual(["a", "b", "c", "d"]);
    again.send({ n: 6, ...named("gap") });
    await pair.clock.run(5);
    expect(again.goodbye).toBe("out_of_order");
  });

  test("gives a frame its whole time again on a new connection", async () => {
    const { clock, network, proxy, chat } = await openPair();
    network.held = true;
    proxy.link.send(named("a"));
    await clock.run(1500);
    network.down = true;
    network.cut();
    await clock.run(500);
    network.down = false;
    network.held = false;
    network.latency = 150;
    await clock.until(() => proxy.link.connected);
    network.latency = 1000;
    await clock.until(() => chat.names.length === 1);
    await clock.run(2500);
    expect(proxy.events).toEqual(["open c1", "confirmed 1"]);
  });

  test("is dialled again with growing delays, from 20 ms to one second", async () => {
    const { clock, network } = await openPair();
    const attempts: number[] = [];
    const connect = network.connect.bind(network);
    network.connect = (...args) => {
      attempts.push(clock.now());
      return connect(...args);
    };
    network.down = true;
    await clock.run(2000);
    network.cut();
    await clock.run(20_000);
    const gaps = attempts.slice(1).map((at, i) => at - (attempts[i] as number));
    expect(gaps[0]).toBeGreaterThanOrEqual(10);
    expect(gaps[0]).toBeLessThanOrEqual(45);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1005);
    expect(Math.min(...gaps.slice(8))).toBeGreaterThanOrEqual(500);
    expect(new Set(gaps.slice(8)).size).toBeGreaterThan(3);
  });

  test("is taken over by a new link of the same peer", async () => {
    const pair = await openPair();
    const second = pair.dial();
    pair.dialer.close();
    pair.network.cut();
    second.start();
    await pair.clock.until(() => pair.chat.links.length === 2);
    expect(pair.chat.events).toEqual(["open p1", "reset replaced", "open p1"]);
    expect(pair.listener.links.length).toBe(1);
  });
});

/** What happens to a link in a run of the model. */
type Step =
  | { do: "send"; side: "proxy" | "chat"; count: number }
  | { do: "cut" }
  | { do: "pass"; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      side: fc.constantFrom("proxy" as const, "chat" as const),
      count: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "cut" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 12 }) }),
  },
);

describe("over connections that are cut at any moment and split anywhere", () => {
  test("every frame arrives exactly once and in order, answers before confirmations, and nothing is reset", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer(),
        async (steps, largest, latency, seed) => {
          const pair = new Pair({ seed });
          const { clock, network, proxy, chat } = pair;
          network.latency = latency;
          network.split = (length) => 1 + Math.floor(clock.random() * Math.min(length, largest));
          pair.dialer.start();
          await clock.until(() => proxy.links.length > 0 && chat.links.length > 0);
          // Every frame of the proxy is answered at once: the answer must precede the confirmation.
          const answered = new Set<number>();
          const early: number[] = [];
          chat.onFrame = (link, _frame, n) =>
            link.send({ type: "gone", session: "c1.bb.1", reason: `re ${n}` });
          proxy.onFrame = (_link, frame) => {
            if (frame.type === "gone") answered.add(Number(frame.reason.slice(3)));
          };
          proxy.confirmed = (_link, n) => {
            for (let i = 1; i <= n; i++) if (!answered.has(i)) early.push(i);
          };
          const sent = { proxy: [] as string[], chat: [] as string[] };
          for (const step of steps) {
            if (step.do === "cut") network.cut();
            else if (step.do === "pass") await clock.run(step.ms);
            else {
              for (let i = 0; i < step.count; i++) {
                const name = `${step.side}${sent[step.side].length}`;
                sent[step.side].push(name);
                pair[step.side].link.send(named(name));
              }
            }
          }
          await clock.until(() => proxy.link.outstanding === 0 && chat.link.outstanding === 0, 20_000);
          expect(chat.names).toEqual(sent.proxy);
          expect(proxy.names.filter((name) => name !== "gone")).toEqual(sent.chat);
          expect(early).toEqual([]);
          expect([...proxy.events, ...chat.events].filter((event) => event.startsWith("reset"))).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("where a link is reset, each side has got a beginning of what the other sent, without a gap", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(step, fc.constant({ do: "pass" as const, ms: 4000 })), {
          minLength: 5,
          maxLength: 30,
        }),
        fc.integer(),
        fc.boolean(),
        async (steps, seed, down) => {
          const pair = new Pair({ seed });
          const { clock, network, proxy, chat } = pair;
          pair.dialer.start();
          await clock.until(() => proxy.links.length > 0 && chat.links.length > 0);
          let sent = 0;
          for (const step of steps) {
            if (step.do === "cut") {
              network.down = down;
              network.cut();
            } else if (step.do === "pass") await clock.run(step.ms);
            else {for (let i = 0; i < step.count; i++) {
                proxy.link.send(named(`${proxy.links.length}-${sent++}`));
              }}
          }
          network.down = false;
          await clock.until(() => !proxy.link.ended && proxy.link.outstanding === 0, 20_000);
          // Frames are numbered from 1 on each link, whatever became of the one before.
          let due = 1;
          for (const event of chat.events) {
            if (event.startsWith("open")) due = 1;
            else if (event.startsWith("frame")) expect(Number(event.split(" ")[1])).toBe(due++);
          }
          for (const side of [proxy, chat]) {
            const life = side.events.filter((event) => /^(open|reset)/.test(event)).map((event) =>
              event.split(" ")[0]
            );
            expect(life).toEqual(life.map((_, i) => i % 2 === 0 ? "open" : "reset"));
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
