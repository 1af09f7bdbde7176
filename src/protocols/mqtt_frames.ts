/**
 * The packets that a proxy sends by the thousand, built by hand: PUBLISH, and the answers to PUBLISH and PINGREQ.
 *
 * @module
 */
import type { MqttVersion } from "./mqtt_codes.ts";
import { TYPE } from "./mqtt_packets.ts";

/** Topics whose encoded form is kept; when there are as many, all are forgotten. */
const TOPICS_KEPT = 4096;
const encoder = new TextEncoder();
const topics = new Map<string, Uint8Array>();

/** PINGRESP. */
export const PINGRESP: Uint8Array = new Uint8Array([0xd0, 0]);

/** A PUBLISH with QoS 1 without its packet identifier, which differs for each client. */
export interface PublishTemplate {
  /** The frame, with identifier 0. */
  readonly bytes: Uint8Array;
  /** Where the identifier goes. */
  readonly idAt: number;
}

/** A topic as MQTT writes it: two bytes of length, and UTF-8. */
function encodedTopic(topic: string): Uint8Array {
  let bytes = topics.get(topic);
  if (bytes === undefined) {
    const text = encoder.encode(topic);
    bytes = new Uint8Array(text.length + 2);
    bytes[0] = text.length >> 8;
    bytes[1] = text.length & 0xff;
    bytes.set(text, 2);
    if (topics.size >= TOPICS_KEPT) topics.clear();
    topics.set(topic, bytes);
  }
  return bytes;
}

/** Writes a variable byte integer (MQTT 5, section 1.5.5); returns the position behind it. */
function writeLength(bytes: Uint8Array, at: number, length: number): number {
  let rest = length;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

function lengthSize(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : 4;
}

/** Builds a PUBLISH, never retained and without properties; `idAt` is 0 with QoS 0. */
export function publishFrame(
  version: MqttVersion,
  topic: string,
  payload: Uint8Array,
  qos: 0 | 1,
): PublishTemplate {
  const head = encodedTopic(topic);
  const properties = version === 5 ? 1 : 0;
  const length = head.length + qos * 2 + properties + payload.length;
  const bytes = new Uint8Array(1 + lengthSize(length) + length);
  bytes[0] = (TYPE.publish << 4) | (qos << 1);
  const topicAt = writeLength(bytes, 1, length);
  bytes.set(head, topicAt);
  const idAt = qos === 0 ? 0 : topicAt + head.length;
  bytes.set(payload, bytes.length - payload.length);
  return { bytes, idAt };
}

/** Gathers PUBLISH packets with QoS 0 into one array. */
export interface PublishBatch {
  /** Adds a packet; the payload, text in UTF-8 or bytes, is copied at once. */
  add(topic: string, payload: string | Uint8Array): void;
  /** Everything added, in an array of its own. */
  take(): Uint8Array;
}

const FIRST_BATCH = 1 << 16;
/** Bytes at the end of a batch's memory in which text is encoded: how long it gets is known only afterwards. */
const SCRATCH = 1 << 16;

/** A batch writes into the same memory each time: one array is allocated for a turn instead of one for each packet. */
class Batch implements PublishBatch {
  readonly #properties: 0 | 1;
  #bytes: Uint8Array = new Uint8Array(FIRST_BATCH + SCRATCH);
  #scratch: Uint8Array = this.#bytes.subarray(FIRST_BATCH);
  #at = 0;

  constructor(version: MqttVersion) {
    this.#properties = version === 5 ? 1 : 0;
  }

  add(topic: string, payload: string | Uint8Array): void {
    if (typeof payload !== "string") {
      this.#head(topic, payload.length);
      this.#bytes.set(payload, this.#at);
      this.#at += payload.length;
    } else if (payload.length * 3 > SCRATCH) this.add(topic, encoder.encode(payload));
    else {
      const { written } = encoder.encodeInto(payload, this.#scratch);
      // Growing leaves the scratch's text behind.
      if (this.#head(topic, written)) encoder.encodeInto(payload, this.#scratch);
      const from = this.#bytes.length - SCRATCH;
      this.#bytes.copyWithin(this.#at, from, from + written);
      this.#at += written;
    }
  }

  /** Writes all of a packet but its payload, of that many bytes; says whether the memory has grown. */
  #head(topic: string, size: number): boolean {
    const head = encodedTopic(topic);
    const length = head.length + this.#properties + size;
    const grows = this.#at + length + 5 > this.#bytes.length - SCRATCH;
    if (grows) this.#grow(length + 5);
    const bytes = this.#bytes;
    bytes[this.#at] = TYPE.publish << 4;
    let at = writeLength(bytes, this.#at + 1, length);
    bytes.set(head, at);
    at += head.length;
    if (this.#properties) bytes[at++] = 0;
    this.#at = at;
    return grows;
  }

  #grow(more: number): void {
    this.#allocate(Math.max(this.#bytes.length * 2, this.#at + more), this.#bytes.subarray(0, this.#at));
  }

  #allocate(size: number, written: Uint8Array): void {
    this.#bytes = new Uint8Array(size + SCRATCH);
    this.#bytes.set(written);
    this.#scratch = this.#bytes.subarray(size);
  }

  restart(): this {
    this.#at = 0;
    return this;
  }

  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#at);
    // A turn that was out of the ordinary must not hold its memory for ever.
    if (this.#bytes.length > 16 * FIRST_BATCH) this.#allocate(FIRST_BATCH, taken.subarray(0, 0));
    return taken;
  }
}

const batches: { readonly [version in MqttVersion]: Batch } = { 4: new Batch(4), 5: new Batch(5) };

/** The batch of a version, empty: it is one for all who ask, to be taken before the next one asks. */
export function publishBatch(version: MqttVersion): PublishBatch {
  return batches[version].restart();
}

/** Fills a packet identifier into a copy of a template. */
export function withPacketId(template: PublishTemplate, id: number): Uint8Array {
  const bytes = template.bytes.slice();
  bytes[template.idAt] = id >> 8;
  bytes[template.idAt + 1] = id & 0xff;
  return bytes;
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP that reports success, the same in both versions. */
export function ackFrame(type: number, id: number): Uint8Array {
  const flags = type === TYPE.pubrel ? 2 : 0;
  return new Uint8Array([(type << 4) | flags, 2, id >> 8, id & 0xff]);
}
