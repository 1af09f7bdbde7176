/**
 * Messages from a client that wait for their PUBACK, or are in the handshake of QoS 2.
 *
 * @module
 */
import { ackFrame } from "./mqtt_frames.ts";
import { TYPE } from "./mqtt_packets.ts";

/** A message from a client that is not finished. */
export interface Received {
  /** Packet identifier. */
  readonly id: number;
  /** Quality of service. */
  readonly qos: 1 | 2;
  /** What to answer, once it is known. */
  reply: Uint8Array | undefined;
  /** The answer is known, or that there is none. */
  settled: boolean;
  /** It is forgotten with the answer: QoS 1, a refusal, or no answer at all. */
  last: boolean;
}

/**
 * Answers messages with QoS above 0. MQTT 5 wants the answers in the order of the messages (section 4.6), MQTT 3.1.1
 * does not: there, a message to a slow room holds up no other.
 */
export class Inbox {
  readonly #ordered: boolean;
  readonly #send: (frame: Uint8Array) => void;
  readonly #open: Map<number, Received> = new Map();
  #queue: Received[] = [];

  /** `ordered`: answer in the order of the messages. */
  constructor(ordered: boolean, send: (frame: Uint8Array) => void) {
    this.#ordered = ordered;
    this.#send = send;
  }

  /** Messages that are not finished. */
  get size(): number {
    return this.#open.size;
  }

  /** The unfinished message with this identifier. */
  get(id: number): Received | undefined {
    return this.#open.get(id);
  }

  /** Notes a new message. */
  begin(id: number, qos: 1 | 2): Received {
    const message: Received = { id, qos, reply: undefined, settled: false, last: true };
    this.#open.set(id, message);
    if (this.#ordered) this.#queue.push(message);
    return message;
  }

  /** Everything went well: PUBACK, or PUBREC. */
  succeed(message: Received): void {
    message.last = message.qos === 1;
    this.#settle(message, ackFrame(message.qos === 1 ? TYPE.puback : TYPE.pubrec, message.id));
  }

  /** Refused: with an answer that ends it, or without any (the client may send it again). */
  refuse(message: Received, reply: Uint8Array | undefined): void {
    this.#settle(message, reply);
  }

  /** A message with QoS 2 came again: its PUBREC may have been lost. */
  repeat(message: Received): void {
    if (message.qos === 2 && message.settled && message.reply) this.#send(message.reply);
  }

  /** PUBREL: the client has let go of a message with QoS 2. False where there is none. */
  release(id: number): boolean {
    const message = this.#open.get(id);
    return message !== undefined && message.qos === 2 && message.settled && this.#open.delete(id);
  }

  #settle(message: Received, reply: Uint8Array | undefined): void {
    message.reply = reply;
    message.settled = true;
    if (!this.#ordered) return this.#answer(message);
    let done = 0;
    while (this.#queue[done]?.settled) this.#answer(this.#queue[done++]!);
    if (done > 0) this.#queue = this.#queue.slice(done);
  }

  #answer(message: Received): void {
    if (message.last) this.#open.delete(message.id);
    if (message.reply) this.#send(message.reply);
  }
}
