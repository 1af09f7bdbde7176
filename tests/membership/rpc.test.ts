import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { bridgeToken } from "../../src/membership/bridge_tokens.ts";
import type { Scope } from "../../src/membership/rpc_scope.ts";
import { Processes, type Ready } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { SlowReader } from "./slow_reader.ts";

const script = fileURLToPath(new URL("./documented_bridge.ts", import.meta.url));
const processes = new Processes();
afterAll(() => processes.end());

const token = (scope: Scope): string => bridgeToken("correct horse", scope);
/** Far more than the operating system takes for a reader that does not read. */
const FLOOD = 60_000;
const BURSTS = 30;

describe.each(runtimes().map((on) => [on.name, on] as const))("with the bridge on %s", (_, on) => {
  let address = "";
  let bridge: Ready<{ addresses: string[] }>;

  beforeAll(async () => {
    bridge = await processes.start([...on.command, script, "3"]);
  }, 60_000);
  afterAll(() => bridge.kill());

  /** Takes one of the bridges, which nobody has asked yet. */
  function take(): void {
    address = bridge.ready.addresses.pop() as string;
  }

  function post(scope: Scope, method: string, params: object, signal?: AbortSignal): Promise<Response> {
    return fetch(`http://${address}/rpc`, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
      headers: { "content-type": "application/json", authorization: `Bearer ${token(scope)}` },
      ...(signal ? { signal } : {}),
    });
  }

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${address}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  test("a subscriber that does not read is told what it lost, and gets the newest view", async () => {
    take();
    const reader = await SlowReader.open(address, token("read"));
    await reader.ask("view.subscribe");
    await reader.ask("event.subscribe");
    reader.pause();
    for (let n = 0; n < BURSTS; n++) {
      const sent = await post("member", "event.send", { name: "flood", payload: String(FLOOD / BURSTS) });
      expect(sent.status).toBe(200);
    }
    // The member leaves and comes back: two views while nothing is read.
    const member = await SlowReader.open(address, token("member"));
    const params = { id: "p1", role: "proxy", address: "h:1", incarnation: "1" };
    await member.ask("cluster.register", params);
    await member.ask("cluster.leave");
    const { result } = await (await post("read", "view.get", {})).json() as { result: { digest: string } };
    reader.resume();
    const told = (method: string) => reader.received.filter((message) => message.method === method);
    await until(
      () => told("overflow").length > 0 && told("view.changed").length > 0,
      "the overflow and a view",
    );
    const lost = (): number =>
      told("overflow").reduce((sum, { params }) => sum + (params?.events as number), 0);
    await until(
      () => told("event").length + lost() === FLOOD,
      () => `${told("event").length} and ${lost()} lost`,
    );
    const gaps = told("overflow").map(({ params }) => params as { from: number; to: number; events: number });
    for (const { from, to, events } of gaps) expect(to - from + 1).toBe(events);
    const got = told("event").map(({ params }) => params?.number as number);
    expect(got.filter((number) => gaps.some(({ from, to }) => number >= from && number <= to))).toEqual([]);
    expect(told("view.changed").length).toBeLessThanOrEqual(2);
    expect(told("view.changed").at(-1)?.params?.digest).toBe(result.digest);
    expect(await metric("toychat_bridge_notifications_left_out_total")).toBeGreaterThanOrEqual(lost());

    // It goes on as if nothing had been.
    await post("member", "event.send", { name: "after" });
    await until(() => told("event").at(-1)?.params?.name === "after", "the next event");
    expect(reader.ended).toBe(false);
    reader.close();
    member.close();
  }, 60_000);

  test("a long-poll whose caller hangs up waits no more", async () => {
    take();
    const { result } = await (await post("read", "view.get", {})).json() as { result: { digest: string } };
    const gone = new AbortController();
    const waiting = post("read", "view.get", { known: result.digest, waitMs: 25_000 }, gone.signal);
    waiting.catch(() => {});
    await until(async () => await metric("toychat_bridge_waiting_requests") === 1, "a request that waits");
    gone.abort();
    await until(async () => await metric("toychat_bridge_waiting_requests") === 0, "nobody to wait", 15_000);
  }, 60_000);

  test("a WebSocket with a wrong token in its request does not open", async () => {
    take();
    await expect(SlowReader.open(address, "0".repeat(64))).rejects.toThrow("401");
    expect(await metric("toychat_bridge_refusals_total")).toBe(1);
  }, 60_000);
});
