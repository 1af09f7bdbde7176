/**
 * The plaza's processes: starts them, kills one when a visitor says so, brings back what has ended, and keeps the book of
 * what happened.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { AREAS } from "./areas.ts";
import { Chronicle } from "./chronicle.ts";
import { Child } from "./child.ts";
import type { Runtime } from "./runtimes.ts";
import type { PlazaRole, PlazaState, ProcessInfo, ProcessState } from "./state.ts";

/** One place in the cluster, and the process that fills it now. */
interface Place {
  readonly id: string;
  readonly role: PlazaRole;
  readonly runtime: Runtime;
  child: Child | undefined;
  state: ProcessState;
  /** The ports of its ready line. */
  ports: { mqtt?: number; http?: number; listen?: string };
  readonly rooms: Set<string>;
}

const BACK_MS = 4000;
const STOP_MS = 4000;
const SHOWN_ROOMS = 6;
const BRIDGE_PORT = 7374;
const MQTT_PORT = 1883;
const HTTP_PORT = 8080;

const programs = {
  role: fileURLToPath(new URL("role.ts", import.meta.url)),
  proxy: fileURLToPath(new URL("proxy.ts", import.meta.url)),
  app: fileURLToPath(new URL("app.ts", import.meta.url)),
};

/** A bridge, two proxies and three ChatServers, on the runtimes in turn. */
export class Cluster {
  readonly #places: readonly Place[];
  readonly #chronicle: Chronicle = new Chronicle();
  readonly #verbose: boolean;
  #stopping = false;

  /** Nothing runs before `start`. With `verbose`, the processes' logs are shown. */
  constructor(runtimes: readonly Runtime[], verbose: boolean) {
    this.#verbose = verbose;
    const place = (role: PlazaRole, id: string, turn: number): Place => {
      const runtime = runtimes[turn % runtimes.length];
      if (!runtime) throw new Error("a cluster needs a runtime");
      return { id, role, runtime, child: undefined, state: "starting", ports: {}, rooms: new Set() };
    };
    this.#places = [
      place("bridge", "bridge", 0),
      ...[1, 2].map((n) => place("proxy", `proxy-${n}`, n - 1)),
      ...[1, 2, 3].map((n) => place("chat", `chat-${n}`, n - 1)),
    ];
  }

  /** Starts all; resolves when every one is ready. */
  async start(): Promise<void> {
    const bridge = this.#byRole("bridge")[0] as Place;
    bridge.ports = { listen: `127.0.0.1:${BRIDGE_PORT}` };
    await this.#run(bridge).catch(() => {
      bridge.ports = { listen: "127.0.0.1:0" };
      return this.#run(bridge);
    });
    this.#byRole("proxy").forEach((place, n) => place.ports = { mqtt: MQTT_PORT + n, http: HTTP_PORT + n });
    const rest = this.#places.filter((place) => place !== bridge);
    await Promise.all(rest.map((place) => this.#run(place)));
  }

  /** The processes now. */
  get processes(): ProcessInfo[] {
    return this.#places.map((place) => {
      const { id, role, runtime: { name, version }, child, state, ports } = place;
      const others = [...place.rooms].filter((room) => !AREAS.some((area) => area.room === room));
      const rooms = others.slice(0, SHOWN_ROOMS);
      const pid = state === "killed" ? undefined : child?.pid;
      return {
        id,
        role,
        runtime: name,
        version,
        pid,
        state,
        rooms,
        more: others.length - rooms.length,
        ...ports,
      };
    });
  }

  /** Starts the process of a place, and sees to it that the place is filled again when it ends. */
  async #run(place: Place): Promise<void> {
    const started = performance.now();
    const child = new Child({
      runtime: place.runtime,
      verbose: this.#verbose,
      ...this.#program(place),
      heard: (message) => this.#heard(place, message),
    });
    place.child = child;
    place.state = "starting";
    this.#tell();
    place.ports = { ...place.ports, ...pickPorts(await child.ready) };
    place.state = "alive";
    this.#chronicle.add({
      kind: "ready",
      id: place.id,
      pid: child.pid ?? 0,
      ms: Math.round(performance.now() - started),
    });
    this.#tell();
    void child.gone.then(() => this.#gone(place, child));
  }

  #program(place: Place): { program: string; args: string[] } {
    const { id, role, ports } = place;
    if (role === "bridge") {
      return { program: programs.role, args: ["bridge", "--listen", ports.listen ?? "127.0.0.1:0"] };
    }
    const common = ["--id", id, "--bridge", this.bridgeUrl];
    if (role === "chat") return { program: programs.role, args: ["chat", programs.app, ...common] };
    return {
      program: programs.proxy,
      args: [...common, "--mqtt", `${ports.mqtt ?? 0}`, "--http", `${ports.http ?? 0}`],
    };
  }

  /** Where the bridge is. */
  get bridgeUrl(): string {
    return `ws://${this.#byRole("bridge")[0]?.ports.listen}/rpc`;
  }

  #gone(place: Place, child: Child): void {
    if (this.#stopping || place.child !== child) return;
    if (place.state !== "killed") {
      this.#chronicle.add({ kind: "died", id: place.id, pid: child.pid ?? 0 });
      console.error(`${place.id} has ended by itself; it is started again.\n${child.log}`);
    }
    place.state = "killed";
    place.rooms.clear();
    this.#tell();
    setTimeout(() => this.#back(place), BACK_MS);
  }

  #back(place: Place): void {
    if (this.#stopping) return;
    this.#run(place).catch(() => {
      // It ended before it was ready: tried again, as any other that ends.
      if (place.child) this.#gone(place, place.child);
    });
  }

  #heard(place: Place, message: unknown): void {
    const { event, room, reason, kill, members } = message as Record<string, unknown>;
    if (typeof kill === "string") return this.kill(kill);
    if (event === "view" && Array.isArray(members)) this.#chronicle.seen(members);
    else if (event === "open" && typeof room === "string") {
      place.rooms.add(room);
      const area = AREAS.find((area) => area.room === room);
      if (area) this.#chronicle.opened(area.id, place.id, String(reason));
    } else if (event === "close" && typeof room === "string") place.rooms.delete(room);
    else return;
    this.#tell();
  }

  /** Kills a ChatServer as a crash would; the last one that lives is spared. */
  kill(id: string): void {
    const alive = this.#byRole("chat").filter(({ state }) => state === "alive");
    const place = alive.find((place) => place.id === id);
    if (!place?.child || alive.length < 2) return;
    place.state = "killed";
    const areas = AREAS.filter(({ room }) => place.rooms.has(room)).map((area) => area.id);
    place.rooms.clear();
    this.#chronicle.killed(id, place.child.pid ?? 0, areas);
    place.child.signal("SIGKILL");
    this.#tell();
  }

  #byRole(role: PlazaRole): Place[] {
    return this.#places.filter((place) => place.role === role);
  }

  /** Proxies hand it on to their pages. */
  #tell(): void {
    const state: PlazaState = { areas: AREAS, processes: this.processes, events: this.#chronicle.events };
    for (const { child } of this.#byRole("proxy")) child?.tell(state);
  }

  /** Ends all processes, the bridge last: kindly, and by force what has not ended after 4 s. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const force = setTimeout(() => this.kill9(), STOP_MS);
    await this.#end(this.#places.filter(({ role }) => role !== "bridge"));
    await this.#end(this.#byRole("bridge"));
    clearTimeout(force);
  }

  async #end(places: readonly Place[]): Promise<void> {
    const children = places.flatMap(({ child }) => child ? [child] : []);
    for (const child of children) child.signal("SIGTERM");
    await Promise.all(children.map((child) => child.gone));
  }

  /** Ends all processes at once. */
  kill9(): void {
    this.#stopping = true;
    for (const { child } of this.#places) child?.signal("SIGKILL");
  }
}

function pickPorts({ mqtt, http, listen }: Record<string, unknown>): Place["ports"] {
  return {
    ...(typeof mqtt === "number" ? { mqtt } : {}),
    ...(typeof http === "number" ? { http } : {}),
    ...(typeof listen === "string" ? { listen } : {}),
  };
}
