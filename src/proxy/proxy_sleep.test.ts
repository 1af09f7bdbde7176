import { expect, test } from "bun:test";
import { connect } from "../../tests/support/mqtt_wire.ts";
import { TurnClock } from "../../tests/support/turn_clock.ts";
import { memoryTransport } from "../../transports/memory.ts";
import { LocalMembership } from "../membership/local.ts";
import { mqtt } from "../protocols/mqtt.ts";
import { ProxyServer } from "./proxy_server.ts";

const LIMITS = { authenticationMs: 5000 };

/** A proxy, and a client that has connected to it and said nothing. */
async function setup() {
  const clock = new TurnClock();
  const transport = memoryTransport({ clock });
  const membership = new LocalMembership({ clock });
  const listen = [{ port: 1883, protocol: mqtt() }];
  const proxy = new ProxyServer({ membership, transport, clock, listen, limits: LIMITS });
  const started = proxy.start();
  await clock.run(10);
  await started;
  const client = { ended: false, heard: 0 };
  const connecting = transport.connect({ host: "127.0.0.1", port: 1883 }, () => ({
    data: (chunk) => client.heard += chunk.length,
    drain: () => {},
    close: () => client.ended = true,
  }));
  await clock.run(10);
  return { clock, proxy, client, connection: await connecting };
}

test("a client whose words a proxy that slept has yet to read is not too late with them", async () => {
  const { clock, proxy, client, connection } = await setup();
  await clock.run(1000);
  clock.freeze(20_000);
  clock.advance(0);
  connection.send(connect());
  await clock.run(10);
  expect(client).toEqual({ ended: false, heard: expect.any(Number) });
  expect(client.heard).toBeGreaterThan(0);
  expect(proxy.metrics.get("toychat_authentication_timeouts_total")).toBe(0);
});

test("a client that has nothing to say to a proxy that slept goes as any other", async () => {
  const { clock, proxy, client } = await setup();
  clock.freeze(20_000);
  await clock.run(2000);
  expect(client).toEqual({ ended: true, heard: 0 });
  expect(proxy.metrics.get("toychat_authentication_timeouts_total")).toBe(1);
});
