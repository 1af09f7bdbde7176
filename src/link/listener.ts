/**
 * The dialled side of links: takes connections and keeps the links that they carry.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import { randomId } from "../lib/clock.ts";
import { type Logger, noLog } from "../lib/log.ts";
import { Metrics } from "../lib/metrics.ts";
import type { Connection, ConnectionHandler, HandshakeOptions, ListenOptions } from "../lib/transport.ts";
import type { HelloFrame } from "./frames.ts";
import { AcceptHandshake, checkCluster, type HandshakeFailure } from "./handshake.ts";
import type { Link, LinkHandler, LinkIdentity } from "./link.ts";
import { LinkEnd, type LinkKeeper } from "./link_end.ts";
import { LINK_OPTIONS, type LinkOptions } from "./options.ts";
import { Wire } from "./wire.ts";

const LINK_ID_LENGTH = 24;

/** Options of a {@linkcode LinkListener}. */
export interface LinkListenerOptions {
  /** Who this process is; asked again for each connection where it is a function. */
  readonly self: LinkIdentity | (() => LinkIdentity);
  /** Whether this life of the process may accept nothing any more, which its hello says then; default never. */
  readonly lapsed?: () => boolean;
  /** Name of the cluster. */
  readonly cluster: string;
  /** The cluster's secret; without one nothing is proven. */
  readonly secret?: string;
  /** What to do with what happens. */
  readonly handler: LinkHandler;
  /** Time and chance. */
  readonly clock: Clock;
  /** Where events go; default nowhere. */
  readonly log?: Logger;
  /** What is counted. */
  readonly metrics?: Metrics;
  /** Limits and times; see {@linkcode LINK_OPTIONS}. */
  readonly options?: Partial<LinkOptions>;
}

/** Takes the connections of dialers, and keeps one link for each peer. */
export class LinkListener implements LinkKeeper {
  readonly handler: LinkHandler;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly options: LinkOptions;
  readonly #options: LinkListenerOptions;
  /** Links by the id of the peer. */
  readonly #links: Map<string, LinkEnd> = new Map();
  readonly #handshakes: Set<AcceptHandshake> = new Set();
  #closed = false;

  /** Makes a listener; give its `accept` to `transport.listen`. Throws `invalid_cluster` or `invalid_secret`. */
  constructor(options: LinkListenerOptions) {
    checkCluster(options.cluster, options.secret);
    this.#options = options;
    this.handler = options.handler;
    this.clock = options.clock;
    this.log = options.log ?? noLog;
    this.metrics = options.metrics ?? new Metrics();
    this.options = { ...LINK_OPTIONS, ...options.options };
  }

  /** Where to listen, with bounds on connections that are in their TLS handshake: this listener does not know of them yet. */
  bounded(listen: ListenOptions): ListenOptions {
    const handshake: HandshakeOptions = {
      most: this.options.maxHandshakes,
      cut: (why) => {
        if (why === "evicted") this.metrics.count("toychat_link_handshakes_evicted_total");
        else this.metrics.count("toychat_link_handshakes_failed_total");
      },
    };
    return { handshake, ...listen };
  }

  /** The links that have not ended. */
  get links(): Link[] {
    return [...this.#links.values()];
  }

  /** Takes a connection. Bound: it can be handed over as it is. */
  readonly accept = (connection: Connection): ConnectionHandler => {
    const wire = new Wire(connection, this.clock);
    if (this.#closed) {
      wire.terminate();
      return wire;
    }
    const { self, lapsed, cluster, secret } = this.#options;
    const handshake = new AcceptHandshake(wire, {
      self: typeof self === "function" ? self() : self,
      lapsed: lapsed?.() ?? false,
      cluster,
      secret,
      clock: this.clock,
      limitMs: this.options.handshakeMs,
      complete: (done, peer, resume) => this.#complete(done, wire, peer, resume),
      failed: (failure) => this.#failed(handshake, wire, failure),
    });
    this.#handshakes.add(handshake);
    if (this.#handshakes.size > this.options.maxHandshakes) this.#evict();
    return wire;
  };

  /** Ends the handshake that has taken longest: a peer that knows its part is done with it in a moment. */
  #evict(): void {
    const [oldest] = this.#handshakes;
    if (!oldest) return;
    this.#handshakes.delete(oldest);
    this.metrics.count("toychat_link_handshakes_evicted_total");
    oldest.abandon("handshake_busy", "too many connections are in their handshake: try again");
  }

  /** Ends every link, saying why to the peers, and takes no more connections. */
  close(code = "closed", message = "the peer has closed the link"): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const handshake of this.#handshakes) handshake.abandon("closed", message);
    this.#handshakes.clear();
    for (const link of this.#links.values()) link.close(code, message);
  }

  /** A link has lost its connection: the dialling side makes the next one. */
  lost(_link: LinkEnd): void {}

  /** A link has ended. */
  ended(link: LinkEnd): void {
    if (this.#links.get(link.peer.id) === link) this.#links.delete(link.peer.id);
  }

  #failed(handshake: AcceptHandshake, wire: Wire, { code, message, refused }: HandshakeFailure): void {
    this.#handshakes.delete(handshake);
    const fields = { address: wire.address, code, message };
    if (refused) {
      this.metrics.count("toychat_links_refused_total");
      this.log("warn", "link_refused", fields);
    } else {
      this.metrics.count("toychat_link_handshakes_failed_total");
      this.log("debug", "link_handshake_failed", fields);
    }
  }

  #complete(done: AcceptHandshake, wire: Wire, peer: LinkIdentity, resume: HelloFrame["resume"]): void {
    this.#handshakes.delete(done);
    const old = this.#links.get(peer.id);
    if (old && resume && this.#continues(old, peer, resume)) {
      this.metrics.count("toychat_links_resumed_total");
      this.log("info", "link_resumed", { link: old.id, peer: peer.id });
      done.welcome(old.id, old.received);
      return old.attach(wire, resume.received);
    }
    old?.dismiss("replaced", "the same peer has opened a new link");
    // The handler may have closed this listener when it heard of that.
    if (this.#closed) return wire.goodbye("closed", "the peer has closed the link");
    const link = new LinkEnd(randomId(this.clock, LINK_ID_LENGTH), peer, this);
    this.#links.set(peer.id, link);
    done.welcome(link.id, 0);
    link.attach(wire, 0);
    link.open();
  }

  #continues(link: LinkEnd, peer: LinkIdentity, resume: NonNullable<HelloFrame["resume"]>): boolean {
    return link.id === resume.link && link.peer.incarnation === peer.incarnation &&
      link.peer.role === peer.role && link.canResume(resume.received);
  }
}
