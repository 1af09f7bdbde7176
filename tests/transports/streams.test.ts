/**
 * The contract suite over connections made of Web Streams: those of another transport's connections, in memory and,
 * where the runtime has one, of real sockets.
 *
 * @module
 */

import { test } from "node:test";
import type { Connection, ConnectionHandler, Transport } from "../../src/lib/transport.ts";
import { memoryTransport } from "../../transports/memory.ts";
import { fromStreams } from "../../transports/streams.ts";
import { systemTransport } from "../../transports/system.ts";
import { contract } from "./contract.ts";

const silent: ConnectionHandler = { data() {}, drain() {}, close() {} };

/** A transport whose connections are made of the streams of another's. */
function overStreams(inner: Transport): Transport {
  const wrap = (connection: Connection, accept: (c: Connection) => ConnectionHandler) =>
    fromStreams(connection, accept, { remoteAddress: connection.remoteAddress });
  return {
    name: `streams over ${inner.name}`,
    listen: (options, accept) =>
      inner.listen(options, (connection) => {
        wrap(connection, accept);
        return silent;
      }),
    async connect(address, handler, options) {
      let failure: { error: unknown } | undefined;
      let outer: Connection | undefined;
      await inner.connect(address, (connection) => {
        outer = wrap(connection, (c) => {
          try {
            return handler(c);
          } catch (error) {
            failure = { error };
            throw error;
          }
        });
        return silent;
      }, options);
      if (failure) throw failure.error;
      return outer!;
    },
    serve: (options) => inner.serve(options),
    createContext: () => inner.createContext(),
  };
}

const system = await systemTransport();

contract(
  { make: () => overStreams(memoryTransport()), wire: false },
  (name, run) => test(`streams in memory: ${name}`, run),
);
contract(
  { make: () => overStreams(system), wire: false },
  (name, run) => test(`streams over ${system.name}: ${name}`, run),
);
