/**
 * What every command starts from: its flags, its log and the cluster's secret.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { systemClock } from "../lib/clock.ts";
import { isLoopback } from "../lib/hosts.ts";
import { errorMessage, ToychatError } from "../lib/errors.ts";
import type { Logger, LogLevel } from "../lib/log.ts";
import { limitLog } from "../lib/log_limit.ts";
import type { Metrics } from "../lib/metrics.ts";
import { BridgeMembership } from "../membership/bridge_client.ts";
import type { Transport } from "../lib/transport.ts";
import { systemTransport } from "../../transports/system.ts";
import type { Command } from "./commands.ts";
import { readConfig } from "./config.ts";
import { type Endpoint, endpointText, Flags, type FlagValue } from "./flags.ts";
import { createLog } from "./output.ts";
import { processMetrics, watchLoop } from "./process_metrics.ts";
import { linkClientTls } from "./tls.ts";
import { badUsage, quoted } from "./usage.ts";

/** What a command works with. */
export interface Context {
  /** Its flags. */
  readonly flags: Flags;
  /** Its argument. */
  readonly argument: string | undefined;
  /** Where events go. */
  readonly log: Logger;
  /** What the process itself counts, for `/metrics`. */
  readonly metrics: Metrics;
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** The cluster's secret; undefined without one. */
  readonly secret: string | undefined;
}

const WILDCARD = /^(?:0\.0\.0\.0|::|0:0:0:0:0:0:0:0)$/;

/** Gathers the flags of the command line and of the file of `--config`, and reads the secret. */
export async function createContext(
  command: Command,
  given: ReadonlyMap<string, string>,
  argument: string | undefined,
): Promise<Context> {
  const path = given.get("config");
  const config = path === undefined ? undefined : readConfig(path, command);
  const values = new Map<string, FlagValue>(config?.flags);
  for (const [name, value] of given) values.set(name, { value, source: `--${name}` });
  const flags = new Flags(values);
  const form = flags.choice("log", ["pretty", "json"]);
  const metrics = processMetrics(systemClock);
  const log = limitLog(createLog(form, logLevel(flags)), { metrics });
  watchLoop(metrics, systemClock, log);
  return {
    flags,
    argument: argument ?? config?.argument,
    log,
    metrics,
    transport: await systemTransport({ log }),
    secret: readSecret(flags),
  };
}

function logLevel(flags: Flags): LogLevel {
  const level = flags.choice("log-level", ["info", "debug", "warn", "error"]);
  if (!flags.has("verbose")) return level;
  if (level === "debug" || flags.text("log-level") === undefined) return "debug";
  throw badUsage(
    `${flags.source("verbose")} and ${flags.source("log-level")} ${level}: leave one of them out`,
  );
}

function readSecret(flags: Flags): string | undefined {
  const path = flags.text("secret-file");
  if (path === undefined) {
    const secret = process.env["TOYCHAT_SECRET"];
    return secret === undefined || secret === "" ? undefined : secret;
  }
  let secret: string;
  try {
    secret = readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new ToychatError(
      "secret_unreadable",
      `cannot read ${flags.source("secret-file")}: ${errorMessage(error)}`,
    );
  }
  if (secret !== "") return secret;
  throw new ToychatError("secret_unreadable", `${quoted(path)} is empty: write the cluster's secret into it`);
}

/** The membership of this host's bridge. Roles wait 10 s for it, as it may start at the same time. */
export function bridgeMembership(context: Context, timeoutMs = 10_000): BridgeMembership {
  const { flags, transport, secret, log } = context;
  const tls = linkClientTls(flags);
  return new BridgeMembership({
    transport,
    url: flags.bridge(),
    timeoutMs,
    log,
    ...(tls ? { tls } : {}),
    ...(secret === undefined ? {} : { secret }),
  });
}

/**
 * Where a server of the cluster listens.
 *
 * @throws {ToychatError} `bad_usage` where others could reach it that need no secret.
 */
export function guardedListen(context: Context, name: string, port: number): Endpoint {
  const listen = context.flags.listen(port);
  if (context.secret !== undefined || isLoopback(listen.host)) return listen;
  throw badUsage(
    `a ${name} on ${listen.host} can be reached from other hosts and has no secret to know its own by: ` +
      "give all of the cluster the same by --secret-file or TOYCHAT_SECRET, or listen on 127.0.0.1",
  );
}

/**
 * Where a port for health and metrics is, which a flag gives; undefined where it is off. Whoever reaches it may ask, so
 * without a secret, which says that the cluster is on a network of its own, it stays on loopback.
 */
export function healthListen({ flags, secret }: Context, flag: string): Endpoint | undefined {
  const port = flags.port(flag, undefined);
  if (port === undefined) return undefined;
  return { host: secret === undefined ? "127.0.0.1" : flags.host(), port };
}

/**
 * The address that others are told: `--address`, or where it listens. Of a wildcard the host's first address that others can
 * reach, as nobody can connect to a wildcard.
 */
export function publicAddress(flags: Flags, listen: Endpoint): string | undefined {
  const given = flags.address();
  if (given) return endpointText(given);
  if (!WILDCARD.test(listen.host)) return undefined;
  return endpointText({ host: firstAddress(), port: listen.port });
}

function firstAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? "127.0.0.1";
}
