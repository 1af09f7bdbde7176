/**
 * The commands that serve: `bridge`, `chat`, `proxy` and `dev`. Each gives what its ready line says.
 *
 * @module
 */
import { ChatServer } from "../chat/chat_server.ts";
import type { ChatLimits } from "../chat/options.ts";
import { Bridge } from "../http/bridge.ts";
import { healthApp, type Observed } from "../http/health.ts";
import { serveHttp } from "../http/serve_http.ts";
import { delay, systemClock } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { ListenSocket, TlsOptions } from "../lib/transport.ts";
import { LocalMembership } from "../membership/local.ts";
import type { Membership } from "../membership/membership.ts";
import { mqtt } from "../protocols/mqtt.ts";
import type { ProxyLimits, ProxyListening } from "../proxy/options.ts";
import { ProxyServer } from "../proxy/proxy_server.ts";
import { type Application, loadApplication } from "./application.ts";
import { type Context, guardedListen, healthListen, publicAddress, readBridgeTokens } from "./context.ts";
import { type Endpoint, endpointText, type Flags } from "./flags.ts";
import { clusterMembership, serfOptions } from "./membership.ts";
import { BRIDGE, CHAT, limitsOf, PROXY } from "./limits.ts";
import type { Life } from "./life.ts";
import { linkClientTls, linkServerTls, originsOf, reloadOnHangup, userTls } from "./tls.ts";
import { badUsage } from "./usage.ts";

/** What the ready line says of a ChatServer; its HTTP port where it has one. */
interface ChatPorts {
  readonly id: string;
  readonly listen: string;
  readonly slot: number | undefined;
  readonly http?: number;
}

/** What the ready line says of a proxy; ports that are off are left out. */
interface ProxyPorts extends Partial<Readonly<Record<PortName, number>>> {
  readonly id: string;
  readonly metrics?: number;
}

/** The flags that name ports for users, those with TLS last. */
const PORTS = ["mqtt", "http", "mqtts", "https"] as const;
type PortName = typeof PORTS[number];
/** Ports by flag; undefined where one is off. */
type Ports = Readonly<Record<PortName, number | undefined>>;

const MQTT_PORT = 1883;
const HTTP_PORT = 8080;
const BRIDGE_PORT = 7374;
const LINK_MS = 2000;

/** `toychat bridge`. */
export async function bridge(context: Context, life: Life): Promise<object> {
  const { flags, transport, log, metrics } = context;
  const serf = serfOptions(context);
  const tokens = readBridgeTokens(flags);
  const listen = guardedListen(context, "bridge", BRIDGE_PORT, tokens !== undefined);
  const tls = linkServerTls(flags);
  const health = healthListen(context, "metrics");
  const server = new Bridge({
    transport,
    listen: { ...listen, ...(tls ? { tls } : {}) },
    log,
    moreMetrics: [metrics],
    limits: limitsOf(flags, "bridge", BRIDGE),
    ...(tokens ? { tokens } : {}),
    ...(serf ? { serf } : {}),
    ...secretOf(context),
  });
  const socket = health && await serveHealth(context, server, "metrics", health, [metrics], life);
  life.onStop(() => server.stop());
  life.onDrain(flags.graceMs(), () => server.drain());
  if (tls) reloadOnHangup(life, log, () => linkServerTls(flags), (fresh) => server.setCertificate(fresh));
  await named(flags.text("listen") ? flags.source("listen") : "the bridge", server.start());
  return { role: "bridge", listen: server.address, ...(socket ? { metrics: socket.port } : {}) };
}

/** `toychat chat`. */
export async function chat(context: Context, life: Life): Promise<object> {
  const { flags, log } = context;
  const listen = guardedListen(context, "ChatServer", 0);
  const http = healthListen(context, "http");
  const limits = limitsOf(flags, "chat", CHAT);
  const settings = { id: flags.id(), address: publicAddress(flags, listen), listen, limits };
  const membership = clusterMembership(context);
  const application = await loadApplication(context.argument, log);
  life.onStop(() => membership.close());
  membership.onDrain?.(() => life.end());
  const server = await openChat(context, membership, application, { ...settings, http }, life);
  return { role: "chat", ...server };
}

/** `toychat proxy`. */
export async function proxy(context: Context, life: Life): Promise<object> {
  const { flags } = context;
  const ports = portsOf(flags);
  const health = healthListen(context, "metrics");
  if (Object.values(ports).every((port) => port === undefined)) {
    throw badUsage("--mqtt off and --http off leave no way for users to come in: leave one of them out");
  }
  const first = { host: flags.host(), port: 0 };
  const limits = limitsOf(flags, "proxy", PROXY);
  const settings = { id: flags.id(), address: publicAddress(flags, first), ports, limits, health };
  const membership = clusterMembership(context);
  life.onStop(() => membership.close());
  membership.onDrain?.(() => life.end());
  return { role: "proxy", ...await openProxy(context, membership, settings, life) };
}

/** `toychat dev`. */
export async function dev(context: Context, life: Life): Promise<object> {
  const { flags, log } = context;
  const ports = portsOf(flags);
  const counts = { chats: flags.count("chats"), proxies: flags.count("proxies") };
  const limits = { chat: limitsOf(flags, "dev", CHAT), proxy: limitsOf(flags, "dev", PROXY) };
  const membership = new LocalMembership(secretOf(context));
  const application = await loadApplication(context.argument, log);
  const chats: ChatPorts[] = [];
  const metrics: Metrics[] = [context.metrics];
  for (let n = 1; n <= counts.chats; n++) {
    const settings = {
      id: `chat-${n}`,
      listen: { host: "127.0.0.1", port: 0 },
      last: true,
      limits: limits.chat,
      metrics,
    };
    chats.push(await openChat(context, membership, application, settings, life));
  }
  const proxies: ProxyPorts[] = [];
  for (let n = 0; n < counts.proxies; n++) {
    const own = Object.fromEntries(PORTS.map((name) => [name, portAfter(ports[name], n)])) as Ports;
    const settings = { id: `proxy-${n + 1}`, ports: own, limits: limits.proxy, metrics };
    proxies.push(await openProxy(context, membership, settings, life));
  }
  const { id: _id, ...first } = proxies[0] ?? { id: "" };
  const ids = [...chats, ...proxies].map(({ id }) => id);
  return { role: "dev", ids, ...first, proxies, chats };
}

function portsOf(flags: Flags): Ports {
  return {
    mqtt: flags.port("mqtt", MQTT_PORT),
    http: flags.port("http", HTTP_PORT),
    mqtts: flags.port("mqtts", undefined),
    https: flags.port("https", undefined),
  };
}

/** The port for the `n`th proxy after the first; 0 stays 0, as each picks its own. */
function portAfter(first: number | undefined, n: number): number | undefined {
  return first ? first + n : first;
}

interface ChatSettings {
  readonly id?: string | undefined;
  readonly address?: string | undefined;
  readonly listen: Endpoint;
  /** Where its health is served; nowhere by default. */
  readonly http?: Endpoint | undefined;
  /** What goes on a common `/metrics`: the server adds its own. */
  readonly metrics?: Metrics[];
  readonly limits: Partial<ChatLimits>;
  /** Whether the cluster ends with this process, so that there is nobody to hand rooms to. */
  readonly last?: boolean;
}

async function openChat(
  context: Context,
  membership: Membership,
  application: Application,
  settings: ChatSettings,
  life: Life,
): Promise<ChatPorts> {
  const { transport, log, flags } = context;
  const { id, address, listen, limits, http, metrics = [], last = false } = settings;
  const [tls, linkTls] = last ? [] : [linkServerTls(flags), linkClientTls(flags)];
  const server = new ChatServer({
    membership,
    transport,
    listen: { ...listen, ...(tls ? { tls } : {}) },
    log,
    limits,
    ...(linkTls ? { linkTls } : {}),
    ...(id === undefined ? {} : { id }),
    ...(address === undefined ? {} : { address }),
    ...secretOf(context),
  });
  metrics.push(server.metrics);
  const more = [context.metrics, ...ownMetrics(membership)];
  const health = http && await serveHealth(context, server, "http", http, more, life);
  life.onStop(() => server.stop({ drain: !last }));
  if (tls) reloadOnHangup(life, log, () => linkServerTls(flags), (fresh) => server.setCertificate(fresh));
  await application(server);
  await named(flags.text("listen") ? flags.source("listen") : "the ChatServer", server.start());
  const ports = { id: server.id, listen: server.address, slot: server.slot };
  return health ? { ...ports, http: health.port } : ports;
}

/** Serves a role's health on the port that a flag names, until the role has stopped. Call it before the role's `onStop`. */
async function serveHealth(
  { transport, flags, log }: Context,
  server: Observed,
  flag: string,
  listen: Endpoint,
  metrics: readonly Metrics[],
  life: Life,
): Promise<ListenSocket> {
  const { fetch } = healthApp(server, { metrics });
  const socket = await named(flags.source(flag), transport.serve({ ...listen, fetch }));
  life.onStop(() => socket.close());
  log("info", "health_listening", { id: server.id, address: endpointText(socket) });
  return socket;
}

function ownMetrics({ metrics }: Membership): readonly Metrics[] {
  return metrics ? [metrics] : [];
}

interface ProxySettings {
  readonly id?: string | undefined;
  readonly address?: string | undefined;
  readonly ports: Ports;
  readonly limits: Partial<ProxyLimits>;
  /** What else is on `/metrics`. */
  readonly metrics?: readonly Metrics[];
  /** Where metrics and health have a port of their own; by default they are on `http`. */
  readonly health?: Endpoint | undefined;
}

async function openProxy(
  context: Context,
  membership: Membership,
  settings: ProxySettings,
  life: Life,
): Promise<ProxyPorts> {
  const { transport, log, flags } = context;
  const { id, address, ports } = settings;
  const host = flags.host();
  const secure = () =>
    userTls(flags, (["mqtts", "https"] as const).filter((name) => ports[name] !== undefined));
  const tls = secure();
  const linkTls = linkClientTls(flags);
  const server = new ProxyServer({
    membership,
    transport,
    log,
    limits: settings.limits,
    listen: [
      ...(ports.mqtt === undefined ? [] : [{ host, port: ports.mqtt, protocol: mqtt() }]),
      ...(ports.mqtts === undefined || !tls ? [] : [{ host, port: ports.mqtts, protocol: mqtt(), tls }]),
    ],
    ...(id === undefined ? {} : { id }),
    ...(address === undefined ? {} : { address }),
    ...(linkTls ? { linkTls } : {}),
    ...secretOf(context),
  });
  const more = [...settings.metrics ?? [context.metrics], ...ownMetrics(membership)];
  const health = settings.health &&
    await serveHealth(context, server, "metrics", settings.health, more, life);
  life.onStop(() => server.stop());
  life.onDrain(flags.graceMs(), () => server.drain());
  if (tls) reloadOnHangup(life, log, secure, (fresh) => server.setCertificate(fresh));
  await openHttp(context, server, ports, tls, flags.text("metrics") === undefined ? more : false);
  await named(flags.source(ports.mqtt === undefined ? "mqtts" : "mqtt"), server.start());
  await linked(server, membership);
  for (const socket of server.listening) {
    log("info", "listening", { proxy: server.id, protocol: flagOf(socket), address: endpointText(socket) });
  }
  return {
    id: server.id,
    ...Object.fromEntries(server.listening.map((socket) => [flagOf(socket), socket.port])),
    ...(health === undefined ? {} : { metrics: health.port }),
  };
}

async function openHttp(
  { flags }: Context,
  server: ProxyServer,
  ports: Ports,
  tls: TlsOptions | undefined,
  metrics: readonly Metrics[] | false,
): Promise<void> {
  const origins = originsOf(flags);
  const options = { host: flags.host(), metrics, ...(origins ? { origins } : {}) };
  if (ports.http !== undefined) {
    await named(flags.source("http"), serveHttp(server, { ...options, port: ports.http }));
  }
  if (ports.https !== undefined && tls) {
    await named(flags.source("https"), serveHttp(server, { ...options, port: ports.https, tls }));
  }
}

/** The flag that a port came from. */
function flagOf({ protocol, tls }: ProxyListening): string {
  return tls ? `${protocol}s` : protocol;
}

/** Where there are ChatServers, a proxy is ready when it has a link to one; it does not wait for long. */
async function linked(server: ProxyServer, membership: Membership): Promise<void> {
  const until = systemClock.now() + LINK_MS;
  const { members } = membership.view;
  if (!members.some(({ role, state }) => role === "chat" && state === "alive")) return;
  while (!server.ready && systemClock.now() < until) await delay(systemClock, 5);
}

function secretOf({ secret }: Context): { secret?: string } {
  return secret === undefined ? {} : { secret };
}

const LISTEN_ERRORS: readonly string[] = [
  "address_in_use",
  "address_unavailable",
  "permission_denied",
  "listen_failed",
];

/** Where it is an address that failed, says which flag named it. */
async function named<T>(source: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ToychatError) || !LISTEN_ERRORS.includes(error.code)) throw error;
    throw new ToychatError(error.code, `${source}: ${error.message}`, { cause: error });
  }
}
