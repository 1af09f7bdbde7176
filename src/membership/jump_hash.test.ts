import { expect, test } from "bun:test";
import { jumpConsistentHash } from "@subspace/jump-consistent-hash";
import fc from "fast-check";
import { jumpHash, splitmix64, type Uint64 } from "./jump_hash.ts";

const MASK = 0xffffffffffffffffn;

function uint64(value: bigint): Uint64 {
  return { hi: Number(value >> 32n), lo: Number(value & 0xffffffffn) };
}

function bytes(value: bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value);
  return out;
}

test("jump hash gives the buckets of the published vectors", () => {
  // As other implementations publish them, from the paper's own C++ (go-jump, jumphash, ClickHouse).
  const vectors: [key: bigint, buckets: number, bucket: number][] = [
    [1n, 1, 0],
    [42n, 57, 43],
    [256n, 1024, 520],
    [0xdead10ccn, 1, 0],
    [0xdead10ccn, 666, 361],
    [16045690984833335023n, 255, 237],
    [123456n, 1000, 984],
  ];
  for (const [key, buckets, bucket] of vectors) expect(jumpHash(uint64(key), buckets)).toBe(bucket);
});

test("jump hash gives the published buckets for 1, 2, 3 … buckets", () => {
  const rows: [key: bigint, buckets: number[]][] = [
    [0n, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    [1n, [0, 0, 0, 0, 0, 0, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 17, 17]],
    [0xdeadbeefn, [0, 1, 2, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 16, 16, 16]],
    [0x0ddc0ffeebadf00dn, [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 15, 15, 15, 15]],
  ];
  for (const [key, buckets] of rows) {
    expect(buckets.map((_, i) => jumpHash(uint64(key), i + 1))).toEqual(buckets);
  }
});

test("jump hash agrees with an independent implementation on any key", () => {
  fc.assert(fc.property(fc.bigInt(0n, MASK), fc.integer({ min: 1, max: 100_000 }), (key, buckets) => {
    expect(jumpHash(uint64(key), buckets)).toBe(jumpConsistentHash(bytes(key), buckets));
  }));
});

test("splitmix64 gives the numbers of the reference implementation", () => {
  // The first five of seed 1234567, from Vigna's splitmix64.c.
  const numbers = [
    6457827717110365317n,
    3203168211198807973n,
    9817491932198370423n,
    4593380528125082431n,
    16408922859458223821n,
  ];
  expect(numbers.map((_, i) => splitmix64(uint64(1234567n), i + 1))).toEqual(numbers.map(uint64));
});

test("splitmix64 agrees with 64-bit integers on any seed", () => {
  fc.assert(fc.property(fc.bigInt(0n, MASK), fc.integer({ min: 1, max: 2000 }), (seed, n) => {
    let z = (seed + BigInt(n) * 0x9e3779b97f4a7c15n) & MASK;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
    expect(splitmix64(uint64(seed), n)).toEqual(uint64(z ^ (z >> 31n)));
  }));
});
