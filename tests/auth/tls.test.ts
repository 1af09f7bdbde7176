import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { connectAsync } from "mqtt";
import { Authority } from "../support/certificates.ts";
import { cli, Processes } from "../support/processes.ts";
import { root, type Runtime, runtime, runtimes } from "../support/runtimes.ts";
import { run } from "./support.ts";

const NAMES = ["DNS:localhost", "IP:127.0.0.1"];

let users: Authority;
let cluster: Authority;
beforeAll(() => {
  users = new Authority();
  cluster = new Authority();
});
afterAll(() => {
  users.close();
  cluster.close();
});

/** Whether a port shows a certificate of an authority. */
function shows(port: number, { ca }: Authority): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

const publish = (port: number, ...more: string[]) =>
  run("mosquitto_pub", "-h", "localhost", "-p", String(port), "-t", "plaza", "-m", "hi", "-q", "1", ...more);

describe.each(runtimes().map((on) => [on.name, on] as const))("TLS on %s", (_, on) => {
  const processes = new Processes();
  afterAll(() => processes.end());

  test("users come in over TLS by MQTT and by WebSocket, with their passwords", async () => {
    const { certFile, keyFile } = users.sign("server", ...NAMES);
    const command = [...on.command, join(root, "tests/auth/server.ts"), certFile, keyFile];
    const { ready } = await processes.start<{ mqtts: number; https: number }>(command);
    const trusted = ["--cafile", users.caFile];
    expect(await publish(ready.mqtts, ...trusted, "-u", "ada", "-P", "pw")).toEqual({ code: 0, text: "" });
    expect((await publish(ready.mqtts, ...trusted, "-u", "ada", "-P", "no")).code).toBe(4);
    expect((await publish(ready.mqtts, "--cafile", cluster.caFile, "-u", "ada", "-P", "pw")).code).not.toBe(
      0,
    );
    const ann = await connectAsync(`wss://localhost:${ready.https}/mqtt`, {
      ca: users.ca,
      wsOptions: { headers: { authorization: "Bearer good-ann" }, ca: users.ca },
      reconnectPeriod: 0,
    });
    await ann.publishAsync("plaza", "hi", { qos: 1 });
    await ann.endAsync();
    // A connection without TLS is ended, and not answered.
    const plain = connect(ready.mqtts, "127.0.0.1");
    let answer = 0;
    plain.on("error", () => {}).on("data", (bytes) => answer = bytes[0] ?? 0);
    plain.write(Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x61));
    await new Promise((resolve) => plain.once("close", resolve));
    expect(answer).not.toBe(0x20);
  });

  test("a whole cluster talks over TLS, whose members show certificates", async () => {
    const { certFile, keyFile } = cluster.sign(`member-${on.name}`, ...NAMES);
    const user = users.sign("user-port", ...NAMES);
    const links = ["--link-ca", cluster.caFile, "--link-cert", certFile, "--link-key", keyFile];
    const env = { env: { TOYCHAT_SECRET: "sesame" } };
    const start = <T>(...args: string[]) => processes.role<T>(on, [...args, ...links], env);
    const bridge = await start<{ listen: string }>("bridge", "--listen", "127.0.0.1:0", "--link-verify");
    const url = ["--bridge", `wss://${bridge.ready.listen}/rpc`];
    const chat = await start<{ listen: string }>("chat", "--id", "c1", "--link-verify", ...url);
    const proxy = await start<{ mqtts: number; https: number; mqtt?: number }>(
      ...["proxy", "--mqtt", "off", "--http", "off", "--mqtts", "0", "--https", "0", ...url],
      ...["--cert", user.certFile, "--key", user.keyFile],
    );
    expect(proxy.ready.mqtt).toBeUndefined();
    expect(await publish(proxy.ready.mqtts, "--cafile", users.caFile)).toEqual({ code: 0, text: "" });
    const members = await processes.run(on, ["members", "--json", ...url, ...links], env);
    expect(JSON.parse(members.stdout)).toMatchObject([{ id: "c1" }, { role: "proxy" }]);
    // Without a certificate of the cluster's nobody is heard, whatever they know.
    const bare = await processes.run(on, ["members", ...url, "--link-ca", cluster.caFile], env);
    expect(bare.code).toBe(1);
    const stranger = await processes.run(on, ["members", ...url, "--link-ca", users.caFile], env);
    expect([stranger.code, stranger.stderr]).toEqual([
      1,
      expect.stringMatching(/not to be trusted|certificate/i),
    ]);
    expect(await shows(Number(chat.ready.listen.split(":")[1]), cluster)).toBe(true);
  });

  test("a proxy does not link to a ChatServer that it cannot trust, and says so", async () => {
    const { certFile, keyFile } = cluster.sign(`owner-${on.name}`, ...NAMES);
    const bridge = await processes.role<{ listen: string }>(on, ["bridge", "--listen", "127.0.0.1:0"]);
    const url = ["--bridge", `ws://${bridge.ready.listen}/rpc`];
    const own = ["--link-cert", certFile, "--link-key", keyFile, "--link-ca", cluster.caFile];
    const chat = await processes.role<{ listen: string }>(on, ["chat", "--id", "c1", ...url, ...own]);
    const proxy = processes.spawn([
      ...[...on.command, cli, "proxy", "--mqtt", "off", "--http", "0", ...url],
      ...["--link-ca", users.caFile],
    ]);
    await proxy.until(
      ({ stderr }) => /link_refused.*certificate_refused/.test(stderr) || undefined,
      "a refusal",
    );
    expect(proxy.stderr).toContain(`certificate of ${chat.ready.listen} is not to be trusted`);
    const plain = processes.spawn([
      ...on.command,
      cli,
      "proxy",
      "--mqtt",
      "off",
      "--http",
      "0",
      "--verbose",
      ...url,
    ]);
    await plain.until(({ stderr }) => stderr.includes("link_dial_failed") || undefined, "a failure");
  });

  test("a certificate is read again at SIGHUP, where the runtime can change it, and the log says which", async () => {
    const { certFile, keyFile } = users.sign(`changing-${on.name}`, ...NAMES);
    const ports = ["--mqtt", "off", "--http", "off", "--mqtts", "0", "--https", "0"];
    const files = ["--cert", certFile, "--key", keyFile];
    const dev = await processes.role<{ mqtts: number; https: number }>(on, ["dev", ...ports, ...files]);
    expect(await shows(dev.ready.mqtts, users)).toBe(true);
    const next = cluster.sign(`next-${on.name}`, ...NAMES);
    writeFileSync(certFile, next.cert);
    dev.signal("SIGHUP");
    await dev.until(
      ({ stderr }) => stderr.includes("certificate_not_reloaded") || undefined,
      "word of the mistake",
    );
    expect(await shows(dev.ready.mqtts, users)).toBe(true);
    writeFileSync(keyFile, next.key);
    const before = dev.stderr.length;
    dev.signal("SIGHUP");
    const told = await dev.until(
      ({ stderr }) => stderr.slice(before).match(/certificate_(not_)?reloaded/)?.[0],
      "word of the certificate",
    );
    const can = on.name !== "bun";
    expect(told).toBe(can ? "certificate_reloaded" : "certificate_not_reloaded");
    for (const port of [dev.ready.mqtts, dev.ready.https]) {
      expect(await shows(port, can ? cluster : users)).toBe(true);
    }
    expect(await dev.stop()).toEqual({ code: 0, signal: null });
  });
});

test("flags for TLS that do not fit together are refused with what to write", async () => {
  const processes = new Processes();
  const on: Runtime = runtime("bun");
  const { certFile, keyFile } = users.sign("flags", ...NAMES);
  const wrong: [string[], RegExp][] = [
    [["dev", "--mqtts", "0"], /--mqtts needs a certificate: give --cert and --key/],
    [["dev", "--cert", certFile, "--key", keyFile], /--cert is for a port with TLS: give --mqtts or --https/],
    [["dev", "--https", "0", "--cert", certFile], /--cert needs --key/],
    [["chat", "--link-cert", certFile, "--link-key", keyFile], /--link-cert needs --link-ca/],
    [["chat", "--link-verify"], /--link-verify needs TLS/],
    [["proxy", "--link-name", "x"], /--link-name needs --link-ca/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await processes.run(on, args);
    expect([args, code, stderr]).toEqual([args, 2, expect.stringMatching(message)]);
  }
  const missing = await processes.run(on, ["dev", "--mqtts", "0", "--cert", "/no/such", "--key", keyFile]);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("cannot read --cert")]);
  await processes.end();
});
