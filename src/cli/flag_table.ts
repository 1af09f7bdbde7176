/**
 * The flags of the command line, which several commands share.
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
  about: "with --partition seal: the hosts of the cluster, 1 to 1024; a start waits for most",
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
/** For whoever ends by a grace. */
export const grace: Flag = {
  name: "grace",
  value: "SECONDS",
  example: "5",
  about: "after SIGTERM /readyz says 503 for so long before connections end, for load balancers",
  default: "0",
};
/** Of a proxy. */
export const metrics: Flag = {
  name: "metrics",
  value: "PORT|off",
  example: "9100",
  about: "port for /metrics and health alone, instead of /metrics on --http; without a secret on 127.0.0.1",
};
/** Of a ChatServer. */
export const health: Flag = {
  name: "http",
  value: "PORT|off",
  example: "9100",
  about: "port for /healthz, /readyz and /metrics; without a secret on 127.0.0.1",
  default: "off",
  own: true,
};
/** For every role. */
export const limits: Flag = {
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
const json: Flag = { name: "json", about: "print JSON instead of a table" };

/** Where users connect. */
export const userPorts: readonly Flag[] = [mqtt, http, mqtts, https, cert, key, origins];
/** How a role finds the cluster, and who it is in it. */
export const membership: readonly Flag[] = [bridge, serfAuth, partition, expectHosts, token, id, address];
/** How a bridge uses its host's agent. */
export const agent: readonly Flag[] = [
  {
    name: "serf",
    value: "HOST:PORT",
    example: "127.0.0.1:7373",
    about: "RPC of this host's Serf agent, by which hosts find each other; without it this host is alone",
  },
  serfAuth,
  partition,
  expectHosts,
];
/** TLS within the cluster, for who connects. */
export const linkTls: readonly Flag[] = [linkCa, linkCert, linkKey, linkName];
/** TLS within the cluster, for who is connected to. */
export const acceptTls: readonly Flag[] = [linkCert, linkKey, linkCa, linkVerify];
/** TLS within the cluster, for who does both. */
export const bothTls: readonly Flag[] = [...linkTls, linkVerify];
/** Whom to ask about the cluster, and how. */
export const asking: readonly Flag[] = [
  { ...bridge, about: "a bridge, of any host" },
  token,
  ...linkTls,
  json,
];

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
