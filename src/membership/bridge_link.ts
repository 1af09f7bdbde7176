/**
 * A member's connection to its bridge: connected, proved both ways, ready for calls.
 *
 * @module
 */
import { bytesToHex } from "@noble/hashes/utils.js";
import type { Clock } from "../lib/clock.ts";
import { ToychatError } from "../lib/errors.ts";
import type {
  ClientTlsOptions,
  CloseReason,
  Connection,
  ConnectionHandler,
  Transport,
} from "../lib/transport.ts";
import { BridgeAuth, type Challenge, isNonce } from "./bridge_auth.ts";
import { readMessages, type RpcParams } from "./json_rpc.ts";
import { RpcCaller } from "./rpc_caller.ts";

/** Where and how to reach a bridge. */
export interface BridgeLinkOptions {
  /** The bridge's `ws:` or `wss:` URL. */
  readonly url: string;
  /** The runtime's sockets. */
  readonly transport: Transport;
  /** Time and chance. */
  readonly clock: Clock;
  /** The cluster's secret. */
  readonly secret: string | undefined;
  /** A token of the bridge, which is shown instead of proving the secret; the bridge then proves nothing either. */
  readonly token?: string | undefined;
  /** How a `wss:` URL is connected to. */
  readonly tls: ClientTlsOptions | undefined;
  /** Name of the cluster. */
  readonly cluster: string;
  /** Milliseconds for connecting, and again for the proof. */
  readonly timeoutMs: number;
  /** A notification of the bridge. */
  readonly onNotification: (method: string, params: RpcParams) => void;
}

/** Bytes of one message of the bridge: a view of some thousand members. */
const MAX_MESSAGE = 1_048_576;
/** Milliseconds that a bridge has to answer the close frame. */
const CLOSE_MS = 1000;

/** An open connection to the bridge. */
export class BridgeLink implements ConnectionHandler {
  /** Identifies this life of the bridge; set once the link is open. */
  bridge = "";
  /** Whether the connection has ended. */
  over = false;
  /** When the newest renewal that was answered on this link was sent. */
  provenAt = -Infinity;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
  #end: () => void = () => {};
  readonly #connection: Connection;
  readonly #caller: RpcCaller;
  readonly #onNotification: (method: string, params: RpcParams) => void;

  /** Takes over a connection. */
  constructor(connection: Connection, onNotification: (method: string, params: RpcParams) => void) {
    this.#connection = connection;
    this.ended = new Promise((resolve) => this.#end = resolve);
    this.#onNotification = onNotification;
    this.#caller = new RpcCaller((text) => connection.send(text));
  }

  /** Calls a method of the bridge; rejects with its error, or with `connection_ended`. */
  call(method: string, params: object = {}): Promise<RpcParams> {
    if (this.over) {
      return Promise.reject(new ToychatError("connection_ended", "the bridge closed the connection"));
    }
    return this.#caller.call(method, params).then((result) =>
      typeof result === "object" && result !== null ? result as RpcParams : {}
    );
  }

  /** Takes one message. What is no JSON-RPC ends the connection: this is no bridge. */
  data(chunk: Uint8Array | string): void {
    if (typeof chunk !== "string") return this.terminate();
    for (const item of readMessages(chunk).items) {
      if (item.kind === "answer") this.#caller.take(item);
      else if (item.kind === "invalid") return this.terminate();
      else if (item.id === undefined) this.#onNotification(item.method, item.params);
    }
  }

  /** Requests are few and small: nothing waits. */
  drain(): void {}

  /** The connection has ended. */
  close(_reason: CloseReason): void {
    this.over = true;
    this.#caller.fail(new ToychatError("connection_ended", "the bridge closed the connection"));
    this.#end();
  }

  /** Ends the connection after what was sent; a bridge that does not react is cut off. */
  end(clock: Clock): void {
    if (this.over) return;
    this.#connection.close(1000);
    void this.ended.then(clock.after(CLOSE_MS, () => this.terminate()));
  }

  /** Ends the connection at once. */
  terminate(): void {
    if (!this.over) this.#connection.terminate();
  }
}

/**
 * Connects and proves the secret both ways.
 *
 * @throws {ToychatError} `bridge_refused` where the two do not belong together (secret, cluster, or no bridge at all); what
 * {@linkcode Transport.connect} throws; `connect_timeout`, `connection_ended`.
 */
export async function openBridgeLink(options: BridgeLinkOptions): Promise<BridgeLink> {
  const { clock, timeoutMs, tls } = options;
  const abort = new AbortController();
  let link: BridgeLink | undefined;
  const cancel = clock.after(timeoutMs, () => {
    abort.abort();
    link?.terminate();
  });
  try {
    await options.transport.connect(options.url, (connection) => {
      return link = new BridgeLink(connection, options.onNotification);
    }, { signal: abort.signal, maxPayload: MAX_MESSAGE, ...(tls ? { tls } : {}) });
    // The handler was made before connect resolved.
    const open = link as unknown as BridgeLink;
    await prove(open, options);
    if (open.over) throw new ToychatError("connection_ended", "the bridge closed the connection");
    return open;
  } catch (error) {
    link?.terminate();
    throw explain(error, options.url, abort.signal.aborted);
  } finally {
    cancel();
  }
}

const REFUSALS: readonly string[] = [
  "wrong_cluster",
  "wrong_secret",
  "wrong_token",
  "no_secret",
  "unauthorized",
  "upgrade_refused",
];

function explain(error: unknown, url: string, timedOut: boolean): unknown {
  if (!(error instanceof ToychatError)) return error;
  if (timedOut) return new ToychatError("connect_timeout", `${url} did not answer in time`, { cause: error });
  if (!REFUSALS.includes(error.code)) return error;
  const why = error.code === "upgrade_refused" ? "it answers, but not as a toychat bridge" : error.message;
  return new ToychatError("bridge_refused", `the bridge at ${url} refused: ${why}`, {
    cause: error,
  });
}

function refused(url: string, why: string): ToychatError {
  return new ToychatError("bridge_refused", `the bridge at ${url} is not to be trusted: ${why}`);
}

/** The error of who could not reach a bridge in time; `last` is what the last attempt failed with. */
export function bridgeUnreachable(url: string, timeoutMs: number, last: unknown): ToychatError {
  const why = last instanceof ToychatError ? last.code.replaceAll("_", " ") : "it does not answer";
  return new ToychatError(
    "bridge_unreachable",
    `no bridge at ${url} within ${timeoutMs / 1000} s (${why}): start one with "toychat bridge", or say ` +
      "where it is by --bridge",
    { cause: last },
  );
}

/** The error of who has reached a bridge, and was not let in in time. */
export function bridgeTooSlow(url: string, timeoutMs: number): ToychatError {
  return new ToychatError(
    "bridge_unreachable",
    `the bridge at ${url} has not let this process in within ${
      timeoutMs / 1000
    } s: it has only just started, or ` +
      "hangs; try again, and restart the bridge if that does not help",
  );
}

function checkBridge(bridge: unknown, url: string, method: string): string {
  if (typeof bridge === "string" && /^[a-z0-9]{1,32}$/.test(bridge)) return bridge;
  throw refused(url, `its answer to ${method} is malformed`);
}

/** Whether a bridge says that it takes tokens alone; one that says nothing has a secret. */
function takesNoSecret(takes: unknown): boolean {
  return Array.isArray(takes) && !takes.includes("secret");
}

/** The error for who shows nothing that the bridge takes. */
function demanded(takes: unknown, { url, secret }: BridgeLinkOptions): ToychatError {
  const token = "by --token-file or TOYCHAT_TOKEN";
  const what = !takesNoSecret(takes)
    ? "demands the cluster secret: give it by --secret-file or TOYCHAT_SECRET; the commands members, owner and drain " +
      `may show a token instead, ${token}`
    : secret === undefined
    ? `has no secret and demands a token: give one that it knows ${token}`
    : "has no secret and demands a token: start it with the secret that this process has, or give a token that it " +
      `knows instead, ${token}`;
  return new ToychatError("bridge_refused", `the bridge at ${url} ${what}`);
}

async function prove(link: BridgeLink, options: BridgeLinkOptions): Promise<void> {
  const { cluster, secret, token, url } = options;
  if (token !== undefined) {
    const { bridge } = await link.call("auth.token", { token, cluster });
    link.bridge = checkBridge(bridge, url, "auth.token");
    return;
  }
  const memberNonce = bytesToHex(options.clock.randomBytes(16));
  const answer = await link.call("auth.challenge", { nonce: memberNonce, cluster });
  const { nonce: bridgeNonce, bridge, required, takes } = answer;
  if (!isNonce(bridgeNonce)) throw refused(url, "its answer to auth.challenge is malformed");
  link.bridge = checkBridge(bridge, url, "auth.challenge");
  if (secret === undefined) {
    if (required === false) return;
    throw demanded(takes, options);
  }
  if (required !== true) throw refused(url, "it has no secret: start it with the one that this process has");
  if (takesNoSecret(takes)) throw demanded(takes, options);
  const auth = new BridgeAuth(secret);
  const challenge: Challenge = { cluster, bridge: link.bridge, memberNonce, bridgeNonce };
  const { proof } = await link.call("auth.prove", { proof: auth.prove("member", challenge) });
  if (!auth.proves("bridge", challenge, proof)) throw refused(url, "it does not know the cluster secret");
}
