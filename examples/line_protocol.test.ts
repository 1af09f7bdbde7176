import { afterEach, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connectAsync } from "mqtt";
import { accept, type FakeChannel, settle } from "../tests/support/fake_channel.ts";
import { line } from "./line_protocol.ts";

const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

function read(channel: FakeChannel): string[] {
  return new TextDecoder().decode(channel.takeBytes()).split("\r\n").slice(0, -1);
}

test("lines are read however they are cut, and answered in words", async () => {
  const { channel, handler } = accept(line());
  handler.data(new TextEncoder().encode("JOIN pl"));
  await settle();
  expect(read(channel)[0]).toMatch(/^welcome guest-[0-9a-f]{6}: JOIN room/);
  handler.data(
    new TextEncoder().encode(
      "aza\r\nsay plaza hello  you\nSAY plaza\n\nDANCE\nJOIN a/#\nLEAVE plaza\nQUIT\nSAY plaza x\n",
    ),
  );
  channel.published[0]!.done!(undefined);
  expect(read(channel)).toEqual([
    "joined plaza",
    "error SAY room text: the text is missing",
    "error unknown command DANCE: JOIN room | SAY room text | LEAVE room | QUIT",
    'error room "a/#" has a "+" or "#", which are wildcards: name one room, without them',
    "left plaza",
    "bye",
  ]);
  expect(channel.published).toMatchObject([{ room: "plaza", body: "hello  you" }]);
  expect(channel.closed).toBeDefined();
});

test("a delivery is one line, whatever it carries", () => {
  const { handler } = accept(line());
  const lineOf = (body: string | Uint8Array | { x: number }, from?: string) =>
    new TextDecoder().decode(
      handler.encoding.encode({ room: "plaza", from, body, acknowledged: false }) as Uint8Array,
    );
  expect(lineOf("two\r\nlines \u001b[2J", "ada")).toBe("plaza <ada> two lines  [2J\r\n");
  expect(lineOf({ x: 1 })).toBe('plaza <*> {"x":1}\r\n');
  expect(lineOf(new Uint8Array(3), "ada")).toBe("plaza <ada> (3 bytes)\r\n");
});

test("a line that never ends is given up", async () => {
  const { channel, handler } = accept(line());
  await settle();
  handler.data(new TextEncoder().encode("x".repeat(2000)));
  expect(read(channel).at(-1)).toBe("the line is too long");
  expect(channel.closed).toBeDefined();
});

/** Collects a socket's text until it holds what is waited for. */
function reader(socket: Socket): (text: string) => Promise<string> {
  let all = "";
  socket.on("data", (chunk) => all += chunk);
  return async (text) => {
    while (!all.includes(text)) await once(socket, "data");
    return all;
  };
}

test(
  "someone on the line protocol and someone on MQTT talk in one room, and Ctrl-C ends the program",
  async () => {
    const program = new URL("./line_protocol.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [program, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
    cleanUp.push(() => child.exitCode ?? child.kill("SIGKILL"));
    const [firstLine] = await once(child.stdout, "data");
    const ports = JSON.parse(String(firstLine).slice("ready ".length));

    const socket = connectTcp(ports.line, "127.0.0.1");
    cleanUp.push(() => socket.destroy());
    const until = reader(socket);
    socket.write("JOIN plaza\n");
    await until("joined plaza");

    const client = await connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, {
      clientId: "bob",
      reconnectPeriod: 0,
    });
    cleanUp.push(() => client.endAsync(true));
    const heard = new Promise<string>((resolve) => {
      client.on("message", (_topic, payload) => String(payload) === "hello MQTT" && resolve(String(payload)));
    });
    await client.subscribeAsync("plaza");
    await client.publishAsync("plaza", "hello lines", { qos: 1 });
    await until("plaza <bob> hello lines");
    socket.write("SAY plaza hello MQTT\n");
    expect(await heard).toBe("hello MQTT");
    await until("said plaza");

    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
  },
  20_000,
);

test("wrong usage says what to write instead", async () => {
  const program = new URL("./line_protocol.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, "--port", "many"], { stdio: ["ignore", "ignore", "pipe"] });
  const [words] = await once(child.stderr, "data");
  expect(String(words)).toContain("write --port 7000");
  expect((await once(child, "exit"))[0]).toBe(2);
}, 20_000);
