/**
 * The errors of `listen`, `serve` and `connect`: what the operating system said, as a {@linkcode ToychatError} whose
 * message tells what to do.
 *
 * @module
 */

import { errorMessage, ToychatError } from "../src/lib/errors.ts";
import type { ListenOptions, TcpAddress } from "../src/lib/transport.ts";

/** The operating system's code of an error (`"ECONNREFUSED"`), or its name where it has none. */
export function systemCode(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : typeof name === "string" ? name : "";
}

/** `host:port`, with brackets around an IPv6 address. */
export function endpoint(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The host to bind to: what was asked for, without brackets, or loopback. */
export function bindHost(options: ListenOptions): string {
  return (options.host ?? "127.0.0.1").replace(/^\[(.*)\]$/, "$1");
}

/** Refuses a port that is none, before a runtime says so in its own way. Throws `listen_failed`. */
export function checkListenPort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return;
  throw new ToychatError(
    "listen_failed",
    `${port} is not a port: give an integer from 1 to 65535, or 0 for any`,
  );
}

/** Refuses an address that no connection can go to. Throws `connect_failed`. */
export function checkTcpAddress(address: TcpAddress): void {
  if (!Number.isInteger(address.port) || address.port < 1 || address.port > 65535) {
    throw new ToychatError(
      "connect_failed",
      `${address.port} is not a port: give an integer from 1 to 65535`,
    );
  }
  if (address.host === "") {
    throw new ToychatError("connect_failed", "the host is empty: give a name or an IP address");
  }
}

/** Reads a WebSocket URL. Throws `connect_failed` where it is none. */
export function webSocketUrl(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && (url.protocol === "ws:" || url.protocol === "wss:")) {
    url.hash = "";
    return url;
  }
  throw new ToychatError(
    "connect_failed",
    `${address} is not a WebSocket URL: write ws://host:port/path or wss://…`,
  );
}

/** What `listen` and `serve` throw for an error of the operating system. */
export function listenError(error: unknown, options: ListenOptions): ToychatError {
  if (error instanceof ToychatError) return error;
  const at = endpoint(bindHost(options), options.port);
  const fail = (code: string, message: string) => new ToychatError(code, message, { cause: error });
  switch (systemCode(error)) {
    case "EADDRINUSE":
    case "AddrInUse":
      return fail(
        "address_in_use",
        `${at} is taken: stop what listens there, choose another port, or 0 for any`,
      );
    case "EADDRNOTAVAIL":
    case "AddrNotAvailable":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_ADDRFAMILY":
    case "EAFNOSUPPORT":
    // Deno's node:net says so of a foreign address.
    case "EINVAL":
      return fail(
        "address_unavailable",
        `${at} is no address of this machine: listen on 127.0.0.1, ::1, or 0.0.0.0`,
      );
    case "EACCES":
    case "EPERM":
    case "PermissionDenied":
    case "NotCapable":
      return fail(
        "permission_denied",
        `not allowed to listen on ${at}: choose a port from 1024 up, or grant the right`,
      );
    default:
      return fail("listen_failed", `cannot listen on ${at}: ${errorMessage(error)}`);
  }
}

/** Codes of OpenSSL's verification, and Node's own for a name that is another. */
const CERTIFICATE_CODES = /CERT|^UNABLE_TO_|^ERR_TLS_CERT_ALTNAME_INVALID$|^HOSTNAME_MISMATCH$/;

/** What `connect` throws for an error of the operating system; `to` names the address. */
export function connectError(error: unknown, to: string): ToychatError {
  if (error instanceof ToychatError) return error;
  const fail = (code: string, message: string) => new ToychatError(code, message, { cause: error });
  switch (systemCode(error)) {
    case "ECONNREFUSED":
    case "ConnectionRefused":
      return fail("connection_refused", `nothing listens on ${to}: start it, or give another address`);
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA":
    case "EAI_NONAME":
      return fail("host_not_found", `the host of ${to} is not known: check its name`);
    case "ETIMEDOUT":
    case "TimedOut":
      return fail(
        "connect_timeout",
        `no answer from ${to}: check the address and what filters the way to it`,
      );
    default:
      if (CERTIFICATE_CODES.test(systemCode(error))) {
        return fail(
          "certificate_refused",
          `the certificate of ${to} is not to be trusted (${
            errorMessage(error)
          }): give its authority as ca, ` +
            "and the name that it is for",
        );
      }
      return fail("connect_failed", `cannot connect to ${to}: ${errorMessage(error)}`);
  }
}

/** What is thrown for a certificate or a key that a runtime cannot read. */
export function badCertificate(error: unknown): ToychatError {
  if (error instanceof ToychatError) return error;
  const why = errorMessage(error);
  return new ToychatError(
    "bad_certificate",
    `the certificate and its key do not serve (${why}): both are PEM`,
    {
      cause: error,
    },
  );
}

/** What `connect` throws when its signal was aborted. */
export function abortError(signal: AbortSignal, to: string): ToychatError {
  return new ToychatError("connect_aborted", `connecting to ${to} was aborted`, { cause: signal.reason });
}

/** What `connect` throws when a WebSocket was answered by plain HTTP. */
export function refusedUpgrade(to: string, status: number | string): ToychatError {
  return new ToychatError(
    "upgrade_refused",
    `${to} answered ${status} instead of switching to WebSocket: check the path, the subprotocol and the credentials`,
  );
}

/** The address as logs and limits want it: an IPv4 address that came in over IPv6 is written as IPv4. */
export function plainAddress(address: string | undefined): string {
  if (!address) return "";
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
