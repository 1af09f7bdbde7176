import { expect, test } from "bun:test";
import { proxyLimits } from "./options.ts";

test("messages that links do not carry are not allowed by a limit", () => {
  expect(proxyLimits({ maxMessageBytes: 4_194_304 }).maxMessageBytes).toBe(4_194_304);
  expect(() => proxyLimits({ maxMessageBytes: 8_000_000 })).toThrow(
    "limits: maxMessageBytes is 8000000: use at most 4194304",
  );
});
