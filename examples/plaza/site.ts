/**
 * The plaza's web site on a proxy: the page's files, the feed of what the plaza does, and the button that kills.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import type { Connection, FetchApp, ServeEnvironment } from "../../mod.ts";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml; charset=utf-8",
};
const PAGE = fileURLToPath(new URL("page/", import.meta.url));

/** Pages connect to the other proxy as well, which is another port. */
const HEADERS = {
  "content-security-policy":
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

/** What the site needs of its proxy. */
export interface SiteOptions {
  /** Answers everything that is not the site's own: `/ws`, `/mqtt`, `/healthz` and so on. */
  readonly proxy: FetchApp;
  /** A visitor wants a process killed. */
  kill(id: string): void;
  /** What a page is told now, as JSON text. */
  feed(): string;
  /** The HTTP ports of all proxies, this one's first. */
  ports(): readonly number[];
}

/** The site of one proxy. */
export class Site {
  readonly #pages: Set<Connection> = new Set();
  readonly #options: SiteOptions;
  readonly #app: Hono<{ Bindings: ServeEnvironment }> = new Hono();
  #visits = 0;

  /** Reads the page's files. */
  constructor(options: SiteOptions) {
    this.#options = options;
    for (const name of readdirSync(PAGE)) this.#file(name);
    this.#app.get("/plaza/visit", (c) => c.json(this.#visit()));
    this.#app.get("/plaza/feed", (c) => this.#follow(c.env));
    this.#app.post("/plaza/kill", (c) => this.#kill(c.req.raw));
    this.#app.all("*", (c) => options.proxy.fetch(c.req.raw, c.env));
  }

  /** Answers every request to the proxy's HTTP port. */
  readonly fetch = (request: Request, env: ServeEnvironment): Response | Promise<Response> =>
    this.#app.fetch(request, env);

  /** Tells all pages what is new. */
  changed(): void {
    if (this.#pages.size === 0) return;
    const text = this.#options.feed();
    // A page that does not read is told again when it does: only the newest state counts.
    for (const page of this.#pages) if (page.bufferedAmount < MOST_WAITING) page.send(text);
  }

  /** Visitors are spread over the proxies, one after the other. */
  #visit(): { ports: readonly number[]; first: number } {
    const ports = this.#options.ports();
    return { ports, first: this.#visits++ % Math.max(1, ports.length) };
  }

  #file(name: string): void {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (type === undefined) return;
    const text = readFileSync(join(PAGE, name));
    const path = name === "index.html" ? "/" : `/plaza/${name}`;
    this.#app.get(path, () => new Response(text, { headers: { ...HEADERS, "content-type": type } }));
  }

  #follow(env: ServeEnvironment): Response {
    try {
      return env.upgrade((connection) => {
        this.#pages.add(connection);
        connection.send(this.#options.feed());
        return {
          data: () => {},
          drain: () => void connection.send(this.#options.feed()),
          close: () => void this.#pages.delete(connection),
        };
      }, { maxPayload: 1024 });
    } catch {
      return Response.json({ error: "open a WebSocket here" }, { status: 426 });
    }
  }

  /** Only a page of this very site may; programs that are no browser send no origin. */
  async #kill(request: Request): Promise<Response> {
    const origin = request.headers.get("origin");
    if (origin !== null && (!URL.canParse(origin) || new URL(origin).host !== request.headers.get("host"))) {
      return Response.json({ error: "only the plaza's own page may do this" }, { status: 403 });
    }
    if (request.headers.get("content-type") !== "application/json") {
      return Response.json({ error: 'send {"id":"chat-1"} as application/json' }, { status: 415 });
    }
    const id = await request.json().then(
      (body: unknown) => (body as { id?: unknown } | null)?.id,
      () => undefined,
    );
    if (typeof id !== "string" || id.length > 8) {
      return Response.json({ error: 'say which process, as in {"id":"chat-1"}' }, { status: 400 });
    }
    this.#options.kill(id);
    return Response.json({ killing: id }, { status: 202 });
  }
}

const MOST_WAITING = 1 << 20;
