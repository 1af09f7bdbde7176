/**
 * Links over a network in memory, and a peer that speaks the protocol by hand, for tests of links.
 *
 * @module
 */
import type { CloseReason, Connection } from "../../src/lib/transport.ts";
import { LinkDialer, type LinkDialerOptions } from "../../src/link/dialer.ts";
import type { Frame, HelloFrame } from "../../src/link/frames.ts";
import type { Link, LinkHandler, LinkIdentity } from "../../src/link/link.ts";
import { LinkListener, type LinkListenerOptions } from "../../src/link/listener.ts";
import type { LinkOptions } from "../../src/link/options.ts";
import { dialProof } from "../../src/link/proof.ts";
import { TestNetwork } from "./network.ts";
import { TurnClock } from "./turn_clock.ts";

/** The dialling side of the tests. */
export const PROXY: LinkIdentity = { role: "proxy", id: "p1", incarnation: "aa" };
/** The dialled side of the tests. */
export const CHAT: LinkIdentity = { role: "chat", id: "c1", incarnation: "bb" };
/** What both know. */
export const SECRET = "sesame";
/** Where they meet. */
export const ADDRESS = { host: "test", port: 1 };

/** A frame that can be told from others. */
export function named(name: string): Frame {
  return { type: "yield", room: name };
}

/** A message with a body of so many characters. */
export function message(size: number): Frame {
  return { type: "message", room: "r", session: "p1.aa.1", seq: 1, body: "x".repeat(size) };
}

/** One side: what happened to it, in order, as text. */
export class Side implements LinkHandler {
  readonly events: string[] = [];
  readonly links: Link[] = [];
  onOpen: (link: Link) => void = () => {};
  onFrame: (link: Link, frame: Frame, n: number) => void = () => {};
  onReset: (link: Link) => void = () => {};

  /** The newest link. */
  get link(): Link {
    return this.links.at(-1) as Link;
  }

  /** The names of the frames that arrived. */
  get names(): string[] {
    return this.events.filter((event) => event.startsWith("frame")).map((event) =>
      event.split(" ")[2] as string
    );
  }

  open(link: Link): void {
    this.links.push(link);
    this.events.push(`open ${link.peer.id}`);
    this.onOpen(link);
  }

  frame(link: Link, frame: Frame, n: number): void {
    this.events.push(`frame ${n} ${"room" in frame ? frame.room : frame.type}`);
    this.onFrame(link, frame, n);
  }

  confirmed(_link: Link, n: number): void {
    this.events.push(`confirmed ${n}`);
  }

  drain(_link: Link): void {
    this.events.push("drain");
  }

  reset(link: Link, reason: string): void {
    this.events.push(`reset ${reason}`);
    this.onReset(link);
  }
}

/** How to change the usual arrangement. */
export interface Setup {
  dial?: Partial<LinkDialerOptions>;
  accept?: Partial<LinkListenerOptions>;
  options?: Partial<LinkOptions>;
  seed?: number;
}

/** A proxy's dialer and a ChatServer's listener, with everything around them. */
export class Pair {
  readonly clock: TurnClock;
  readonly network: TestNetwork;
  readonly proxy = new Side();
  readonly chat = new Side();
  readonly logged: string[] = [];
  readonly listener: LinkListener;
  readonly dialer: LinkDialer;
  readonly #setup: Setup;

  constructor(setup: Setup = {}) {
    this.#setup = setup;
    this.clock = new TurnClock(setup.seed);
    this.network = new TestNetwork(this.clock);
    this.listener = this.listen();
    this.dialer = this.dial();
  }

  #common() {
    const log = (_level: string, event: string, fields?: { code?: unknown }): void => {
      this.logged.push(`${event} ${fields?.code ?? ""}`.trim());
    };
    const options = this.#setup.options ?? {};
    return { cluster: "test", secret: SECRET, clock: this.clock, log, options };
  }

  /** Another dialer. */
  dial(more: Partial<LinkDialerOptions> = {}): LinkDialer {
    return new LinkDialer({
      ...this.#common(),
      transport: this.network,
      address: ADDRESS,
      expect: { id: CHAT.id, incarnation: CHAT.incarnation },
      self: PROXY,
      handler: this.proxy,
      ...this.#setup.dial,
      ...more,
    });
  }

  /** Another listener, in place of the last one. */
  listen(more: Partial<LinkListenerOptions> = {}): LinkListener {
    const options = { ...this.#common(), self: CHAT, handler: this.chat, ...this.#setup.accept, ...more };
    const listener = new LinkListener(options);
    this.network.listen({ port: ADDRESS.port }, listener.accept);
    return listener;
  }

  /** A peer that dials and speaks by hand. */
  async raw(): Promise<RawPeer> {
    const peer = new RawPeer();
    this.network.connect(ADDRESS, (connection) => peer.attach(connection));
    await this.clock.run(5);
    return peer;
  }
}

/** Sets up a pair with an open link. */
export async function openPair(setup: Setup = {}): Promise<Pair> {
  const pair = new Pair(setup);
  pair.dialer.start();
  await pair.clock.until(() => pair.chat.links.length > 0 && pair.proxy.links.length > 0);
  return pair;
}

type Fields = Record<string, unknown>;

/** A peer whose every line is written by the test. */
export class RawPeer {
  connection!: Connection;
  closed: CloseReason | undefined;
  #text = "";

  attach(connection: Connection) {
    this.connection = connection;
    const decoder = new TextDecoder();
    return {
      data: (chunk: Uint8Array | string) => {
        this.#text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
      },
      drain: () => {},
      close: (reason: CloseReason) => {
        this.closed = reason;
      },
    };
  }

  /** Every frame that arrived. */
  get frames(): Fields[] {
    return this.#text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }

  /** The code of the last `goodbye`. */
  get goodbye(): unknown {
    return this.frames.findLast((frame) => frame.type === "goodbye")?.code;
  }

  /** Sends frames, or bytes as they are. */
  send(...frames: (Fields | string | Uint8Array)[]): void {
    for (const frame of frames) {
      const raw = typeof frame === "string" || frame instanceof Uint8Array;
      this.connection.send(raw ? frame : JSON.stringify(frame) + "\n");
    }
  }

  /** A proxy's answer to the hello that has arrived, with fields of the test's choice; `mac` is made where it is not given. */
  hello(fields: Fields = {}, secret = SECRET): Fields {
    const theirs = this.frames[0] as unknown as HelloFrame;
    const ours = { type: "hello", version: 1, ...PROXY, cluster: "test", nonce: "A".repeat(22), ...fields };
    const mac = dialProof(secret, theirs, ours as unknown as HelloFrame);
    return { mac, ...ours };
  }
}
