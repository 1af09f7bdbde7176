/**
 * Where an agent's RPC is, as text.
 *
 * @module
 */
import { printable, ToychatError } from "../../lib/errors.ts";
import type { TcpAddress } from "../../lib/transport.ts";

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/;

/**
 * Reads `HOST:PORT`; IPv6 in brackets.
 *
 * @throws {ToychatError} `invalid_serf_address`.
 */
export function readSerfAddress(text: string): TcpAddress {
  const [, v6, name, digits] = ADDRESS.exec(text) ?? [];
  const host = v6 ?? name;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new ToychatError(
      "invalid_serf_address",
      `"${printable(text)}" is no address of an agent's RPC: give HOST:PORT, as 127.0.0.1:7373 or [::1]:7373`,
    );
  }
  return { host, port };
}
