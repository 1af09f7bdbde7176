/**
 * toychat as a process of its own on a runtime, attacked over TCP, with well-behaved users on it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connectClient, type RecordingClient } from "../support/clients.ts";
import { Processes, type Ready } from "../support/processes.ts";
import { runtime, type RuntimeName } from "../support/runtimes.ts";
import { until } from "../support/until.ts";
import { lineProblem } from "./log_check.ts";
import { SHARED_ROOM } from "./text.ts";

/** Milliseconds until a connection must have ended of which the client has closed its side. */
const END_MS = 15_000;

/** Milliseconds after the last chunk until the client closes its side, unless the server has. */
const LINGER_MS = 50;

/** What came back on a connection, and whether the server ended it in time. */
export interface Exchange {
  readonly reply: Buffer;
  readonly ended: boolean;
}

/**
 * Sends chunks, closes this side, and reads until the server has closed its own.
 *
 * @param until Closes this side as soon as it is true of what came back; default a moment after the last chunk.
 */
export function exchange(
  port: number,
  chunks: readonly Uint8Array[],
  until?: (reply: Buffer) => boolean,
): Promise<Exchange> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let finish: ReturnType<typeof setTimeout> | undefined;
    const socket: Socket = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
    const done = (ended: boolean): void => {
      clearTimeout(timer);
      clearTimeout(finish);
      socket.destroy();
      resolve({ reply: Buffer.concat(parts), ended });
    };
    const timer = setTimeout(() => done(false), END_MS);
    socket.on("data", (part) => {
      parts.push(part);
      if (until?.(Buffer.concat(parts))) socket.end();
    });
    // A reset is an end too: the server may have refused before it had read everything.
    socket.on("error", () => done(true));
    socket.on("end", () => done(true));
    socket.on("close", () => done(true));
    socket.on("connect", () => {
      for (const chunk of chunks) socket.write(chunk);
      // Not at once: a server that sees the end first need not read what came before it.
      if (!until) finish = setTimeout(() => socket.end(), LINGER_MS);
    });
  });
}

interface Ports {
  readonly mqtt: number;
  readonly http: number;
}

/** One process and its witnesses. */
export class RealWorld {
  readonly runtime: RuntimeName;
  readonly ports: Ports;
  readonly #processes: Processes;
  readonly #server: Ready<Ports>;
  readonly #witnesses: readonly RecordingClient[];
  #rounds = 0;
  /** Characters of the log that were looked at. */
  #looked = 0;

  private constructor(
    name: RuntimeName,
    processes: Processes,
    server: Ready<Ports>,
    witnesses: RecordingClient[],
  ) {
    this.runtime = name;
    this.#processes = processes;
    this.#server = server;
    this.ports = server.ready;
    this.#witnesses = witnesses;
  }

  /** Starts `toychat dev` on a runtime. */
  static async make(name: RuntimeName): Promise<RealWorld> {
    const processes = new Processes();
    const args = ["dev", "--mqtt", "0", "--http", "0", "--log", "json", "--verbose"];
    const server = await processes.role<Ports>(runtime(name), args);
    const witnesses: RecordingClient[] = [];
    for (const [kind, user] of [["mqtt5", "ann"], ["ws", "bob"]] as const) {
      const witness = await connectClient(server.ready, kind, user);
      await witness.join(SHARED_ROOM);
      await witness.join("quiet");
      witnesses.push(witness);
    }
    return new RealWorld(name, processes, server, witnesses);
  }

  /** The witnesses talk, and hear each other in order; gives what is wrong. */
  async round(): Promise<string[]> {
    if (this.#server.ended) {
      return [`the process on ${this.runtime} ended: ${this.#server.stderr.slice(-3000)}`];
    }
    const text = `witness ${++this.#rounds}`;
    const problems: string[] = [];
    try {
      for (const witness of this.#witnesses) {
        for (const room of [SHARED_ROOM, "quiet"]) await witness.say(room, `${text} ${witness.name}`, true);
      }
      for (const witness of this.#witnesses) {
        for (const room of [SHARED_ROOM, "quiet"]) {
          for (const { name } of this.#witnesses) await witness.hears(room, `${text} ${name}`);
          const heard = witness.bodies(room).filter((body) => body.startsWith("witness ")).slice(-2).join();
          const said = this.#witnesses.map(({ name }) => `${text} ${name}`).join();
          if (heard !== said) problems.push(`${witness.name} heard [${heard}] in ${room} and not [${said}]`);
        }
        witness.heard.splice(0);
        if (witness.end || witness.moved.length > 0) problems.push(`${witness.name} was disturbed`);
      }
    } catch (error) {
      problems.push(`a witness failed: ${String(error)}`);
    }
    return [...problems, ...this.#logProblems()];
  }

  #logProblems(): string[] {
    const text = this.#server.stderr;
    const lines = text.slice(text.lastIndexOf("\n", this.#looked - 1) + 1).split("\n").slice(0, -1);
    this.#looked = text.length;
    return lines.flatMap((line) => {
      const problem = lineProblem(line);
      if (problem !== undefined) return [problem];
      const entry = parsed(line);
      if (entry === undefined) return [`a line of the log is no JSON: ${line.slice(0, 500)}`];
      return entry.level === "error" ? [`logged as an error: ${line.slice(0, 800)}`] : [];
    });
  }

  /** Waits until only the witnesses have sessions; gives what is wrong. */
  async rest(): Promise<string[]> {
    try {
      await until(
        async () => await this.gauge("toychat_sessions") === this.#witnesses.length,
        "sessions are gone",
      );
      return await this.round();
    } catch (error) {
      return [`${String(error)}; ${await this.gauge("toychat_sessions").catch(() => -1)} are left`];
    }
  }

  /** One number of `/metrics`. */
  async gauge(name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.ports.http}/metrics`);
    const line = (await response.text()).split("\n").find((line) =>
      line.startsWith(name) && !line.startsWith("#")
    );
    return Number(line?.trim().split(" ").at(-1));
  }

  /** Bytes of memory that the process holds. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.#server.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Ends the process; it must end well. */
  async end(): Promise<string[]> {
    for (const witness of this.#witnesses) await witness.close();
    const exit = await this.#server.stop();
    await this.#processes.end();
    return exit.code === 0 ? [] : [`the process on ${this.runtime} ended with ${JSON.stringify(exit)}`];
  }
}

function parsed(line: string): { level?: unknown } | undefined {
  try {
    return JSON.parse(line) as { level?: unknown };
  } catch {
    return undefined;
  }
}
