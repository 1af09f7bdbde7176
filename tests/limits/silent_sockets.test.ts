import { afterAll, describe, expect, test } from "bun:test";
import { connectClient } from "../support/clients.ts";
import { cli, Processes, type Running } from "../support/processes.ts";
import { runtime, runtimes } from "../support/runtimes.ts";
import { metric, metricIs, MIB, peak, type Ports, resident } from "./support.ts";

const MQTT = 9000;
const HTTP = 1000;
const TALK = 300;

/** A command that may have as many files open as this system allows any program. */
function withFiles(command: readonly string[]): string[] {
  return ["sh", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "sh", ...command];
}

async function line(of: Running, text: string): Promise<void> {
  await of.until(({ lines }) => lines.includes(text) || undefined, text, 50_000);
}

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  const processes = new Processes();
  afterAll(() => processes.end());

  test("ten thousand sockets that never say anything hold up nobody, and are all gone in the end", async () => {
    const args = ["dev", "--mqtt", "0", "--http", "0"];
    const server = await processes.start<Ports>(withFiles([...on.command, cli, ...args]));
    const { ready: ports } = server;
    const web = await connectClient(ports, "ws", "web");
    await web.join("r");
    const before = resident(server);
    const { command } = runtime("node");
    const crowd = [String(ports.mqtt), String(MQTT), String(ports.http), String(HTTP)];
    const silent = processes.spawn(withFiles([...command, "tests/limits/silent_sockets.mjs", ...crowd]));
    const early = await connectClient(ports, "mqtt5", "early");
    for (let n = 0; n < TALK; n++) await early.say("r", String(n));
    await line(silent, `open ${MQTT + HTTP}`);
    const late = await connectClient(ports, "mqtt4", "late");
    for (let n = TALK; n < 2 * TALK; n++) await late.say("r", String(n));
    await web.hears("r", String(2 * TALK - 1));
    expect(web.bodies("r").map(Number)).toEqual(Array.from({ length: 2 * TALK }, (_, n) => n));
    await line(silent, `gone ${MQTT + HTTP}`);
    await metricIs(ports, "toychat_sessions", (value) => value === 3);
    expect(await metric(ports, "toychat_unauthenticated_connections")).toBe(0);
    const evicted = await metric(ports, "toychat_unauthenticated_evicted_total");
    const timedOut = await metric(ports, "toychat_authentication_timeouts_total");
    expect(evicted + timedOut).toBe(MQTT);
    expect(peak(server) - before).toBeLessThan(200 * MIB);
    for (const client of [web, early, late]) expect(client.end).toBeUndefined();
    for (const client of [web, early, late]) await client.close();
  });
});
