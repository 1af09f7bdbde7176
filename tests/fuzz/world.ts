/**
 * A cluster in this process and in virtual time, for hostile clients to meet: two ChatServers, two proxies, a bridge with
 * a member, and well-behaved users who talk all the while.
 *
 * @module
 */
import { ChatServer } from "../../src/chat/chat_server.ts";
import { errorMessage } from "../../src/lib/errors.ts";
import { type LogFields, type Logger, type LogLevel, noLog } from "../../src/lib/log.ts";
import type { Connection, ConnectionHandler, FetchHandler, Transport } from "../../src/lib/transport.ts";
import { BridgeMembership } from "../../src/membership/bridge_client.ts";
import { LocalMembership } from "../../src/membership/local.ts";
import { mqtt } from "../../src/protocols/mqtt.ts";
import { websocket } from "../../src/protocols/websocket.ts";
import { ProxyServer } from "../../src/proxy/proxy_server.ts";
import { type MemoryTransport, memoryTransport } from "../../transports/memory.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { DirectConnection, scribbling } from "./connection.ts";
import { AgentBridge } from "../support/agent_bridge.ts";
import { eventProblem } from "./log_check.ts";
import { LoopAgent } from "./loop_agent.ts";
import { mqttWitness, QUIET_ROOM, socketWitness, type Witness } from "./witness.ts";
import { SHARED_ROOM } from "./text.ts";

/** The secret of a world that has one. */
export const SECRET = "the cluster's secret";

/** Small, so that inputs pass them cheaply. What waits for a slow reader is no concern here: nobody is slow. */
const LIMITS = { maxMessageBytes: 16_384, maxHelloBytes: 8192, maxQueuedBytes: 64 << 20, maxRooms: 32 };
/** Milliseconds that a round takes. */
const ROUND_MS = 25;
/** Milliseconds after which nothing remembers a session: a proxy does so for 60 s, a ChatServer an empty room for 30. */
const REST_MS = 95_000;
/** Milliseconds that witnesses may say nothing: less than the keep-alive. */
const QUIET_MS = 20_000;
const BRIDGE_PORT = 7374;

/** Everything, and what went wrong in it. */
export class World {
  readonly clock = new VirtualClock(7);
  readonly secret: string | undefined;
  /** What went wrong since it was last asked. */
  readonly #problems: string[] = [];
  readonly #network: MemoryTransport = memoryTransport({ clock: this.clock, split: true });
  readonly #accepts = new Map<string, (connection: Connection) => ConnectionHandler>();
  readonly #fetches = new Map<string, FetchHandler>();
  readonly #witnesses: Witness[] = [];
  readonly #chats: ChatServer[] = [];
  readonly #proxies: ProxyServer[] = [];
  readonly #word = "witness-6c1f0b:";
  #bridge: AgentBridge | undefined;
  #member: BridgeMembership | undefined;
  #incarnation = "";
  #baseline = "";
  #rounds = 0;

  /** Hears of every event. */
  readonly #hearLog: Logger;

  private constructor(secret: string | undefined, log: Logger) {
    this.secret = secret;
    this.#hearLog = log;
  }

  /** Makes a world, ready; `log` hears of every event. */
  static async make(secret?: string, log: Logger = noLog): Promise<World> {
    const world = new World(secret, log);
    await world.#start();
    return world;
  }

  /** Takes what roles log, and looks at it. */
  readonly log = (level: LogLevel, event: string, fields: LogFields = {}): void => {
    this.#hearLog(level, event, fields);
    const problem = eventProblem(level, event, fields);
    if (problem !== undefined) this.#problems.push(problem);
    // What a client sends is no fault of ours, so nothing that it does may be logged as one.
    if (level === "error") {
      this.#problems.push(`logged as an error: ${event} ${JSON.stringify(fields).slice(0, 600)}`);
    }
  };

  /** The network of one role: chunks are written over once they were read, and hostile clients know the way in. */
  #transport(host: string): Transport {
    const network = this.#network.at(host);
    const wrapped = (accept: (connection: Connection) => ConnectionHandler) => (connection: Connection) =>
      scribbling(accept(connection));
    return {
      name: network.name,
      createContext: () => network.createContext(),
      connect: (address, handler, options) => network.connect(address, wrapped(handler), options),
      listen: (options, accept) => {
        this.#accepts.set(host, accept);
        return network.listen({ ...options, host }, wrapped(accept));
      },
      serve: (options) => {
        this.#fetches.set(host, options.fetch);
        const fetch: FetchHandler = (request, env) =>
          options.fetch(request, {
            remoteAddress: env.remoteAddress,
            upgrade: (accept, choices) => env.upgrade(wrapped(accept), choices),
          });
        return network.serve({ ...options, host, fetch });
      },
    };
  }

  async #start(): Promise<void> {
    const { clock, secret } = this;
    const membership = new LocalMembership({ clock });
    const common = { clock, log: this.log, ...(secret === undefined ? {} : { secret }) };
    for (const id of ["c1", "c2"]) {
      this.#chats.push(
        new ChatServer({
          id,
          membership,
          transport: this.#transport(id),
          ...common,
          listen: { port: 1, host: "127.0.0.1" },
          address: `${id}:1`,
        }),
      );
    }
    for (const id of ["p1", "p2"]) {
      this.#proxies.push(
        new ProxyServer({ id, membership, transport: this.#transport(id), limits: LIMITS, ...common }),
      );
    }
    for (const role of [...this.#chats, ...this.#proxies]) await this.finish(role.start());
    await this.#startBridge(common);
    await this.clock.run(500);
    this.#witnesses.push(
      mqttWitness("ann", this.proxy, clock, this.#word),
      socketWitness("bob", this.#proxies[1] as ProxyServer, clock, this.#word),
    );
    this.#witnesses.push(socketWitness("cid", this.proxy, clock, this.#word));
    await this.clock.run(2000);
    for (const witness of this.#witnesses) {
      const { trouble } = witness.listen();
      if (trouble !== undefined) throw new Error(`the witness ${witness.name} did not get in: ${trouble}`);
    }
    this.#baseline = this.#figures();
  }

  async #startBridge(common: object): Promise<void> {
    const transport = this.#transport("bridge");
    const listen = { port: BRIDGE_PORT, host: "127.0.0.1" };
    const agent = new LoopAgent(this.clock);
    this.#bridge = new AgentBridge({ transport, listen, agent, clock: this.clock, ...common });
    await this.finish(this.#bridge.start());
    this.#member = new BridgeMembership({ transport, url: `ws://bridge:${BRIDGE_PORT}/rpc`, ...common });
    const lease = await this.finish(this.#member.join({ id: "good", role: "proxy", address: "127.0.0.1:1" }));
    this.#incarnation = lease.incarnation;
  }

  /** Lets time pass until a promise has settled. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    promise.finally(() => settled = true).catch(() => {});
    if (!await this.clock.until(() => settled, 60_000)) throw new Error("not settled within a minute");
    return await promise;
  }

  /** The proxy on which hostile clients meet two of the witnesses. */
  get proxy(): ProxyServer {
    return this.#proxies[0] as ProxyServer;
  }

  /** The session of the witness whose session is told. */
  get session(): string {
    return this.#witnesses.find(({ session }) => session !== undefined)?.session ?? "";
  }

  /** Opens a connection to the proxy: MQTT over TCP or WebSocket, or JSON. */
  client(way: "tcp" | "ws" | "json", user = ""): DirectConnection {
    const connection = new DirectConnection(this.clock, way === "tcp" ? "bytes" : "messages");
    const request = way === "tcp"
      ? undefined
      : new Request(`http://proxy/x${user && "?user="}${encodeURIComponent(user)}`);
    const protocol = way === "json" ? websocket() : mqtt();
    return connection.attach((c) => this.proxy.accept(c, protocol, request));
  }

  /** Opens a connection to where a ChatServer takes links. */
  link(): DirectConnection {
    const accept = this.#accepts.get("c1");
    if (!accept) throw new Error("no ChatServer listens");
    return new DirectConnection(this.clock, "bytes").attach(accept);
  }

  /** Asks the bridge over HTTP; where it upgrades, the connection is given too. */
  async ask(request: Request): Promise<{ response: Response; connection: DirectConnection | undefined }> {
    const fetch = this.#fetches.get("bridge");
    if (!fetch) throw new Error("no bridge serves");
    let connection: DirectConnection | undefined;
    const response = await fetch(request, {
      remoteAddress: "203.0.113.7",
      upgrade: (accept) => {
        connection = new DirectConnection(this.clock, "messages").attach(accept);
        return new Response(null, { status: 200 });
      },
    });
    return { response, connection };
  }

  /** Notes that something went wrong. */
  complain(problem: string): void {
    this.#problems.push(problem);
  }

  /** One round of the witnesses' talk, while what was fed is worked on. */
  async round(): Promise<void> {
    const text = `${this.#word}${++this.#rounds}`;
    for (const witness of this.#witnesses) witness.say(`${text}:${witness.name}`);
    await this.#pass(ROUND_MS);
    this.#hear(text);
  }

  /** Time passes; what is thrown meanwhile is what would have ended a process. */
  async #pass(ms: number): Promise<void> {
    try {
      await this.clock.run(ms);
    } catch (error) {
      this.complain(`uncaught: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }

  #hear(text: string): void {
    const said = this.#witnesses.map(({ name }) => `${text}:${name}`).sort().join();
    for (const witness of this.#witnesses) {
      if (witness.connection.over) {
        this.complain(
          `the witness ${witness.name} was cut off: ${JSON.stringify(witness.connection.ending)}`,
        );
      }
      const { heard, acknowledged, trouble } = witness.listen();
      if (trouble !== undefined) this.complain(`the witness ${witness.name} was told ${trouble}`);
      if (acknowledged !== 2) {
        this.complain(`the witness ${witness.name} got ${acknowledged} of 2 acknowledgements`);
      }
      for (const room of [SHARED_ROOM, QUIET_ROOM]) {
        const got = [...heard.get(room) ?? []].sort().join();
        if (got !== said) {
          this.complain(`the witness ${witness.name} heard [${got}] in ${room} and not [${said}]`);
        }
      }
      if (witness.connection.changedAfterSending()) {
        this.complain("bytes were changed after they had been sent");
      }
    }
  }

  /** Time enough for everything to be forgotten, and then a look whether it is. */
  async rest(): Promise<void> {
    for (let passed = 0; passed < REST_MS; passed += QUIET_MS) {
      await this.#pass(QUIET_MS);
      await this.round();
    }
    const figures = this.#figures();
    if (figures !== this.#baseline) {
      this.complain(`something is left over: ${figures}; at the start: ${this.#baseline}`);
    }
  }

  #figures(): string {
    const roles = [...this.#chats, ...this.#proxies];
    const gauges = roles.map(({ id, metrics }) =>
      [
        id,
        ...metrics.list().filter(([name, kind]) =>
          kind === "gauge" && /sessions|rooms|users|pending/.test(name)
        ).map(([name, , value]) => `${name}=${value}`),
      ].join(" ")
    );
    return JSON.stringify([...gauges, this.#network.count(), this.#bridgeFigures()]);
  }

  #bridgeFigures(): object {
    const mine = this.#bridge?.view.members.find(({ id }) => id === "good");
    const waiting = this.#bridge?.metrics.list().find(([name]) => name === "toychat_bridge_waiting_requests")
      ?.[2];
    const members = this.#bridge?.view.members.length;
    return { kept: mine?.incarnation === this.#incarnation, members, waiting };
  }

  /** What went wrong since this was last asked. */
  problems(): string[] {
    if (
      this.#bridge && this.#bridge.view.members.every(({ incarnation }) => incarnation !== this.#incarnation)
    ) {
      this.complain("the well-behaved member was withdrawn from the bridge");
    }
    return this.#problems.splice(0);
  }

  /** Hears of what nobody caught in this process. */
  uncaught(error: unknown): void {
    this.complain(`uncaught: ${error instanceof Error ? error.stack : errorMessage(error)}`);
  }
}
