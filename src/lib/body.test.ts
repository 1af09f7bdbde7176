import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Body, decodeBody, encodeBody } from "./body.ts";

test("any JSON value and any bytes come back as they were, through JSON text", () => {
  const body = fc.oneof(fc.jsonValue(), fc.uint8Array({ maxLength: 300 })) as fc.Arbitrary<Body>;
  fc.assert(fc.property(body, (body) => {
    const back = decodeBody(JSON.parse(JSON.stringify(encodeBody(body))));
    expect(JSON.stringify(back)).toBe(JSON.stringify(body));
    expect(back instanceof Uint8Array).toBe(body instanceof Uint8Array);
  }));
});

test("bytes of more than one piece of base64 come back", () => {
  const bytes = Uint8Array.from({ length: 0x8000 * 2 + 7 }, (_, i) => i * 31);
  expect(decodeBody(encodeBody(bytes))).toEqual(bytes);
});

test("null is a body, nothing is none", () => {
  expect(decodeBody({ body: null })).toBeNull();
  expect(() => decodeBody({})).toThrow("no body");
});

test("what is not base64 is refused", () => {
  for (const wrong of [{ body: "###", encoding: "base64" }, { body: 5, encoding: "base64" }]) {
    expect(() => decodeBody(wrong)).toThrow("base64");
  }
  expect(() => decodeBody({ body: "x", encoding: "gzip" })).toThrow("base64");
});
