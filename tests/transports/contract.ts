/**
 * The contract of the seam, as cases that run unchanged over every transport. An entry file beside this one gives a
 * transport and says which groups apply to it: streams know no WebSocket, memory has no wire.
 *
 * @module
 */

import type { Transport } from "../../src/lib/transport.ts";
import { backPressureCases } from "./contract_back_pressure.ts";
import { byteCases } from "./contract_bytes.ts";
import { endingCases } from "./contract_endings.ts";
import { failureCases } from "./contract_failures.ts";
import { httpCases } from "./contract_http.ts";
import { leakCases } from "./contract_leaks.ts";
import { tlsCases } from "./contract_tls.ts";
import { webSocketCases } from "./contract_websocket.ts";
import { wireCases } from "./contract_wire.ts";
import type { Registrar } from "./support.ts";

/** What an entry file brings. */
export interface Harness {
  /** Makes a transport. */
  make(): Transport;
  /** Sends an HTTP request to what the transport serves; absent where it serves none. */
  fetch?(transport: Transport, request: Request): Promise<Response>;
  /** Whether the transport uses real sockets, so that a stranger's bytes can be sent to it. */
  wire: boolean;
}

/** Registers every case that applies. */
export function contract(harness: Harness, test: Registrar): void {
  byteCases(harness.make, test);
  backPressureCases(harness.make, test);
  endingCases(harness.make, test);
  failureCases(harness.make, test);
  leakCases(harness.make, test, harness.fetch !== undefined);
  const send = harness.fetch;
  if (send) {
    httpCases(harness.make, send, test);
    webSocketCases(harness.make, test);
  }
  if (!harness.wire) return;
  wireCases(harness.make, test);
  tlsCases(harness.make, test);
}
