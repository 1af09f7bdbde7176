import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LineReader } from "./line_reader.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function chunksOf(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    chunks.push(bytes.slice(at, at + size));
    at += size;
  }
  return chunks;
}

function readAll(reader: LineReader, chunks: readonly Uint8Array[]): { lines: string[]; fault?: string } {
  const lines: string[] = [];
  for (const chunk of chunks) {
    const fault = reader.push(chunk, (line) => lines.push(line) > 0);
    if (fault) return { lines, fault };
  }
  return { lines };
}

const line = fc.string({ unit: "grapheme", maxLength: 60 }).map((text) => text.replaceAll("\n", " "));
const sizes = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 20 });

describe("a line reader", () => {
  test("gives the same lines however the bytes are split", () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), fc.string(), sizes, (lines, rest, sizes) => {
        const bytes = encode(lines.map((one) => one + "\n").join("") + rest.replaceAll("\n", ""));
        expect(readAll(new LineReader(1000), chunksOf(bytes, sizes))).toEqual({ lines });
      }),
    );
  });

  test("takes a line of exactly the limit and refuses one byte more, however split and in any script", () => {
    const letters = ["a", "é", "€", "🚀"];
    fc.assert(
      fc.property(
        fc.constantFrom(...letters),
        fc.integer({ min: 1, max: 50 }),
        sizes,
        (letter, count, sizes) => {
          const text = letter.repeat(count);
          const bytes = encode(`short\n${text}\nnext\n`);
          const { length } = encode(text);
          if (length < 5) return;
          expect(readAll(new LineReader(length), chunksOf(bytes, sizes))).toEqual({
            lines: ["short", text, "next"],
          });
          if (length < 6) return;
          const { lines, fault } = readAll(new LineReader(length - 1), chunksOf(bytes, sizes));
          expect({ lines, fault }).toEqual({ lines: ["short"], fault: "line_too_long" });
        },
      ),
    );
  });

  test("refuses a line without an end as soon as it is over the limit", () => {
    const reader = new LineReader(100);
    expect(reader.push(new Uint8Array(100), () => true)).toBe(undefined);
    expect(reader.push(new Uint8Array(1), () => true)).toBe("line_too_long");
  });

  test("refuses bytes that are not UTF-8, also where a character is cut off by the end of the line", () => {
    for (const bytes of [[0xff, 10], [0x61, 0xc3, 10, 0xa9, 10], [0xed, 0xa0, 0x80, 10], [0xc0, 0x80, 10]]) {
      const { lines, fault } = readAll(new LineReader(100), [Uint8Array.from(bytes)]);
      expect([fault, lines]).toEqual(["not_utf8", []]);
    }
    expect(readAll(new LineReader(100), [encode("fine after a fault elsewhere\n")]).lines.length).toBe(1);
  });

  test("keeps a byte order mark, so that it is not taken for nothing", () => {
    expect(readAll(new LineReader(100), [encode("\ufeff{}\n")]).lines).toEqual(["\ufeff{}"]);
  });

  test("stops where it is told to, and changes its limit between two lines of one chunk", () => {
    const reader = new LineReader(3);
    const lines: string[] = [];
    const fault = reader.push(encode("abc\nabcdef\nzzz\n"), (line) => {
      lines.push(line);
      reader.limit = 6;
      return lines.length < 2;
    });
    expect(fault).toBe(undefined);
    expect(lines).toEqual(["abc", "abcdef"]);
  });
});
