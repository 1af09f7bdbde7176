/**
 * One connection to the bridge: who is on it, what it may do, and the member that lives by it.
 *
 * @module
 */
import { bytesToHex } from "@noble/hashes/utils.js";
import { printable, ToychatError } from "../lib/errors.ts";
import type { CloseReason, Connection, ConnectionHandler } from "../lib/transport.ts";
import { type BridgeAuth, type BridgeProof, type Challenge, isNonce } from "./bridge_auth.ts";
import { BridgeOutbox, type OutboxHost } from "./bridge_outbox.ts";
import type { BridgeTokens } from "./bridge_tokens.ts";
import { answerMessages, readMessages, RPC_CODES, RpcError, type RpcParams } from "./json_rpc.ts";
import { higher, type Scope } from "./rpc_scope.ts";

/** The member that lives by a connection. */
export interface SessionMember {
  /** Its id. */
  readonly id: string;
  /** Its incarnation. */
  readonly incarnation: string;
}

/** Why somebody was refused who did not prove to belong to the cluster. */
export type BridgeRefusal =
  | "unauthorized"
  | "wrong_cluster"
  | "wrong_secret"
  | "unproved_timeout"
  | "wrong_token"
  | "origin"
  | "too_many_connections";

/** What a session needs of its bridge. */
export interface SessionHost extends OutboxHost {
  /** Identifies this life of the bridge. */
  readonly instance: string;
  /** Name of the cluster. */
  readonly cluster: string;
  /** Undefined without a secret. */
  readonly auth: BridgeAuth | undefined;
  /** Undefined where nobody needs to show anything. */
  readonly tokens: BridgeTokens | undefined;
  /** Requests in one batch. */
  readonly maxBatch: number;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Random bytes for a nonce. */
  randomBytes(length: number): Uint8Array;
  /** Somebody was refused. */
  refused(address: string, reason: BridgeRefusal): void;
  /** Carries out a method of an authenticated session. */
  call(session: BridgeSession, method: string, params: RpcParams): unknown;
  /** The session has shown what it may do. */
  proved(session: BridgeSession): void;
  /** The session has ended. */
  ended(session: BridgeSession): void;
}

/** Characters of a text before and after the proof. */
const MAX_UNPROVED = 4096;
const MAX_TEXT = 65_536;
/** Milliseconds that a peer has to read what it was sent and to answer the close frame behind it. */
const CLOSE_MS = 3000;

/** A WebSocket connection with JSON-RPC on it. */
export class BridgeSession implements ConnectionHandler {
  /** When it was last heard, on the bridge's clock. */
  heardAt: number;
  /** When it connected. */
  readonly openedAt: number;
  /** The member that lives by this connection. */
  member: SessionMember | undefined;
  /** Whether it wants every new view. */
  subscribed = false;
  /** The beginnings of names of the user events that it wants. */
  readonly events: Set<string> = new Set();
  /** The beginnings of names of the queries that it wants. */
  readonly queries: Set<string> = new Set();
  /** Requests that are under way. */
  calls = 0;
  /** What it may do; undefined before it has shown anything: then it may call `auth.*` alone. */
  scope: Scope | undefined;
  /** Whether the connection is gone, or is being ended. */
  over = false;
  /** When it is cut off, on the bridge's clock, where the peer has not answered the close frame. */
  cutAt = Infinity;
  /** What goes out. */
  readonly outbox: BridgeOutbox;
  readonly #gone: AbortController = new AbortController();
  readonly #host: SessionHost;
  readonly #connection: Connection;
  #challenge: Challenge | undefined;

  /** Takes over a connection; `scope` where it has shown a token with its first request. */
  constructor(host: SessionHost, connection: Connection, scope?: Scope) {
    this.#host = host;
    this.#connection = connection;
    this.outbox = new BridgeOutbox(connection, host);
    this.scope = scope;
    this.openedAt = this.heardAt = host.now();
  }

  /** The peer's address, for logs. */
  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  /** Aborted when the connection has ended: what it waits for is of no use. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Takes one message. */
  data(chunk: Uint8Array | string): void {
    if (this.over) return;
    if (typeof chunk !== "string") return this.end(1003, "JSON-RPC is text");
    if (chunk.length > (this.scope ? MAX_TEXT : MAX_UNPROVED)) return this.end(1009, "message too long");
    this.heardAt = this.#host.now();
    answerMessages(
      readMessages(chunk, this.#host.maxBatch),
      (method, params) => this.#call(method, params),
      (text) => this.#answer(text),
    );
  }

  /** The peer has read what was queued. */
  drain(): void {
    if (!this.over) this.outbox.drained();
  }

  /** The connection has ended. */
  close(_reason: CloseReason): void {
    this.over = true;
    this.#gone.abort();
    this.#host.ended(this);
  }

  /** Ends the connection with a close frame, which the peer has so long to answer; what was sent before still arrives. */
  end(code: number, reason: string, graceMs: number = CLOSE_MS): void {
    this.#isOver(graceMs);
    this.#connection.close(code, reason);
  }

  /** Ends the connection at once: the peer does not read. */
  terminate(): void {
    this.over = true;
    this.#connection.terminate();
  }

  #isOver(graceMs: number): void {
    this.over = true;
    this.cutAt = this.#host.now() + graceMs;
  }

  #answer(text: string): void {
    if (!this.outbox.answer(text)) this.end(1013, "ask less, or read what is answered");
  }

  #call(method: string, params: RpcParams): unknown {
    // A batch goes on after one of its requests has ended the connection.
    if (this.over) throw new ToychatError("connection_ended", "this connection was ended before the request");
    if (method === "auth.challenge") return this.#startProof(params);
    if (method === "auth.prove") return this.#takeProof(params);
    if (method === "auth.token") return this.#takeToken(params);
    if (!this.scope) {
      this.#endAfterReply("not authenticated", "unauthorized");
      throw new ToychatError(
        "unauthorized",
        "begin with auth.challenge, then auth.prove where the answer requires it; or with auth.token",
      );
    }
    return this.#host.call(this, method, params);
  }

  #startProof({ nonce, cluster }: RpcParams): unknown {
    if (!isNonce(nonce)) throw new RpcError(RPC_CODES.invalidParams, "nonce must be 32 hexadecimal digits");
    if (this.#challenge) throw new ToychatError("unauthorized", "one challenge a connection");
    this.#checkCluster(cluster);
    const bridgeNonce = bytesToHex(this.#host.randomBytes(16));
    const bridge = this.#host.instance;
    this.#challenge = { cluster: this.#host.cluster, bridge, memberNonce: nonce, bridgeNonce };
    if (!this.#host.tokens) this.#prove("admin");
    const answer = { nonce: bridgeNonce, bridge, cluster: this.#host.cluster };
    if (this.scope) return { ...answer, required: false };
    // A secret comes with tokens that are derived from it.
    const takes: readonly BridgeProof[] = this.#host.auth ? ["secret", "token"] : ["token"];
    return { ...answer, required: true, takes };
  }

  #takeProof({ proof }: RpcParams): unknown {
    const auth = this.#host.auth;
    if (!auth) {
      const instead = this.#host.tokens ? "show a token by auth.token" : "leave it out";
      throw new ToychatError("no_secret", `this bridge has no secret, and nothing to prove: ${instead}`);
    }
    if (!this.#challenge || !auth.proves("member", this.#challenge, proof)) {
      this.#endAfterReply("wrong secret", "wrong_secret");
      throw new ToychatError("wrong_secret", "the caller's secret is not this bridge's");
    }
    this.#prove("admin");
    return { proof: auth.prove("bridge", this.#challenge) };
  }

  #takeToken({ token, cluster }: RpcParams): unknown {
    const { tokens, instance } = this.#host;
    if (!tokens) {
      throw new ToychatError("no_secret", "this bridge has neither secret nor tokens: leave it out");
    }
    if (cluster !== undefined) this.#checkCluster(cluster);
    const scope = tokens.scopeOf(token);
    if (!scope) {
      this.#endAfterReply("wrong token", "wrong_token");
      throw new ToychatError("wrong_token", "this bridge knows no such token");
    }
    this.#prove(scope);
    return { scope: this.scope, bridge: instance, cluster: this.#host.cluster };
  }

  /** Ends the connection where the caller names another cluster, or none. */
  #checkCluster(cluster: unknown): void {
    if (cluster === this.#host.cluster) return;
    this.#endAfterReply("another cluster", "wrong_cluster");
    const named = typeof cluster === "string" ? `"${printable(cluster, 40)}"` : "none";
    throw new ToychatError(
      "wrong_cluster",
      `this bridge serves the cluster "${this.#host.cluster}", the caller belongs to ${named}`,
    );
  }

  #prove(scope: Scope): void {
    this.scope = higher(this.scope, scope);
    this.#host.proved(this);
  }

  /** The answer is sent first, in this turn; the close frame follows it. */
  #endAfterReply(reason: string, refusal: BridgeRefusal): void {
    this.#isOver(CLOSE_MS);
    this.#host.refused(this.remoteAddress, refusal);
    void Promise.resolve().then(() => this.#connection.close(1008, reason));
  }
}
