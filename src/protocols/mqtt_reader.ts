/**
 * From a client's bytes, cut anywhere, to packets.
 *
 * @module
 */
import { type MqttVersion, REASON } from "./mqtt_codes.ts";
import { parseConnect, parsePacket } from "./mqtt_codec.ts";
import { BadPacket, type Packet, type PublishPacket, SERVER_TYPES, TYPE } from "./mqtt_packets.ts";

const NOTHING = new Uint8Array(0);
const PINGREQ: Packet = { cmd: "pingreq" };
const FIRST_CAPACITY = 64;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** One character for each byte. */
const latin1 = new TextDecoder("latin1");

/**
 * The bytes from `from` to `to` as text where all are ASCII. A view of a part is dear, on Bun above all: where the part
 * is most of the array, all of it is decoded.
 */
function asciiText(bytes: Uint8Array, from: number, to: number): string | undefined {
  for (let i = from; i < to; i++) if (bytes[i]! >= 0x80) return undefined;
  if ((to - from) * 2 < bytes.length) return undefined;
  return latin1.decode(bytes).slice(from, to);
}

/**
 * Cuts a byte stream into packets. What is sent by the thousand (PUBLISH, PUBACK, PINGREQ) is read here, as mqtt-packet
 * would, at a fraction of its cost; everything else goes to mqtt-packet, one whole packet at a time.
 *
 * Nothing is allocated for a length that was only claimed: a buffer grows with the bytes that came.
 */
export class PacketReader {
  /** The session's version; `undefined` before CONNECT, when nothing else is taken. */
  version: MqttVersion | undefined;
  /** Largest packet accepted, in bytes behind the fixed header. */
  limit: number;
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** Whether the chunk is a copy of its own. */
  #kept = false;
  /** The beginning of a packet whose end has not come yet: `#have` bytes of `#partial`, of `#need` (0: unknown). */
  #partial: Uint8Array = NOTHING;
  #have = 0;
  #need = 0;
  #bodyAt = 0;
  #topicBytes: Uint8Array = NOTHING;
  #topic = "";

  /** Makes a reader that refuses packets of more than `limit` bytes behind the fixed header. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that have come and are not yet read. */
  get buffered(): number {
    return this.#have + this.#chunk.length - this.#at;
  }

  /** Takes a chunk; {@linkcode next} then gives the packets that it completes. */
  push(chunk: Uint8Array): void {
    if (this.#at >= this.#chunk.length) {
      this.#chunk = chunk;
      this.#kept = false;
    } else {
      const rest = this.#chunk.subarray(this.#at);
      const joined = new Uint8Array(rest.length + chunk.length);
      joined.set(rest);
      joined.set(chunk, rest.length);
      this.#chunk = joined;
      this.#kept = true;
    }
    this.#at = 0;
  }

  /** Copies what has not been read: the memory of a chunk is its transport's once the call that brought it returns. */
  keep(): void {
    if (this.#at >= this.#chunk.length) this.#chunk = NOTHING;
    else if (this.#kept) return;
    // Not slice(): on a Node Buffer that is a view.
    else this.#chunk = new Uint8Array(this.#chunk.subarray(this.#at));
    this.#at = 0;
    this.#kept = true;
  }

  /** Whole packets that have come and are not yet read, but for acknowledgements, which are free, and one in two chunks. */
  get complete(): number {
    const chunk = this.#chunk;
    let count = 0;
    for (let at = this.#at; at < chunk.length;) {
      const type = chunk[at]! >> 4;
      let length = 0;
      let i = at + 1;
      for (let factor = 1; i < chunk.length; factor *= 128) {
        length += (chunk[i]! & 0x7f) * factor;
        if (chunk[i++]! < 0x80 || factor > 128 ** 3) break;
      }
      at = i + length;
      if (at > chunk.length) break;
      if (type !== TYPE.puback && type !== TYPE.pubrel) count++;
    }
    return count;
  }

  /** Forgets everything that has not been read. */
  clear(): void {
    this.#chunk = this.#partial = NOTHING;
    this.#at = this.#have = this.#need = 0;
  }

  /**
   * The next packet, `undefined` where its end has not come yet.
   *
   * @throws {BadPacket} where the stream breaks the rules; the reader is of no further use then.
   */
  next(): Packet | undefined {
    if (this.#have > 0) return this.#finishPartial();
    const chunk = this.#chunk;
    const start = this.#at;
    if (start >= chunk.length) {
      this.#chunk = NOTHING;
      this.#at = 0;
      return undefined;
    }
    const size = this.#header(chunk, start, chunk.length);
    if (size === 0 || start + size > chunk.length) {
      this.#startPartial(chunk, start, size);
      return undefined;
    }
    this.#at = start + size;
    return this.#parse(chunk, start, this.#bodyAt, start + size);
  }

  /** Size of the packet at `start`, 0 where its header is incomplete. Sets `#bodyAt`. */
  #header(bytes: Uint8Array, start: number, end: number): number {
    this.#checkType(bytes[start]!);
    let length = 0;
    for (let i = 1; i <= 4; i++) {
      if (start + i >= end) return 0;
      const byte = bytes[start + i]!;
      length += (byte & 0x7f) * 128 ** (i - 1);
      if (byte >= 0x80) continue;
      if (length > this.limit) {
        throw new BadPacket(
          REASON.packetTooLarge,
          `a packet of ${length} bytes: at most ${this.limit} are taken`,
        );
      }
      this.#bodyAt = start + i + 1;
      return i + 1 + length;
    }
    throw new BadPacket(REASON.malformedPacket, "the remaining length takes more than four bytes");
  }

  #checkType(first: number): void {
    const type = first >> 4;
    if ((this.version === undefined) !== (type === TYPE.connect)) {
      const rule = type === TYPE.connect
        ? "CONNECT may be sent once only"
        : "the first packet must be CONNECT";
      throw new BadPacket(REASON.protocolError, rule);
    }
    if (SERVER_TYPES.has(type)) {
      throw new BadPacket(REASON.malformedPacket, `packets of type ${type} come from servers`);
    }
  }

  #startPartial(chunk: Uint8Array, start: number, size: number): void {
    const rest = chunk.length - start;
    this.#partial = new Uint8Array(Math.max(FIRST_CAPACITY, rest));
    this.#partial.set(chunk.subarray(start));
    this.#have = rest;
    this.#need = size;
    this.#bodyAt -= start;
    this.#chunk = NOTHING;
    this.#at = 0;
  }

  #finishPartial(): Packet | undefined {
    while (this.#need === 0) {
      if (this.#at >= this.#chunk.length) return this.#wait();
      this.#partial[this.#have++] = this.#chunk[this.#at++]!;
      this.#need = this.#header(this.#partial, 0, this.#have);
    }
    const take = Math.min(this.#need - this.#have, this.#chunk.length - this.#at);
    this.#reserve(this.#have + take);
    this.#partial.set(this.#chunk.subarray(this.#at, this.#at + take), this.#have);
    this.#have += take;
    this.#at += take;
    if (this.#have < this.#need) return this.#wait();
    const bytes = this.#partial;
    const size = this.#need;
    this.#partial = NOTHING;
    this.#have = this.#need = 0;
    return this.#parse(bytes, 0, this.#bodyAt, size);
  }

  #wait(): undefined {
    this.#chunk = NOTHING;
    this.#at = 0;
    return undefined;
  }

  /** Doubles, so that a packet that comes byte by byte is not copied for each of them. */
  #reserve(size: number): void {
    if (size <= this.#partial.length) return;
    const grown = new Uint8Array(Math.min(this.#need, Math.max(size, this.#partial.length * 2)));
    grown.set(this.#partial.subarray(0, this.#have));
    this.#partial = grown;
  }

  #parse(bytes: Uint8Array, start: number, bodyAt: number, end: number): Packet {
    const first = bytes[start]!;
    if (this.version === undefined) return parseConnect(bytes.subarray(start, end), bodyAt - start);
    if (first >> 4 === TYPE.publish) {
      const packet = this.#publish(bytes, first, bodyAt, end);
      if (packet !== undefined) return packet;
    } else if (first === TYPE.puback << 4 && end - bodyAt === 2) {
      const messageId = bytes[bodyAt]! * 256 + bytes[bodyAt + 1]!;
      if (messageId > 0) return { cmd: "puback", messageId };
    } else if (first === TYPE.pingreq << 4 && end === bodyAt) {
      return PINGREQ;
    }
    return parsePacket(bytes.subarray(start, end), this.version);
  }

  /** Reads a PUBLISH without properties; `undefined`: leave it, and what is wrong with it, to mqtt-packet. */
  #publish(bytes: Uint8Array, first: number, bodyAt: number, end: number): PublishPacket | undefined {
    const qos = (first >> 1) & 3;
    const topicAt = bodyAt + 2;
    const topicEnd = topicAt + bytes[bodyAt]! * 256 + bytes[bodyAt + 1]!;
    let at = topicEnd;
    let messageId = 0;
    if (qos > 0) {
      messageId = bytes[at]! * 256 + bytes[at + 1]!;
      at += 2;
    }
    if (this.version === 5 && bytes[at++] !== 0) return undefined;
    // The comparison is false, and mqtt-packet asked, for a field that lies behind the end (NaN) as for a bad one.
    if (!(qos < 3 && at <= end && (qos === 0 || messageId > 0))) return undefined;
    return {
      cmd: "publish",
      topic: this.#readTopic(bytes, topicAt, topicEnd),
      payload: asciiText(bytes, at, end) ?? bytes.subarray(at, end),
      qos: qos as 0 | 1 | 2,
      dup: (first & 8) !== 0,
      retain: (first & 1) !== 0,
      messageId,
      topicAlias: undefined,
    };
  }

  /** Clients publish to the same topic again and again: the last one is not decoded anew. */
  #readTopic(bytes: Uint8Array, from: number, to: number): string {
    const known = this.#topicBytes;
    let same = known.length === to - from;
    for (let i = 0; same && i < known.length; i++) same = known[i] === bytes[from + i];
    if (same) return this.#topic;
    // Not slice(): on a Node Buffer that is a view, and would keep the whole chunk.
    const topic = new Uint8Array(bytes.subarray(from, to));
    try {
      this.#topic = utf8.decode(topic);
    } catch {
      throw new BadPacket(REASON.malformedPacket, "the topic is not well-formed UTF-8");
    }
    this.#topicBytes = topic;
    return this.#topic;
  }
}
