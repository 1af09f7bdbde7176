/**
 * A peer of a ChatServer that says what it likes, over TCP.
 *
 * @module
 */
import { connect, type Socket } from "node:net";
import type { HelloFrame } from "../../src/link/frames.ts";
import { dialProof } from "../../src/link/proof.ts";
import { until } from "../support/until.ts";

type Fields = Record<string, unknown>;

/** Whom it passes itself off as. */
export interface Guise {
  readonly role: "proxy" | "chat";
  readonly id: string;
}

/** One connection to a ChatServer's port for links. */
export class HostilePeer {
  readonly frames: Fields[] = [];
  ended = false;
  readonly #socket: Socket;
  #sent = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    let rest = "";
    socket.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.frames.push(JSON.parse(line));
    });
    socket.on("error", () => {});
    socket.on("close", () => this.ended = true);
  }

  /** Connects, and waits for the ChatServer's hello. */
  static async dial(address: string): Promise<HostilePeer> {
    const [host = "", port] = address.split(":");
    const peer = new HostilePeer(connect(Number(port), host));
    await peer.gets("hello");
    return peer;
  }

  /** Connects and proves the secret. */
  static async trusted(address: string, secret: string, guise: Guise): Promise<HostilePeer> {
    const peer = await HostilePeer.dial(address);
    peer.write(peer.hello(guise, secret));
    await peer.gets("welcome");
    return peer;
  }

  /** Waits for a frame of a type. */
  gets(type: string, which: (frame: Fields) => boolean = () => true): Promise<Fields> {
    return until(
      () => this.frames.find((frame) => frame["type"] === type && which(frame)),
      () => `${type} among ${JSON.stringify(this.frames)}`,
    );
  }

  /** Waits for the end of the connection, and gives the `goodbye` before it. */
  async goodbye(): Promise<Fields | undefined> {
    await until(() => this.ended, () => `the end after ${JSON.stringify(this.frames)}`);
    return this.frames.findLast((frame) => frame["type"] === "goodbye");
  }

  /** Its hello, with the proof that the secret makes; without a secret it has none. */
  hello({ role, id }: Guise, secret?: string): Fields {
    const theirs = this.frames[0] as unknown as HelloFrame;
    const ours: HelloFrame = {
      type: "hello",
      version: 1,
      role,
      id,
      incarnation: "hostile",
      cluster: "toychat",
      nonce: "A".repeat(22),
    };
    return secret === undefined ? { ...ours } : { ...ours, mac: dialProof(secret, theirs, ours) };
  }

  /** Sends a frame with the next number. */
  send(frame: Fields): void {
    this.write({ ...frame, n: ++this.#sent });
  }

  /** Sends a frame, or text, as it is. */
  write(frame: Fields | string): void {
    this.#socket.write(typeof frame === "string" ? frame : JSON.stringify(frame) + "\n");
  }

  /** Hangs up. */
  close(): void {
    this.#socket.destroy();
  }
}
