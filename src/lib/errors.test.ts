import { expect, test } from "bun:test";
import { errorMessage, printable, ToychatError } from "./errors.ts";

test("an error carries its code, its message and its cause", () => {
  const cause = new Error("below");
  const error = new ToychatError("address_in_use", "port 8080 is taken", { cause });
  expect([error.name, error.code, error.message, error.cause]).toEqual([
    "ToychatError",
    "address_in_use",
    "port 8080 is taken",
    cause,
  ]);
});

test("anything that is thrown has a message", () => {
  expect(errorMessage(new Error("why"))).toBe("why");
  expect(errorMessage("text")).toBe("text");
  expect(errorMessage(undefined)).toBe("undefined");
});

test("text from outside is printed on one line, without what a terminal or a reader could be led astray by", () => {
  const shown = printable('a"b\\c\n\u001b[31m\u0085\u2028\u202e\u2066\ud800é🚀');
  expect(shown).toBe('a\\"b\\\\c\\n\\u001b[31m\\u0085\\u2028\\u202e\\u2066\\ud800é🚀');
  expect(printable("x".repeat(500), 10)).toBe("xxxxxxxxxx…");
});
