/**
 * A link that notes what is sent on it, for tests of what runs over links.
 *
 * @module
 */
import type { Frame } from "../../src/link/frames.ts";
import type { EncodedFrame, Link, LinkIdentity } from "../../src/link/link.ts";

/** One side of a link without another side. */
export class FakeLink implements Link {
  readonly peer: LinkIdentity;
  /** Every frame that was sent, with its number; those of `take` are gone. */
  frames: (Frame & { n: number })[] = [];
  outstanding = 0;
  full = false;
  connected = true;
  ended = false;
  closed: string | undefined;
  #sent = 0;

  constructor(id: string, role: "chat" | "proxy" = "chat", incarnation = "i1") {
    this.peer = { role, id, incarnation };
  }

  send(frame: Frame): number {
    if (this.ended) return 0;
    // What is sent must not change any more when its sender changes what it was made of.
    this.frames.push({ ...structuredClone(frame), n: ++this.#sent });
    return this.#sent;
  }

  sendEncoded(frame: EncodedFrame): number {
    return this.send(JSON.parse(`{${frame}`) as Frame);
  }

  close(code: string): void {
    this.ended = true;
    this.closed = code;
  }

  /** The frames of a type that were sent since the last call, or all of them; the others are kept. */
  take<T extends Frame["type"]>(type: T): (Extract<Frame, { type: T }> & { n: number })[] {
    const taken = this.frames.filter((frame) => frame.type === type);
    this.frames = this.frames.filter((frame) => frame.type !== type);
    return taken as unknown as (Extract<Frame, { type: T }> & { n: number })[];
  }

  /** The types of all frames that were sent and not taken. */
  get types(): string[] {
    return this.frames.map((frame) => frame.type);
  }
}
