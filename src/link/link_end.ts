/**
 * One end of a link: numbers what it sends, keeps it until it is confirmed, and goes on over a new connection where the
 * last one stopped.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { CloseReason } from "../lib/transport.ts";
import type { Incoming } from "./decode.ts";
import type { Frame } from "./frames.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type EncodedFrame, encodeFrame, type Link, type LinkEndCode, type LinkHandler } from "./link.ts";
import type { LinkIdentity } from "./link.ts";
import type { LinkOptions } from "./options.ts";
import { Unconfirmed } from "./unconfirmed.ts";
import type { Wire, WireReceiver } from "./wire.ts";

/** What a link's end needs of the dialer or the listener that keeps it. */
export interface LinkKeeper {
  readonly handler: LinkHandler;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly options: LinkOptions;
  /** The link has lost its connection; it waits for another. */
  lost(link: LinkEnd): void;
  /** The link has ended for good, and its handler knows. */
  ended(link: LinkEnd): void;
}

const PING = '{"type":"ping"}\n';
/** What a peer that is there gets of the time to confirm, at the least, to come back: one sixth. */
const REDIAL_PART = 6;

/** The implementation of {@linkcode Link}. */
export class LinkEnd implements Link, WireReceiver {
  /** The link's id, the same on both sides. */
  readonly id: string;
  readonly peer: LinkIdentity;
  readonly #keeper: LinkKeeper;
  readonly #options: LinkOptions;
  readonly #clock: Clock;
  readonly #unconfirmed = new Unconfirmed();
  #wire: Wire | undefined;
  /** Number of the last frame written to the present connection. */
  #written = 0;
  /** Number of the last frame received. */
  #received = 0;
  /** The same, as far as the metrics know. */
  #counted = 0;
  /** It is to be confirmed. */
  #owing = false;
  /** Number of the last frame seen on the present connection; undefined before the first one. */
  #seen: number | undefined;
  #scheduled = false;
  /** The connection asked to wait for `drain`. */
  #blocked = false;
  #full = false;
  #ended = false;
  #reported = false;
  #reason = "";
  readonly #heartbeat: Heartbeat;
  #stopResume: Cancel | undefined;

  /** A link that has no connection yet: `attach` gives it one, `open` tells the handler. */
  constructor(id: string, peer: LinkIdentity, keeper: LinkKeeper) {
    this.id = id;
    this.peer = peer;
    this.#keeper = keeper;
    this.#options = keeper.options;
    this.#clock = keeper.clock;
    this.#heartbeat = new Heartbeat(keeper.clock, keeper.options, {
      tick: (now, late) => this.#tick(now, late),
      silent: () => this.#silent(),
      ping: () => this.#ping(),
    });
  }

  /** See {@linkcode Link.outstanding}. */
  get outstanding(): number {
    return this.#unconfirmed.size;
  }

  /** See {@linkcode Link.full}. */
  get full(): boolean {
    return this.#full;
  }

  /** See {@linkcode Link.connected}. */
  get connected(): boolean {
    return this.#wire !== undefined;
  }

  /** See {@linkcode Link.ended}. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Number of the last frame that was received. */
  get received(): number {
    return this.#received;
  }

  /** See {@linkcode Link.send}. */
  send(frame: Frame): number {
    return this.#ended ? 0 : this.sendEncoded(encodeFrame(frame));
  }

  /** See {@linkcode Link.sendEncoded}. */
  sendEncoded(frame: EncodedFrame): number {
    if (this.#ended) return 0;
    const n = this.#unconfirmed.add(frame);
    const { size } = this.#unconfirmed;
    if (size > this.#options.highMark) this.#full = true;
    if (size > this.#options.maxOutstanding) {
      this.#fail(
        "overflow",
        `${size} bytes are outstanding, more than ${this.#options.maxOutstanding}`,
        true,
      );
    } else this.#schedule();
    return n;
  }

  /** See {@linkcode Link.close}. */
  close(code: string, message: string): void {
    if (this.#ended) return;
    this.#blocked = false;
    this.#flush();
    this.#fail(code, message, true);
  }

  /** Whether a peer that received the frames up to `n` can go on from there. */
  canResume(n: number): boolean {
    return !this.#ended && n >= this.#unconfirmed.confirmed && n <= this.#unconfirmed.last;
  }

  /**
   * Goes on over a new connection, after a handshake.
   *
   * @param received Number of the last frame that the peer has received.
   */
  attach(wire: Wire, received: number): void {
    this.#stopResume?.();
    this.#wire?.terminate();
    this.#wire = wire;
    this.#blocked = false;
    this.#written = received;
    // That a peer has received frames does not confirm them: what it answered may have been lost. So each side confirms
    // after it has sent again what the other one lacks.
    this.#owing = this.#received > 0;
    this.#seen = undefined;
    this.#unconfirmed.rejuvenate();
    this.#heartbeat.start();
    wire.receive(this, this.#options.maxLine);
    this.#schedule();
  }

  /** Tells the handler that the link is up. */
  open(): void {
    this.#log("info", "link_open");
    this.#keeper.metrics.count("toychat_links_opened_total");
    this.#guard(() => this.#keeper.handler.open(this));
  }

  /** Ends the link now, without a word to the peer. */
  end(reason: LinkEndCode): void {
    this.#wire?.terminate();
    this.#end(reason);
    this.#report();
  }

  /** Ends the link now, saying why to the peer. */
  dismiss(code: LinkEndCode, message: string): void {
    this.#fail(code, message);
    this.#report();
  }

  /** Bytes have arrived. */
  heard(): void {
    this.#heartbeat.heard();
  }

  /** A frame has arrived. */
  incoming(frame: Incoming, length: number): void {
    switch (frame.type) {
      case "confirm":
        return this.#confirm(frame.n);
      case "ping":
        return;
      case "goodbye":
        this.#log("info", "link_goodbye", { code: frame.code, message: frame.message });
        this.#wire?.end();
        this.#end(frame.code);
        return this.#report();
      case "hello":
      case "welcome":
        return this.broken("out_of_order", `a ${frame.type} frame came after the handshake`);
      default:
        this.#take(frame, length);
    }
  }

  /** What arrived is not the protocol. */
  broken(code: LinkEndCode, message: string): void {
    this.#fail(code, message);
  }

  /** The connection takes bytes again. */
  drain(): void {
    this.#blocked = false;
    this.#flush();
  }

  /** The connection has ended. */
  lost(reason: CloseReason): void {
    this.#disconnected(reason.message ?? reason.kind);
  }

  #take(frame: Frame & { n?: number }, length: number): void {
    const n = frame.n as number;
    const seen = this.#seen ?? Math.min(n - 1, this.#received);
    if (n !== seen + 1) {
      return this.broken("out_of_order", `frame ${n} came where frame ${seen + 1} was due`);
    }
    this.#seen = n;
    // Sent again on a new connection although it had arrived on the last one.
    if (n <= this.#received) return;
    this.#received = n;
    this.#owing = true;
    // The number is the link's: a frame that is sent on must not carry it along.
    frame.n = undefined;
    this.#schedule();
    try {
      this.#keeper.handler.frame(this, frame, n, length);
    } catch (error) {
      this.#threw(error);
    }
  }

  #confirm(n: number): void {
    const { confirmed } = this.#unconfirmed;
    if (n < confirmed || n > this.#written) {
      const range = `${confirmed} to ${this.#written}`;
      return this.broken("bad_confirm", `frame ${n} was confirmed, which is not within ${range}`);
    }
    if (n === confirmed) return;
    this.#unconfirmed.confirm(n);
    this.#guard(() => this.#keeper.handler.confirmed(this, n));
    if (this.#ended || !this.#full || this.#unconfirmed.size * 2 >= this.#options.highMark) return;
    this.#full = false;
    this.#guard(() => this.#keeper.handler.drain(this));
  }

  #schedule(): void {
    if (this.#scheduled || this.#wire === undefined) return;
    this.#scheduled = true;
    this.#clock.defer(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /**
   * Writes what is queued and then confirms what was received. In this order: what a handler answered to a frame
   * reaches the peer before the confirmation of that frame.
   */
  #flush(): void {
    const wire = this.#wire;
    if (wire === undefined || this.#blocked) return;
    const { metrics } = this.#keeper;
    let text = this.#unconfirmed.linesAfter(this.#written);
    metrics.count("toychat_link_frames_sent_total", this.#unconfirmed.last - this.#written);
    this.#written = this.#unconfirmed.last;
    metrics.count("toychat_link_frames_received_total", this.#received - this.#counted);
    this.#counted = this.#received;
    if (this.#owing) text += `{"type":"confirm","n":${this.#received}}\n`;
    this.#owing = false;
    if (text === "") return;
    this.#heartbeat.spoke();
    this.#blocked = !wire.send(text);
  }

  #tick(now: number, late: number): boolean {
    const { confirmMs } = this.#options;
    this.#unconfirmed.excuse(late);
    if (this.#unconfirmed.age(now) < confirmMs) return true;
    this.#fail(
      "unconfirmed",
      `frame ${this.#unconfirmed.confirmed + 1} was not confirmed in ${confirmMs} ms`,
    );
    return false;
  }

  #silent(): void {
    this.#wire?.terminate();
    this.#disconnected(`nothing was received for ${this.#options.silenceMs} ms`);
  }

  #ping(): void {
    if (this.#blocked || this.#wire === undefined) return;
    this.#heartbeat.spoke();
    this.#blocked = !this.#wire.send(PING);
  }

  #disconnected(why: string): void {
    this.#detach();
    this.#log("info", "link_lost", { why });
    this.#keeper.metrics.count("toychat_link_connections_lost_total");
    this.#stopResume = this.#clock.after(this.#resumeMs(), () => this.end("lost"));
    this.#keeper.lost(this);
  }

  /** A frame that waits for its confirmation gets hardly more time for a connection that was lost than without. */
  #resumeMs(): number {
    const { resumeMs, confirmMs } = this.#options;
    const left = confirmMs - this.#unconfirmed.age(this.#clock.now());
    return Math.min(resumeMs, Math.max(left, confirmMs / REDIAL_PART));
  }

  #detach(): void {
    this.#wire = undefined;
    this.#heartbeat.stop();
  }

  #guard(call: () => void): void {
    if (this.#ended) return;
    try {
      call();
    } catch (error) {
      this.#threw(error);
    }
  }

  #threw(error: unknown): void {
    const stack = error instanceof Error ? error.stack : undefined;
    this.#log("error", "link_handler_failed", { error: errorMessage(error), stack });
    this.#fail("handler_failed", "the peer failed while it handled a frame; its log says why");
  }

  /** Ends the link and says why; `later` reports it to the handler at the end of the turn. */
  #fail(code: string, message: string, later = false): void {
    if (!this.#ended) {
      this.#log("info", "link_ended", { code, message });
      this.#wire?.goodbye(code, message);
      this.#end(code);
    }
    if (later) this.#clock.defer(() => this.#report());
    else this.#report();
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reason = reason;
    this.#detach();
    this.#stopResume?.();
  }

  #report(): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#unconfirmed.clear();
    this.#keeper.metrics.count("toychat_links_reset_total");
    try {
      this.#keeper.handler.reset(this, this.#reason);
    } catch (error) {
      this.#log("error", "link_handler_failed", { error: errorMessage(error) });
    }
    this.#keeper.ended(this);
  }

  #log(level: "info" | "error", event: string, fields: Record<string, unknown> = {}): void {
    this.#keeper.log(level, event, { link: this.id, peer: this.peer.id, ...fields });
  }
}
