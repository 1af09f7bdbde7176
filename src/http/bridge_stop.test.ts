import { beforeEach, expect, test } from "bun:test";
import { TurnClock } from "../../tests/support/turn_clock.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import { Bridge } from "./bridge.ts";

let clock: TurnClock;
let transport: MemoryTransport;
beforeEach(() => {
  clock = new TurnClock();
  transport = memoryTransport({ clock });
});

/** Stops a bridge that is starting. Returns what became of the start, and what is left of it. */
async function stopped(bridge: Bridge, afterMs: number): Promise<unknown[]> {
  let code: unknown;
  const start = bridge.start().catch((error) => code = error.code);
  if (afterMs > 0) await clock.run(afterMs);
  const from = clock.now();
  let over = false;
  void Promise.all([start, bridge.stop()]).then(() => over = true);
  await clock.until(() => over, 20_000);
  const ms = clock.now() - from;
  await clock.run(1000);
  return [code, ms < 100, clock.pending, transport.count().listeners];
}

test("a bridge that is stopped while it waits for its agent ends at once, and leaves nothing running", async () => {
  const bridge = new Bridge({ transport, clock, listen: { port: 7374 }, serf: {} });
  expect(await stopped(bridge, 1500)).toEqual(["stopped", true, 0, 0]);
});

test("a bridge that is stopped while it serves without its agent leaves nothing running", async () => {
  for (const afterMs of [2000, 3000]) {
    const bridge = new Bridge({ transport, clock, listen: { port: 7374 }, serf: {} });
    expect((await stopped(bridge, afterMs)).slice(1)).toEqual([true, 0, 0]);
  }
});

test("a bridge that is stopped while it begins to listen leaves nothing running", async () => {
  const bridge = new Bridge({ transport, clock, listen: { port: 7374 } });
  expect(await stopped(bridge, 0)).toEqual(["stopped", true, 0, 0]);
});

test("a bridge that was stopped does not start", async () => {
  const bridge = new Bridge({ transport, clock, listen: { port: 7374 } });
  await bridge.stop();
  await expect(bridge.start()).rejects.toMatchObject({ code: "stopped" });
  expect(transport.count().listeners).toBe(0);
});
