/**
 * The help.
 *
 * @module
 */
import { type Command, COMMANDS } from "./commands.ts";
import { COMMON, type Flag } from "./flag_table.ts";
import { VERSION } from "../lib/build_info.ts";

/** The help of one command, or of the whole. */
export function help(command?: Command): string {
  return command ? commandHelp(command) : wholeHelp();
}

function wholeHelp(): string {
  return `toychat ${VERSION}: rooms for chat and games, on many servers

Usage: toychat COMMAND [flags]

Commands:
${table(COMMANDS.map((command) => [callOf(command), command.about]))}

Flags of every command:
${flagTable(COMMON)}

A command that serves prints one line on stdout when it is ready: ready {"role":"proxy", …}. Logs go to stderr.
It ends with 0 after SIGTERM or SIGINT, 1 on a failure, 2 on bad usage.

Examples:
  toychat dev app.ts                      everything in one process
  toychat bridge                          a cluster on this host: start these, each in a terminal
  toychat chat app.ts --id chat-1
  toychat chat app.ts --id chat-2
  toychat proxy
  toychat owner lobby                     which of them owns the room
  mosquitto_sub -t lobby                  and users: MQTT on port 1883, WebSocket on 8080/ws

toychat COMMAND --help says more of each.
`;
}

function commandHelp(command: Command): string {
  const { argument } = command;
  const argumentHelp = argument ? `\nArgument:\n${table([[argument.name, argument.about]])}\n` : "";
  return `toychat ${command.name}: ${command.about}

Usage: toychat ${callOf(command)} [flags]

${command.more}
${argumentHelp}
Flags:
${flagTable(command.flags)}

Flags of every command:
${flagTable(COMMON)}

Examples:
${command.examples.map((line) => `  ${line}`).join("\n")}
`;
}

function callOf({ name, argument }: Command): string {
  if (!argument) return name;
  return argument.required ? `${name} ${argument.name}` : `${name} [${argument.name}]`;
}

function flagTable(flags: readonly Flag[]): string {
  return table(flags.map((flag) => [
    `--${flag.name}${flag.value ? ` ${flag.value}` : ""}`,
    `${flag.about}${flag.default ? ` (${flag.default})` : ""}`,
  ]));
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}
