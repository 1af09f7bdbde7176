/**
 * The handshake of one connection, on either side: both say who they are, prove that they know the secret, and agree on
 * the link that the connection carries.
 *
 * @module
 */
import type { Cancel, Clock } from "../lib/clock.ts";
import { printable, ToychatError } from "../lib/errors.ts";
import type { CloseReason } from "../lib/transport.ts";
import { isCluster } from "./check.ts";
import type { Incoming } from "./decode.ts";
import { type HelloFrame, LINK_VERSION, type WelcomeFrame } from "./frames.ts";
import type { LinkEndCode, LinkIdentity } from "./link.ts";
import { acceptProof, base64url, dialProof, sameProof } from "./proof.ts";
import type { Wire, WireReceiver } from "./wire.ts";

/** What both sides of a handshake need. */
export interface HandshakeContext {
  readonly self: LinkIdentity;
  readonly cluster: string;
  readonly secret: string | undefined;
  readonly clock: Clock;
  /** Milliseconds until it is given up; undefined where the caller keeps the time. */
  readonly limitMs: number | undefined;
}

/** How a handshake failed. */
export interface HandshakeFailure {
  /** A code of the link, or the one of the peer's `goodbye`; `connection_lost` where the connection ended. */
  readonly code: string;
  /** For people; may hold text of the peer. */
  readonly message: string;
  /** Whether one side refused the other, so that trying again soon is of little use. */
  readonly refused: boolean;
}

/**
 * Checks what a process was configured with, before any peer has to refuse it.
 *
 * @throws {ToychatError} `invalid_cluster` or `invalid_secret`.
 */
export function checkCluster(cluster: string, secret: string | undefined): void {
  if (!isCluster(cluster)) {
    const wrong = `"${printable(String(cluster), 80)}" cannot be a cluster's name`;
    throw new ToychatError("invalid_cluster", `${wrong}: use 1 to 64 characters, no control characters`);
  }
  if (secret === "") {
    const wrong = "the cluster secret is empty";
    throw new ToychatError("invalid_secret", `${wrong}: give at least one character, or none at all`);
  }
}

const NO_PROOF = "this process has a cluster secret and the peer has none: start both with the same secret";
const NO_SECRET = "the peer has a cluster secret and this process has none: start both with the same secret";
const OTHER_SECRET = "the peer's cluster secret is another one: start both with the same secret";

/** What both sides have in common. */
abstract class Handshake implements WireReceiver {
  protected readonly wire: Wire;
  protected readonly context: HandshakeContext;
  readonly #failed: (failure: HandshakeFailure) => void;
  readonly #timer: Cancel | undefined;
  #over = false;

  constructor(wire: Wire, context: HandshakeContext, failed: (failure: HandshakeFailure) => void) {
    this.wire = wire;
    this.context = context;
    this.#failed = failed;
    const { limitMs, clock } = context;
    if (limitMs !== undefined) this.#timer = clock.after(limitMs, () => this.timeout(limitMs));
    wire.receive(this);
  }

  /** The next frame of the other side. */
  protected abstract step(frame: Incoming): void;

  incoming(frame: Incoming): void {
    if (frame.type === "goodbye") {
      this.wire.end();
      this.fail({ code: frame.code, message: frame.message, refused: true });
    } else this.step(frame);
  }

  heard(): void {}

  drain(): void {}

  broken(code: LinkEndCode, message: string): void {
    this.refuse(code, message);
  }

  lost(reason: CloseReason): void {
    const why = reason.message === undefined ? reason.kind : `${reason.kind}: ${printable(reason.message)}`;
    const message = `the connection ended before the handshake was complete (${why})`;
    this.fail({ code: "connection_lost", message, refused: false });
  }

  /** Gives up: it took too long. */
  timeout(limitMs: number): void {
    this.refuse("handshake_timeout", `the handshake was not complete after ${limitMs} ms`, false);
  }

  /** Gives up without a word to the owner of the handshake. */
  abandon(code: LinkEndCode, message: string): void {
    this.done();
    this.wire.goodbye(code, message);
  }

  protected refuse(code: LinkEndCode, message: string, refused = true): void {
    this.wire.goodbye(code, message);
    this.fail({ code, message, refused });
  }

  protected fail(failure: HandshakeFailure): void {
    if (this.#over) return;
    this.done();
    this.#failed(failure);
  }

  protected done(): void {
    this.#over = true;
    this.#timer?.();
  }

  /** This side's hello, without proof and resume. */
  protected hello(): HelloFrame {
    const { self, cluster, clock } = this.context;
    const nonce = base64url(clock.randomBytes(16));
    const { role, id, incarnation } = self;
    return { type: "hello", version: LINK_VERSION, role, id, incarnation, cluster, nonce };
  }

  /** Refuses a frame that is not due, and a hello from another cluster. */
  protected takeHello(frame: Incoming): HelloFrame | undefined {
    if (frame.type !== "hello") {
      this.refuse("out_of_order", `a ${frame.type} frame came before the handshake was complete`);
      return undefined;
    }
    const { cluster } = this.context;
    if (frame.cluster !== cluster) {
      const theirs = printable(frame.cluster);
      this.refuse(
        "wrong_cluster",
        `the peer belongs to the cluster "${theirs}", this process to "${cluster}"`,
      );
      return undefined;
    }
    return frame;
  }

  /** Whether a proof that the other side gave, or did not give, is what the secret asks for; refuses it if not. */
  protected proven(given: string | undefined, expected: (secret: string) => string): boolean {
    const { secret } = this.context;
    if (secret === undefined) {
      if (given === undefined) return true;
      this.refuse("wrong_secret", NO_SECRET);
    } else if (given === undefined) this.refuse("wrong_secret", NO_PROOF);
    else if (sameProof(given, expected(secret))) return true;
    else this.refuse("wrong_secret", OTHER_SECRET);
    return false;
  }
}

/** Options of the dialling side. */
export interface DialContext extends HandshakeContext {
  /** Who should answer. */
  readonly expect: { readonly id: string; readonly incarnation?: string };
  /** The link to go on with, where there is one with this peer. */
  resume(peer: LinkIdentity): HelloFrame["resume"];
  /** Complete. `asked` is the link that was to be resumed. */
  complete(peer: LinkIdentity, welcome: WelcomeFrame, asked: string | undefined): void;
  failed(failure: HandshakeFailure): void;
}

/** The dialling side: waits for a hello, answers with its own, waits for the welcome. */
export class DialHandshake extends Handshake {
  readonly #dial: DialContext;
  #theirs: HelloFrame | undefined;
  #ours: HelloFrame | undefined;

  /** Takes over the wire. */
  constructor(wire: Wire, context: DialContext) {
    super(wire, context, (failure) => context.failed(failure));
    this.#dial = context;
  }

  protected step(frame: Incoming): void {
    if (this.#theirs && this.#ours && frame.type === "welcome") {
      return this.#welcome(this.#theirs, this.#ours, frame);
    }
    if (this.#theirs) return this.refuse("out_of_order", `a ${frame.type} frame came in place of a welcome`);
    const theirs = this.takeHello(frame);
    if (theirs && this.#expected(theirs)) this.#answer(theirs);
  }

  #expected(theirs: HelloFrame): boolean {
    const { id, incarnation } = this.#dial.expect;
    const chat = theirs.role === "chat";
    if (chat && theirs.id === id && (incarnation === undefined || theirs.incarnation === incarnation)) {
      return true;
    }
    const wanted = incarnation === undefined ? `"${id}"` : `"${id}" in incarnation "${incarnation}"`;
    const found = `"${theirs.id}" in incarnation "${theirs.incarnation}"${chat ? "" : ", no ChatServer,"}`;
    // Who has lost its lease may be about to learn that it has it again, as another incarnation.
    this.refuse("wrong_peer", `this process dialled ${wanted} and ${found} answered`, theirs.lapsed !== true);
    return false;
  }

  #answer(theirs: HelloFrame): void {
    const ours = this.hello();
    const resume = this.#dial.resume(theirs);
    if (resume) ours.resume = resume;
    const { secret } = this.context;
    if (secret !== undefined) ours.mac = dialProof(secret, theirs, ours);
    this.#theirs = theirs;
    this.#ours = ours;
    this.wire.sendFrame(ours);
  }

  #welcome(theirs: HelloFrame, ours: HelloFrame, welcome: WelcomeFrame): void {
    if (!this.proven(welcome.mac, (secret) => acceptProof(secret, theirs, ours, welcome))) return;
    this.done();
    const { role, id, incarnation } = theirs;
    this.#dial.complete({ role, id, incarnation }, welcome, ours.resume?.link);
  }
}

/** Options of the dialled side. */
export interface AcceptContext extends HandshakeContext {
  /** Whether the hello says that this life may accept nothing any more. */
  readonly lapsed: boolean;
  /** The peer is who it says. Answer by `handshake.welcome`. */
  complete(handshake: AcceptHandshake, peer: LinkIdentity, resume: HelloFrame["resume"]): void;
  failed(failure: HandshakeFailure): void;
}

/** The dialled side: sends its hello at once, waits for the other one, answers with the welcome. */
export class AcceptHandshake extends Handshake {
  readonly #accept: AcceptContext;
  readonly #ours: HelloFrame;
  #theirs: HelloFrame | undefined;

  /** Takes over the wire. */
  constructor(wire: Wire, context: AcceptContext) {
    super(wire, context, (failure) => context.failed(failure));
    this.#accept = context;
    this.#ours = this.hello();
    if (context.lapsed) this.#ours.lapsed = true;
    wire.sendFrame(this.#ours);
  }

  protected step(frame: Incoming): void {
    const theirs = this.takeHello(frame);
    if (!theirs || !this.proven(theirs.mac, (secret) => dialProof(secret, this.#ours, theirs))) return;
    this.#theirs = theirs;
    this.done();
    const { role, id, incarnation } = theirs;
    this.#accept.complete(this, { role, id, incarnation }, theirs.resume);
  }

  /** Ends the handshake: names the link that the connection carries, and what was received on it. */
  welcome(link: string, received: number): void {
    const welcome: WelcomeFrame = { type: "welcome", link, received };
    const { secret } = this.context;
    if (secret !== undefined && this.#theirs) {
      welcome.mac = acceptProof(secret, this.#ours, this.#theirs, welcome);
    }
    this.wire.sendFrame(welcome);
  }
}
