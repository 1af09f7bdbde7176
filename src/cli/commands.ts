/**
 * What the command line knows: every command and every flag, for parsing and for the help.
 *
 * @module
 */

/** A flag. */
export interface Flag {
  /** Its name, without the dashes. */
  readonly name: string;
  /** What its value is, for the help: `PORT`; absent where it takes none. */
  readonly value?: string;
  /** A value to show in messages. */
  readonly example?: string;
  /** What it is for; one line. */
  readonly about: string;
  /** The default, for the help. */
  readonly default?: string;
  /** In the file of `--config` it counts only under its command's name: elsewhere it is for others. */
  readonly own?: boolean;
}

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

const mqtt: Flag = {
  name: "mqtt",
  value: "PORT|off",
  example: "1883",
  about: "port for MQTT over TCP; 0 picks one",
  default: "1883",
};
const http: Flag = {
  name: "http",
  value: "PORT|off",
  example: "8080",
  about: "port for /ws, /mqtt (over WebSocket), health, metrics and a page; 0 picks one",
  default: "8080",
};
const bridge: Flag = {
  name: "bridge",
  value: "URL",
  example: "ws://127.0.0.1:7374/rpc",
  about: "this host's bridge, or its Serf agent, serf:HOST:PORT",
  default: "ws://127.0.0.1:7374/rpc",
};
const serfAuth: Flag = {
  name: "serf-auth",
  value: "KEY",
  example: "KEY",
  about: "the agent's rpc_auth key; or TOYCHAT_SERF_AUTH, which other users of this host cannot see",
};
const partition: Flag = {
  name: "partition",
  value: "MODE",
  example: "seal",
  about: "serve or seal: hosts that are cut off go on, or stop where they have no majority",
  default: "serve",
};
const expectHosts: Flag = {
  name: "expect-hosts",
  value: "N",
  example: "3",
  about: "with --partition seal: the hosts of the cluster, of which a start waits for most",
};
const token: Flag = {
  name: "token-file",
  value: "FILE",
  example: "token.txt",
  about: "file with a token of the bridge, shown to it instead of the secret's proof; or TOYCHAT_TOKEN",
};
const id: Flag = {
  name: "id",
  value: "NAME",
  example: "chat-1",
  about: "name in the cluster, 1 to 8 characters of a-z, 0-9 and -; default a random one",
};
const address: Flag = {
  name: "address",
  value: "HOST:PORT",
  example: "10.0.0.5:7001",
  about: "where others reach it, if that is not what it listens on",
};
const grace: Flag = {
  name: "grace",
  value: "SECONDS",
  example: "5",
  about: "after SIGTERM /readyz says 503 for so long before connections end, for load balancers",
  default: "0",
};
const metrics: Flag = {
  name: "metrics",
  value: "PORT|off",
  example: "9100",
  about: "port for /metrics and health alone, instead of /metrics on --http; without a secret on 127.0.0.1",
};
const health: Flag = {
  name: "http",
  value: "PORT|off",
  example: "9100",
  about: "port for /healthz, /readyz and /metrics; without a secret on 127.0.0.1",
  default: "off",
  own: true,
};
const limits: Flag = {
  name: "limits",
  value: "NAME=N,…",
  example: "maxSessions=5000,messageRate=off",
  about: "limits that differ from the defaults; docs/limits.md lists them",
};
const mqtts: Flag = {
  name: "mqtts",
  value: "PORT|off",
  example: "8883",
  about: "port for MQTT over TLS; 0 picks one",
  default: "off",
};
const https: Flag = {
  name: "https",
  value: "PORT|off",
  example: "8443",
  about: "port for what --http serves, over TLS (wss:)",
  default: "off",
};
const cert: Flag = {
  name: "cert",
  value: "FILE",
  example: "cert.pem",
  about: "certificate chain for --mqtts and --https, PEM; read again at SIGHUP",
};
const key: Flag = { name: "key", value: "FILE", example: "key.pem", about: "its private key, PEM" };
const origins: Flag = {
  name: "origins",
  value: "LIST",
  example: "https://chat.example.org",
  about: 'web origins whose pages may connect, with commas between, or "*"; default those of the same host',
};
const linkCa: Flag = {
  name: "link-ca",
  value: "FILE",
  example: "cluster-ca.pem",
  about: "connect to the cluster's own over TLS; who signs their certificates, PEM",
};
const linkName: Flag = {
  name: "link-name",
  value: "NAME",
  example: "toychat.internal",
  about: "name in the certificates of the cluster; default the address connected to",
};
const linkCert: Flag = {
  name: "link-cert",
  value: "FILE",
  example: "cluster.pem",
  about: "certificate chain of this process within the cluster, PEM; read again at SIGHUP",
};
const linkKey: Flag = {
  name: "link-key",
  value: "FILE",
  example: "cluster.key",
  about: "its private key, PEM",
};
const linkVerify: Flag = {
  name: "link-verify",
  about: "demand a certificate that --link-ca has signed from who connects over the cluster's TLS",
};
const linkTls = [linkCa, linkCert, linkKey, linkName];
const json: Flag = { name: "json", about: "print JSON instead of a table" };

const APP = { name: "app.ts", required: false } as const;
const APP_ABOUT =
  "module whose default export is (chat: ChatServer) => void; without one, messages are relayed";

/** The flags of every command. */
export const COMMON: readonly Flag[] = [
  { name: "host", value: "ADDRESS", example: "0.0.0.0", about: "address to listen on", default: "127.0.0.1" },
  {
    name: "secret-file",
    value: "FILE",
    example: "secret.txt",
    about: "file with the cluster's secret; or the variable TOYCHAT_SECRET",
  },
  {
    name: "config",
    value: "FILE",
    example: "toychat.json",
    about: 'JSON file with flags: {"http": 8080, "chat": {"id": "c1"}}',
  },
  {
    name: "log",
    value: "pretty|json",
    example: "json",
    about: "form of the log, which goes to stderr",
    default: "pretty",
  },
  {
    name: "log-level",
    value: "LEVEL",
    example: "warn",
    about: "least serious events to log: debug, info, warn or error",
    default: "info",
  },
  { name: "verbose", about: "the same as --log-level debug" },
  { name: "help", about: "print this help" },
  { name: "version", about: "print the version" },
];

/** Every command. */
export const COMMANDS: readonly Command[] = [
  {
    name: "dev",
    about: "everything in one process: proxies, ChatServers and their membership",
    more: "With several proxies the first one takes the ports given, the others those after them.",
    argument: { ...APP, about: APP_ABOUT },
    flags: [
      mqtt,
      http,
      mqtts,
      https,
      cert,
      key,
      origins,
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
      "Without a secret it listens on loopback only. It serves /healthz, /readyz and /metrics there, too.",
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
        name: "serf",
        value: "HOST:PORT",
        example: "127.0.0.1:7373",
        about: "RPC of this host's Serf agent, by which hosts find each other; without it this host is alone",
      },
      serfAuth,
      partition,
      expectHosts,
      {
        name: "tokens-file",
        value: "FILE",
        example: "tokens.json",
        about: 'JSON file with tokens beside those of the secret: {"read": "…", "member": "…", "admin": "…"}',
      },
      limits,
      linkCert,
      linkKey,
      linkCa,
      linkVerify,
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
      bridge,
      serfAuth,
      partition,
      expectHosts,
      token,
      id,
      address,
      limits,
      ...linkTls,
      linkVerify,
    ],
    examples: ["toychat chat", "toychat chat app.ts --id chat-1 --listen 127.0.0.1:7001"],
  },
  {
    name: "proxy",
    about: "a ProxyServer: users connect here, by MQTT or WebSocket",
    more: "To let users in from other hosts give --host 0.0.0.0.",
    flags: [
      mqtt,
      http,
      mqtts,
      https,
      cert,
      key,
      origins,
      metrics,
      bridge,
      serfAuth,
      partition,
      expectHosts,
      token,
      id,
      address,
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
    flags: [bridge, token, ...linkTls, json],
    examples: ["toychat members", "toychat members --json"],
  },
  {
    name: "owner",
    about: "says which ChatServer owns a room",
    more: "With --json: {room, id, address, slot}.",
    argument: { name: "ROOM", required: true, about: "name of the room, which is also its MQTT topic" },
    flags: [bridge, token, ...linkTls, json],
    examples: ["toychat owner area/1", "toychat owner area/1 --json"],
  },
  {
    name: "drain",
    about: "asks a member to hand its rooms over and end, as SIGTERM would",
    more: "Any host's bridge can be asked. With --json: {id, incarnation}.",
    argument: { name: "ID", required: true, about: "the member's id, as toychat members shows it" },
    flags: [bridge, token, ...linkTls, json],
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
