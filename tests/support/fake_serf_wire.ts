/**
 * The agent's side of one RPC connection: requests come in, replies go out, one after the other, with the agent's order of
 * handshake and authentication.
 *
 * @module
 */
import type { Connection, ConnectionHandler } from "../../src/lib/transport.ts";
import { encodeObjects, fieldOf, isFields, ObjectReader } from "../../src/membership/serf/serf_codec.ts";

/** One request. */
export interface FakeRequest {
  readonly command: string;
  readonly seq: number;
  /** Its body; empty where the command has none. */
  readonly body: Record<string, unknown>;
}

/** Options of {@linkcode FakeSerfClientConnection}. */
export interface FakeWireOptions {
  readonly authKey: string | undefined;
  /** Serves a request; nothing more is served on this connection until `next` is called. */
  readonly serve: (request: FakeRequest) => void;
  readonly ended: () => void;
}

const WITHOUT_BODY = new Set(["members", "stats", "leave", "list-keys"]);
const WITH_BODY = new Set(
  ("members-filtered tags event query respond join force-leave get-coordinate stream stop install-key use-key " +
    "remove-key handshake auth").split(" "),
);

/** A connection that a client made. */
export class FakeSerfClientConnection implements ConnectionHandler {
  /** The number of the call that asked for the stream. */
  stream: number | undefined;
  readonly #connection: Connection;
  readonly #options: FakeWireOptions;
  readonly #reader: ObjectReader = new ObjectReader();
  readonly #waiting: FakeRequest[] = [];
  #busy = false;
  /** The last header: as in the real agent what a header leaves out stays as it was in the one before. */
  #command = "";
  #seq = 0;
  #bodyComes = false;
  #greeted = false;
  #known: boolean;
  #queries = 0;

  /** Takes over a connection. */
  constructor(connection: Connection, options: FakeWireOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#known = options.authKey === undefined;
  }

  /** Sends bytes as they are: garbage, or half a reply. */
  sendRaw(bytes: Uint8Array): void {
    this.#connection.send(Uint8Array.from(bytes));
  }

  /** Answers a call. */
  reply(seq: number, error: string, body?: object): void {
    const header = { Seq: seq, Error: error };
    this.#connection.send(body ? encodeObjects(header, body) : encodeObjects(header));
  }

  /** A number for a query on this connection. */
  nextQuery(): number {
    return ++this.#queries;
  }

  /** The request under way was served. */
  next(): void {
    this.#busy = false;
    const next = this.#waiting.shift();
    if (next) this.#serve(next);
  }

  /** Ends it at once. */
  terminate(): void {
    this.#connection.terminate();
  }

  data(chunk: Uint8Array | string): void {
    if (typeof chunk === "string") return;
    try {
      this.#reader.push(chunk, (object) => this.#take(object));
    } catch {
      this.terminate();
    }
  }

  drain(): void {}

  close(): void {
    this.#reader.stop();
    this.#options.ended();
  }

  #take(object: unknown): void {
    if (this.#bodyComes) {
      this.#bodyComes = false;
      if (!isFields(object)) return this.terminate();
      // Byte strings are copied: their memory changes after this call.
      const copy = Object.entries(object).map(([key, value]) =>
        [key, value instanceof Uint8Array ? Uint8Array.from(value) : value] as const
      );
      return this.#request(Object.fromEntries(copy));
    }
    this.#takeHeader(object);
  }

  #takeHeader(object: unknown): void {
    if (!isFields(object)) return this.terminate();
    const command = fieldOf(object, "Command");
    const seq = fieldOf(object, "Seq");
    if (typeof command === "string") this.#command = command;
    if (typeof seq === "number") this.#seq = seq;
    if (!this.#greeted && this.#command !== "handshake") return this.#hangUp("Handshake required");
    if (!this.#known && this.#command !== "auth" && this.#command !== "handshake") {
      return this.reply(this.#seq, "Authentication required");
    }
    if (WITHOUT_BODY.has(this.#command)) this.#request({});
    else if (WITH_BODY.has(this.#command)) this.#bodyComes = true;
    else this.#hangUp("Unsupported command");
  }

  #request(body: Record<string, unknown>): void {
    const request = { command: this.#command, seq: this.#seq, body };
    if (request.command === "handshake") {
      this.#greeted = body["Version"] === 1;
      this.reply(request.seq, this.#greeted ? "" : "Unsupported IPC version");
    } else if (request.command === "auth") {
      const right = this.#options.authKey !== undefined && body["AuthKey"] === this.#options.authKey;
      this.#known ||= right;
      this.reply(request.seq, right ? "" : "Invalid authentication token");
    } else if (this.#busy) this.#waiting.push(request);
    else this.#serve(request);
  }

  #serve(request: FakeRequest): void {
    this.#busy = true;
    if (request.command === "stream") this.stream ??= request.seq;
    this.#options.serve(request);
  }

  #hangUp(error: string): void {
    this.reply(this.#seq, error);
    this.#connection.close();
  }
}
