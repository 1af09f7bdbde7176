/**
 * Whether a ChatServer lives, asked at the address where it takes links.
 *
 * @module
 */
import type { Clock } from "../../lib/clock.ts";
import type { Connection, TcpAddress, Transport } from "../../lib/transport.ts";

/** How a member is asked for a sign of life: resolves with whether it gave one. Never rejects. */
export type Probe = (address: string) => Promise<boolean>;

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
      const done = (lives: boolean): void => {
        cancel();
        abort.abort();
        opened?.terminate();
        resolve(lives);
      };
      const cancel = clock.after(PROBE_MS, () => done(false));
      transport.connect(endpoint(address), (connection) => {
        opened = connection;
        return { data: () => done(true), drain: () => {}, close: () => done(true) };
      }, { signal: abort.signal }).then((connection) => connection.send(NO_LINK), () => done(false));
    });
}
