/**
 * A stand-in for the proxy's side of one connection.
 *
 * @module
 */
import type { Body } from "../../src/lib/body.ts";
import { Metrics } from "../../src/lib/metrics.ts";
import type {
  Chunk,
  ClientChannel,
  ClientHandler,
  ClientLimits,
  ClientProtocol,
  JoinOptions,
  OpenedSession,
  OpenRefusal,
  Refusal,
} from "../../src/protocols/protocol.ts";
import type { GivenCredentials } from "../../src/protocols/credentials.ts";
import { ManualClock } from "./manual_clock.ts";

/** The limits that fake channels have where a test says nothing else. */
export const FAKE_LIMITS: ClientLimits = {
  maxMessageBytes: 1024,
  maxHelloBytes: 2048,
  maxRoomBytes: 64,
  maxInflight: 3,
  keepaliveMs: 60_000,
};

type Done = (refusal: Refusal | undefined) => void;

/** What a protocol sent to a room. */
export interface Published {
  readonly room: string;
  readonly body: Body;
  readonly done: Done | undefined;
  /** It is a will. */
  readonly will?: true;
}

/** How a fake channel differs from the usual. */
export interface FakeOptions {
  readonly limits?: Partial<ClientLimits>;
  readonly request?: Request;
  readonly proxy?: object;
  readonly clock?: ManualClock;
  readonly metrics?: Metrics;
  /** Whether joins are answered at once; default true. */
  readonly answersJoins?: boolean;
  /** What opening gives; default a session for the user name or the client identifier. */
  readonly open?: (credentials: GivenCredentials) => Promise<OpenedSession | OpenRefusal>;
}

/** Notes what a protocol does; a test plays the proxy. */
export class FakeChannel implements ClientChannel {
  readonly remoteAddress = "192.0.2.1";
  readonly request: Request | undefined;
  readonly clock: ManualClock;
  readonly limits: ClientLimits;
  readonly metrics: Metrics;
  readonly proxy: object;
  /** Everything that was sent, in order. */
  readonly sent: Chunk[] = [];
  /** Joins, in order. */
  readonly joins: { room: string; options: JoinOptions; done: Done }[] = [];
  /** Joins that the protocol refused, with the reason. */
  readonly refusedJoins: string[] = [];
  /** Rooms left, in order. */
  readonly leaves: string[] = [];
  /** Messages, in order. */
  readonly published: Published[] = [];
  /** Log events, in order. */
  readonly logged: string[] = [];
  credentials: GivenCredentials | undefined;
  /** The room of the will that it was opened with. */
  will: string | undefined;
  /** What the protocol does not count by `join`, `leave` and `publish`. */
  charged = 0;
  /** Pings sent. */
  pings = 0;
  /** Whether the proxy does not read. */
  paused = false;
  /** Whether the client has sent as much as it may. */
  held = false;
  closed: { code: number | undefined; reason: string | undefined } | undefined;
  readonly #options: FakeOptions;

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    this.request = options.request;
    this.clock = options.clock ?? new ManualClock();
    this.limits = { ...FAKE_LIMITS, ...options.limits };
    this.metrics = options.metrics ?? new Metrics();
    this.proxy = options.proxy ?? {};
  }

  log = (_level: string, event: string): void => {
    this.logged.push(event);
  };

  open(credentials: GivenCredentials, options: { will?: string } = {}): Promise<OpenedSession | OpenRefusal> {
    this.credentials = credentials;
    this.will = options.will;
    if (this.#options.open) return this.#options.open(credentials);
    return Promise.resolve({ user: credentials.username || credentials.clientId || "guest", session: "s1" });
  }

  send(chunk: Chunk): void {
    if (this.closed === undefined) this.sent.push(chunk);
  }

  join(room: string, options: JoinOptions, done: Done): void {
    this.joins.push({ room, options, done });
    if (this.#options.answersJoins ?? true) done(undefined);
  }

  joinRefused(room: string, reason: Refusal): void {
    this.refusedJoins.push(`${room.slice(0, 20)}: ${reason}`);
  }

  leave(room: string, done: () => void): void {
    this.leaves.push(room);
    done();
  }

  publish(room: string, body: Body, done?: Done, will = false): void {
    this.published.push({ room, body, done, ...(will ? { will } : {}) });
  }

  charge(): void {
    this.charged++;
  }

  ping(): void {
    this.pings++;
  }

  close(code?: number, reason?: string): void {
    this.closed ??= { code, reason };
  }

  /** Everything that was sent since the last call, as one run of bytes; text is encoded. */
  takeBytes(): Uint8Array {
    const encoder = new TextEncoder();
    const chunks = this.sent.splice(0).map((c) => typeof c === "string" ? encoder.encode(c) : c);
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  /** Everything that was sent since the last call, as JSON values. */
  takeJson(): unknown[] {
    return this.sent.splice(0).map((chunk) => JSON.parse(String(chunk)));
  }
}

/** Accepts a fake connection by a protocol. */
export function accept(
  protocol: ClientProtocol,
  options?: FakeOptions,
): { channel: FakeChannel; handler: ClientHandler } {
  const channel = new FakeChannel(options);
  return { channel, handler: protocol.accept(channel) };
}

/** Lets everything run that waits for promises that are settled. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
