/**
 * Certificates, from the files that flags name.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { Origins } from "../http/origins.ts";
import { errorMessage, ToychatError } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { ClientTlsOptions, TlsOptions } from "../lib/transport.ts";
import type { Flags } from "./flags.ts";
import type { Life } from "./life.ts";
import { badUsage } from "./usage.ts";

/**
 * The certificate that users are shown; undefined where no port needs one.
 *
 * @param wanted The flags of ports that are on and need it.
 * @throws {ToychatError} `bad_usage`, or `certificate_unreadable`.
 */
export function userTls(flags: Flags, wanted: readonly string[]): TlsOptions | undefined {
  const tls = pair(flags, "cert", "key");
  if (wanted.length === 0) {
    if (tls) {
      throw badUsage(`${flags.source("cert")} is for a port with TLS: give --mqtts or --https with it`);
    }
    return undefined;
  }
  if (!tls) {
    throw badUsage(`${flags.source(wanted[0] ?? "")} needs a certificate: give --cert and --key with it`);
  }
  return tls;
}

/** The certificate that this process shows to the cluster's own, as the one that listens. */
export function linkServerTls(flags: Flags): TlsOptions | undefined {
  const tls = pair(flags, "link-cert", "link-key");
  const verify = flags.has("link-verify");
  if (!tls) {
    if (verify) {
      throw badUsage(`${flags.source("link-verify")} needs TLS: give --link-cert and --link-key with it`);
    }
    return undefined;
  }
  if (!verify) return tls;
  const ca = read(flags, "link-ca");
  if (ca === undefined) {
    throw badUsage(`${flags.source("link-verify")} needs --link-ca: who signs the certificates`);
  }
  return { ...tls, ca };
}

/** How this process connects to the cluster's own over TLS; undefined where it does not. */
export function linkClientTls(flags: Flags): ClientTlsOptions | undefined {
  const ca = read(flags, "link-ca");
  const own = pair(flags, "link-cert", "link-key");
  const serverName = flags.text("link-name");
  if (ca === undefined) {
    const given = own ? "link-cert" : serverName === undefined ? undefined : "link-name";
    if (given === undefined) return undefined;
    throw badUsage(`${flags.source(given)} needs --link-ca: without it this process connects without TLS`);
  }
  return { ca, ...(own ?? {}), ...(serverName === undefined ? {} : { serverName }) };
}

/** `--origins`; undefined where it was not given. */
export function originsOf(flags: Flags): Origins | undefined {
  const text = flags.text("origins");
  if (text === undefined) return undefined;
  return text.trim() === "*" ? "*" : text.split(",").map((origin) => origin.trim());
}

/** At SIGHUP, reads certificates again and has them shown; says so in the log where that did not go. */
export function reloadOnHangup(
  life: Life,
  log: Logger,
  reread: () => TlsOptions | undefined,
  show: (tls: TlsOptions) => boolean | Promise<boolean>,
): void {
  life.onHangup(async () => {
    try {
      const tls = reread();
      if (tls === undefined) return;
      if (await show(tls)) log("info", "certificate_reloaded");
      else log("warn", "certificate_not_reloaded", { reason: "this runtime cannot: restart the process" });
    } catch (error) {
      log("error", "certificate_not_reloaded", { reason: errorMessage(error) });
    }
  });
}

function pair(flags: Flags, cert: string, key: string): TlsOptions | undefined {
  const [chain, secret] = [read(flags, cert), read(flags, key)];
  if (chain !== undefined && secret !== undefined) return { cert: chain, key: secret };
  if (chain === undefined && secret === undefined) return undefined;
  const [given, missing] = chain === undefined ? [key, cert] : [cert, key];
  throw badUsage(`${flags.source(given)} needs --${missing}: a certificate is of no use without its key`);
}

function read(flags: Flags, name: string): string | undefined {
  const path = flags.text(name);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ToychatError(
      "certificate_unreadable",
      `cannot read ${flags.source(name)}: ${errorMessage(error)}`,
    );
  }
}
