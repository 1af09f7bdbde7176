/**
 * Deliveries that a client has to acknowledge (MQTT QoS 1).
 *
 * @module
 */
import { type PublishTemplate, withPacketId } from "./mqtt_frames.ts";

/** Bytes that may wait for one client, where the limits do not say. */
const DEFAULT_MAX_WAITING_BYTES = 1 << 20;

const LAST_ID = 65535;

/** Sends at most so many unacknowledged deliveries at a time; further ones wait, in order. */
export class Outbox {
  readonly #send: (frame: Uint8Array) => void;
  readonly #maxInflight: number;
  readonly #inflight: Set<number> = new Set();
  #waiting: PublishTemplate[] = [];
  #first = 0;
  #waitingBytes = 0;
  readonly #maxWaitingBytes: number;
  /** One that waits and is longer than all that may wait. */
  #large: PublishTemplate | undefined;
  #id = 0;

  /** `send` is called for deliveries that had to wait; `maxInflight` is at most 65535. */
  constructor(
    maxInflight: number,
    send: (frame: Uint8Array) => void,
    maxWaitingBytes = DEFAULT_MAX_WAITING_BYTES,
  ) {
    this.#maxInflight = Math.min(maxInflight, LAST_ID);
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#send = send;
  }

  /** Whether more waits than may. One delivery that is longer than that is let be, beside others. */
  get overfull(): boolean {
    return this.#waitingBytes > this.#maxWaitingBytes + (this.#large?.bytes.length ?? 0);
  }

  /** Deliveries that were sent and not acknowledged. */
  get inflight(): number {
    return this.#inflight.size;
  }

  /** The frame to send now, with an identifier that is not in use; `undefined` where it has to wait. */
  take(template: PublishTemplate): Uint8Array | undefined {
    if (this.#inflight.size < this.#maxInflight) return withPacketId(template, this.#nextId());
    this.#waiting.push(template);
    this.#waitingBytes += template.bytes.length;
    if (template.bytes.length > this.#maxWaitingBytes) this.#large ??= template;
    return undefined;
  }

  /** The client has acknowledged a delivery, and gets the next that waits. An unknown identifier does nothing. */
  acknowledged(id: number): void {
    if (!this.#inflight.delete(id)) return;
    if (this.#first < this.#waiting.length) {
      const template = this.#waiting[this.#first++]!;
      this.#waitingBytes -= template.bytes.length;
      if (template === this.#large) this.#large = undefined;
      this.#compact();
      this.#send(withPacketId(template, this.#nextId()));
    }
  }

  #compact(): void {
    if (this.#first < 64 || this.#first * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }

  /** Fewer are on their way than there are identifiers, so one is free. */
  #nextId(): number {
    do {
      this.#id = this.#id === LAST_ID ? 1 : this.#id + 1;
    } while (this.#inflight.has(this.#id));
    this.#inflight.add(this.#id);
    return this.#id;
  }
}
