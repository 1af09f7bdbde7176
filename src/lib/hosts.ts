/**
 * Addresses to listen on.
 *
 * @module
 */
import { ToychatError } from "./errors.ts";

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

/** Whether only this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/**
 * Sees to it that a port which trusts its peers is not open to others without proof.
 *
 * @param what The role, as a sentence names it: `"a bridge"`.
 * @throws {ToychatError} `secret_required` where there is no secret and the host is not loopback.
 */
export function requireSecret(what: string, host: string, secret: string | undefined): void {
  if (secret !== undefined || isLoopback(host)) return;
  throw new ToychatError(
    "secret_required",
    `${what} on ${host} can be reached from other hosts: give it a secret, or listen on 127.0.0.1`,
  );
}

/** `host:port` for the list of members: `given`, in which port 0 stands for the port listened on, or what is listened on. */
export function advertised(
  given: string | undefined,
  { host, port }: { host: string; port: number },
): string {
  const address = given ?? `${host.includes(":") ? `[${host}]` : host}:0`;
  return address.replace(/:0$/, `:${port}`);
}
