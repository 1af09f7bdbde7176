import { afterAll, describe, expect, test } from "bun:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Authority } from "../support/certificates.ts";
import { connectClient } from "../support/clients.ts";
import { Processes } from "../support/processes.ts";
import { runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { connect as mqttConnect } from "../support/mqtt_wire.ts";
import { metric, MIB, peak, type Ports, Raw, resident, upgrade } from "./support.ts";

const SILENT = 400;

/** Connects by MQTT over TLS, and waits until it is let in. */
async function userByTls(port: number, ca: string): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, ca });
  socket.on("error", () => {});
  let answered = false;
  socket.on("data", () => answered = true);
  socket.on("secureConnect", () => socket.write(mqttConnect({ clientId: "ada", protocolVersion: 5 })));
  await until(() => answered, "a CONNACK over TLS");
  return socket;
}

async function silentOn(port: number): Promise<Raw[]> {
  const silent: Raw[] = [];
  for (let n = 0; n < SILENT; n++) silent.push(await Raw.open(port));
  return silent;
}

const left = (silent: Raw[]): number => silent.filter(({ ended }) => !ended).length;

describe.each(runtimes().map((on) => [on.name, on] as const))("on %s", (_, on) => {
  const processes = new Processes();
  afterAll(() => processes.end());

  // They mostly wait: side by side.
  test.concurrent("connections that prove nothing keep no peer from the links, and no member from the bridge", async () => {
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

  test.concurrent(
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
      const withdrawn = /member_withdrawn.*silent/;
      await bridge.until(
        ({ stderr }) => withdrawn.test(stderr) || undefined,
        "its word of the silent member",
      );
      expect(await mute).toEqual([1008, "nothing was proved in time"]);
      // It never answers the close frame.
      await bare.gone();
      expect(bare.bytes.toString("latin1")).toContain("nothing was proved in time");
    },
  );

  test.concurrent("connections that begin no TLS handshake keep no user and no peer from a port with TLS", async () => {
    const authority = new Authority();
    const { certFile, keyFile } = authority.sign("server", "IP:127.0.0.1");
    const link = ["--link-cert", certFile, "--link-key", keyFile, "--link-ca", authority.caFile];
    const tls = ["--cert", certFile, "--key", keyFile];
    const bridge = await processes.role<{ listen: string }>(
      on,
      ["bridge", "--listen", "127.0.0.1:0"],
    );
    const url = `ws://${bridge.ready.listen}/rpc`;
    const chat = await processes.role<Ports & { listen: string }>(on, [
      ...["chat", "--bridge", url, "--http", "0", "--limits", "maxHandshakes=20", ...link],
    ]);
    const onLinks = await silentOn(Number(chat.ready.listen.split(":").at(-1)));
    const proxy = await processes.role<Ports & { mqtts: number }>(on, [
      ...["proxy", "--bridge", url, "--mqtt", "0", "--http", "0", "--mqtts", "0", ...tls, ...link],
      ...["--limits", "maxUnauthenticated=20"],
    ]);
    const before = resident(proxy);
    const onUsers = await silentOn(proxy.ready.mqtts);
    const user = await userByTls(proxy.ready.mqtts, authority.ca);
    for (const silent of [onLinks, onUsers]) {
      await until(() => left(silent) < 20, () => `${left(silent)} are still there`);
    }
    expect(await metric(proxy.ready, "toychat_unauthenticated_connections")).toBeLessThanOrEqual(20);
    expect(await metric(proxy.ready, "toychat_unauthenticated_evicted_total")).toBeGreaterThanOrEqual(
      SILENT - 20,
    );
    expect(await metric(chat.ready, "toychat_link_handshakes_evicted_total")).toBeGreaterThanOrEqual(
      SILENT - 20,
    );
    // Those that are left have so long for their handshake as anybody.
    await until(() => left(onUsers) + left(onLinks) === 0, "the end of them all");
    expect(await metric(proxy.ready, "toychat_unauthenticated_connections")).toBe(0);
    expect(await metric(proxy.ready, "toychat_authentication_timeouts_total")).toBeGreaterThan(0);
    expect(peak(proxy) - before).toBeLessThan(100 * MIB);
    expect(user.destroyed).toBe(false);
    user.destroy();
    authority.close();
  });
});

function call(method: string, params: object): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
}

/** The close code and the reason, once a WebSocket is closed. */
function ended(socket: WebSocket): Promise<[number, string]> {
  return new Promise((resolve) => socket.onclose = ({ code, reason }) => resolve([code, reason]));
}
