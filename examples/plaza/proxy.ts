/**
 * A proxy process of the plaza: a ProxyServer with MQTT on a port of its own, and the plaza's site beside `/ws` and `/mqtt`
 * on another.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import {
  BridgeMembership,
  type ListenSocket,
  mqtt,
  proxyApp,
  ProxyServer,
  serveHttp,
  ToychatError,
} from "../../mod.ts";
import { systemTransport } from "../../transports/system.ts";
import { AREAS } from "./areas.ts";
import { followParent, tellParent } from "./parent.ts";
import { Site } from "./site.ts";
import type { FeedMessage, PlazaState } from "./state.ts";

const FEED_MS = 25;

interface Settings {
  readonly id: string;
  readonly bridge: string;
  readonly mqtt: number;
  readonly http: number;
}

function readSettings(): Settings {
  const options = {
    id: { type: "string" },
    bridge: { type: "string" },
    mqtt: { type: "string" },
    http: { type: "string" },
  } as const;
  const { id = "proxy", bridge = "ws://127.0.0.1:7374/rpc", mqtt = "0", http = "0" } =
    parseArgs({ options }).values;
  return { id, bridge, mqtt: Number(mqtt), http: Number(http) };
}

/** Tries a port, and any free one where that is taken. */
async function anyPort<T>(port: number, use: (port: number) => Promise<T>): Promise<T> {
  try {
    return await use(port);
  } catch (error) {
    if (!(error instanceof ToychatError) || !["address_in_use", "permission_denied"].includes(error.code)) {
      throw error;
    }
    return await use(0);
  }
}

class PlazaProxy {
  readonly #settings: Settings;
  readonly #membership: BridgeMembership;
  #proxy: ProxyServer | undefined;
  #http: ListenSocket | undefined;
  #site: Site | undefined;
  #state: PlazaState = { areas: AREAS, processes: [], events: [] };
  #telling = false;

  constructor(settings: Settings, membership: BridgeMembership) {
    this.#settings = settings;
    this.#membership = membership;
  }

  async start(): Promise<void> {
    const transport = await systemTransport();
    const { id, mqtt: port } = this.#settings;
    const listen = (port: number) => [{ port, protocol: mqtt() }];
    const proxy = await anyPort(port, async (port) => {
      const proxy = new ProxyServer({ membership: this.#membership, transport, id, listen: listen(port) });
      await proxy.start();
      return proxy;
    });
    this.#proxy = proxy;
    const site = new Site({
      proxy: proxyApp(proxy, { page: false }),
      kill: (id) => tellParent({ kill: id }),
      feed: () => JSON.stringify(this.#feed()),
      ports: () => this.#ports(),
    });
    this.#site = site;
    this.#http = await anyPort(this.#settings.http, (port) => serveHttp(proxy, { port, fetch: site.fetch }));
    proxy.on("connect", () => this.#changed());
    proxy.on("disconnect", () => this.#changed());
    this.#membership.onView(({ members }) => {
      tellParent({ event: "view", members: members.map((member) => member.id) });
      this.#changed();
    });
  }

  get ready(): object {
    const mqtt = this.#proxy?.listening.find(({ protocol }) => protocol === "mqtt")?.port;
    return { role: "proxy", id: this.#settings.id, mqtt, http: this.#http?.port };
  }

  heard(state: PlazaState): void {
    this.#state = state;
    this.#changed();
  }

  #ports(): number[] {
    const own = this.#http?.port ?? 0;
    const others = this.#state.processes.filter(({ role, state }) => role === "proxy" && state === "alive");
    return [own, ...others.flatMap(({ http }) => http !== undefined && http !== own ? [http] : [])];
  }

  #feed(): FeedMessage {
    const { placement } = this.#membership;
    const owners = Object.fromEntries(AREAS.map(({ id, room }) => [id, placement.owner(room)?.id]));
    return { ...this.#state, proxy: this.#settings.id, owners, sessions: this.#proxy?.sessions ?? 0 };
  }

  /** However much changes at once, pages are told once. */
  #changed(): void {
    if (this.#telling) return;
    this.#telling = true;
    setTimeout(() => {
      this.#telling = false;
      this.#site?.changed();
    }, FEED_MS);
  }

  async stop(): Promise<void> {
    await this.#http?.close();
    await this.#proxy?.stop();
    await this.#membership.close();
  }
}

const settings = readSettings();
const transport = await systemTransport();
const proxy = new PlazaProxy(settings, new BridgeMembership({ transport, url: settings.bridge }));
followParent((message) => proxy.heard(message as PlazaState));
let stopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    proxy.stop().then(() => process.exit(0), () => process.exit(1));
  });
}
await proxy.start();
console.log(`ready ${JSON.stringify(proxy.ready)}`);
