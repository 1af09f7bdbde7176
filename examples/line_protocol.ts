/**
 * How do I add a protocol of my own? One that people type in `nc` or `telnet`, in the same rooms as MQTT:
 *
 * ```sh
 * deno run -A examples/line_protocol.ts            # or: bun examples/line_protocol.ts
 * nc 127.0.0.1 7000                                # JOIN plaza, SAY plaza hello, LEAVE plaza, QUIT
 * mosquitto_sub -t plaza -v                        # from another terminal
 * mosquitto_pub -t plaza -m "hello from MQTT"
 * ```
 *
 * Options: `--port N` for the line protocol (default 7000) and `--mqtt N` for MQTT (default 1883); 0 takes any free
 * port. Ctrl-C ends it.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  ChatServer,
  type Chunk,
  type ClientChannel,
  type ClientHandler,
  type ClientProtocol,
  type Delivery,
  type Encoding,
  type EndReason,
  LocalMembership,
  mqtt,
  ProxyServer,
  type Refusal,
  roomNameProblem,
} from "../mod.ts";
import { systemTransport } from "../transports/system.ts";

const encoder = new TextEncoder();
const USAGE = "JOIN room | SAY room text | LEAVE room | QUIT";

/** One line for people: nothing in it can end the line or steer a terminal. */
function toLine(text: string): Uint8Array {
  // deno-lint-ignore no-control-regex -- these are what is to be taken out
  return encoder.encode(text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ") + "\r\n");
}

/** Every client reads the same lines, so all share this object and each delivery is encoded once. */
const lines: Encoding = {
  stream: true,
  encode({ room, from, body }: Delivery): Uint8Array {
    const text = typeof body === "string"
      ? body
      : body instanceof Uint8Array
      ? `(${body.length} bytes)`
      : JSON.stringify(body);
    return toLine(`${room} <${from ?? "*"}> ${text}`);
  },
};

class LineHandler implements ClientHandler {
  readonly encoding = lines;
  readonly #channel: ClientChannel;
  readonly #decoder = new TextDecoder();
  #open = false;
  #ended = false;
  /** What came and is not yet a line. */
  #rest = "";

  constructor(channel: ClientChannel) {
    this.#channel = channel;
    const guest = Array.from(channel.clock.randomBytes(3), (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
    channel.open({ clientId: `guest-${guest}` }).then((session) => {
      if ("refused" in session) return this.#quit(`not let in: ${session.refused}`);
      this.#say(`welcome ${session.user}: ${USAGE}`);
      this.#open = true;
      this.#readLines();
    });
  }

  data(chunk: Chunk): void {
    if (this.#ended) return;
    this.#rest += typeof chunk === "string" ? chunk : this.#decoder.decode(chunk, { stream: true });
    this.#readLines();
  }

  /** Lines beyond the client's rate have waited. */
  resume(): void {
    this.#readLines();
  }

  #readLines(): void {
    while (this.#open && !this.#ended) {
      if (this.#channel.held) return;
      const end = this.#rest.indexOf("\n");
      if (end < 0) break;
      const line = this.#rest.slice(0, end).trim();
      this.#rest = this.#rest.slice(end + 1);
      if (line !== "") this.#take(line);
    }
    const { limits } = this.#channel;
    const most = this.#open ? limits.maxMessageBytes + limits.maxRoomBytes : limits.maxHelloBytes;
    if (this.#rest.length > most) this.#quit("the line is too long");
  }

  #take(line: string): void {
    const [, word = "", room = "", text = ""] = /^(\S+)\s*(\S*)\s?(.*)$/s.exec(line) ?? [];
    const command = word.toUpperCase();
    if (command === "QUIT") return this.#quit("bye");
    if (!["JOIN", "SAY", "LEAVE"].includes(command)) {
      return this.#say(`error unknown command ${word}: ${USAGE}`);
    }
    const problem = roomNameProblem(room, this.#channel.limits.maxRoomBytes);
    if (problem !== undefined) return this.#say(`error ${problem}`);
    const answer = (good: string) => (refusal: Refusal | undefined) =>
      this.#say(refusal === undefined ? `${good} ${room}` : `error ${command} ${room}: ${refusal}`);
    if (command === "JOIN") this.#channel.join(room, {}, answer("joined"));
    else if (command === "LEAVE") this.#channel.leave(room, () => this.#say(`left ${room}`));
    else if (text === "") this.#say("error SAY room text: the text is missing");
    else this.#channel.publish(room, text, answer("said"));
  }

  encode(delivery: Delivery): Chunk {
    return lines.encode(delivery);
  }

  moved(room: string, lost: boolean): void {
    this.#say(`moved ${room}${lost ? ": something may have been lost" : ""}`);
  }

  left(room: string, reason: string): void {
    this.#say(`left ${room}: ${reason}`);
  }

  end(reason: EndReason): void {
    this.#quit(reason.replaceAll("_", " "));
  }

  close(): void {
    this.#ended = true;
  }

  #say(text: string): void {
    if (!this.#ended) this.#channel.send(toLine(text));
  }

  #quit(text: string): void {
    this.#say(text);
    this.#ended = true;
    this.#channel.close();
  }
}

/** A protocol of lines of text. */
export function line(): ClientProtocol {
  return { name: "line", accept: (channel) => new LineHandler(channel) };
}

function readPorts(): { line: number; mqtt: number } {
  const { values } = parseArgs({ options: { port: { type: "string" }, mqtt: { type: "string" } } });
  const ports = {
    line: Number(values.port ?? 7000),
    mqtt: Number(values.mqtt ?? (values.port === "0" ? 0 : 1883)),
  };
  for (const port of Object.values(ports)) {
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      throw new RangeError(
        "a port is no number from 0 to 65535: write --port 7000 --mqtt 1883, or 0 for any",
      );
    }
  }
  return ports;
}

async function main(): Promise<void> {
  const ports = readPorts();
  const transport = await systemTransport();
  const membership = new LocalMembership();
  const chat = new ChatServer({ membership, transport });
  const proxy = new ProxyServer({
    membership,
    transport,
    listen: [{ port: ports.line, protocol: line() }, { port: ports.mqtt, protocol: mqtt() }],
  });
  await chat.start();
  await proxy.start();
  const ready = Object.fromEntries(proxy.listening.map(({ protocol, port }) => [protocol, port]));
  process.stdout.write(`ready ${JSON.stringify(ready)}\n`);

  const stop = async () => {
    await proxy.stop();
    await chat.stop();
    process.exit(0);
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(error instanceof RangeError || error instanceof TypeError ? 2 : 1);
  }
}
