import { describe, expect, test } from "bun:test";
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { ToychatError } from "../../lib/errors.ts";
import { encodable, encodeObjects, entriesOf, fieldOf, type Fields, ObjectReader } from "./serf_codec.ts";

function chunksOf(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    chunks.push(bytes.slice(at, at + size));
    at += size;
  }
  return chunks;
}

/** Reads as a transport does: each chunk's memory is overwritten once it was handed over. */
function readAll(chunks: readonly Uint8Array[], reader: ObjectReader = new ObjectReader()): unknown[] {
  const objects: unknown[] = [];
  for (const chunk of chunks) {
    const memory = Uint8Array.from(chunk);
    reader.push(memory, (object) => objects.push(structuredClone(object)));
    memory.fill(0xc1);
  }
  return objects;
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ToychatError) return error.code;
    throw error;
  }
  return "none";
}

const bytesOf = (...values: number[]): Uint8Array => Uint8Array.from(values);
const sizes = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 20 });
const key = fc.string({ maxLength: 12 }).filter((text) => !text.endsWith("__proto__"));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.string({ unit: "grapheme", maxLength: 300 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map((number) => number + 0),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(key, tie("value"), { maxKeys: 20, noNullPrototype: true }),
  ),
}));

describe("a stream of objects", () => {
  test("gives the same ones however it is cut, and one byte at a time", () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 8 }), sizes, (objects, sizes) => {
        const bytes = encodeObjects(...objects);
        const reader = new ObjectReader({ maxDepth: 64 });
        expect(readAll(chunksOf(bytes, sizes), reader)).toEqual(objects);
        expect(reader.pendingBytes).toBe(0);
        expect(readAll(chunksOf(bytes, [1]), new ObjectReader({ maxDepth: 64 }))).toEqual(objects);
      }),
    );
  });

  test("keeps what is not whole for later, and only that", () => {
    const reader = new ObjectReader();
    const bytes = encodeObjects({ Seq: 1, Error: "" }, "x".repeat(100_000));
    expect(readAll([bytes.slice(0, 50_000)], reader)).toEqual([{ Seq: 1, Error: "" }]);
    expect(reader.pendingBytes).toBeGreaterThan(40_000);
    expect(readAll([bytes.slice(50_000)], reader)).toEqual(["x".repeat(100_000)]);
    expect(reader.pendingBytes).toBe(0);
  });

  test("of any bytes at all, or of objects damaged anywhere, throws nothing but serf_bad_reply", () => {
    const damaged = fc.tuple(
      fc.array(value, { minLength: 1, maxLength: 4 }).map((objects) => encodeObjects(...objects)),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    ).map(([bytes, changes]) => {
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), damaged), sizes, (bytes, sizes) => {
        expect(["none", "serf_bad_reply"]).toContain(codeOf(() => readAll(chunksOf(bytes, sizes))));
      }),
      { numRuns: 1000 },
    );
  });

  test("ends where its reader was told to stop, also within a chunk", () => {
    const reader = new ObjectReader();
    const seen: unknown[] = [];
    reader.push(encodeObjects(1, 2, 3), (object) => {
      seen.push(object);
      if (object === 2) reader.stop();
    });
    reader.push(encodeObjects(4), (object) => seen.push(object));
    expect(seen).toEqual([1, 2]);
    expect(reader.pendingBytes).toBe(0);
  });

  test("ends with the first object that cannot be: what follows is not looked at", () => {
    const reader = new ObjectReader();
    const seen: unknown[] = [];
    const take = (object: unknown): number => seen.push(object);
    expect(codeOf(() => reader.push(bytesOf(0x01, 0xc1, 0x02), take))).toBe("serf_bad_reply");
    reader.push(encodeObjects(3), take);
    expect(seen).toEqual([1]);
  });
});

describe("an object is refused", () => {
  test("once it is known to be larger than it may be, before it is there", () => {
    const reader = new ObjectReader({ maxBytes: 1000 });
    expect(readAll([encodeObjects("x".repeat(997))], reader)).toHaveLength(1);
    expect(codeOf(() => readAll([bytesOf(0xda, 0x03, 0xe6)], reader))).toBe("serf_bad_reply");
    expect(codeOf(() => readAll([bytesOf(0xc6, 0xff, 0xff, 0xff, 0xff)]))).toBe("serf_bad_reply");
  });

  test("where it claims more values than it could have bytes", () => {
    expect(codeOf(() => readAll([bytesOf(0xdd, 0xff, 0xff, 0xff, 0xff)]))).toBe("serf_bad_reply");
    expect(codeOf(() => readAll([bytesOf(0xdf, 0xff, 0xff, 0xff, 0xff)]))).toBe("serf_bad_reply");
  });

  test("where it is small parts without end", () => {
    const reader = new ObjectReader({ maxBytes: 1000 });
    reader.push(bytesOf(0xdc, 0x03, 0xe0), () => {});
    expect(codeOf(() => {
      for (let i = 0; i < 500; i++) reader.push(encodeObjects("abc"), () => {});
    })).toBe("serf_bad_reply");
  });

  test("where it is too deep", () => {
    const nested = (depth: number): Uint8Array => new Uint8Array(depth + 1).fill(0x91, 0, depth);
    expect(readAll([nested(16)])).toHaveLength(1);
    expect(codeOf(() => readAll([nested(17)]))).toBe("serf_bad_reply");
    expect(codeOf(() => readAll([nested(1_000_000)]))).toBe("serf_bad_reply");
  });

  test("where it is of a type that no agent sends", () => {
    for (const head of [0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd8]) {
      expect([head, codeOf(() => readAll([bytesOf(head, 1, 1, 1)]))]).toEqual([head, "serf_bad_reply"]);
    }
    expect(codeOf(() => readAll([bytesOf(0x81, 0xc3, 0x01)]))).toBe("serf_bad_reply");
  });
});

describe("the keys of a map", () => {
  const names = [
    "__proto__",
    "~__proto__",
    "~~__proto__",
    "x__proto__",
    "constructor",
    "toString",
    "Seq",
    "",
  ];

  test("may be what objects have anyway, and stay apart", () => {
    const map = new Map(names.map((name, i) => [name, `value ${i}`]));
    const [object] = readAll([encodeObjects({ Tags: encodable(map) })]);
    const tags = fieldOf(object, "Tags") as Fields;
    expect(new Map(entriesOf(tags))).toEqual(map);
    expect(Object.getPrototypeOf(tags)).toBe(Object.prototype);
  });

  test("are none where the map has none of that name", () => {
    const [object] = readAll([encodeObjects({ Seq: 1 })]);
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      expect(fieldOf(object, name)).toBeUndefined();
    }
    for (const other of [null, "text", 7, [1]]) expect(fieldOf(other, "length")).toBeUndefined();
  });
});

test("integers are encoded as integers, up to the nanoseconds of a day", () => {
  for (const number of [0, 127, 128, 65_536, 15e9, 86_400e9]) {
    expect([0xca, 0xcb]).not.toContain(encode(number)[0] as number);
    expect(encodeObjects(number)).toEqual(encode(number));
  }
});
