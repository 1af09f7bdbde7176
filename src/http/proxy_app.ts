/**
 * A proxy's HTTP: users by WebSocket, health, metrics and a page.
 *
 * @module
 */
import { Hono } from "hono";
import { ToychatError } from "../lib/errors.ts";
import type { ServeEnvironment } from "../lib/transport.ts";
import type { User } from "../protocols/credentials.ts";
import type { ClientProtocol, OpenRefusal } from "../protocols/protocol.ts";
import { mqtt } from "../protocols/mqtt.ts";
import { websocket } from "../protocols/websocket.ts";
import type { ProxyServer } from "../proxy/proxy_server.ts";
import type { TurnAway } from "../proxy/admission.ts";
import { demoPage } from "./demo_page.ts";
import { addHealth, type FetchApp, type HealthOptions } from "./health.ts";
import { type OriginCheck, originCheck, type Origins } from "./origins.ts";

/** Options of {@linkcode proxyApp}. */
export interface ProxyAppOptions extends HealthOptions {
  /**
   * What is spoken over WebSocket, by path. Merged into the default, `{ "/ws": websocket(), "/mqtt": mqtt() }`; `false`
   * leaves a path out.
   */
  readonly protocols?: Readonly<Record<string, ClientProtocol | false>>;
  /**
   * Web origins whose pages may open a WebSocket, as `"https://chat.example.org"`, or `"*"` for all; others get 403. Default
   * pages of the host that the request was sent to, whatever their port; a list stands in place of that. Programs that are
   * no browser send no origin and are not held to it.
   */
  readonly origins?: Origins;
  /**
   * The answer to `GET /`: the text of an HTML page, or a function that answers; `false` for none. Default a small page to
   * try rooms with.
   */
  readonly page?: string | false | ((request: Request) => Response | Promise<Response>);
}

type App = Hono<{ Bindings: ServeEnvironment }>;

/** The scripts and styles of the default page are in it, and it opens WebSockets to where it came from. */
const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; " +
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
};
/** What a message takes beside its body, in bytes; bodies may be base64, and rooms may be all escapes. */
const ENVELOPE_BYTES = 4096;
const ESCAPED_BYTES = 6;
/** Seconds after which a client that was turned away may try again. */
const RETRY_SECONDS = 5;

/**
 * Makes the fetch handler through which a proxy takes users in over HTTP:
 *
 * - `GET /ws`: JSON over WebSocket
 * - `GET /mqtt`: MQTT over WebSocket, subprotocol `mqtt`
 * - `GET /healthz`, `/readyz` and `/metrics`: as {@linkcode healthApp} says; it is ready while it has a link to a ChatServer
 * - `GET /`: a page
 *
 * Serve it by {@linkcode serveHttp}, or mount it in an application of your own that a {@linkcode Transport} serves; the
 * transport's environment must reach it as the second argument, as Hono's `mount` sees to. On Bun, with a `maxMessageBytes`
 * of more than 500 KiB, tell what serves it by `maxPayload: maxPayloadOf(proxy)`, as `serveHttp` does.
 *
 * @throws {ToychatError} `bad_option` where a path does not begin with `/`.
 *
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import { LocalMembership, proxyApp, ProxyServer } from "toychat";
 * import { systemTransport } from "toychat/system";
 *
 * const transport = await systemTransport();
 * const proxy = new ProxyServer({ membership: new LocalMembership(), transport });
 * await proxy.start();
 * const app = new Hono();
 * app.get("/", (c) => c.text("my own page"));
 * app.mount("/chat", proxyApp(proxy).fetch);
 * await transport.serve({ port: 8080, fetch: app.fetch });
 * ```
 */
export function proxyApp(proxy: ProxyServer, options: ProxyAppOptions = {}): FetchApp {
  const app: App = new Hono();
  const protocols = { "/ws": websocket(), "/mqtt": mqtt(), ...options.protocols };
  const allowed = originCheck(options.origins);
  for (const [path, protocol] of Object.entries(protocols)) {
    if (!path.startsWith("/")) {
      throw new ToychatError("bad_option", `protocols: "${path}" is not a path: begin it with "/"`);
    }
    if (protocol) app.get(path, (c) => upgrade(proxy, protocol, allowed, c.req.raw, c.env));
  }
  addHealth(app, proxy, options);
  const { page = demoPage } = options;
  if (page !== false) app.get("/", (c) => typeof page === "string" ? html(page) : page(c.req.raw));
  app.notFound(() =>
    refuse(404, "not_found", `this proxy serves ${app.routes.map(({ path }) => path).join(", ")}`)
  );
  // The transport logs it and answers 500.
  app.onError((error) => {
    throw error;
  });
  return { fetch: (request, env) => app.fetch(request, env) };
}

/** The largest WebSocket message that a proxy reads, in bytes: {@linkcode ServeOptions.maxPayload} of what serves it. */
export function maxPayloadOf({ limits: { maxMessageBytes, maxRoomBytes } }: ProxyServer): number {
  return 2 * maxMessageBytes + ESCAPED_BYTES * maxRoomBytes + ENVELOPE_BYTES;
}

function html(text: string): Response {
  const { "content-security-policy": _policy, ...headers } = PAGE_HEADERS;
  return new Response(text, { headers: text === demoPage ? PAGE_HEADERS : headers });
}

function upgrade(
  proxy: ProxyServer,
  protocol: ClientProtocol,
  allowed: OriginCheck,
  request: Request,
  env: ServeEnvironment | undefined,
): Response | Promise<Response> {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse(426, "upgrade_required", `open a WebSocket here: ${protocol.name} is spoken`, {
      upgrade: "websocket",
      connection: "upgrade",
    });
  }
  if (!allowed(request)) {
    proxy.metrics.count("toychat_origins_refused_total");
    return refuse(403, "origin_not_allowed", "pages of this origin may not connect");
  }
  const subprotocol = chooseSubprotocol(protocol, request.headers);
  if (subprotocol === null) {
    return refuse(
      400,
      "subprotocol_required",
      `offer the subprotocol ${protocol.subprotocols?.join(" or ")}`,
    );
  }
  const away = proxy.turnsAway(env?.remoteAddress ?? "");
  if (away) return refuseBusy(away);
  const admitted = proxy.admit(protocol, request, env?.remoteAddress ?? "");
  if (!admitted) return takeIn(proxy, protocol, subprotocol, request, env);
  return admitted.then((user) =>
    "refused" in user ? turnAway(user) : takeIn(proxy, protocol, subprotocol, request, env, user)
  );
}

/** The answer to a client that was not let in. */
function turnAway({ refused, reason }: OpenRefusal): Response {
  if (refused === "bad_credentials") {
    return refuse(401, "not_authenticated", reason ?? "the user or token was not accepted", {
      "www-authenticate": 'Bearer realm="toychat"',
    });
  }
  if (refused === "not_authorized") {
    return refuse(403, "not_authorized", reason ?? "the user may not connect");
  }
  return refuse(503, "unavailable", "the credentials could not be checked: try again", {
    "retry-after": "5",
  });
}

function takeIn(
  proxy: ProxyServer,
  protocol: ClientProtocol,
  subprotocol: string | undefined,
  request: Request,
  env: ServeEnvironment | undefined,
  user?: User,
): Response {
  if (typeof env?.upgrade !== "function") {
    throw new ToychatError(
      "no_environment",
      "proxyApp got no transport's environment: serve it by serveHttp or transport.serve, and hand on the second argument",
    );
  }
  const maxPayload = maxPayloadOf(proxy);
  const choices = subprotocol === undefined ? { maxPayload } : { maxPayload, protocol: subprotocol };
  try {
    return env.upgrade((connection) => proxy.accept(connection, protocol, request, user), choices);
  } catch (error) {
    if (!(error instanceof ToychatError) || error.code !== "not_an_upgrade") throw error;
    return refuse(400, "bad_upgrade", "this is no complete WebSocket handshake of version 13");
  }
}

/** Refuses before the upgrade: a client that is told so by HTTP costs no WebSocket. */
function refuseBusy(reason: TurnAway): Response {
  const again = { "retry-after": String(RETRY_SECONDS) };
  if (reason === "server_busy") {
    return refuse(503, reason, "this proxy has as many sessions as it takes: try again later", again);
  }
  return refuse(429, reason, "your address has as many connections as it may: close one first", again);
}

/** The subprotocol to select, undefined for none; null where the client offers none that the protocol answers to. */
function chooseSubprotocol(protocol: ClientProtocol, headers: Headers): string | undefined | null {
  const known = protocol.subprotocols ?? [];
  if (known.length === 0) return undefined;
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  return known.find((name) => offered.includes(name)) ?? (protocol.subprotocolOptional ? undefined : null);
}

function refuse(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ error: { code, message } }, { status, headers });
}
