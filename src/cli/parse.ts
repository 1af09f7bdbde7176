/**
 * Reads the command line.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { allFlags, type Command, COMMANDS, findCommand, flagsOf } from "./commands.ts";
import type { Flag } from "./flag_table.ts";
import { badUsage, quoted, suggestion } from "./usage.ts";

/** What the user asks for. */
export type Request =
  | { readonly kind: "help"; readonly command: Command | undefined }
  | { readonly kind: "version" }
  | {
    readonly kind: "run";
    readonly command: Command;
    readonly argument: string | undefined;
    readonly flags: ReadonlyMap<string, string>;
  };

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];
type OptionToken = Extract<Token, { kind: "option" }>;

/**
 * Reads the arguments after the program's name. Flags without a value are in the map as `"true"`.
 *
 * @throws {ToychatError} `bad_usage`.
 */
export function parse(args: readonly string[]): Request {
  const tokens = tokenize(args);
  const positionals = tokens.flatMap((token) => token.kind === "positional" ? [token.value] : []);
  const options = tokens.filter((token): token is OptionToken => token.kind === "option");
  const asked = (name: string): boolean => options.some((option) => option.name === name);
  const wantsHelp = asked("help") || asked("h") || positionals[0] === "help";
  if (positionals[0] === "help") positionals.shift();
  const [word, ...rest] = positionals;
  if (wantsHelp) return { kind: "help", command: word === undefined ? undefined : commandNamed(word) };
  if (asked("version") || (word === undefined ? asked("v") : word === "version")) return { kind: "version" };
  if (word === undefined) {
    throw badUsage(
      `say what to start: ${COMMANDS.map(({ name }) => name).join(", ")}; toychat --help says more`,
    );
  }
  const command = commandNamed(word);
  const flags = new Map(options.map((option) => readOption(option, command)));
  return { kind: "run", command, argument: readArgument(command, rest), flags };
}

function tokenize(args: readonly string[]): readonly Token[] {
  const options = Object.fromEntries(
    allFlags().map(({ name, value }) => [name, { type: value ? "string" as const : "boolean" as const }]),
  );
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function commandNamed(word: string): Command {
  const command = findCommand(word);
  if (command) return command;
  throw badUsage(
    `there is no command ${quoted(word)}${suggestion(word, COMMANDS.map(({ name }) => name))}`,
  );
}

function readOption(option: OptionToken, command: Command): [string, string] {
  const flag = flagNamed(option.name, option.rawName, command);
  if (!flag.value) {
    if (option.value === undefined) return [flag.name, "true"];
    throw badUsage(`--${flag.name} takes no value: write --${flag.name} alone`);
  }
  const { value } = option;
  // Without "=", what follows was taken for the value even where it is the next flag.
  if (typeof value !== "string" || value === "" || (!option.inlineValue && /^--?[a-z]/.test(value))) {
    throw badUsage(`--${flag.name} needs a value, such as --${flag.name} ${flag.example}`);
  }
  return [flag.name, value];
}

function flagNamed(name: string, raw: string, command: Command): Flag {
  const flags = flagsOf(command);
  const flag = raw.startsWith("--") ? flags.find((known) => known.name === name) : undefined;
  if (flag) return flag;
  const others = COMMANDS.filter((other) => other.flags.some((known) => known.name === name));
  if (raw.startsWith("--") && others.length > 0) {
    const names = others.map((other) => other.name).join(" and ");
    throw badUsage(`${command.name} has no --${name}, only ${names} have: leave it out`);
  }
  const hint = suggestion(name, flags.map((known) => known.name), "--") ||
    `: toychat ${command.name} --help lists its flags`;
  throw badUsage(`${command.name} has no ${quoted(raw)}${hint}`);
}

function readArgument(command: Command, rest: readonly string[]): string | undefined {
  const { name, argument, examples } = command;
  if (rest.length > (argument ? 1 : 0)) {
    const extra = quoted(rest.at(-1) ?? "");
    throw badUsage(
      argument
        ? `${name} takes one ${argument.name}, and ${extra} is one more: leave it out`
        : `${name} takes flags only, and ${extra} is none: leave it out`,
    );
  }
  const [value] = rest;
  if (argument?.required && !value) {
    throw badUsage(`${name} needs a ${argument.name}, such as ${examples[0]}`);
  }
  return value;
}
