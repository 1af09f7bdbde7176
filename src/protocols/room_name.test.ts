import { expect, test } from "bun:test";
import fc from "fast-check";
import { isRoomName, roomNameProblem } from "./room_name.ts";

test("ordinary names of any script are good", () => {
  for (
    const name of [
      "plaza",
      "a",
      "plaza/fountain",
      "/",
      "two words",
      "café",
      "広場",
      "🐧🐧",
      "a$b",
      "__proto__",
      "\ufeff",
    ]
  ) {
    expect(roomNameProblem(name, 64)).toBeUndefined();
  }
});

test("each kind of bad name is told what is wrong with it", () => {
  expect(roomNameProblem("", 64)).toContain("empty");
  expect(roomNameProblem("$SYS/x", 64)).toContain('begins with "$"');
  expect(roomNameProblem("a/+/b", 64)).toContain("wildcards");
  expect(roomNameProblem("a/#", 64)).toContain("wildcards");
  expect(roomNameProblem("a\0b", 64)).toContain("NUL");
  expect(roomNameProblem("a\ud800", 64)).toContain("surrogate");
  expect(roomNameProblem("\udc00a", 64)).toContain("surrogate");
  expect(roomNameProblem("\udc00\ud800", 64)).toContain("surrogate");
  expect(roomNameProblem("x".repeat(65), 64)).toContain("65 bytes");
});

test("the limit counts bytes of UTF-8, not characters", () => {
  expect(isRoomName("é".repeat(32), 64)).toBe(true);
  expect(isRoomName("é".repeat(33), 64)).toBe(false);
  expect(isRoomName("🐧".repeat(16), 64)).toBe(true);
  expect(isRoomName("🐧".repeat(16) + "a", 64)).toBe(false);
});

test("a name is good exactly when it is well-formed, fits, and has no reserved character", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 20 }), (name) => {
    const fits = new TextEncoder().encode(name).length <= 24;
    expect(isRoomName(name, 24)).toBe(
      /^[^$+#\0]/.test(name) && !/[+#\0]/.test(name) && name.isWellFormed() && fits,
    );
  }));
});

test("a problem never quotes control characters raw", () => {
  const problem = roomNameProblem("$\u001b[31m\n", 64);
  expect(problem).toContain("\\u001b[31m\\n");
  expect(problem).not.toContain("\u001b");
});
