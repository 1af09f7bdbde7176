/**
 * What tests of the examples share: users on MQTT and on WebSocket, and waiting for what they get.
 *
 * @module
 */
import { connectAsync, type MqttClient } from "mqtt";

const WAIT_MS = 15_000;

/** Waits until `check` gives something other than undefined and false; it is tried every few milliseconds. */
export async function until<T>(
  check: () => T | undefined | false,
  what: string,
  ms: number = WAIT_MS,
): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What a user gets: the room, and what was said. */
export type Heard = [room: string, text: string];

/** A user of a room, on whichever protocol. */
export interface TestUser {
  /** What it has got so far, in order. */
  readonly heard: Heard[];
  /** Whether its connection has ended. */
  readonly ended: boolean;
  /** Sends text to a room; resolves when that was acknowledged. */
  say(room: string, text: string): Promise<void>;
  /** Ends the connection. */
  close(): Promise<void>;
}

/** Connects by MQTT 5 and joins rooms. */
export async function mqttUser(
  port: number,
  name: string,
  rooms: readonly string[],
  host = "127.0.0.1",
): Promise<TestUser> {
  const client: MqttClient = await connectAsync({
    port,
    host,
    clientId: name,
    protocolVersion: 5,
    reconnectPeriod: 0,
  });
  const heard: Heard[] = [];
  let ended = false;
  client.on("message", (topic, payload) => heard.push([topic, payload.toString()]));
  client.on("close", () => ended = true);
  for (const room of rooms) await client.subscribeAsync(room, { qos: 1 });
  return {
    heard,
    get ended() {
      return ended;
    },
    say: async (room, text) => void await client.publishAsync(room, text, { qos: 1 }),
    close: () => client.endAsync(true),
  };
}

interface ServerMessage {
  type: string;
  room?: string;
  body?: unknown;
  id?: number;
  code?: string;
}

/** Connects by JSON over WebSocket and joins rooms. */
export async function webSocketUser(
  port: number,
  name: string,
  rooms: readonly string[],
  path = "/ws",
): Promise<TestUser> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}?user=${encodeURIComponent(name)}`);
  const heard: Heard[] = [];
  const answers = new Map<number, ServerMessage>();
  let ended = false;
  let ids = 0;
  socket.onclose = () => ended = true;
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as ServerMessage;
    if (message.type === "message") heard.push([message.room ?? "", String(message.body)]);
    else if (message.id !== undefined) answers.set(message.id, message);
  };
  await until(() => socket.readyState === WebSocket.OPEN, `a WebSocket on port ${port}`);
  async function ask(request: object): Promise<void> {
    const id = ++ids;
    socket.send(JSON.stringify({ ...request, id }));
    const answer = await until(() => answers.get(id), `an answer to ${JSON.stringify(request)}`);
    if (answer.type === "error") throw new Error(`${name} got ${JSON.stringify(answer)}`);
  }
  for (const room of rooms) await ask({ type: "join", room });
  return {
    heard,
    get ended() {
      return ended;
    },
    say: (room, text) => ask({ type: "message", room, body: text }),
    close: async () => {
      socket.close();
      await until(() => ended, "the end of a WebSocket");
    },
  };
}
