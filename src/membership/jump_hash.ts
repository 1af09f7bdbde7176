/**
 * Jump consistent hash and the 64-bit arithmetic that placement needs, on halves of 32 bits: `BigInt` would be an order
 * of magnitude slower on a path that every message takes.
 *
 * @module
 */

/** An unsigned 64-bit integer as two unsigned halves. */
export interface Uint64 {
  /** The upper 32 bits, 0 to 2^32 - 1. */
  readonly hi: number;
  /** The lower 32 bits, 0 to 2^32 - 1. */
  readonly lo: number;
}

// 2862933555777941757, the multiplier of the generator in the paper.
const STEP_HI = 0x27bb2ee6;
const STEP_LO = 0x87b0b0fd;
// 2^64 divided by the golden ratio, and the two multipliers of splitmix64.
const GAMMA: Uint64 = { hi: 0x9e3779b9, lo: 0x7f4a7c15 };
const MIX_1: Uint64 = { hi: 0xbf58476d, lo: 0x1ce4e5b9 };
const MIX_2: Uint64 = { hi: 0x94d049bb, lo: 0x133111eb };

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // Neither sum passes 2^32 - 1: 0xffff * 0xffff + 0xffff is 0xffff0000.
  const first = aHigh * bLow + ((aLow * bLow) >>> 16);
  const second = aLow * bHigh + (first & 0xffff);
  return aHigh * bHigh + (first >>> 16) + (second >>> 16);
}

function multiply(a: Uint64, b: Uint64): Uint64 {
  const hi = multiplyHigh(a.lo, b.lo) + Math.imul(a.hi, b.lo) + Math.imul(a.lo, b.hi);
  return { hi: hi >>> 0, lo: Math.imul(a.lo, b.lo) >>> 0 };
}

function add(a: Uint64, b: Uint64): Uint64 {
  const lo = a.lo + b.lo;
  return { hi: (a.hi + b.hi + (lo > 0xffffffff ? 1 : 0)) >>> 0, lo: lo >>> 0 };
}

function xorShift(a: Uint64, bits: number): Uint64 {
  const lo = a.lo ^ ((a.lo >>> bits) | (a.hi << (32 - bits)));
  return { hi: (a.hi ^ (a.hi >>> bits)) >>> 0, lo: lo >>> 0 };
}

/**
 * The `n`th number that the splitmix64 generator gives from `seed` (n from 1): `mix(seed + n * 0x9e3779b97f4a7c15)`.
 * Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators (2014), with the constants of Vigna's splitmix64.c.
 */
export function splitmix64(seed: Uint64, n: number): Uint64 {
  let z = add(seed, multiply(GAMMA, { hi: 0, lo: n }));
  z = multiply(xorShift(z, 30), MIX_1);
  z = multiply(xorShift(z, 27), MIX_2);
  return xorShift(z, 31);
}

/**
 * Jump consistent hash: a bucket from 0 to `buckets - 1`. When `buckets` grows by one, a key either stays where it is or
 * goes to the new bucket. Lamping, Veach: A Fast, Minimal Memory, Consistent Hash Algorithm (2014), figure 1.
 *
 * @param key any 64-bit number; its bits need not look random
 * @param buckets 1 to 2^31 - 1
 */
export function jumpHash(key: Uint64, buckets: number): number {
  let { hi, lo } = key;
  let bucket = -1;
  let next = 0;
  while (next < buckets) {
    bucket = next;
    const carry = multiplyHigh(lo, STEP_LO);
    hi = carry + Math.imul(hi, STEP_LO) + Math.imul(lo, STEP_HI);
    lo = (Math.imul(lo, STEP_LO) >>> 0) + 1;
    if (lo > 0xffffffff) {
      lo = 0;
      hi += 1;
    }
    hi >>>= 0;
    // The paper's order of operations: the quotient is rounded before it is multiplied.
    next = Math.floor((bucket + 1) * (0x80000000 / ((hi >>> 1) + 1)));
  }
  return bucket;
}
