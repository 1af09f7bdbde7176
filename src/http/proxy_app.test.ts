import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { ChatServer } from "../chat/chat_server.ts";
import { ToychatError } from "../lib/errors.ts";
import type { FetchHandler } from "../lib/transport.ts";
import { LocalMembership } from "../membership/local.ts";
import type { ClientProtocol } from "../protocols/protocol.ts";
import { ProxyServer } from "../proxy/proxy_server.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import { proxyApp, type ProxyAppOptions } from "./proxy_app.ts";
import { serveHttp } from "./serve_http.ts";

let transport: MemoryTransport;
let membership: LocalMembership;
let proxy: ProxyServer;

beforeEach(() => {
  transport = memoryTransport();
  membership = new LocalMembership();
  proxy = new ProxyServer({ membership, transport, id: "p1" });
});
afterEach(() => proxy.stop());

const get = (path: string): Promise<Response> => transport.fetch(new Request(`http://127.0.0.1:80${path}`));

async function serve(options: ProxyAppOptions = {}): Promise<void> {
  await proxy.start();
  await serveHttp(proxy, { port: 80, ...options });
}

/** Opens a WebSocket and gives its first message. */
async function open(path: string, protocols: string[] = []): Promise<string> {
  return await new Promise((resolve, reject) => {
    transport.connect(`ws://127.0.0.1${path}`, (connection) => ({
      data(chunk) {
        resolve(String(chunk));
        connection.terminate();
      },
      drain() {},
      close() {},
    }), { protocols }).catch(reject);
  });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (reason) => reason);
  return error instanceof ToychatError ? error.code : `no error but ${error}`;
}

describe("health", () => {
  test("it is alive at once, and ready once it has a link to a ChatServer", async () => {
    await serve();
    expect((await get("/healthz")).status).toBe(200);
    const waiting = await get("/readyz");
    expect(waiting.status).toBe(503);
    expect(await waiting.json()).toEqual({
      status: "waiting",
      id: "p1",
      reason: "no ChatServer is in the list of members",
    });
    await using chat = new ChatServer({ membership, transport });
    await chat.start();
    while (!proxy.ready) await new Promise((resolve) => setImmediate(resolve));
    const ready = await get("/readyz");
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ status: "ready", id: "p1" });
  });

  test("what it counts is in Prometheus' format, unless that is off", async () => {
    await serve();
    proxy.metrics.count("toychat_test_total", 3);
    const response = await get("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    expect(text).toContain("# TYPE toychat_test_total counter\ntoychat_test_total 3\n");
    expect(text).toContain("# TYPE toychat_sessions gauge\ntoychat_sessions 0\n");
    const app = proxyApp(proxy, { metrics: false });
    expect((await app.fetch(new Request("http://x/metrics"), {} as never)).status).toBe(404);
  });
});

describe("the page", () => {
  test("is one to try rooms with, which loads nothing from elsewhere", async () => {
    await serve();
    const response = await get("/");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const text = await response.text();
    expect(text).toContain("<title>toychat</title>");
    expect(text).not.toMatch(/(src|href)="http/);
  });

  test("can be a text, an answer, or none", async () => {
    const page = async (options: ProxyAppOptions): Promise<Response> =>
      await proxyApp(proxy, options).fetch(new Request("http://x/"), {} as never);
    expect(await (await page({ page: "<h1>mine</h1>" })).text()).toBe("<h1>mine</h1>");
    expect(await (await page({ page: (request) => new Response(request.url) })).text()).toBe("http://x/");
    expect((await page({ page: false })).status).toBe(404);
  });
});

describe("a WebSocket", () => {
  test("on /ws speaks JSON, for the user that its URL names", async () => {
    await serve();
    expect(JSON.parse(await open("/ws?user=ann"))).toMatchObject({ type: "welcome", user: "ann" });
  });

  test("on /mqtt must offer the subprotocol, which is selected", async () => {
    await serve();
    expect(await codeOf(open("/mqtt"))).toBe("upgrade_refused");
    expect(await codeOf(open("/mqtt", ["json"]))).toBe("upgrade_refused");
    const refused = await transport.fetch(
      new Request("http://127.0.0.1/mqtt", { headers: { upgrade: "websocket" } }),
    );
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain("offer the subprotocol mqtt");
    const connection = await transport.connect(
      "ws://127.0.0.1/mqtt",
      () => ({ data() {}, drain() {}, close() {} }),
      { protocols: ["json", "mqtt"] },
    );
    expect(proxy.sessions).toBe(1);
    connection.terminate();
  });

  test("is what a plain request is told to open", async () => {
    await serve();
    const response = await get("/ws");
    expect([response.status, response.headers.get("upgrade")]).toEqual([426, "websocket"]);
    const broken = await transport.fetch(
      new Request("http://127.0.0.1/ws", { headers: { upgrade: "websocket", connection: "upgrade" } }),
    );
    expect(broken.status).toBe(400);
  });

  test("may come from its own host, or from the origins allowed; programs send none", async () => {
    const ask = async (options: ProxyAppOptions, origin?: string): Promise<number> => {
      const headers: HeadersInit = { upgrade: "websocket", ...(origin ? { origin } : {}) };
      const env = { remoteAddress: "", upgrade: () => new Response(null) };
      return (await proxyApp(proxy, options).fetch(new Request("http://x/ws", { headers }), env)).status;
    };
    const origins = ["https://mine.example"];
    expect(await ask({}, "https://x")).toBe(200);
    expect(await ask({}, "https://any.example")).toBe(403);
    expect(await ask({ origins: "*" }, "https://any.example")).toBe(200);
    expect(await ask({ origins }, "https://mine.example")).toBe(200);
    expect(await ask({ origins })).toBe(200);
    expect(await ask({ origins }, "https://any.example")).toBe(403);
    expect(await ask({ origins: [] }, "null")).toBe(403);
    expect(await ask({ origins }, "http://x")).toBe(403);
    expect(await ask({ origins: [...origins, "http://x"] }, "http://x")).toBe(200);
    expect(proxy.metrics.get("toychat_origins_refused_total")).toBe(4);
  });

  test("whose name cannot be a user's is refused before it is opened, also where nobody authenticates", async () => {
    const logged: string[] = [];
    proxy = new ProxyServer({
      membership,
      transport,
      log: (level, event) => void logged.push(`${level} ${event}`),
    });
    await serve();
    const ask = async (user: string): Promise<Response> => {
      const env = { remoteAddress: "", upgrade: () => new Response("upgraded") };
      const request = new Request(`http://x/ws?user=${user}`, { headers: { upgrade: "websocket" } });
      return await proxyApp(proxy).fetch(request, env);
    };
    expect(await (await ask("x".repeat(512))).text()).toBe("upgraded");
    const refused = await ask("x".repeat(513));
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ error: { code: "not_authenticated" } });
    expect(logged.filter((line) => line.endsWith("user_id_too_long"))).toEqual(["debug user_id_too_long"]);
    expect(proxy.metrics.get("toychat_authentications_refused_total")).toBe(1);
  });

  test("is let in by its token before it is opened, or refused in the words of HTTP", async () => {
    let asked = 0;
    proxy = new ProxyServer({
      membership,
      transport,
      authenticate: ({ token, protocol }) => {
        asked++;
        if (token === "down") return Promise.reject(new Error("no database"));
        if (token === "banned") return { refused: "not_authorized", reason: "banned" };
        return token === undefined ? undefined : `${protocol}:${token}`;
      },
    });
    await serve();
    expect(JSON.parse(await open("/ws?user=eve&token=ann"))).toMatchObject({ user: "websocket:ann" });
    expect(asked).toBe(1);
    expect(JSON.parse(await open("/ws", ["toychat", "token.ann"]))).toMatchObject({ user: "websocket:ann" });
    const refused = async (token: string) => {
      const headers = {
        upgrade: "websocket",
        connection: "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      };
      const response = await transport.fetch(new Request("http://127.0.0.1/ws", { headers }));
      return [response.status, (await response.json()).error, response.headers.get("www-authenticate")];
    };
    expect(await refused("")).toMatchObject([401, { code: "not_authenticated" }, 'Bearer realm="toychat"']);
    expect(await refused("banned")).toMatchObject([403, { code: "not_authorized", message: "banned" }, null]);
    expect(await refused("down")).toMatchObject([503, { code: "unavailable" }, null]);
    expect(proxy.metrics.get("toychat_authentications_refused_total")).toBe(2);
    expect(proxy.metrics.get("toychat_authentication_failures_total")).toBe(1);
  });

  test("can speak a protocol of one's own on a path of one's own, and none where that is off", async () => {
    const greeting: ClientProtocol = {
      name: "greeting",
      accept(channel) {
        channel.send("good day");
        const encoding = { stream: false, encode: () => "" };
        return { encoding, data() {}, encode: () => "", moved() {}, left() {}, end() {}, close() {} };
      },
    };
    await serve({ protocols: { "/greeting": greeting, "/ws": false } });
    expect(await open("/greeting")).toBe("good day");
    expect(await codeOf(open("/ws"))).toBe("upgrade_refused");
    expect((await get("/ws")).status).toBe(404);
    expect(await (await get("/nowhere")).text()).toContain("/mqtt, /greeting, /healthz");
    expect(() => proxyApp(proxy, { protocols: { greeting } })).toThrow('begin it with "/"');
  });
});

describe("mounted in an application on Hono", () => {
  const mounts: [string, (app: Hono, fetch: FetchHandler) => void][] = [
    ["mount", (app, fetch) => void app.mount("/chat", fetch)],
    [
      "a handler",
      (app, fetch) => {
        app.all("/chat/*", (c) => {
          const url = new URL(c.req.url);
          url.pathname = url.pathname.slice("/chat".length);
          return fetch(new Request(url, c.req.raw), c.env as never);
        });
      },
    ],
  ];
  test.each(mounts)("by %s, it takes users in", async (_, mount) => {
    const app = new Hono();
    app.get("/", (c) => c.text("mine"));
    mount(app, proxyApp(proxy).fetch);
    await proxy.start();
    await serveHttp(proxy, { port: 80, fetch: app.fetch });
    expect(await (await get("/")).text()).toBe("mine");
    expect(JSON.parse(await open("/chat/ws?user=ann"))).toMatchObject({ type: "welcome", user: "ann" });
    expect((await get("/chat/healthz")).status).toBe(200);
  });

  test("where no transport's environment comes through, the error says so", async () => {
    const app = new Hono();
    let message = "";
    app.onError((error, c) => {
      message = error.message;
      return c.text("no", 500);
    });
    app.mount("/chat", proxyApp(proxy).fetch);
    await app.request("http://x/chat/ws", { headers: { upgrade: "websocket" } });
    expect(message).toContain("serve it by serveHttp or transport.serve");
  });
});

describe("serveHttp", () => {
  test("ends with the proxy, also where it came too late", async () => {
    await serve();
    expect(proxy.listening).toEqual([{ protocol: "http", host: "127.0.0.1", port: 80 }]);
    await proxy.stop();
    expect(await codeOf(get("/healthz"))).toBe("connection_refused");
    await serveHttp(proxy, { port: 81 });
    expect(transport.count().listeners).toBe(0);
  });

  test("before the start gives the proxy its address, and turns users away until then", async () => {
    await serveHttp(proxy, { port: 80 });
    expect((await get("/readyz")).status).toBe(503);
    const ended = new Promise<number | undefined>((resolve, reject) => {
      const handler = { data() {}, drain() {}, close: ({ code }: { code?: number }) => resolve(code) };
      transport.connect("ws://127.0.0.1/ws", () => handler).catch(reject);
    });
    expect(await ended).toBe(1001);
    await proxy.start();
    expect(membership.view.members[0]?.address).toBe("127.0.0.1:80");
  });
});
