/**
 * One connection to the bridge: who is on it, whether it has proved the secret, and the member that lives by it.
 *
 * @module
 */
import { printable } from "../lib/errors.ts";
import type { CloseReason, Connection, ConnectionHandler } from "../lib/transport.ts";
import { type BridgeAuth, type Challenge, isNonce } from "./bridge_auth.ts";
import {
  answerMessages,
  readMessages,
  requestText,
  RPC_CODES,
  RpcError,
  type RpcParams,
} from "./json_rpc.ts";
import { ToychatError } from "../lib/errors.ts";
import { bytesToHex } from "@noble/hashes/utils.js";

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
export interface SessionHost {
  /** Identifies this life of the bridge. */
  readonly instance: string;
  /** Name of the cluster. */
  readonly cluster: string;
  /** Undefined without a secret. */
  readonly auth: BridgeAuth | undefined;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Random bytes for a nonce. */
  randomBytes(length: number): Uint8Array;
  /** Somebody was refused. */
  refused(address: string, reason: BridgeRefusal): void;
  /** Carries out a method of an authenticated session. */
  call(session: BridgeSession, method: string, params: RpcParams): unknown;
  /** The session may call every method. */
  proved(session: BridgeSession): void;
  /** The session has ended. */
  ended(session: BridgeSession): void;
}

/** Characters of a text before and after the proof. */
const MAX_UNPROVED = 4096;
const MAX_TEXT = 65_536;
/** Bytes queued to a subscriber before it is cut off. */
const MAX_QUEUED = 1_048_576;

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
  /** Whether it may call more than `auth.*`. */
  proved = false;
  /** Whether the connection is gone, or is being ended. */
  over = false;
  readonly #host: SessionHost;
  readonly #connection: Connection;
  #challenge: Challenge | undefined;

  /** Takes over a connection. */
  constructor(host: SessionHost, connection: Connection) {
    this.#host = host;
    this.#connection = connection;
    this.openedAt = this.heardAt = host.now();
  }

  /** The peer's address, for logs. */
  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  /** Takes one message. */
  data(chunk: Uint8Array | string): void {
    if (this.over) return;
    if (typeof chunk !== "string") return this.end(1003, "JSON-RPC is text");
    if (chunk.length > (this.proved ? MAX_TEXT : MAX_UNPROVED)) return this.end(1009, "message too long");
    this.heardAt = this.#host.now();
    answerMessages(
      readMessages(chunk),
      (method, params) => this.#call(method, params),
      (text) => this.#send(text),
    );
  }

  /** Nothing waits for the connection to drain: who is too slow is cut off. */
  drain(): void {}

  /** The connection has ended. */
  close(_reason: CloseReason): void {
    this.over = true;
    this.#host.ended(this);
  }

  /** Sends a notification. */
  notify(method: string, params: object): void {
    this.#send(requestText(method, params));
  }

  /** Ends the connection with a close frame; what was sent before still arrives. */
  end(code: number, reason: string): void {
    this.over = true;
    this.#connection.close(code, reason);
  }

  /** Ends the connection at once: the peer does not read. */
  terminate(): void {
    this.over = true;
    this.#connection.terminate();
  }

  #send(text: string): void {
    this.#connection.send(text);
    if (this.#connection.bufferedAmount > MAX_QUEUED) this.terminate();
  }

  #call(method: string, params: RpcParams): unknown {
    // A batch goes on after one of its requests has ended the connection.
    if (this.over) throw new ToychatError("connection_ended", "this connection was ended before the request");
    if (method === "auth.challenge") return this.#startProof(params);
    if (method === "auth.prove") return this.#takeProof(params);
    if (!this.proved) {
      this.#endAfterReply("not authenticated", "unauthorized");
      throw new ToychatError(
        "unauthorized",
        "begin with auth.challenge, then auth.prove where the answer requires it",
      );
    }
    return this.#host.call(this, method, params);
  }

  #startProof({ nonce, cluster }: RpcParams): unknown {
    if (!isNonce(nonce)) throw new RpcError(RPC_CODES.invalidParams, "nonce must be 32 hexadecimal digits");
    if (this.#challenge) throw new ToychatError("unauthorized", "one challenge a connection");
    if (typeof cluster !== "string" || cluster !== this.#host.cluster) {
      this.#endAfterReply("another cluster", "wrong_cluster");
      const named = typeof cluster === "string" ? `"${printable(cluster, 40)}"` : "none";
      throw new ToychatError(
        "wrong_cluster",
        `this bridge serves the cluster "${this.#host.cluster}", the caller belongs to ${named}`,
      );
    }
    const bridgeNonce = bytesToHex(this.#host.randomBytes(16));
    const bridge = this.#host.instance;
    this.#challenge = { cluster, bridge, memberNonce: nonce, bridgeNonce };
    if (this.#host.auth === undefined) this.#prove();
    return { nonce: bridgeNonce, bridge, cluster, required: !this.proved };
  }

  #takeProof({ proof }: RpcParams): unknown {
    const auth = this.#host.auth;
    if (!auth) throw new ToychatError("no_secret", "this bridge has no secret: nothing to prove");
    if (!this.#challenge || !auth.proves("member", this.#challenge, proof)) {
      this.#endAfterReply("wrong secret", "wrong_secret");
      throw new ToychatError("wrong_secret", "the caller's secret is not this bridge's");
    }
    this.#prove();
    return { proof: auth.prove("bridge", this.#challenge) };
  }

  #prove(): void {
    this.proved = true;
    this.#host.proved(this);
  }

  /** The answer is sent first, in this turn; the close frame follows it. */
  #endAfterReply(reason: string, refusal: BridgeRefusal): void {
    this.over = true;
    this.#host.refused(this.remoteAddress, refusal);
    void Promise.resolve().then(() => this.#connection.close(1008, reason));
  }
}
