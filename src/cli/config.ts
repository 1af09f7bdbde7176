/**
 * The file of `--config`: flags in JSON.
 *
 * ```json
 * { "http": 8080, "secret-file": "secret.txt", "chat": { "app": "app.ts", "id": "chat-1" } }
 * ```
 *
 * A key is the name of a flag; flags that the command does not have are passed over, so that one file serves all commands
 * of a host. (`http` at the top is the proxy's: a ChatServer's port for its health stands under `chat`.) An object under
 * a command's name is for that command alone. The command line wins over both. Paths are relative to the file. `limits`
 * may be an object, as `{ "maxSessions": 5000, "messageRate": "off" }`.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { errorMessage, ToychatError } from "../lib/errors.ts";
import { allFlags, type Command, COMMANDS, flagsOf } from "./commands.ts";
import type { Flag } from "./flag_table.ts";
import type { FlagValue } from "./flags.ts";
import { limitsText } from "./limits.ts";
import { badUsage, quoted, suggestion } from "./usage.ts";

/** What a file of `--config` says for one command. */
export interface Config {
  /** Flags by name. */
  readonly flags: ReadonlyMap<string, FlagValue>;
  /** The command's argument: the absolute path of the application's module. */
  readonly argument: string | undefined;
}

/** The key that stands for the argument `app.ts`. */
const APP = "app";
/** The flag whose value may be an object. */
const LIMITS = "limits";
const PATHS: readonly string[] = [
  "secret-file",
  "token-file",
  "tokens-file",
  "cert",
  "key",
  "link-cert",
  "link-key",
  "link-ca",
  APP,
];
/** Flags that make no sense in the file. */
const NOT_HERE: readonly string[] = ["config", "help", "version"];

/**
 * Reads the file.
 *
 * @throws {ToychatError} `config_unreadable` where it cannot be read; `bad_usage` where it says what no flag says.
 */
export function readConfig(path: string, command: Command): Config {
  const file = new ConfigFile(path, command);
  const all = file.read();
  const values = new Map<string, FlagValue>();
  for (const [key, value] of Object.entries(all)) {
    if (!isSection(key, value)) file.take(values, key, value, false);
  }
  const own = Object.hasOwn(all, command.name) ? all[command.name] : undefined;
  if (isObject(own)) {
    for (const [key, value] of Object.entries(own)) file.take(values, key, value, true);
  }
  const argument = values.get(APP)?.value;
  values.delete(APP);
  return { flags: values, argument };
}

class ConfigFile {
  readonly #path: string;
  readonly #command: Command;

  constructor(path: string, command: Command) {
    this.#path = path;
    this.#command = command;
  }

  read(): Record<string, unknown> {
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(this.#path, "utf8"));
    } catch (error) {
      if (error instanceof SyntaxError) {
        throw badUsage(`${this.#path} is not JSON: ${errorMessage(error)}`);
      }
      throw new ToychatError(
        "config_unreadable",
        `cannot read --config ${this.#path}: ${errorMessage(error)}`,
      );
    }
    if (isObject(value)) return value;
    throw badUsage(`${this.#path} must hold an object, such as {"http": 8080}`);
  }

  /** Takes one key over; `own` where it stands in the command's section, where foreign flags are errors. */
  take(values: Map<string, FlagValue>, key: string, value: unknown, own: boolean): void {
    const source = `${quoted(key)} in ${this.#path}`;
    if (key === APP) {
      if (this.#command.argument?.name !== "app.ts") return;
      values.set(APP, { value: this.#text(source, { name: APP, value: "FILE", about: "" }, value), source });
      return;
    }
    const mine = flagsOf(this.#command).find((flag) => flag.name === key);
    const known = (own ? mine : allFlags().find((flag) => flag.name === key)) ??
      this.#unknown(source, key, own);
    const counts = mine && (own || !mine.own);
    if (NOT_HERE.includes(key)) throw badUsage(`${source} belongs on the command line: leave it out`);
    const text = known.name === LIMITS && isObject(value)
      ? limitsText(source, value, this.#command.name, own)
      : this.#text(source, known, value);
    if (text === undefined) return;
    if (counts && text !== "false") values.set(key, { value: text, source });
    else if (counts) values.delete(key);
  }

  #unknown(source: string, key: string, own: boolean): never {
    const flags = own ? flagsOf(this.#command) : allFlags();
    const names = [...flags.map((flag) => flag.name), APP, ...(own ? [] : COMMANDS.map(({ name }) => name))];
    throw badUsage(
      `${source} is no flag${suggestion(key, names.filter((name) => !NOT_HERE.includes(name)))}`,
    );
  }

  #text(source: string, flag: Flag, value: unknown): string {
    if (!flag.value) {
      if (typeof value === "boolean") return String(value);
      throw badUsage(`${source} must be true or false`);
    }
    if (value === false && flag.value.endsWith("|off")) return "off";
    if (typeof value === "number") return String(value);
    if (typeof value !== "string" || value === "") {
      throw badUsage(
        `${source} must be a text or a number${flag.example ? `, such as ${quoted(flag.example)}` : ""}`,
      );
    }
    return PATHS.includes(flag.name) ? resolve(dirname(this.#path), value) : value;
  }
}

/** Whether a key holds the flags of one command; `bridge` is the name of a flag as well. */
function isSection(key: string, value: unknown): boolean {
  return isObject(value) && COMMANDS.some(({ name }) => name === key);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
