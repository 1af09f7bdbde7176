import { expect, test } from "bun:test";
import fc from "fast-check";
import { CHAT, message, named, PROXY, SECRET, Side } from "../../tests/support/links.ts";
import { TurnClock } from "../../tests/support/turn_clock.ts";
import { bunTransport } from "../../transports/bun.ts";
import { memoryTransport } from "../../transports/memory.ts";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { Connection, Transport } from "../lib/transport.ts";
import { LinkDialer } from "./dialer.ts";
import { LinkListener } from "./listener.ts";

async function arrange(transport: Transport, clock: Clock) {
  const proxy = new Side();
  const chat = new Side();
  const taken: Connection[] = [];
  const common = { clock, cluster: "test", secret: SECRET };
  const listener = new LinkListener({ ...common, self: CHAT, handler: chat });
  const socket = await transport.listen({ port: 0 }, (connection) => {
    taken.push(connection);
    return listener.accept(connection);
  });
  const address = { host: socket.host, port: socket.port };
  const dialer = new LinkDialer({ ...common, transport, address, expect: CHAT, self: PROXY, handler: proxy });
  dialer.start();
  const stop = async (): Promise<void> => {
    dialer.close();
    listener.close();
    await socket.close();
  };
  return { proxy, chat, taken, stop };
}

test("over the transport in memory, with chunks split and connections broken, nothing is lost or repeated", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.array(fc.integer({ min: 0, max: 15 }), { maxLength: 12 }),
      async (seed, waits) => {
        const clock = new TurnClock(seed);
        const transport = memoryTransport({
          clock,
          split: true,
          delay: () => 1 + Math.floor(clock.random() * 3),
        });
        const { proxy, chat, stop } = await arrange(transport, clock);
        await clock.until(() => proxy.links.length > 0 && chat.links.length > 0);
        const names: string[] = [];
        for (const wait of waits) {
          for (let i = 0; i < 5; i++) {
            names.push(`r${names.length}`);
            proxy.link.send(named(names.at(-1) as string));
          }
          await clock.run(wait);
          if (wait % 3 === 0) transport.break(() => true);
        }
        await clock.until(() => proxy.link.outstanding === 0, 20_000);
        expect(chat.names).toEqual(names);
        expect([...proxy.events, ...chat.events].filter((event) => event.startsWith("reset"))).toEqual([]);
        await stop();
        await clock.run(2000);
        expect(transport.count()).toEqual({ connections: 0, listeners: 0 });
      },
    ),
    { numRuns: 40 },
  );
});

test("over TCP a backlog of megabytes arrives once and in order, though the connection is cut again and again", async () => {
  const { proxy, chat, taken, stop } = await arrange(bunTransport(), systemClock);
  const total = 20_000;
  let sent = 0;
  let arrived = 0;
  const done = Promise.withResolvers<void>();
  chat.frame = (_link, _frame, n) => {
    if (n !== ++arrived) done.reject(new Error(`frame ${n} came in place of ${arrived}`));
    if (arrived % 5000 === 2500) taken.at(-1)?.terminate();
    if (arrived === total) done.resolve();
  };
  const fill = (): void => {
    while (sent < total && !proxy.link.full) {
      sent++;
      proxy.link.send(message(500));
    }
  };
  proxy.drain = fill;
  proxy.onOpen = fill;
  proxy.onReset = () => done.reject(new Error("the link was reset"));
  await done.promise;
  expect(taken.length).toBe(5);
  proxy.onReset = () => {};
  await stop();
});
