/**
 * The seam between toychat and a runtime: everything the core knows of sockets.
 *
 * A transport is handed to {@linkcode ProxyServer} and {@linkcode ChatServer}; nothing in `src/` names a
 * runtime. Implementations live in `transports/`.
 *
 * @module
 */

/** Where to connect to: `{ host, port }` for TCP, or a `ws:`/`wss:` URL for a WebSocket. */
export type Address = TcpAddress | string;

/** A TCP endpoint. */
export interface TcpAddress {
  /** Host name or IP address (IPv6 without brackets). */
  readonly host: string;
  /** Port, 1 to 65535. */
  readonly port: number;
}

/** How a connection ended. */
export type CloseKind =
  /** The peer ended it: a FIN, or a WebSocket close frame. */
  | "peer"
  /** We ended it with `close()` and everything sent before has been handed to the operating system. */
  | "local"
  /** We ended it with `terminate()`. */
  | "terminated"
  /** It broke: a reset, a protocol violation of the peer, an error of the operating system. */
  | "error";

/** Why a connection ended; the argument of {@linkcode ConnectionHandler.close}. */
export interface CloseReason {
  /** Who or what ended it. */
  readonly kind: CloseKind;
  /** WebSocket close code of the peer (1005 where it gave none); absent on TCP. */
  readonly code?: number;
  /** The peer's close reason, or the error's message. Text from outside: escape it before logging. */
  readonly message?: string;
}

/**
 * One connection: bytes (TCP) or messages (WebSocket).
 *
 * On a byte connection a string is sent as UTF-8 and everything arrives as `Uint8Array`. On a message connection a
 * string is one text message and a `Uint8Array` one binary message, both ways.
 */
export interface Connection {
  /** `"bytes"` for TCP and streams, `"messages"` for WebSocket. */
  readonly kind: "bytes" | "messages";
  /** The peer's address, for logs and limits; `""` where unknown. */
  readonly remoteAddress: string;
  /** Bytes accepted by `send` and not yet taken by the operating system. */
  readonly bufferedAmount: number;
  /**
   * Sends one chunk or message. The bytes belong to the connection from here on: do not change them afterwards
   * (the same array may be given to many connections).
   *
   * @returns `false` when `bufferedAmount` is over the high mark: wait for `drain`. The chunk was accepted all the same.
   * After the end of the connection nothing is sent and the result is `false`.
   */
  send(chunk: Uint8Array | string): boolean;
  /** Sends many chunks or messages, in order, in one system call where the runtime can. Returns as `send` does. */
  sendAll(chunks: readonly (Uint8Array | string)[]): boolean;
  /** Stops reading, so that the peer is pushed back. Data already read by the runtime may still arrive. */
  pause(): void;
  /** Reads again after `pause`. */
  resume(): void;
  /** On a WebSocket that a client opened: sends a ping frame, which every WebSocket answers by itself. */
  ping?(): void;
  /**
   * Sends what is queued, then ends the connection: FIN, or a close frame with `code` (1000) and `reason`.
   * A peer that does not read holds this up: follow up with `terminate` after a time of your choice.
   */
  close(code?: number, reason?: string): void;
  /** Ends the connection now and drops what is queued. */
  terminate(): void;
  /** What arrives, as a stream; made on first access, from when on the handler gets no more `data`. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What is sent, as a stream; made on first access. */
  readonly writable: WritableStream<Uint8Array>;
}

/** What happens on a connection. The methods are called one at a time, never from inside `send`. */
export interface ConnectionHandler {
  /**
   * A chunk (any split of the byte stream) or one whole message.
   *
   * The memory of an array is the transport's again once this has returned: it may be read into anew, for any
   * connection. A handler copies what it keeps, and writes nothing to it.
   */
  data(chunk: Uint8Array | string): void;
  /** `bufferedAmount` fell below the low mark after `send` had returned `false`. */
  drain(): void;
  /** The peer has answered a ping. */
  pong?(): void;
  /** The connection has ended. Called exactly once, and last. */
  close(reason: CloseReason): void;
}

/** TLS for a listening socket: PEM texts. */
export interface TlsOptions {
  /** Certificate chain, PEM. */
  readonly cert: string;
  /** Private key, PEM. */
  readonly key: string;
  /** Certificate authorities, PEM: clients must show a certificate that one of them has signed. Default none is asked for. */
  readonly ca?: string;
}

/** TLS for a connection that is made: PEM texts. The server's certificate is always verified. */
export interface ClientTlsOptions {
  /** Certificate authorities that may have signed the server's certificate; default those that the runtime knows. */
  readonly ca?: string;
  /** The name that the certificate must be for; default the host that is connected to. */
  readonly serverName?: string;
  /** Certificate chain to show to a server that asks for one. */
  readonly cert?: string;
  /** Its private key. */
  readonly key?: string;
}

/** Where to listen. */
export interface ListenOptions {
  /** Port; 0 lets the operating system choose one. */
  readonly port: number;
  /** Address to bind to; default `"127.0.0.1"`. */
  readonly host?: string;
  /** Serve TLS instead of plain TCP. */
  readonly tls?: TlsOptions;
}

/** What a server makes of one WebSocket upgrade. */
export interface UpgradeOptions {
  /** The subprotocol to select; it must be one that the client offered. */
  readonly protocol?: string;
  /** Largest message accepted, in bytes, before the connection is closed with 1009; default 262144. */
  readonly maxPayload?: number;
}

/** What a fetch handler gets beside the request. */
export interface ServeEnvironment {
  /** The peer's IP address; `""` where unknown. */
  readonly remoteAddress: string;
  /**
   * Turns this request into a WebSocket. Return the response that it gives as the answer to the request.
   *
   * @throws {ToychatError} `not_an_upgrade` where the request is no WebSocket upgrade, or was upgraded before.
   */
  upgrade(accept: (connection: Connection) => ConnectionHandler, options?: UpgradeOptions): Response;
}

/** Answers an HTTP request; the shape of Hono's `app.fetch`. */
export type FetchHandler = (request: Request, env: ServeEnvironment) => Response | Promise<Response>;

/** How to serve HTTP. */
export interface ServeOptions extends ListenOptions {
  /** Answers every request, WebSocket upgrades included. */
  readonly fetch: FetchHandler;
  /** The most that `maxPayload` of an upgrade here will be, for a runtime that must know it beforehand (Bun). */
  readonly maxPayload?: number;
}

/** A socket that listens. */
export interface ListenSocket {
  /** The address bound to. */
  readonly host: string;
  /** The port bound to, also where 0 was asked for. */
  readonly port: number;
  /** Stops accepting; resolves when the port is free. Open connections live on. */
  close(): Promise<void>;
  /**
   * Serves connections that come from now on with another certificate; absent where there is no TLS, or the runtime cannot
   * (Bun), so that listening must begin anew. Throws `bad_certificate`, and goes on with the old one.
   */
  setCertificate?(tls: TlsOptions): void;
}

/** Options of {@linkcode Transport.connect}. */
export interface ConnectOptions {
  /** Gives up when aborted: the promise rejects with `connect_aborted`. */
  readonly signal?: AbortSignal;
  /** Connects over TLS: needed for TCP; for a `wss:` URL it says how. */
  readonly tls?: ClientTlsOptions;
  /** Subprotocols to offer on a WebSocket. */
  readonly protocols?: readonly string[];
  /** Largest WebSocket message accepted, in bytes; default 262144. */
  readonly maxPayload?: number;
}

/** A value that follows a piece of work through its `await`s, as `AsyncLocalStorage` does. */
export interface AsyncContext<T> {
  /** Runs `work` with `value` visible to it and to everything that it starts. */
  run<R>(value: T, work: () => R): R;
  /** The value of the innermost `run` around the caller, `undefined` outside. */
  get(): T | undefined;
}

/** One runtime's sockets. */
export interface Transport {
  /** Name of the runtime, for logs: `"bun"`, `"deno"`, `"node"`, `"memory"`. */
  readonly name: string;
  /**
   * Listens for TCP (or TLS) connections.
   *
   * @throws {ToychatError} `address_in_use`, `address_unavailable`, `permission_denied`, or `listen_failed`.
   */
  listen(
    options: ListenOptions,
    accept: (connection: Connection) => ConnectionHandler,
  ): Promise<ListenSocket>;
  /**
   * Connects over TCP, or as a WebSocket client to a `ws:` or `wss:` URL.
   *
   * @throws {ToychatError} `connection_refused`, `host_not_found`, `connect_timeout`, `connect_aborted`,
   * `upgrade_refused` (a WebSocket that was answered by plain HTTP), `certificate_refused` (the server's is not to be
   * trusted), or `connect_failed`.
   */
  connect(
    address: Address,
    handler: (connection: Connection) => ConnectionHandler,
    options?: ConnectOptions,
  ): Promise<Connection>;
  /** Serves HTTP with WebSocket upgrade. Throws as `listen` does. */
  serve(options: ServeOptions): Promise<ListenSocket>;
  /** Makes an async context. */
  createContext<T>(): AsyncContext<T>;
}
