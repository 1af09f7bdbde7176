/**
 * The contract suite over the transport in memory; on any runtime.
 *
 * @module
 */

import { test } from "node:test";
import { memoryTransport } from "../../transports/memory.ts";
import type { MemoryTransport } from "../../transports/memory.ts";
import { contract } from "./contract.ts";

contract(
  {
    make: () => memoryTransport(),
    fetch: (transport, request) => (transport as MemoryTransport).fetch(request),
    wire: false,
  },
  (name, run) => test(`memory: ${name}`, run),
);
