import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { Processes } from "../support/processes.ts";
import { root, runtimes } from "../support/runtimes.ts";
import { until } from "./support.ts";

const processes = new Processes();
afterEach(() => processes.end());

interface JwtReady {
  readonly mqtt: number;
  readonly http: number;
  readonly token: string;
}

describe.each(runtimes().map((on) => [on.name, on] as const))("jwt on %s", (_, on) => {
  test("lets in who has a token, into the rooms that it names", async () => {
    const { ready } = await processes.start<JwtReady>([
      ...on.command,
      join(root, "examples/jwt.ts"),
      "0",
      "0",
    ]);
    const url = `mqtt://127.0.0.1:${ready.mqtt}`;
    const common = { username: "eve", protocolVersion: 5 as const, reconnectPeriod: 0 };
    const refused = await connectAsync(url, { ...common, password: `${ready.token}x` }).then(
      () => 0,
      ({ code }) => code,
    );
    expect(refused).toBe(0x86);
    const ann = await connectAsync(url, { ...common, password: ready.token });
    await ann.subscribeAsync("lobby/1", { qos: 1 });
    const elsewhere = await ann.publishAsync("office/1", "hi", { qos: 1 }).then(() => 0, ({ code }) => code);
    expect(elsewhere).toBe(0x87);
    const said: { type?: string; user?: string; room?: string; from?: string }[] = [];
    const page = new WebSocket(`ws://127.0.0.1:${ready.http}/ws`, ["toychat", `token.${ready.token}`]);
    page.onmessage = ({ data }) => void said.push(JSON.parse(String(data)));
    await until(() => said.some(({ type, user }) => type === "welcome" && user === "ann"), "the welcome");
    page.send(JSON.stringify({ type: "join", room: "lobby/1", id: 1 }));
    await until(() => said.some(({ type }) => type === "joined"), "the room");
    await ann.publishAsync("lobby/1", "hello", { qos: 1 });
    await until(() => said.some(({ type, from }) => type === "message" && from === "ann"), "the message");
    page.close();
    await ann.endAsync(true);
  });
});
