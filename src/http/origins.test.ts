import { expect, test } from "bun:test";
import { originCheck, type Origins } from "./origins.ts";

function allowed(
  origins: Origins | undefined,
  origin: string | undefined,
  host = "chat.example:8080",
): boolean {
  const headers = new Headers({ host });
  if (origin !== undefined) headers.set("origin", origin);
  return originCheck(origins)(new Request("http://elsewhere.example/ws", { headers }));
}

test("programs send no origin and are let in", () => {
  for (const origins of [undefined, [], ["https://a.example"], "*"] as const) {
    expect(allowed(origins, undefined)).toBe(true);
  }
});

test("by default pages of the same host are let in, whatever their port and scheme", () => {
  for (const good of ["http://chat.example:8080", "https://chat.example", "http://CHAT.example:9"]) {
    expect(allowed(undefined, good)).toBe(true);
  }
  const bad = [
    "http://evil.example:8080",
    "http://chat.example.evil.example",
    "http://chat.example@evil.example",
    "null",
    "",
    "chat.example",
    "file://chat.example",
    "http://chat.example:8080/path",
  ];
  for (const origin of bad) expect([origin, allowed(undefined, origin)]).toEqual([origin, false]);
  expect(allowed(undefined, "http://[::1]:3000", "[::1]:8080")).toBe(true);
  expect(allowed(undefined, "http://a.example", "not a host")).toBe(false);
});

test("a list lets in what it names, and nothing else", () => {
  const list = ["https://a.example", "http://localhost:3000", "null", "https://b.example:443"];
  for (const good of ["https://a.example", "http://localhost:3000", "null", "https://b.example"]) {
    expect(allowed(list, good)).toBe(true);
  }
  for (const bad of ["http://a.example", "https://a.example:8443", "http://chat.example:8080"]) {
    expect(allowed(list, bad)).toBe(false);
  }
  expect(allowed("*", "https://anything.example")).toBe(true);
});

test("what is no origin is refused with what to write", () => {
  for (const wrong of ["a.example", "https://a.example/path", "*", "wss://a.example"]) {
    expect(() => originCheck([wrong])).toThrow(/is no origin: write scheme, host and port/);
  }
});
