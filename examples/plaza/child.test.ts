import { expect, test } from "bun:test";
import { Child } from "./child.ts";

test("of a process that ends before it is ready the last words are known, though they come after its end", async () => {
  const words = "(while kill -0 $$ 2>/dev/null; do :; done; echo 'no such luck' >&2) & exit 1";
  const child = new Child({
    runtime: { name: "sh", version: "", command: ["sh", "-c"] },
    program: words,
    args: [],
    verbose: false,
    heard: () => {},
  });
  await expect(child.ready).rejects.toThrow("ended before it was ready");
  expect(child.log).toContain("no such luck");
  expect(child.ended).toBe(true);
});
