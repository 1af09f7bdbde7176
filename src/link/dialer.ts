/**
 * The dialling side of links: keeps one link to one ChatServer.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import { errorMessage, ToychatError } from "../lib/errors.ts";
import { type Logger, noLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type {
  Address,
  ClientTlsOptions,
  Connection,
  ConnectionHandler,
  Transport,
} from "../lib/transport.ts";
import type { HelloFrame, WelcomeFrame } from "./frames.ts";
import { checkCluster, DialHandshake, type HandshakeFailure } from "./handshake.ts";
import type { Link, LinkHandler, LinkIdentity } from "./link.ts";
import { LinkEnd, type LinkKeeper } from "./link_end.ts";
import { LINK_OPTIONS, type LinkOptions } from "./options.ts";
import { Wire } from "./wire.ts";

/** Options of a {@linkcode LinkDialer}. */
export interface LinkDialerOptions {
  /** Makes the connections. */
  readonly transport: Transport;
  /** Time and chance. */
  readonly clock: Clock;
  /** Where the ChatServer takes links. */
  readonly address: Address;
  /** Who must answer there; without an incarnation any life of it will do. */
  readonly expect: { readonly id: string; readonly incarnation?: string };
  /** Who this process is; asked again for each connection where it is a function. */
  readonly self: LinkIdentity | (() => LinkIdentity);
  /** Name of the cluster. */
  readonly cluster: string;
  /** The cluster's secret; without one nothing is proven. */
  readonly secret?: string;
  /** Connects over TLS, so. */
  readonly tls?: ClientTlsOptions | undefined;
  /** What to do with what happens. */
  readonly handler: LinkHandler;
  /** Where events go; default nowhere. */
  readonly log?: Logger;
  /** What is counted. */
  readonly metrics?: Metrics;
  /** Limits and times; see {@linkcode LINK_OPTIONS}. */
  readonly options?: Partial<LinkOptions>;
}

/** Keeps one link to one ChatServer, over as many connections as it takes, and a new link where one has ended. */
export class LinkDialer implements LinkKeeper {
  readonly handler: LinkHandler;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly options: LinkOptions;
  readonly #options: LinkDialerOptions;
  #link: LinkEnd | undefined;
  #attempt: Attempt | undefined;
  #retry: Cancel | undefined;
  #delay: number;
  /** When the link got its present connection. */
  #attachedAt = 0;
  #started = false;
  #closed = false;

  /** Makes a dialer; `start` sets it going. Throws `invalid_cluster` or `invalid_secret`. */
  constructor(options: LinkDialerOptions) {
    checkCluster(options.cluster, options.secret);
    this.#options = options;
    this.handler = options.handler;
    this.clock = options.clock;
    this.log = options.log ?? noLog;
    this.metrics = options.metrics ?? new Metrics();
    this.options = { ...LINK_OPTIONS, ...options.options };
    this.#delay = this.options.backoffMs;
  }

  /** The link, while there is one. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Dials, and goes on until `close`. */
  start(): void {
    if (this.#started || this.#closed) return;
    this.#started = true;
    this.#dial();
  }

  /** Ends the link, saying why to the peer, and dials no more. */
  close(code = "closed", message = "the peer has closed the link"): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry?.();
    this.#attempt?.abandon();
    this.#attempt = undefined;
    this.#link?.close(code, message);
  }

  /** The link has lost its connection. */
  lost(_link: LinkEnd): void {
    this.#again(this.options.maxBackoffMs);
  }

  /** The link has ended. */
  ended(link: LinkEnd): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#again(this.options.maxBackoffMs);
  }

  #dial(): void {
    this.#retry = undefined;
    if (this.#closed) return;
    const { self } = this.#options;
    this.#attempt = new Attempt(this.#options, this.options, {
      self: typeof self === "function" ? self() : self,
      resume: (peer) => this.#resume(peer),
      complete: (attempt, peer, welcome, asked) => this.#complete(attempt, peer, welcome, asked),
      failed: (attempt, failure) => this.#failed(attempt, failure),
    });
  }

  /** Dials again after the next delay, unless that is under way. */
  #again(max: number): void {
    if (this.#closed || this.#retry || this.#attempt) return;
    const { backoffMs, maxBackoffMs } = this.options;
    // A connection that stood for a while says that all is well there; one that did not must not be tried in a rush.
    if (this.#attachedAt > 0 && this.clock.now() - this.#attachedAt >= maxBackoffMs) this.#delay = backoffMs;
    this.#attachedAt = 0;
    const delay = Math.min(this.#delay, max);
    this.#delay = Math.min(this.#delay * 2, Math.max(max, maxBackoffMs));
    this.#retry = this.clock.after(delay * (0.5 + this.clock.random() / 2), () => this.#dial());
  }

  #failed(attempt: Attempt, failure: HandshakeFailure): void {
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    const { code, message, refused } = failure;
    const peer = this.#options.expect.id;
    if (refused) {
      this.metrics.count("toychat_links_refused_total");
      this.log("warn", "link_refused", { peer, code, message });
    } else {
      this.metrics.count("toychat_link_dials_failed_total");
      this.log("debug", "link_dial_failed", { peer, code, message });
    }
    this.#again(refused ? this.options.maxRefusedMs : this.options.maxBackoffMs);
  }

  #resume(peer: LinkIdentity): HelloFrame["resume"] {
    const link = this.#link;
    if (!link || link.ended || link.peer.incarnation !== peer.incarnation) return undefined;
    return { link: link.id, received: link.received };
  }

  #complete(attempt: Attempt, peer: LinkIdentity, welcome: WelcomeFrame, asked: string | undefined): void {
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    const { wire } = attempt;
    if (!wire) return;
    this.#attachedAt = this.clock.now();
    if (welcome.link === asked) return this.#resumed(wire, welcome);
    const old = this.#link;
    this.#link = undefined;
    old?.end("replaced");
    // The handler may have closed this dialer when it heard of that.
    if (this.#closed) return wire.goodbye("closed", "the peer has closed the link");
    const link = new LinkEnd(welcome.link, peer, this);
    this.#link = link;
    link.attach(wire, 0);
    link.open();
  }

  #resumed(wire: Wire, welcome: WelcomeFrame): void {
    const link = this.#link;
    if (link?.id === welcome.link && link.canResume(welcome.received)) {
      this.metrics.count("toychat_links_resumed_total");
      this.log("info", "link_resumed", { link: link.id, peer: link.peer.id });
      return link.attach(wire, welcome.received);
    }
    wire.goodbye("too_late", "the link ended while it was being resumed");
    link?.end("too_late");
    this.#retry?.();
    this.#dial();
  }
}

interface AttemptHost {
  readonly self: LinkIdentity;
  resume(peer: LinkIdentity): HelloFrame["resume"];
  complete(attempt: Attempt, peer: LinkIdentity, welcome: WelcomeFrame, asked: string | undefined): void;
  failed(attempt: Attempt, failure: HandshakeFailure): void;
}

/** One try to connect and to shake hands. */
class Attempt {
  wire: Wire | undefined;
  readonly #dialer: LinkDialerOptions;
  readonly #host: AttemptHost;
  readonly #abort = new AbortController();
  readonly #timer: Cancel;
  #handshake: DialHandshake | undefined;
  #over = false;

  constructor(dialer: LinkDialerOptions, options: LinkOptions, host: AttemptHost) {
    this.#dialer = dialer;
    this.#host = host;
    this.#timer = dialer.clock.after(options.handshakeMs, () => this.#timeout(options.handshakeMs));
    const { tls, transport, address } = dialer;
    const connecting = transport.connect(address, (connection) => this.#connected(connection), {
      signal: this.#abort.signal,
      ...(tls ? { tls } : {}),
    });
    connecting.catch((error) => {
      const refused = error instanceof ToychatError && error.code === "certificate_refused";
      const code = refused ? error.code : "connect_failed";
      this.#fail({ code, message: errorMessage(error), refused });
    });
  }

  /** Gives up without a word to the dialer. */
  abandon(): void {
    this.#finish();
    this.#abort.abort();
    this.#handshake?.abandon("closed", "the peer has closed the link");
  }

  #connected(connection: Connection): ConnectionHandler {
    const wire = new Wire(connection, this.#dialer.clock);
    if (this.#over) {
      wire.terminate();
      return wire;
    }
    this.wire = wire;
    const { cluster, secret, clock, expect } = this.#dialer;
    this.#handshake = new DialHandshake(wire, {
      self: this.#host.self,
      cluster,
      secret,
      clock,
      expect,
      limitMs: undefined,
      resume: (peer) => this.#host.resume(peer),
      complete: (peer, welcome, asked) => {
        this.#finish();
        this.#host.complete(this, peer, welcome, asked);
      },
      failed: (failure) => this.#fail(failure),
    });
    return wire;
  }

  #timeout(limitMs: number): void {
    if (this.#handshake) this.#handshake.timeout(limitMs);
    else this.#abort.abort();
    const message = `no connection after ${limitMs} ms`;
    this.#fail({ code: "connect_timeout", message, refused: false });
  }

  #fail(failure: HandshakeFailure): void {
    if (this.#over) return;
    this.#finish();
    this.#host.failed(this, failure);
  }

  #finish(): void {
    this.#over = true;
    this.#timer();
  }
}
