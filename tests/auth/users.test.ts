import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { connect, connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { Processes, type Ready } from "../support/processes.ts";
import { root, runtimes } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { run, Talker, upgrade } from "./support.ts";

describe.each(runtimes().map((on) => [on.name, on] as const))("users of a proxy on %s", (_, on) => {
  const processes = new Processes();
  const clients: MqttClient[] = [];
  let server: Ready<{ mqtt: number; http: number }>;

  beforeAll(async () => {
    server = await processes.start([...on.command, join(root, "tests/auth/server.ts")]);
  });
  afterAll(async () => {
    await Promise.allSettled(clients.map((client) => client.endAsync(true)));
    await processes.end();
  });

  async function join5(username: string, more: IClientOptions = {}): Promise<MqttClient> {
    const client = await connectAsync(`mqtt://127.0.0.1:${server.ready.mqtt}`, {
      username,
      password: "pw",
      protocolVersion: 5,
      reconnectPeriod: 0,
      ...more,
    });
    clients.push(client);
    // What it is told later is looked at where it matters.
    client.on("error", () => {});
    return client;
  }

  /** The reason code with which a CONNECT is refused. */
  async function refused(username: string, more: IClientOptions = {}): Promise<unknown> {
    const error = await join5(username, more).then(() => undefined, (reason) => reason);
    return (error as { code?: unknown } | undefined)?.code;
  }

  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${server.ready.http}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, "m").exec(text)?.[1] ?? 0);
  };

  test("mosquitto's client comes in by its password, and is told when it is wrong", async () => {
    const publish = (...more: string[]) =>
      run(
        "mosquitto_pub",
        ...[
          "-h",
          "127.0.0.1",
          "-p",
          String(server.ready.mqtt),
          "-t",
          "plaza",
          "-m",
          "hi",
          "-q",
          "1",
          ...more,
        ],
      );
    expect(await publish("-u", "ada", "-P", "pw")).toEqual({ code: 0, text: "" });
    const wrong = await publish("-u", "ada", "-P", "no");
    expect([wrong.code, wrong.text]).toEqual([4, expect.stringContaining("bad user name or password")]);
    const wrong5 = await publish("-V", "5", "-u", "ada", "-P", "no");
    expect(wrong5.text).toContain("Bad User Name or Password");
    expect((await publish("-u", "banned", "-P", "pw")).text).toContain("not authorised");
    expect((await publish("-u", "throw", "-P", "pw")).text).toContain("broker unavailable");
  });

  test("a refusal and a failure of authenticate have codes of their own, in both versions", async () => {
    const failures = await metric("toychat_authentication_failures_total");
    for (const [name, code5, code4] of [["x", 0x86, 4], ["banned", 0x87, 5], ["throw", 0x88, 3]] as const) {
      expect([name, await refused(name, { password: "no" })]).toEqual([name, code5]);
      expect([name, await refused(name, { password: "no", protocolVersion: 4 })]).toEqual([name, code4]);
    }
    expect(await refused("hang")).toBe(0x88);
    expect(await metric("toychat_authentication_failures_total")).toBe(failures + 3);
    expect(server.stderr).toContain("authenticate_failed");
    expect(server.stderr).not.toContain("with a line break\n");
  });

  test("a WebSocket is refused before the upgrade, in the words of HTTP", async () => {
    const { http } = server.ready;
    const authorization = (token: string) => ({ authorization: `Bearer ${token}` });
    expect(await upgrade(http, "/ws")).toMatchObject({ status: 401 });
    expect(JSON.parse((await upgrade(http, "/ws?token=bad")).body)).toMatchObject({
      error: { code: "not_authenticated" },
    });
    expect(await upgrade(http, "/ws", authorization("trick-banned"))).toMatchObject({ status: 403 });
    expect(await upgrade(http, "/ws", authorization("trick-throw"))).toMatchObject({ status: 503 });
    expect(await upgrade(http, "/ws", authorization("trick-hang"))).toMatchObject({ status: 503 });
    expect(await upgrade(http, "/ws", authorization("good-ada"))).toMatchObject({
      status: 101,
      protocol: undefined,
    });
    expect(await upgrade(http, "/ws", { "sec-websocket-protocol": "toychat, token.good-ada" })).toMatchObject(
      {
        status: 101,
        protocol: "toychat",
      },
    );
  });

  test("a browser brings its token as a subprotocol or in the URL, and MQTT over WebSocket in a header", async () => {
    const { http } = server.ready;
    const url = `ws://127.0.0.1:${http}/ws`;
    for (
      const [address, protocols] of [[url, ["toychat", "token.good-ann"]], [
        `${url}?token=good-ann`,
        [],
      ]] as const
    ) {
      const ann = await Talker.connect(address, [...protocols]);
      expect(ann.said[0]).toMatchObject({ type: "welcome", user: "ann" });
      ann.close();
    }
    const overWebSocket = (headers: Record<string, string>) =>
      connectAsync(`ws://127.0.0.1:${http}/mqtt`, { reconnectPeriod: 0, wsOptions: { headers } });
    const ben = await overWebSocket({ authorization: "Bearer good-ben" });
    await ben.endAsync();
    const nobody = await overWebSocket({}).then(() => undefined, (error) => error.code);
    expect(nobody).toBe(4);
  });

  test("pages of other origins are kept out of every WebSocket", async () => {
    const { http } = server.ready;
    const subprotocol = { "sec-websocket-protocol": "mqtt" };
    const before = await metric("toychat_origins_refused_total");
    for (const origin of ["https://evil.example", "null", "http://127.0.0.1.evil.example"]) {
      expect(await upgrade(http, "/ws?token=good-ada", { origin })).toMatchObject({ status: 403 });
      expect(await upgrade(http, "/mqtt", { origin, ...subprotocol })).toMatchObject({ status: 403 });
    }
    expect(await metric("toychat_origins_refused_total")).toBe(before + 6);
    const origin = "http://127.0.0.1:9";
    expect(await upgrade(http, "/ws?token=good-ada", { origin })).toMatchObject({ status: 101 });
    expect(await upgrade(http, "/mqtt", { origin, ...subprotocol })).toMatchObject({ status: 101 });
  });

  test("joins and messages that are not allowed are refused in the words of MQTT", async () => {
    const ada = await join5("ada");
    const code = (work: Promise<unknown>) => work.then(() => 0, (error) => error.code);
    const publish = (room: string) => code(ada.publishAsync(room, "x", { qos: 1 }));
    const granted = async (client: MqttClient, ...rooms: string[]) => {
      const answer = new Promise<unknown>((resolve) => {
        client.on("packetreceive", (packet) => packet.cmd === "suback" && resolve(packet.granted));
      });
      await client.subscribeAsync(rooms).catch(() => {});
      return await answer;
    };
    const rooms = ["closed/1", "no-join/1", "down/1", "hang/1", "no-publish/1"];
    expect(await granted(ada, ...rooms)).toEqual([0x87, 0x87, 0x83, 0x83, 0]);
    expect([await publish("no-publish/1"), await publish("closed/1")]).toEqual([0x87, 0x87]);
    expect([await publish("down/1"), await publish("hang/1")]).toEqual([0x83, 0x83]);
    expect(await publish("open")).toBe(0);
    const old = await join5("ada", { protocolVersion: 4 });
    const refusals = await metric("toychat_authorizations_refused_total");
    expect(await granted(old, "open", "closed/1")).toEqual([0, 0x80]);
    await old.publishAsync("closed/1", "x", { qos: 1 });
    expect(await metric("toychat_authorizations_refused_total")).toBe(refusals + 2);
  });

  test("joins and messages that are not allowed are errors on a WebSocket", async () => {
    const ada = await Talker.connect(`ws://127.0.0.1:${server.ready.http}/ws?token=good-ada`);
    ada.send({ type: "join", room: "closed/1", id: 1 });
    ada.send({ type: "join", room: "down/1", id: 2 });
    ada.send({ type: "message", room: "closed/1", body: 1, id: 3 });
    ada.send({ type: "message", room: "down/1", body: 1, id: 4 });
    ada.send({ type: "message", room: "closed/1", body: 1 });
    await ada.hears(({ type, id, room }) => type === "error" && id === undefined && room === "closed/1");
    const codes = [1, 2, 3, 4].map((id) => ada.said.find((said) => said.id === id)?.code);
    expect(codes).toEqual(["not_authorized", "unavailable", "not_authorized", "unavailable"]);
    ada.close();
  });

  test("one sender's messages stay in order though each is asked about for another while", async () => {
    const url = `ws://127.0.0.1:${server.ready.http}/ws`;
    const reader = await Talker.connect(`${url}?token=good-reader`);
    reader.send({ type: "join", room: "slow/1", id: 1 });
    await reader.hears(({ type }) => type === "joined");
    const [ada, ben] = [await Talker.connect(`${url}?token=good-ada`), await join5("ben")];
    for (let i = 0; i < 200; i++) {
      ada.send({ type: "message", room: "slow/1", body: i });
      ben.publish("slow/1", String(i), { qos: i % 2 === 0 ? 0 : 1 });
    }
    // It takes its leave at once: what it has sent before is delivered all the same.
    void ben.endAsync();
    const of = (from: string) => reader.said.filter((said) => said.type === "message" && said.from === from);
    await until(
      () => of("ada").length === 200 && of("ben").length === 200 || undefined,
      () => `${of("ben").length}`,
    );
    const numbers = Array.from({ length: 200 }, (_, i) => i);
    expect(of("ada").map(({ body }) => Number(body))).toEqual(numbers);
    expect(of("ben").map(({ body }) => Number(body))).toEqual(numbers);
    reader.close();
    ada.close();
  });

  test("a will is allowed when it is left and again when it is sent", async () => {
    const will = (topic: string): IClientOptions => ({
      will: { topic, payload: Buffer.from("bye"), qos: 1 },
    });
    expect(await refused("ada", will("closed/will"))).toBe(0x87);
    expect(await refused("ada", { ...will("no-will/1"), protocolVersion: 4 })).toBe(5);
    expect(await refused("ada", will("down/will"))).toBe(0x88);
    const reader = await Talker.connect(`ws://127.0.0.1:${server.ready.http}/ws?token=good-reader`);
    for (const [id, room] of ["losing/1", "no-publish/wills"].entries()) {
      reader.send({ type: "join", room, id });
      await reader.hears((said) => said.type === "joined" && said.room === room);
    }
    const refusals = await metric("toychat_authorizations_refused_total");
    const loser = await join5("loser", will("losing/1"));
    const keeper = await join5("keeper", will("no-publish/wills"));
    loser.stream.destroy();
    await until(
      async () => await metric("toychat_authorizations_refused_total") > refusals || undefined,
      () => "refused",
    );
    keeper.stream.destroy();
    await reader.hears((said) => said.type === "message" && said.room === "no-publish/wills");
    expect(reader.said.filter((said) => said.room === "losing/1" && said.type === "message")).toEqual([]);
    reader.close();
  });

  test("nobody ends another user's session by its client identifier", async () => {
    const ada = await join5("ada", { clientId: "shared" });
    let ended = false;
    ada.on("close", () => ended = true);
    expect(await refused("eve", { clientId: "shared" })).toBe(0x85);
    expect(await refused("eve", { clientId: "shared", protocolVersion: 4 })).toBe(2);
    expect(await refused("eve", { clientId: "shared", password: "no" })).toBe(0x86);
    await ada.publishAsync("open", "still here", { qos: 1 });
    expect(ended).toBe(false);
    await join5("ada", { clientId: "shared" });
    await until(() => ended || undefined, () => "the older session has ended");
  });

  test("a session ends when its credentials do, and says so", async () => {
    // It listens from the beginning: what a busy machine reads late may hold both the welcome and the farewell.
    const brief = connect(`mqtt://127.0.0.1:${server.ready.mqtt}`, {
      username: "brief",
      protocolVersion: 5,
      reconnectPeriod: 0,
    });
    clients.push(brief);
    const heard: unknown[] = [];
    brief.on("error", () => {}).on("packetreceive", (packet) => {
      if (packet.cmd === "connack" || packet.cmd === "disconnect") {
        heard.push([packet.cmd, packet.reasonCode]);
      }
    });
    await until(() => heard.length === 2, () => `two words, not ${JSON.stringify(heard)}`);
    expect(heard).toEqual([["connack", 0], ["disconnect", 0x87]]);
  });
});
