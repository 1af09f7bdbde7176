/**
 * The ProxyServer: holds users' connections, and carries what they do to the ChatServers that own their rooms.
 *
 * @module
 */
import { type Cancel, type Clock, randomId, systemClock } from "../lib/clock.ts";
import type { Listener } from "../lib/emitter.ts";
import { ToychatError } from "../lib/errors.ts";
import { type Logger, noLog } from "../lib/log.ts";
import { limitLog } from "../lib/log_limit.ts";
import { Metrics } from "../lib/metrics.ts";
import { DRAINING, type Readiness, waiting } from "../lib/readiness.ts";
import type {
  Connection,
  ConnectionHandler,
  HandshakeOptions,
  ListenSocket,
  TlsOptions,
  Transport,
} from "../lib/transport.ts";
import type { LinkIdentity } from "../link/link.ts";
import { Peers } from "../link/peers.ts";
import { Router } from "../link/router.ts";
import type { Lease, Membership } from "../membership/membership.ts";
import type { User } from "../protocols/credentials.ts";
import type { ClientProtocol, OpenRefusal } from "../protocols/protocol.ts";
import { Authentication } from "./authentication.ts";
import { Authorization } from "./authorization.ts";
import { type ProxyEvents, ProxyListeners } from "./events.ts";
import { Admission, type TurnAway } from "./admission.ts";
import { gaugeProxy, linkReadiness, Repeats } from "./observed.ts";
import { type ProxyLimits, proxyLimits, type ProxyListening, type ProxyServerOptions } from "./options.ts";
import { HeldUp } from "./held_up.ts";
import { proxyLinkHandler } from "./link_handler.ts";
import { ProxyRooms } from "./proxy_rooms.ts";
import { ProxySockets } from "./proxy_sockets.ts";
import { Session } from "./session.ts";
import { type SessionHost, sessionHost, userOf } from "./session_host.ts";
import { Sessions } from "./sessions.ts";

const SWEEP_MS = 1000;

/**
 * Holds users' connections over any {@linkcode ClientProtocol}. It keeps no room's state: a message goes to the
 * ChatServer that owns its room, and what that one sends back goes to the users here. A ChatServer's death closes no
 * connection.
 *
 * @example
 * ```ts
 * import { ChatServer, LocalMembership, mqtt, ProxyServer } from "toychat";
 * import { systemTransport } from "toychat/system";
 *
 * const membership = new LocalMembership();
 * const transport = await systemTransport();
 * await using chat = new ChatServer({ membership, transport });
 * await using proxy = new ProxyServer({ membership, transport, listen: [{ port: 0, protocol: mqtt() }] });
 * await chat.start();
 * await proxy.start();
 * console.log(`mosquitto_sub -p ${proxy.listening[0]?.port} -t lobby`);
 * ```
 */
export class ProxyServer {
  /** The proxy's id in the cluster. */
  readonly id: string;
  /** What it counts. */
  readonly metrics: Metrics = new Metrics("proxy");
  readonly #options: ProxyServerOptions;
  readonly #membership: Membership;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #limits: ProxyLimits;
  readonly #admission: Admission;
  readonly #listeners: ProxyListeners;
  readonly #sessions: Sessions;
  readonly #peers: Peers;
  readonly #router: Router;
  readonly #rooms: ProxyRooms;
  readonly #authentication: Authentication;
  readonly #authorization: Authorization | undefined;
  readonly #host: SessionHost;
  /** Names this process in session ids, whatever becomes of its lease. */
  readonly #boot: string;
  readonly #sockets: ProxySockets = new ProxySockets();
  readonly #repeats: Repeats;
  #lease: Lease | undefined;
  #cancel: Cancel[] = [];
  #state: "new" | "running" | "stopping" | "stopped" = "new";
  #draining = false;

  /** Makes a proxy; `start` lets it join the cluster and listen. */
  constructor(options: ProxyServerOptions) {
    this.#options = options;
    this.#membership = options.membership;
    this.#transport = options.transport;
    this.#clock = options.clock ?? systemClock;
    this.#log = limitLog(options.log ?? noLog, { clock: this.#clock, metrics: this.metrics });
    this.#limits = proxyLimits(options.limits);
    this.#admission = new Admission(this.#limits, this.metrics, () => this.#sockets.handshakes);
    this.#listeners = new ProxyListeners(this.metrics, this.#log);
    this.#sessions = new Sessions(this.#clock, () => this.#rooms.flush());
    this.id = options.id ?? `p${randomId(this.#clock, 5)}`;
    this.#boot = randomId(this.#clock, 4);
    this.#peers = new Peers({
      transport: this.#transport,
      clock: this.#clock,
      self: () => this.#identity(),
      cluster: options.cluster ?? "toychat",
      secret: options.secret,
      tls: options.linkTls,
      handler: proxyLinkHandler({
        log: this.#log,
        sessions: this.#sessions,
        router: () => this.#router,
        rooms: () => this.#rooms,
        reset: () => this.#repeats.report(),
      }),
      log: this.#log,
      metrics: this.metrics,
    });
    this.#router = new Router({
      clock: this.#clock,
      metrics: this.metrics,
      limits: this.#limits,
      placement: () => this.#membership.placement,
      link: (id) => this.#peers.link(id),
      members: (room) => this.#rooms.announced(room),
      occupied: (room) => this.#rooms.occupied(room),
      attached: (route) => this.#rooms.attached(route),
      lost: (route) => this.#rooms.lost(route),
      refused: (room) => this.#rooms.refused(room),
    });
    this.#rooms = new ProxyRooms({
      clock: this.#clock,
      metrics: this.metrics,
      log: this.#log,
      limits: this.#limits,
      router: this.#router,
      flush: () => this.#sessions.requestFlush(),
      joined: (session, room) => this.#listeners.emit("join", userOf(session), room),
      left: (session, room, reason) => this.#listeners.emit("leave", userOf(session), room, reason),
    });
    const { authenticationMs, authorizationMs, authorizationCacheMs: cacheMs } = this.#limits;
    const asking = { clock: this.#clock, metrics: this.metrics, log: this.#log };
    this.#authentication = new Authentication(options.authenticate, { ...asking, limitMs: authenticationMs });
    this.#authorization = options.authorize &&
      new Authorization(options.authorize, { ...asking, limitMs: authorizationMs, cacheMs });
    this.#host = sessionHost({
      ...asking,
      limits: this.#limits,
      admission: this.#admission,
      authentication: this.#authentication,
      authorization: this.#authorization,
      listeners: this.#listeners,
      sessions: this.#sessions,
      rooms: this.#rooms,
      router: this.#router,
      prefix: `${this.id}.${this.#boot}`,
      running: () => this.#state === "running",
    });
    this.#repeats = new Repeats(this.metrics, this.#log);
    gaugeProxy(this, this.#sessions, this.#rooms, this.#router, this.#peers);
  }

  #identity(): LinkIdentity {
    return { role: "proxy", id: this.id, incarnation: this.#lease?.incarnation ?? this.#boot };
  }

  /** The ports listened on: those of the option `listen` in its order, then those attached. */
  get listening(): readonly ProxyListening[] {
    return this.#sockets.list;
  }

  /** `host:port` in the list of members; port 0 where users come in by a server that the proxy does not know. */
  get address(): string {
    return this.#sockets.address(this.#options.address);
  }

  /** The limits in force. */
  get limits(): ProxyLimits {
    return this.#limits;
  }

  /** What a port with TLS that takes in users should do with handshakes, which are counted here; see {@linkcode ListenOptions.handshake}. */
  get handshake(): HandshakeOptions {
    return this.#admission.handshake;
  }

  /** Users' connections now. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Whether the proxy runs and has a link to at least one ChatServer. */
  get ready(): boolean {
    return this.#state === "running" && !this.#peers.links().next().done;
  }

  /** Whether users should be sent here: the proxy runs, is linked to a ChatServer, and has not been told to drain. */
  get readiness(): Readiness {
    if (this.#draining || this.#state === "stopping" || this.#state === "stopped") return DRAINING;
    return this.#state === "new"
      ? waiting("it has not started")
      : linkReadiness(this.ready, this.#membership.view);
  }

  /**
   * Says by `readiness` that no more users should be sent here; goes on as before, and takes in those who come all the same.
   * Call it some seconds before `stop`, so that load balancers notice.
   */
  drain(): void {
    this.#draining = true;
  }

  /** The source of the list of members, for health pages and the like. */
  get membership(): Membership {
    return this.#membership;
  }

  /** The transport given to the constructor. */
  get transport(): Transport {
    return this.#transport;
  }

  /** Adds a listener; returns a function that removes it. A listener that throws is reported by `error`. */
  on<K extends keyof ProxyEvents>(event: K, listener: Listener<ProxyEvents[K]>): () => void {
    return this.#listeners.emitter.on(event, listener);
  }

  /** Adds a listener for one call. */
  once<K extends keyof ProxyEvents>(event: K, listener: Listener<ProxyEvents[K]>): () => void {
    return this.#listeners.emitter.once(event, listener);
  }

  /** Removes a listener. */
  off<K extends keyof ProxyEvents>(event: K, listener: Listener<ProxyEvents[K]>): void {
    this.#listeners.emitter.off(event, listener);
  }

  /**
   * Listens, joins the cluster and links to its ChatServers.
   *
   * @throws {ToychatError} as {@linkcode Transport.listen} and {@linkcode Membership.join} do; `stopped` where `stop`
   * was called meanwhile.
   */
  async start(): Promise<void> {
    if (this.#state !== "new") return;
    this.#state = "running";
    try {
      for (const listen of this.#options.listen ?? []) {
        const where = { handshake: this.handshake, ...listen };
        await this.#sockets.open(this.#transport, where, (...connection) => this.accept(...connection));
      }
      this.#notStopped();
      this.#router.start();
      this.#lease = await this.#membership.join({ id: this.id, role: "proxy", address: this.address });
      this.#notStopped();
    } catch (error) {
      await this.stop();
      // What was stopped before it had joined has this left to do.
      await this.#lease?.leave();
      throw error;
    }
    const heldUp = new HeldUp(SWEEP_MS, this.#clock.now());
    this.#cancel.push(
      this.#membership.onView(() => this.#viewChanged()),
      this.#lease.onRejoin(() => this.#rejoined()),
      this.#clock.every(SWEEP_MS, () => this.#sweep(heldUp)),
    );
    this.#viewChanged();
  }

  #notStopped(): void {
    if (this.#state === "running") return;
    throw new ToychatError("stopped", `the ProxyServer "${this.id}" was stopped while it was starting`);
  }

  /**
   * Takes charge of a socket that listens for this proxy, such as that of an HTTP server which hands connections to
   * `accept`: it is listed in `listening`, and closed when the proxy stops; at once where it has stopped.
   *
   * @param protocol Name of what is spoken on it, for `listening`: `"http"`.
   * @param tls Whether that is over TLS; default false.
   */
  attach(protocol: string, socket: ListenSocket, tls = false): void {
    this.#sockets.attach(protocol, socket, tls);
  }

  /**
   * Shows another certificate to users who come from now on, on all ports with TLS.
   *
   * @returns `false` where the runtime cannot on some of them (Bun): the proxy must be started anew then.
   * @throws {ToychatError} `bad_certificate`; it goes on with the old one.
   */
  setCertificate(tls: TlsOptions): boolean {
    return this.#sockets.setCertificate(tls);
  }

  /** A new incarnation: owners have ended its memberships, so every link starts anew. */
  #rejoined(): void {
    this.#log("warn", "rejoined", { id: this.id });
    this.metrics.count("toychat_leases_lost_total");
    this.#peers.close();
    this.#viewChanged();
  }

  #viewChanged(): void {
    if (this.#state === "stopped") return;
    const { view } = this.#membership;
    this.#log("info", "view", { digest: view.digest, members: view.members.length });
    this.metrics.count("toychat_view_changes_total");
    this.#peers.update(view);
    this.#router.viewChanged(this.#peers.links());
    this.#repeats.report();
  }

  /**
   * Authenticates a client by the request that opens its WebSocket, where its protocol has all credentials in it: give the
   * user to `accept`, or answer a refusal by HTTP. Never rejects.
   *
   * @returns undefined where the session itself asks, as more of the protocol must be read.
   */
  admit(
    protocol: ClientProtocol,
    request: Request,
    remoteAddress: string,
  ): Promise<User | OpenRefusal> | undefined {
    if (!protocol.credentials) return undefined;
    const given = protocol.credentials(request);
    const check = this.#authentication.check({ ...given, protocol: protocol.name, remoteAddress, request });
    return this.#admission.asking(check);
  }

  /**
   * Takes in a connection made elsewhere: by a server of yours, over a transport of yours.
   *
   * @param request The upgrade request of a WebSocket.
   * @param user Who it is, where `admit` or a server of yours has found that out: nobody is asked again.
   */
  accept(
    connection: Connection,
    protocol: ClientProtocol,
    request?: Request,
    user?: User,
  ): ConnectionHandler {
    const session = new Session(this.#host, connection, protocol, request, user);
    this.#sessions.add(session);
    this.metrics.count("toychat_connections_total", 1, { protocol: protocol.name });
    this.#admission.trim(session);
    if (this.#state !== "running") session.end("shutting_down");
    return session.events;
  }

  /**
   * Why a connection from this address would be turned away now, for who can say so before it is made; undefined where it
   * would be let in. It is counted as a refusal.
   */
  turnsAway(remoteAddress: string): TurnAway | undefined {
    return this.#admission.turnsAway(remoteAddress);
  }

  #sweep(heldUp: HeldUp): void {
    const now = this.#clock.now();
    this.#sessions.sweep(now);
    // What came while this process slept has yet to be read: whether others are late is seen the next time.
    if (heldUp.look(now)) return;
    this.#admission.sweep(now);
    this.#rooms.sweep(now);
  }

  /**
   * Stops taking users in, says farewell to those here, leaves the cluster, and closes all links. Servers that were
   * attached answer until the last user has gone: whoever asks for `readiness` is told to send nobody.
   */
  async stop(): Promise<void> {
    if (this.#state === "stopping" || this.#state === "stopped") return;
    this.#state = "stopping";
    await this.#sockets.closeOwn();
    await this.#sessions.farewell(() => (this.#authorization?.pending ?? 0) + this.#router.pending === 0);
    await this.#sockets.closeAttached();
    this.#state = "stopped";
    for (const cancel of this.#cancel) cancel();
    this.#router.stop();
    await this.#lease?.leave();
    this.#peers.close();
  }

  /** Stops; for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
