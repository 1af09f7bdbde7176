import { afterAll, describe, expect, test } from "bun:test";
import { connectClient } from "../support/clients.ts";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { MIB, peak, type Ports, Raw, resident, upgrade } from "./support.ts";

const SILENT = 400;

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  const processes = new Processes();
  afterAll(() => processes.end());

  test("connections that prove nothing keep no peer from the links, and no member from the bridge", async () => {
    const bridge = await processes.role<{ listen: string }>(on, [
      ...["bridge", "--listen", "127.0.0.1:0", "--limits", "maxUnproved=20,maxConnections=50"],
    ]);
    const url = `ws://${bridge.ready.listen}/rpc`;
    const chat = await processes.role<{ listen: string }>(on, [
      ...["chat", "--bridge", url, "--limits", "maxHandshakes=20"],
    ]);
    const before = [bridge, chat].map(resident);
    const portOf = ({ ready }: { ready: { listen: string } }): number =>
      Number(ready.listen.split(":").at(-1));
    const silent: Raw[] = [];
    for (let n = 0; n < SILENT; n++) {
      silent.push(await Raw.open(portOf(chat)));
      const member = await Raw.open(portOf(bridge));
      member.write(upgrade("/rpc"));
      silent.push(member);
    }
    // The newest of each still stand in the way.
    const proxy = await processes.role<Ports>(on, ["proxy", "--bridge", url, "--mqtt", "0", "--http", "0"]);
    const client = await connectClient(proxy.ready, "mqtt5", "ada");
    await client.join("r");
    await client.say("r", "hello");
    await client.hears("r", "hello");
    await until(
      () => silent.filter(({ ended }) => ended).length >= 2 * (SILENT - 20),
      () => `${silent.filter(({ ended }) => ended).length} are gone`,
    );
    await Promise.all(silent.map((raw) => raw.gone()));
    [bridge, chat].forEach((role, n) => expect(peak(role) - (before[n] as number)).toBeLessThan(100 * MIB));
    expect(client.end).toBeUndefined();
    await client.close();
  });

  test(
    "the bridge tells by a close frame who proved nothing in time, and whose member fell silent",
    async () => {
      const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"]);
      const url = `ws://${bridge.ready.listen}/rpc`;
      const bare = await Raw.open(Number(bridge.ready.listen.split(":").at(-1)));
      bare.write(upgrade("/rpc"));
      const mute = ended(new WebSocket(url));
      const member = new WebSocket(url);
      const silent = ended(member);
      member.onopen = () => {
        member.send(call("auth.challenge", { nonce: "0".repeat(32), cluster: "toychat" }));
        const claim = { id: "p1", role: "proxy", address: "127.0.0.1:7001", incarnation: "1" };
        member.send(call("cluster.register", claim));
      };
      expect(await silent).toEqual([4408, "nothing came of the member: register again"]);
      expect(bridge.stderr).toMatch(/member_withdrawn.*silent/);
      expect(await mute).toEqual([1008, "nothing was proved in time"]);
      // It never answers the close frame.
      await bare.gone();
      expect(bare.bytes.toString("latin1")).toContain("nothing was proved in time");
    },
    30_000,
  );
});

function call(method: string, params: object): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
}

/** The close code and the reason, once a WebSocket is closed. */
function ended(socket: WebSocket): Promise<[number, string]> {
  return new Promise((resolve) => socket.onclose = ({ code, reason }) => resolve([code, reason]));
}
