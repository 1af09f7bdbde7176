/**
 * The links of one process to all ChatServers in its view.
 *
 * @module
 */
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { ClientTlsOptions, TcpAddress, Transport } from "../lib/transport.ts";
import type { Member, View } from "../membership/view.ts";
import { LinkDialer } from "./dialer.ts";
import type { Frame } from "./frames.ts";
import type { Link, LinkHandler, LinkIdentity } from "./link.ts";

/** What {@linkcode Peers} needs. */
export interface PeersOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly self: () => LinkIdentity;
  readonly cluster: string;
  readonly secret: string | undefined;
  /** Links go over TLS, so. */
  readonly tls: ClientTlsOptions | undefined;
  readonly handler: LinkHandler;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Splits `host:port`, IPv6 in brackets. */
function tcpAddress(address: string): TcpAddress {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

/** Keeps one link to each ChatServer of the view but oneself. */
export class Peers implements LinkHandler {
  readonly #options: PeersOptions;
  readonly #dialers: Map<string, { dialer: LinkDialer; incarnation: string; address: string }> = new Map();
  readonly #open: Map<string, Link> = new Map();

  /** Dials nobody before the first `update`. */
  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** The open link to a ChatServer, by its id. */
  link(id: string): Link | undefined {
    return this.#open.get(id);
  }

  /** The open links. */
  links(): IterableIterator<Link> {
    return this.#open.values();
  }

  /** Dials whoever is new in the view, and lets go of whoever has left it. */
  update(view: View): void {
    const own = this.#options.self().id;
    const wanted = new Map<string, Member>();
    for (const member of view.members) {
      if (member.role === "chat" && member.id !== own) wanted.set(member.id, member);
    }
    for (const [id, { dialer, incarnation, address }] of [...this.#dialers]) {
      const member = wanted.get(id);
      if (member?.incarnation === incarnation && member.address === address) continue;
      this.#dialers.delete(id);
      dialer.close();
    }
    for (const member of wanted.values()) {
      // One that is joining does not answer yet: tries now would only delay the one that counts.
      if (!this.#dialers.has(member.id) && member.state !== "joining") this.#dial(member);
    }
  }

  #dial(member: Member): void {
    const { transport, clock, self, cluster, secret, tls, log, metrics } = this.#options;
    const { id, incarnation, address } = member;
    const dialer = new LinkDialer({
      transport,
      clock,
      address: tcpAddress(address),
      expect: { id, incarnation },
      self,
      cluster,
      secret,
      tls,
      handler: this,
      log,
      metrics,
    });
    this.#dialers.set(id, { dialer, incarnation, address });
    dialer.start();
  }

  /** Closes every link. */
  close(): void {
    const dialers = [...this.#dialers.values()];
    this.#dialers.clear();
    for (const { dialer } of dialers) dialer.close();
  }

  /** A link is up. */
  open(link: Link): void {
    this.#open.set(link.peer.id, link);
    this.#options.handler.open(link);
  }

  /** A frame has come. */
  frame(link: Link, frame: Frame, n: number): void {
    this.#options.handler.frame(link, frame, n);
  }

  /** Frames have been taken. */
  confirmed(link: Link, n: number): void {
    this.#options.handler.confirmed(link, n);
  }

  /** A link takes more again. */
  drain(link: Link): void {
    this.#options.handler.drain(link);
  }

  /** A link is gone for good. */
  reset(link: Link, reason: string): void {
    if (this.#open.get(link.peer.id) === link) this.#open.delete(link.peer.id);
    this.#options.handler.reset(link, reason);
  }
}
