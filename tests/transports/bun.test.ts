/**
 * The contract suite over Bun's transport. On another runtime this file registers nothing, so that a run of all test
 * files passes everywhere; the gate runs each suite on its own runtime.
 *
 * @module
 */

import { test } from "node:test";
import { bunTransport } from "../../transports/bun.ts";
import { runtimeName } from "../../transports/system.ts";
import { contract } from "./contract.ts";

if (runtimeName() === "bun") {
  contract(
    { make: () => bunTransport(), fetch: (_, request) => fetch(request), wire: true },
    (name, run) => test(`bun: ${name}`, run),
  );
}
