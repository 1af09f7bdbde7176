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
import { addHealth, type HealthOptions, type Observed } from "./health.ts";
import { originCheck, type Origins } from "./origins.ts";

/** Bytes of one POST, and of one WebSocket message. */
const MAX_REQUEST = 65_536;

/** Options of {@linkcode createRpcApp}. */
export interface RpcAppOptions extends HealthOptions {
  /** Web origins that may call, or `"*"` for all; default none, which keeps every page in a browser out. */
  readonly origins?: Origins;
}

function refuse(status: number, message: string): Response {
  return Response.json({ error: message }, { status });
}

/**
 * Makes the bridge's fetch handler.
 *
 * - `GET /rpc` with an upgrade: a JSON-RPC connection.
 * - `POST /rpc`: the JSON-RPC methods that only read. With a secret it needs `Authorization: Bearer TOKEN`; else 401.
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
  const app = new Hono<{ Bindings: ServeEnvironment }>();

  app.use("/rpc", async (c, next) => {
    if (!allowed(c.req.raw)) {
      service.refused(c.env?.remoteAddress ?? "", "origin");
      return refuse(403, "this origin is not allowed");
    }
    await next();
  });

  app.get("/rpc", (c) => {
    if (!service.hasRoom) {
      service.refused(c.env.remoteAddress, "too_many_connections");
      return refuse(503, "too many connections");
    }
    try {
      return c.env.upgrade((connection) => service.accept(connection), { maxPayload: MAX_REQUEST });
    } catch (error) {
      if (!(error instanceof ToychatError)) throw error;
      return refuse(426, "open a WebSocket here, or POST JSON-RPC 2.0");
    }
  });

  app.post(
    "/rpc",
    (c, next) => {
      if (service.auth && !service.auth.authorizes(c.req.header("authorization"))) {
        service.refused(c.env?.remoteAddress ?? "", "wrong_token");
        return Promise.resolve(
          refuse(401, "this bridge has a secret: send Authorization: Bearer and its token"),
        );
      }
      return next();
    },
    bodyLimit({
      maxSize: MAX_REQUEST,
      onError: () => refuse(413, `a request has at most ${MAX_REQUEST} bytes`),
    }),
    async (c) => {
      const text = await service.answer(await c.req.text());
      if (text === "") return new Response(null, { status: 204 });
      return new Response(text, { headers: { "content-type": "application/json" } });
    },
  );

  addHealth(app, server, options);
  app.notFound(() => refuse(404, "the bridge serves /rpc, /healthz, /readyz and /metrics"));
  app.onError(() => refuse(500, "internal error"));
  return (request, env) => app.fetch(request, env);
}
