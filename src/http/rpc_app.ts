/**
 * The bridge's HTTP: JSON-RPC at `/rpc`, by POST and by WebSocket, its health and its metrics.
 *
 * @module
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { ToychatError } from "../lib/errors.ts";
import type { FetchHandler, ServeEnvironment } from "../lib/transport.ts";
import type { BridgeService } from "../membership/bridge_service.ts";
import { RPC_CODES, type RpcErrorObject } from "../membership/json_rpc.ts";
import { addHealth, type HealthOptions, type Observed } from "./health.ts";
import { originCheck, type Origins } from "./origins.ts";

/** Bytes of one POST, and of one WebSocket message. */
const MAX_REQUEST = 65_536;

/** Options of {@linkcode createRpcApp}. */
export interface RpcAppOptions extends HealthOptions {
  /** Web origins that may call, or `"*"` for all; default none, which keeps every page in a browser out. */
  readonly origins?: Origins;
}

const JSON_TYPES: readonly string[] = ["application/json", "application/json-rpc", "application/jsonrequest"];
const JSON_HEADERS = { "content-type": "application/json" };

const CORS_HEADERS = "authorization, content-type";

type App = Hono<{ Bindings: ServeEnvironment }>;

/** Refuses a request before any method is called: by a status, and in the form of JSON-RPC for who reads only that. */
function refuse(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const error = { code: RPC_CODES.refused, message, data: { code } };
  return Response.json({ jsonrpc: "2.0", id: null, error }, { status, headers });
}

function notAllowed(method: string): Response {
  return refuse(405, "method_not_allowed", `${method} is none of GET and POST`, { allow: "GET, POST" });
}

/** 200 for what JSON-RPC answers, but where nothing was understood, or the only request is beyond the caller's scope. */
function statusOf(error: RpcErrorObject | undefined): number {
  if (!error) return 200;
  if (error.code === RPC_CODES.parse || error.code === RPC_CODES.invalidRequest) return 400;
  return (error.data as { code?: unknown } | undefined)?.code === "forbidden" ? 403 : 200;
}

function isJson(contentType: string | undefined): boolean {
  return JSON_TYPES.includes((contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "");
}

function unauthorized(service: BridgeService, address: string): Response {
  service.refused(address, "wrong_token");
  const one = service.auth ? "toychat token read|member|admin" : "those that it was started with";
  return refuse(
    401,
    "unauthorized",
    `this bridge wants a token it knows: send Authorization: Bearer and one of ${one}`,
    { "www-authenticate": 'Bearer realm="toychat"' },
  );
}

/**
 * Makes the bridge's fetch handler.
 *
 * - `GET /rpc` with an upgrade: a JSON-RPC connection.
 * - `POST /rpc`: JSON-RPC of type `application/json`. Where the bridge has a secret or tokens it needs `Authorization: Bearer
 *   TOKEN`, else 401; what the token's scope does not cover is 403.
 * - `GET /healthz`, `/readyz` and `/metrics`: the health of `server`.
 *
 * A browser sends `Origin`; unless it is allowed the answer is 403, since any page that a user on this host visits could
 * otherwise speak to the bridge.
 */
export function createRpcApp(
  service: BridgeService,
  server: Observed,
  options: RpcAppOptions = {},
): FetchHandler {
  const allowed = originCheck(options.origins ?? []);
  const app: App = new Hono();

  app.use("/rpc", async (c, next) => {
    if (!allowed(c.req.raw)) {
      service.refused(c.env?.remoteAddress ?? "", "origin");
      return refuse(403, "origin", "this origin is not allowed: see the bridge's origins");
    }
    await next();
  });
  addUpgrade(app, service);
  addCors(app);
  addPost(app, service);
  app.all("/rpc", (c) => notAllowed(c.req.method));
  addHealth(app, server, options);
  app.notFound(() => refuse(404, "not_found", "the bridge serves /rpc, /healthz, /readyz and /metrics"));
  app.onError(() => refuse(500, "internal", "internal error"));
  return (request, env) => app.fetch(request, env);
}

function addUpgrade(app: App, service: BridgeService): void {
  app.get("/rpc", (c) => {
    // Hono calls this for HEAD as well.
    if (c.req.method !== "GET") return notAllowed(c.req.method);
    const header = c.req.header("authorization");
    const scope = header === undefined ? undefined : service.scopeOf(header);
    if (header !== undefined && !scope) return unauthorized(service, c.env.remoteAddress);
    if (!service.hasRoom) {
      service.refused(c.env.remoteAddress, "too_many_connections");
      return refuse(503, "too_many_connections", "too many connections: try again later");
    }
    try {
      return c.env.upgrade((connection) => service.accept(connection, scope), { maxPayload: MAX_REQUEST });
    } catch (error) {
      if (!(error instanceof ToychatError)) throw error;
      return refuse(426, "upgrade_required", "open a WebSocket here, or POST JSON-RPC 2.0", {
        upgrade: "websocket",
      });
    }
  });
}

/** Lets a page of an allowed origin, which got here, post and read the answers: browsers ask first. */
function addCors(app: App): void {
  app.on(["OPTIONS", "POST"], "/rpc", async (c, next) => {
    const origin = c.req.header("origin");
    if (origin === undefined) return await next();
    const headers = { "access-control-allow-origin": origin, vary: "origin" };
    if (c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined) {
      const allowed = {
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": CORS_HEADERS,
      };
      return new Response(null, { status: 204, headers: { ...headers, ...allowed } });
    }
    await next();
    for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
  });
}

function addPost(app: App, service: BridgeService): void {
  app.post(
    "/rpc",
    (c, next) => {
      if (!service.scopeOf(c.req.header("authorization"))) {
        return Promise.resolve(unauthorized(service, c.env?.remoteAddress ?? ""));
      }
      if (isJson(c.req.header("content-type"))) return next();
      return Promise.resolve(
        refuse(415, "wrong_content_type", "send JSON-RPC 2.0 with Content-Type: application/json"),
      );
    },
    bodyLimit({
      maxSize: MAX_REQUEST,
      onError: () => refuse(413, "too_large", `a request has at most ${MAX_REQUEST} bytes`),
    }),
    async (c) => {
      const scope = service.scopeOf(c.req.header("authorization")) ?? "read";
      const address = c.env?.remoteAddress ?? "";
      const gone = c.req.raw.signal;
      const { text, error } = await service.answer(await c.req.text(), { scope, address, gone });
      if (text === "") return new Response(null, { status: 204 });
      return new Response(text, { status: statusOf(error), headers: JSON_HEADERS });
    },
  );
}
