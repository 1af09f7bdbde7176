/**
 * The contract suite over Deno's transport. On another runtime this file registers nothing, so that a run of all test
 * files passes everywhere; the gate runs each suite on its own runtime.
 *
 * @module
 */

import { test } from "node:test";
import { denoTransport } from "../../transports/deno.ts";
import { runtimeName } from "../../transports/system.ts";
import { contract } from "./contract.ts";

if (runtimeName() === "deno") {
  contract(
    { make: () => denoTransport(), fetch: (_, request) => fetch(request), wire: true },
    (name, run) => test(`deno: ${name}`, run),
  );
}
