/**
 * What the tests of rights share: programs that are run to their end, upgrades written by hand, and users by WebSocket.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { request } from "node:http";
import { until } from "../support/until.ts";

/** How a program ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly text: string;
}

/** Runs a program to its end. */
export function run(command: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (part) => text += part);
    }
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, text }));
  });
}

/** The answer to an upgrade: 101 where it was granted, else what HTTP says. */
export interface Upgraded {
  readonly status: number;
  readonly body: string;
  readonly protocol: string | undefined;
}

/** Asks for a WebSocket with headers of one's own, and hangs up. */
export function upgrade(port: number, path: string, headers: Record<string, string> = {}): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const asked = request({
      port,
      host: "127.0.0.1",
      path,
      headers: {
        upgrade: "websocket",
        connection: "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...headers,
      },
    });
    asked.once("error", reject);
    asked.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: 101, body: "", protocol: response.headers["sec-websocket-protocol"] });
    });
    asked.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part) => body += part);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body, protocol: undefined }));
    });
    asked.end();
  });
}

/** What a server says on a WebSocket. */
export interface Said {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A user by WebSocket, who remembers what was said. */
export class Talker {
  readonly said: Said[] = [];
  closed: number | undefined;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => void this.said.push(JSON.parse(String(data)));
    socket.onclose = ({ code }) => this.closed = code;
  }

  /** Connects, and waits for the welcome. */
  static async connect(url: string, protocols: string[] = []): Promise<Talker> {
    const talker = new Talker(new WebSocket(url, protocols));
    await talker.hears(({ type }) => type === "welcome");
    return talker;
  }

  /** Sends a request. */
  send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** Waits for something to be said, and gives it. */
  hears(wanted: (said: Said) => boolean): Promise<Said> {
    return until(
      () => this.said.find(wanted),
      () => `something else than ${JSON.stringify(this.said.slice(-5))}`,
    );
  }

  /** Hangs up. */
  close(): void {
    this.#socket.close();
  }
}
