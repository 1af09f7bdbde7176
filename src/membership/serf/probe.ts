/**
 * Whether a ChatServer lives, asked at the address where it takes links.
 *
 * @module
 */
import type { Clock } from "../../lib/clock.ts";
import { ToychatError } from "../../lib/errors.ts";
import type { Connection, TcpAddress, Transport } from "../../lib/transport.ts";

/**
 * What came of asking a member: it gave a sign of life; its host refused the connection, as nobody listens there; or
 * nothing, which may be the network.
 */
export type Sign = "life" | "refused" | "nothing";

/** How a member is asked for a sign of life. Never rejects. */
export type Probe = (address: string) => Promise<Sign>;

/** Milliseconds for a connection and a sign of life. */
const PROBE_MS = 1000;
/** No link begins so, with TLS or without: a process that runs answers, or hangs up. */
const NO_LINK = "toychat?\n";

function endpoint(address: string): TcpAddress {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

/**
 * Makes a probe: connects, says something that is no link, and takes any byte or the end of the connection for life. A
 * connection alone is none: the kernel takes it for a frozen process as well.
 */
export function tcpProbe(transport: Transport, clock: Clock): Probe {
  return (address) =>
    new Promise((resolve) => {
      const abort = new AbortController();
      let opened: Connection | undefined;
      const done = (sign: Sign): void => {
        cancel();
        abort.abort();
        opened?.terminate();
        resolve(sign);
      };
      const cancel = clock.after(PROBE_MS, () => done("nothing"));
      transport.connect(endpoint(address), (connection) => {
        opened = connection;
        return { data: () => done("life"), drain: () => {}, close: () => done("life") };
      }, { signal: abort.signal }).then(
        (connection) => connection.send(NO_LINK),
        (error) => done(isRefusal(error) ? "refused" : "nothing"),
      );
    });
}

function isRefusal(error: unknown): boolean {
  return error instanceof ToychatError && error.code === "connection_refused";
}
