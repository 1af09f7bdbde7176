/**
 * Which transport `systemTransport` picks, and what the others say on a runtime that is not theirs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { bunTransport } from "../../transports/bun.ts";
import { runtimeName, systemTransport } from "../../transports/system.ts";
import { done, pair } from "./support.ts";

test("systemTransport picks the transport of the runtime that runs", async () => {
  const transport = await systemTransport();
  assert.equal(transport.name, runtimeName());
  await done(...await pair(transport));
});

test("bunTransport says what to use instead where there is no Bun", () => {
  if (runtimeName() === "bun") assert.equal(bunTransport().name, "bun");
  else assert.throws(() => bunTransport(), { code: "wrong_runtime" });
});
