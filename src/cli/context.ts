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
import { askBridge } from "../membership/bridge_ask.ts";
import { BridgeMembership } from "../membership/bridge_client.ts";
import { type BridgeTokenOptions, readTokens } from "../membership/bridge_tokens.ts";
import type { RpcParams } from "../membership/json_rpc.ts";
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

/** Milliseconds in which a command that asks must reach the bridge. */
const ASK_MS = 3000;
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
  if (path === undefined) return process.env["TOYCHAT_SECRET"] || undefined;
  return readLine(path, flags.source("secret-file"), "secret", "the cluster's secret");
}

/** What is shown to the bridge instead of the secret's proof; undefined: nothing. */
function readToken(flags: Flags): string | undefined {
  const path = flags.text("token-file");
  if (path === undefined) return process.env["TOYCHAT_TOKEN"] || undefined;
  return readLine(path, flags.source("token-file"), "token", "a token of the bridge");
}

function readLine(path: string, source: string, name: string, what: string): string {
  const line = readText(path, source, `${name}_unreadable`).replace(/\r?\n$/, "");
  if (line !== "") return line;
  throw new ToychatError(`${name}_unreadable`, `${quoted(path)} is empty: write ${what} into it`);
}

function readText(path: string, source: string, code: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ToychatError(code, `cannot read ${source}: ${errorMessage(error)}`);
  }
}

/**
 * The tokens of `--tokens-file`; undefined where there is none.
 *
 * @throws {ToychatError} `tokens_unreadable` where it cannot be read; `bad_usage` where it holds none.
 */
export function readBridgeTokens(flags: Flags): BridgeTokenOptions | undefined {
  const path = flags.text("tokens-file");
  if (path === undefined) return undefined;
  const source = flags.source("tokens-file");
  const text = readText(path, source, "tokens_unreadable");
  try {
    const tokens = JSON.parse(text);
    if (readTokens(tokens).size > 0) return tokens;
  } catch (error) {
    throw badUsage(
      error instanceof SyntaxError ? `${source}: it is not JSON` : `${source}: ${errorMessage(error)}`,
    );
  }
  throw badUsage(`${source}: it has no token: write {"read": "…"}, or leave it out`);
}

/** The membership of this host's bridge. Roles wait 10 s for it, as it may start at the same time. */
export function bridgeMembership(context: Context, timeoutMs = 10_000): BridgeMembership {
  const { flags, transport, secret, log } = context;
  const tls = linkClientTls(flags);
  const token = readToken(flags);
  return new BridgeMembership({
    transport,
    url: flags.bridge(),
    timeoutMs,
    log,
    ...(tls ? { tls } : {}),
    ...(token === undefined ? {} : { token }),
    ...(secret === undefined ? {} : { secret }),
  });
}

/** Asks this host's bridge one thing. Throws what {@linkcode askBridge} does. */
export function ask(
  { flags, transport, secret }: Context,
  method: string,
  params: object,
): Promise<RpcParams> {
  const tls = linkClientTls(flags);
  const [url, token] = [flags.bridge(), readToken(flags)];
  const cluster = "toychat";
  return askBridge(
    { url, transport, clock: systemClock, secret, token, tls, cluster, timeoutMs: ASK_MS },
    method,
    params,
  );
}

/**
 * Where a server of the cluster listens.
 *
 * @param guarded Whether it asks for something else than the secret.
 * @throws {ToychatError} `bad_usage` where others could reach it that need no secret.
 */
export function guardedListen(context: Context, name: string, port: number, guarded = false): Endpoint {
  const listen = context.flags.listen(port);
  if (guarded || context.secret !== undefined || isLoopback(listen.host)) return listen;
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
