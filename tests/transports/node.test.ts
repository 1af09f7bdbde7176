/**
 * The contract suite over Node's transport. On another runtime this file registers nothing, so that a run of all test
 * files passes everywhere; the gate runs each suite on its own runtime.
 *
 * @module
 */

import { test } from "node:test";
import { nodeTransport } from "../../transports/node.ts";
import { runtimeName } from "../../transports/system.ts";
import { contract } from "./contract.ts";

if (runtimeName() === "node") {
  contract(
    { make: () => nodeTransport(), fetch: (_, request) => fetch(request), wire: true },
    (name, run) => test(`node: ${name}`, run),
  );
}
