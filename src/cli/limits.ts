/**
 * The limits that `--limits` and the file of `--config` set.
 *
 * @module
 */
import { CHAT_LIMITS, CHAT_UNBOUNDED } from "../chat/options.ts";
import { errorMessage } from "../lib/errors.ts";
import { withDefaults } from "../lib/limits.ts";
import { BRIDGE_LIMITS } from "../membership/bridge_limits.ts";
import { PROXY_LIMITS, PROXY_UNBOUNDED, proxyLimits } from "../proxy/options.ts";
import type { CommandName } from "./commands.ts";
import type { Flags } from "./flags.ts";
import { badUsage, quoted, suggestion } from "./usage.ts";

/** The limits of one kind of server. */
export interface LimitSet<T extends object = object> {
  /** Names and defaults. */
  readonly defaults: T;
  /** Those that 0, or `off`, switches off. */
  readonly unbounded: ReadonlySet<string>;
  /** Throws where values cannot be, or not together. */
  check?(given: Partial<T>): unknown;
}

/** The limits of a ProxyServer. */
export const PROXY: LimitSet<typeof PROXY_LIMITS> = {
  defaults: PROXY_LIMITS,
  unbounded: PROXY_UNBOUNDED,
  check: proxyLimits,
};
/** The limits of a ChatServer. */
export const CHAT: LimitSet<typeof CHAT_LIMITS> = { defaults: CHAT_LIMITS, unbounded: CHAT_UNBOUNDED };
/** The limits of a bridge. */
export const BRIDGE: LimitSet<typeof BRIDGE_LIMITS> = { defaults: BRIDGE_LIMITS, unbounded: new Set() };

/** What each command that serves has limits of. */
const SETS: Readonly<Partial<Record<CommandName, readonly LimitSet[]>>> = {
  dev: [PROXY, CHAT],
  bridge: [BRIDGE],
  chat: [CHAT],
  proxy: [PROXY],
};

const EVERY: readonly LimitSet[] = [PROXY, CHAT, BRIDGE];

function namesOf(sets: readonly LimitSet[]): string[] {
  return sets.flatMap(({ defaults }) => Object.keys(defaults));
}

/**
 * Those of the given limits that are of this kind.
 *
 * @throws {ToychatError} `bad_usage` where the command has no such limit, or a value cannot be one.
 */
export function limitsOf<T extends object>(flags: Flags, command: CommandName, set: LimitSet<T>): Partial<T> {
  const names = namesOf(SETS[command] ?? []);
  const picked: Record<string, number> = {};
  for (const part of flags.text("limits")?.split(",") ?? []) {
    const [name = "", value = "", ...more] = part.split("=").map((text) => text.trim());
    const limit = value === "off" ? 0 : Number(value);
    if (value === "" || more.length > 0 || Number.isNaN(limit)) {
      throw wrong(flags, part, "give NAME=NUMBER, several with commas: maxSessions=1000,messageRate=off");
    }
    if (!names.includes(name)) throw wrong(flags, name, unknown(name, names));
    if (Object.hasOwn(set.defaults, name)) picked[name] = limit;
  }
  try {
    withDefaults(set.defaults, picked as Partial<T>, set.unbounded);
    set.check?.(picked as Partial<T>);
  } catch (error) {
    throw badUsage(`${flags.source("limits")}: ${errorMessage(error).replace(/^limits: /, "")}`);
  }
  return picked as Partial<T>;
}

function unknown(name: string, names: readonly string[]): string {
  return `there is no such limit${suggestion(name, names) || `: it is one of ${names.join(", ")}`}`;
}

function wrong(flags: Flags, what: string, instead: string): Error {
  return badUsage(`${flags.source("limits")} has ${quoted(what)}: ${instead}`);
}

/**
 * The object `limits` of a configuration file as a value of `--limits`. Where it is for all commands, limits of others are
 * passed over; undefined where none is left.
 */
export function limitsText(
  source: string,
  value: Record<string, unknown>,
  command: CommandName,
  own: boolean,
): string | undefined {
  const mine = namesOf(SETS[command] ?? []);
  const known = own ? mine : namesOf(EVERY);
  const parts: string[] = [];
  for (const [name, limit] of Object.entries(value)) {
    if (!known.includes(name)) {
      throw badUsage(`${source} has ${quoted(name)}: ${unknown(name, known)}`);
    }
    if (typeof limit !== "number" && limit !== "off" && limit !== false) {
      throw badUsage(`${source}: ${name} must be a number, or "off"`);
    }
    if (mine.includes(name)) parts.push(`${name}=${limit === false ? "off" : limit}`);
  }
  return parts.length > 0 ? parts.join(",") : undefined;
}
