/**
 * What the command line knows: every command, for parsing and for the help.
 *
 * @module
 */

import {
  acceptTls,
  agent,
  asking,
  bothTls,
  COMMON,
  type Flag,
  grace,
  health,
  limits,
  linkTls,
  membership,
  metrics,
  userPorts,
} from "./flag_table.ts";

/** The names of the commands. */
export type CommandName = "dev" | "bridge" | "chat" | "proxy" | "members" | "owner" | "drain" | "token";

/** A command. */
export interface Command {
  /** Its name. */
  readonly name: CommandName;
  /** What it does; one line. */
  readonly about: string;
  /** More, for its own help. */
  readonly more: string;
  /** What follows the command, where something does. */
  readonly argument?: { readonly name: string; readonly required: boolean; readonly about: string };
  /** Its flags, beside those that all have. */
  readonly flags: readonly Flag[];
  /** What to try, for its help. */
  readonly examples: readonly string[];
}

const APP = { name: "app.ts", required: false } as const;
const APP_ABOUT =
  "module whose default export is (chat: ChatServer) => void; without one, messages are relayed";

/** Every command. */
export const COMMANDS: readonly Command[] = [
  {
    name: "dev",
    about: "everything in one process: proxies, ChatServers and their membership",
    more: "With several proxies the first one takes the ports given, the others those after them.",
    argument: { ...APP, about: APP_ABOUT },
    flags: [
      ...userPorts,
      { name: "proxies", value: "N", example: "2", about: "how many proxies, 1 to 99", default: "1" },
      { name: "chats", value: "N", example: "3", about: "how many ChatServers, 1 to 99", default: "1" },
      limits,
    ],
    examples: [
      "toychat dev",
      "toychat dev app.ts --mqtt 0 --http 3000",
      "toychat dev app.ts --proxies 2 --chats 3",
    ],
  },
  {
    name: "bridge",
    about: "the list of members of this host; start one on each host, before the rest",
    more:
      "Without a secret or tokens it listens on loopback only. It serves /healthz, /readyz and /metrics there, too.",
    flags: [
      grace,
      {
        name: "listen",
        value: "HOST:PORT",
        example: "127.0.0.1:7374",
        about: "where members connect",
        default: "127.0.0.1:7374",
      },
      {
        ...metrics,
        about: "port for /metrics and health alone, beside those of --listen; without a secret on 127.0.0.1",
      },
      ...agent,
      {
        name: "tokens-file",
        value: "FILE",
        example: "tokens.json",
        about: 'JSON file with tokens beside those of the secret: {"read": "…", "member": "…", "admin": "…"}',
      },
      limits,
      ...acceptTls,
    ],
    examples: [
      "toychat bridge",
      "toychat bridge --listen 127.0.0.1:0",
      "toychat bridge --serf 127.0.0.1:7373 --secret-file /etc/toychat/secret",
    ],
  },
  {
    name: "chat",
    about: "a ChatServer: owns rooms and runs the application's listeners",
    more:
      "SIGTERM and SIGINT hand all of its rooms to the other ChatServers before it ends; a second one ends it at once." +
      "\nAn error that the application does not catch outside of a listener ends it with 1.",
    argument: { ...APP, about: APP_ABOUT },
    flags: [
      {
        name: "listen",
        value: "HOST:PORT",
        example: "127.0.0.1:7001",
        about: "where proxies and other ChatServers connect; port 0 picks one",
        default: "127.0.0.1:0",
      },
      health,
      ...membership,
      limits,
      ...bothTls,
    ],
    examples: ["toychat chat", "toychat chat app.ts --id chat-1 --listen 127.0.0.1:7001"],
  },
  {
    name: "proxy",
    about: "a ProxyServer: users connect here, by MQTT or WebSocket",
    more: "To let users in from other hosts give --host 0.0.0.0.",
    flags: [
      ...userPorts,
      metrics,
      ...membership,
      limits,
      grace,
      ...linkTls,
    ],
    examples: [
      "toychat proxy",
      "toychat proxy --mqtt off --http 3000",
      "toychat proxy --id p2 --mqtt 0 --http 0",
    ],
  },
  {
    name: "members",
    about: "lists who is in the cluster",
    more: "With --json: an array of {id, role, address, slot?, state}.",
    flags: asking,
    examples: ["toychat members", "toychat members --json"],
  },
  {
    name: "owner",
    about: "says which ChatServer owns a room",
    more: "With --json: {room, id, address, slot}.",
    argument: { name: "ROOM", required: true, about: "name of the room, which is also its MQTT topic" },
    flags: asking,
    examples: ["toychat owner area/1", "toychat owner area/1 --json"],
  },
  {
    name: "drain",
    about: "asks a member to hand its rooms over and end, as SIGTERM would",
    more: "Any host's bridge can be asked. With --json: {id, incarnation}.",
    argument: { name: "ID", required: true, about: "the member's id, as toychat members shows it" },
    flags: asking,
    examples: ["toychat drain chat-1"],
  },
  {
    name: "token",
    about: "prints the bridge's token for read, member or admin, which is derived from the secret",
    more:
      "For Authorization: Bearer TOKEN on the bridge's /rpc; docs/protocol.md says what each scope allows.",
    argument: { name: "SCOPE", required: true, about: "read, member or admin" },
    flags: [],
    examples: ["toychat token read --secret-file secret.txt"],
  },
];

/** A command by its name. */
export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}

/** All flags that a command takes. */
export function flagsOf(command: Command): readonly Flag[] {
  return [...command.flags, ...COMMON];
}

/** Every flag of any command, each name once. */
export function allFlags(): readonly Flag[] {
  const flags = [...COMMANDS.flatMap((command) => command.flags), ...COMMON];
  return [...new Map(flags.map((flag) => [flag.name, flag])).values()];
}
