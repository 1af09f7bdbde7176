/**
 * The msgpack of a Serf agent's RPC: objects follow one another without any length before them. Decoding takes a stream
 * cut anywhere; no object of it, however it is made, can do more than throw `serf_bad_reply`.
 *
 * @module
 */
import { Decoder, encode } from "@msgpack/msgpack";
import { badReply, ObjectScanner } from "./serf_scan.ts";

/** A decoded map. Its keys come from outside: read it by {@linkcode fieldOf}. */
export type Fields = Readonly<Record<string, unknown>>;

/** Options of {@linkcode ObjectReader}. */
export interface ObjectReaderOptions {
  /** Bytes of one object; default 16 MiB. */
  readonly maxBytes?: number;
  /** Arrays and maps within each other; default 16. */
  readonly maxDepth?: number;
}

const MAX_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 16;
const SMALLEST = 4096;

/** Keys that an agent's replies are made of: they are recognised, not decoded anew each time. */
const KNOWN_KEYS =
  "Seq Error Members Name Addr Port Tags Status ProtocolMin ProtocolMax ProtocolCur DelegateMin " +
  "DelegateMax DelegateCur Event LTime Payload Coalesce ID Type From Num";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** A key as its bytes and its text. */
interface KnownKey {
  readonly bytes: Uint8Array;
  readonly text: string;
}

const knownKeys: readonly (readonly KnownKey[])[] = byLength(KNOWN_KEYS.split(" "));

function byLength(keys: readonly string[]): KnownKey[][] {
  const lists: KnownKey[][] = [];
  for (const text of keys) (lists[text.length] ??= []).push({ bytes: new TextEncoder().encode(text), text });
  return lists;
}

const DANGEROUS = /^~*__proto__$/;

/**
 * Keys of maps. `__proto__` would be no key of its own in a plain object, and the library refuses it: it gets a `~` before
 * it, as does what would look like the result.
 */
const keyDecoder = {
  canBeCached: (): boolean => true,
  decode(bytes: Uint8Array, offset: number, length: number): string {
    for (const known of knownKeys[length] ?? []) {
      let i = 0;
      while (i < length && bytes[offset + i] === known.bytes[i]) i++;
      if (i === length) return known.text;
    }
    const key = utf8.decode(bytes.subarray(offset, offset + length));
    return key.endsWith("__proto__") && DANGEROUS.test(key) ? "~" + key : key;
  },
};

/** The key as the agent wrote it. */
function originalKey(key: string): string {
  return key.startsWith("~") && DANGEROUS.test(key) ? key.slice(1) : key;
}

/** Whether a decoded value is a map. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** One value of a decoded map; undefined where it is not there, or the map is none. */
export function fieldOf(value: unknown, key: string): unknown {
  return isFields(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** What a decoded map holds, by the keys as the agent wrote them. */
export function entriesOf(fields: Fields): [key: string, value: unknown][] {
  return Object.entries(fields).map(([key, value]) => [originalKey(key), value]);
}

/** Encodes objects one after the other. Integers become integers: an agent hangs up on a float. */
export function encodeObjects(...objects: readonly unknown[]): Uint8Array {
  const parts = objects.map((object) => encode(object));
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A map that can be encoded, whatever its keys are. */
export function encodable(map: ReadonlyMap<string, string>): Fields {
  // It defines properties and never assigns: "__proto__" is a key as any other.
  return Object.fromEntries(map);
}

/** Takes a stream of msgpack objects apart. */
export class ObjectReader {
  readonly #decoder: Decoder = new Decoder({ keyDecoder });
  readonly #scanner: ObjectScanner;
  /** The beginning of an object that is not whole yet. */
  #pending: Uint8Array = new Uint8Array(0);
  #length = 0;
  #stopped = false;

  /** Waits for the first object. */
  constructor(options: ObjectReaderOptions = {}) {
    const { maxBytes = MAX_BYTES, maxDepth = MAX_DEPTH } = options;
    this.#scanner = new ObjectScanner({ maxBytes, maxDepth });
  }

  /** Bytes that it keeps of an object that is not whole. */
  get pendingBytes(): number {
    return this.#length;
  }

  /** Takes nothing more, also of the chunk that is being looked at; forgets what is pending. */
  stop(): void {
    this.#stopped = true;
    this.#pending = new Uint8Array(0);
    this.#length = 0;
  }

  /**
   * Calls `take` with each object that is whole with this chunk, in order. Byte strings within them are views of memory
   * that changes afterwards: copy what is kept.
   *
   * @throws {ToychatError} `serf_bad_reply`; the reader has stopped then.
   */
  push(chunk: Uint8Array, take: (object: unknown) => void): void {
    if (this.#stopped) return;
    const appended = this.#length > 0;
    if (appended) this.#keep(chunk, 0);
    const bytes = appended ? this.#pending : chunk;
    const end = appended ? this.#length : chunk.length;
    let start = 0;
    try {
      for (let size = this.#scanner.scan(bytes, start, end); size > 0;) {
        const object = this.#decode(bytes.subarray(start, start + size));
        start += size;
        take(object);
        if (this.#stopped) return;
        size = this.#scanner.scan(bytes, start, end);
      }
    } catch (error) {
      this.stop();
      throw error;
    }
    this.#rest(bytes, start, end, appended);
  }

  #decode(bytes: Uint8Array): unknown {
    try {
      return this.#decoder.decode(bytes);
    } catch (error) {
      throw badReply(error instanceof Error ? error.message : "it cannot be decoded");
    }
  }

  #rest(bytes: Uint8Array, start: number, end: number, appended: boolean): void {
    if (!appended) return this.#keep(bytes.subarray(0, end), start);
    this.#pending.copyWithin(0, start, end);
    this.#length = end - start;
    if (this.#length === 0) this.#pending = new Uint8Array(0);
  }

  /** Copies the chunk, which is the transport's, from `start` on. */
  #keep(chunk: Uint8Array, start: number): void {
    const needed = this.#length + chunk.length - start;
    if (needed > this.#pending.length) {
      const larger = new Uint8Array(Math.max(SMALLEST, needed, this.#pending.length * 2));
      larger.set(this.#pending.subarray(0, this.#length));
      this.#pending = larger;
    }
    this.#pending.set(chunk.subarray(start), this.#length);
    this.#length = needed;
  }
}
