/**
 * A link of a process to itself: a ChatServer messages the rooms that it owns as it messages those of others.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import type { Frame } from "./frames.ts";
import type { EncodedFrame, Link, LinkHandler, LinkIdentity } from "./link.ts";

/** One end of a loopback. */
class LoopbackEnd implements Link {
  readonly peer: LinkIdentity;
  readonly outstanding = 0;
  readonly full = false;
  readonly connected = true;
  ended = false;
  other: LoopbackEnd | undefined;
  readonly #handler: LinkHandler;
  readonly #clock: Clock;
  #queue: Frame[] = [];
  #sent = 0;
  #taken = 0;

  constructor(peer: LinkIdentity, handler: LinkHandler, clock: Clock) {
    this.peer = peer;
    this.#handler = handler;
    this.#clock = clock;
  }

  send(frame: Frame): number {
    if (this.ended) return 0;
    if (this.#queue.length === 0) this.#clock.defer(() => this.#flush());
    this.#queue.push(frame);
    return ++this.#sent;
  }

  sendEncoded(frame: EncodedFrame): number {
    return this.send(JSON.parse(`{${frame}`) as Frame);
  }

  /** Hands over what was sent in a turn; the confirmation follows whatever the other end answered to it. */
  #flush(): void {
    const frames = this.#queue;
    this.#queue = [];
    const other = this.other;
    if (!other) return;
    for (const frame of frames) {
      this.#guard(() => other.#handler.frame(other, frame, ++this.#taken));
    }
    const taken = this.#taken;
    this.#clock.defer(() => this.#guard(() => this.#handler.confirmed(this, taken)));
  }

  /** A handler that throws ends the link, as it would on any other one. */
  #guard(call: () => void): void {
    if (this.ended) return;
    try {
      call();
    } catch {
      this.close("handler_failed");
    }
  }

  close(code: string): void {
    for (const end of [this, this.other]) {
      if (!end || end.ended) continue;
      end.ended = true;
      this.#clock.defer(() => end.#handler.reset(end, code));
    }
  }
}

/**
 * Makes a loopback; both handlers are told at the end of the turn that it is open, the dialled one first.
 *
 * @returns the end that `dialling` handles.
 */
export function loopback(
  self: LinkIdentity,
  clock: Clock,
  dialling: LinkHandler,
  dialled: LinkHandler,
): Link {
  const near = new LoopbackEnd(self, dialling, clock);
  const far = new LoopbackEnd(self, dialled, clock);
  near.other = far;
  far.other = near;
  clock.defer(() => {
    if (far.ended) return;
    dialled.open(far);
    dialling.open(near);
  });
  return near;
}
