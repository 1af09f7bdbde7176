/**
 * What every role says of itself over HTTP: whether it lives, whether it should get work, and what it counts.
 *
 * @module
 */
import { Hono } from "hono";
import type { Metrics } from "../lib/metrics.ts";
import type { Readiness } from "../lib/readiness.ts";
import type { FetchHandler } from "../lib/transport.ts";
import { PROMETHEUS_TYPE, prometheusText } from "./prometheus.ts";

/** A server that can be watched: a ProxyServer, a ChatServer or a Bridge. */
export interface Observed {
  /** Its id in the cluster; empty where it has none. */
  readonly id: string;
  /** What it counts. */
  readonly metrics: Metrics;
  /** Whether it should get work. */
  readonly readiness: Readiness;
}

/** Options of {@linkcode healthApp}. */
export interface HealthOptions {
  /** Whether `/metrics` is served, or what else is on it: `[membership.metrics]`. Default true. */
  readonly metrics?: boolean | readonly Metrics[];
}

/** Something that answers HTTP requests, as Hono's own applications do. */
export interface FetchApp {
  /** Answers a request. */
  readonly fetch: FetchHandler;
}

/** What {@linkcode addHealth} adds its routes to. */
interface Routes {
  get(path: string, handler: () => Response | Promise<Response>): unknown;
}

/** Adds `/healthz`, `/readyz` and `/metrics` to a Hono application. */
export function addHealth(app: Routes, server: Observed, { metrics = true }: HealthOptions): void {
  const id = server.id === "" ? {} : { id: server.id };
  app.get("/healthz", () => Response.json({ status: "ok", ...id }));
  app.get("/readyz", () => {
    const { status, reason } = server.readiness;
    const body = { status, ...id, ...(reason === undefined ? {} : { reason }) };
    return Response.json(body, { status: status === "ready" ? 200 : 503 });
  });
  if (metrics === false) return;
  const sources = [server.metrics, ...(metrics === true ? [] : metrics)];
  app.get("/metrics", async () => {
    const text = await prometheusText([...new Set(sources)]);
    return new Response(text, { headers: { "content-type": PROMETHEUS_TYPE } });
  });
}

/**
 * Makes a fetch handler for a role's health, to be served on a port of its own:
 *
 * - `GET /healthz`: 200 while the process answers
 * - `GET /readyz`: 200 while the role should get work, else 503; the body says why
 * - `GET /metrics`: what it counts, for Prometheus
 *
 * A proxy has these on the port that users connect to, a bridge beside its JSON-RPC; a ChatServer has no HTTP of its own.
 *
 * @example
 * ```ts
 * import { ChatServer, healthApp, LocalMembership } from "toychat";
 * import { systemTransport } from "toychat/system";
 *
 * const transport = await systemTransport();
 * const chat = new ChatServer({ membership: new LocalMembership(), transport });
 * await transport.serve({ port: 9100, fetch: healthApp(chat).fetch });
 * await chat.start();
 * ```
 */
export function healthApp(server: Observed, options: HealthOptions = {}): FetchApp {
  const app = new Hono();
  addHealth(app, server, options);
  app.notFound(() =>
    Response.json({ error: "this port serves /healthz, /readyz and /metrics" }, { status: 404 })
  );
  // The transport logs it and answers 500.
  app.onError((error) => {
    throw error;
  });
  return { fetch: (request, env) => app.fetch(request, env) };
}
