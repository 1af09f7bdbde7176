/**
 * Spoiling bytes, and cutting them into chunks.
 *
 * @module
 */
import type { Random } from "../support/virtual_clock.ts";

const INTERESTING = [0, 1, 2, 4, 0x0a, 0x0d, 0x10, 0x20, 0x7b, 0x7f, 0x80, 0x81, 0xc0, 0xed, 0xfe, 0xff];
/** Bytes of a run that is put in, taken out or repeated. */
const RUN = 24;

/** Random bytes. */
export function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

/** Joins bytes. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function place(random: Random, bytes: Uint8Array): [from: number, to: number] {
  const from = random.below(bytes.length + 1);
  return [from, Math.min(bytes.length, from + 1 + random.below(RUN))];
}

type Mutation = (random: Random, bytes: Uint8Array) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  // One bit.
  (random, bytes) => changed(random, bytes, (byte) => byte ^ (1 << random.below(8))),
  // One byte, to one that means something somewhere.
  (random, bytes) => changed(random, bytes, () => random.pick(INTERESTING)),
  // A length near the beginning lies.
  (random, bytes) => {
    const copy = bytes.slice();
    const at = random.below(Math.min(16, copy.length));
    if (at < copy.length) copy[at] = random.pick(INTERESTING);
    return copy;
  },
  (random, bytes) => bytes.slice(0, random.below(bytes.length + 1)),
  (random, bytes) => {
    const [from, to] = place(random, bytes);
    return concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  (random, bytes) => {
    const [from, to] = place(random, bytes);
    return concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  (random, bytes) => {
    const at = random.below(bytes.length + 1);
    const extra = randomBytes(random, 1 + random.below(RUN));
    return concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
  },
];

function changed(random: Random, bytes: Uint8Array, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  const at = random.below(Math.max(1, copy.length));
  if (at < copy.length) copy[at] = change(copy[at] as number);
  return copy;
}

/** Spoils bytes in one to four places. */
export function spoil(random: Random, bytes: Uint8Array): Uint8Array {
  let spoilt = bytes;
  for (let left = 1 + random.below(4); left > 0; left--) spoilt = random.pick(MUTATIONS)(random, spoilt);
  return spoilt;
}

/** Cuts bytes as a network might: not at all, once, anywhere, or at every byte. */
export function chop(random: Random, bytes: Uint8Array): Uint8Array[] {
  const way = random.below(10);
  if (way < 5) return [bytes];
  if (way === 5 && bytes.length <= 300) return Array.from(bytes, (byte) => Uint8Array.of(byte));
  const chunks: Uint8Array[] = [];
  const most = way < 8 ? 1 + Math.ceil(bytes.length / 2) : 1 + Math.ceil(bytes.length / 8);
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random.below(most);
    chunks.push(bytes.slice(at, at + size));
    at += size;
  }
  return chunks;
}
