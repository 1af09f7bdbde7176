import { afterEach, beforeEach, expect, test } from "bun:test";
import { RpcBridge, SECRET } from "../../tests/support/rpc_bridge.ts";
import { ToychatError } from "../lib/errors.ts";
import type { Transport } from "../lib/transport.ts";
import { askBridge } from "./bridge_ask.ts";

let world: RpcBridge;
beforeEach(() => {
  world = new RpcBridge();
});
afterEach(() => world.bridge?.stop());

test("askBridge gets one answer by the public methods, waits for a bridge that starts, and gives up in time", async () => {
  const { transport, clock } = world;
  const ask = (method: string, timeoutMs = 3000) =>
    askBridge(
      {
        url: "ws://127.0.0.1:7374/rpc",
        transport,
        clock,
        secret: SECRET,
        tls: undefined,
        cluster: "toychat",
        timeoutMs,
      },
      method,
      {},
    );
  await expect(world.finish(ask("status", 500))).rejects.toMatchObject({ code: "bridge_unreachable" });
  const early = ask("members.list");
  await world.clock.run(300);
  await world.start();
  expect(await world.finish(early)).toMatchObject({ members: [], slots: 0 });
  await expect(world.finish(ask("no.such"))).rejects.toMatchObject({ code: "rpc_error" });
  await world.clock.until(() => transport.count().connections === 0, 2000);
});

test.each([
  ["refuses to the end", Infinity, "connection refused"],
  ["refuses until too little time is left for a connection", 2900, "connection refused"],
  ["refuses at first and hangs then", 1000, "connect timeout"],
  ["hangs from the beginning", 0, "connect timeout"],
])("askBridge says what kept it from a bridge that %s", async (_, refusesMs, why) => {
  const { clock } = world;
  const until = clock.now() + refusesMs;
  const transport: Transport = {
    ...world.transport,
    connect: (address, handler, options) =>
      clock.now() < until ? world.transport.connect(address, handler, options) : new Promise((_, reject) => {
        options?.signal?.addEventListener(
          "abort",
          () => reject(new ToychatError("connect_aborted", "aborted")),
        );
      }),
  };
  const url = "ws://127.0.0.1:7374/rpc";
  const asked = askBridge(
    { url, transport, clock, secret: SECRET, tls: undefined, cluster: "toychat", timeoutMs: 3000 },
    "status",
    {},
  );
  await expect(world.finish(asked)).rejects.toMatchObject({
    code: "bridge_unreachable",
    message: expect.stringContaining(`no bridge at ${url} within 3 s (${why})`),
  });
});

test("askBridge ends, and says so, where the bridge hangs once it has let the asker in", async () => {
  const { transport, clock } = world;
  await world.start();
  world.agent.answer = () => new Promise(() => {});
  const url = "ws://127.0.0.1:7374/rpc";
  const options = {
    url,
    transport,
    clock,
    secret: SECRET,
    tls: undefined,
    cluster: "toychat",
    timeoutMs: 3000,
  };
  const from = clock.now();
  const asked = world.finish(askBridge(options, "serf.members", {}));
  await expect(asked).rejects.toMatchObject({
    code: "bridge_unreachable",
    message: expect.stringContaining("has not answered serf.members within 10 s"),
  });
  expect(clock.now() - from).toBeLessThan(10_500);
  await clock.until(() => transport.count().connections === 0, 2000);
  expect(transport.count().connections).toBe(0);
});
