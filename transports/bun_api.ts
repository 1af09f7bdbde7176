/**
 * The part of Bun's API that the transport uses, typed here so that Deno's and TypeScript's checkers need no Bun types.
 *
 * @module
 */

/** One TCP or TLS socket (`Bun.listen`, `Bun.connect`). */
export interface BunSocket<Data> {
  /** What we hang on it. */
  data: Data;
  /** Address of the peer. */
  readonly remoteAddress: string;
  /** Writes what the kernel takes and returns how many bytes that were; -1 after the end. The rest is ours to keep. */
  write(data: Uint8Array | string): number;
  /** Sends a FIN; reading goes on. */
  shutdown(): void;
  /** Closes both ways. */
  end(): void;
  /** Closes with a reset. Calls the `close` handler before it returns. */
  terminate(): void;
  /** Stops reading. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Switches Nagle's algorithm off. */
  setNoDelay(on: boolean): unknown;
}

/** Callbacks that all sockets of a listener share. */
export interface BunSocketHandler<Data> {
  open(socket: BunSocket<Data>): void;
  data(socket: BunSocket<Data>, chunk: Uint8Array): void;
  drain(socket: BunSocket<Data>): void;
  end(socket: BunSocket<Data>): void;
  error(socket: BunSocket<Data>, error: Error): void;
  close(socket: BunSocket<Data>, error?: unknown): void;
  connectError?(socket: unknown, error: Error): void;
  /** The TLS handshake is over; `open` was called before it. */
  handshake?(socket: BunSocket<Data>, success: boolean, error: Error | null): void;
  binaryType?: "buffer" | "uint8array";
}

/** TLS of a server. */
export interface BunTls {
  cert: string;
  key: string;
  ca?: string;
  requestCert?: boolean;
  rejectUnauthorized?: boolean;
}

/** TLS of a client. */
export interface BunClientTls {
  ca?: string;
  cert?: string;
  key?: string;
  serverName?: string;
  rejectUnauthorized: boolean;
}

/** A TCP listener. */
export interface BunListener {
  readonly port: number;
  readonly hostname: string;
  stop(closeActiveConnections?: boolean): void;
}

/** A WebSocket of `Bun.serve`. */
export interface BunServerWebSocket<Data> {
  /** What we hang on it. */
  data: Data;
  readonly remoteAddress: string;
  /** 1 while open. */
  readonly readyState: number;
  /** Bytes sent, or -1: queued by Bun until the socket drains, or 0: dropped. */
  send(data: Uint8Array | string): number;
  cork(work: () => void): void;
  getBufferedAmount(): number;
  ping(): number;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

/** Callbacks that all WebSockets of a server share. */
export interface BunWebSocketHandler<Data> {
  open(socket: BunServerWebSocket<Data>): void;
  message(socket: BunServerWebSocket<Data>, message: string | Uint8Array): void;
  drain(socket: BunServerWebSocket<Data>): void;
  pong(socket: BunServerWebSocket<Data>): void;
  close(socket: BunServerWebSocket<Data>, code: number, reason: string): void;
  maxPayloadLength: number;
  idleTimeout: number;
  sendPings: boolean;
  backpressureLimit: number;
  closeOnBackpressureLimit: boolean;
  perMessageDeflate: boolean;
}

/** An HTTP server. */
export interface BunServer<Data> {
  readonly port: number;
  readonly hostname: string;
  stop(closeActiveConnections?: boolean): Promise<void>;
  upgrade(request: Request, options: { data: Data; headers?: HeadersInit }): boolean;
  requestIP(request: Request): { address: string } | null;
}

/** What the transport calls on the global `Bun`. */
export interface BunApi {
  listen<Data>(
    options: {
      hostname: string;
      port: number;
      tls?: BunTls;
      allowHalfOpen: boolean;
      socket: BunSocketHandler<Data>;
    },
  ): BunListener;
  connect<Data>(
    options: {
      hostname: string;
      port: number;
      tls?: BunClientTls;
      allowHalfOpen: boolean;
      socket: BunSocketHandler<Data>;
    },
  ): Promise<BunSocket<Data>>;
  serve<Data>(
    options: {
      hostname: string;
      port: number;
      tls?: BunTls;
      idleTimeout: number;
      development: boolean;
      reusePort: boolean;
      fetch(request: Request, server: BunServer<Data>): Promise<Response | undefined>;
      error(error: unknown): Response;
      websocket: BunWebSocketHandler<Data>;
    },
  ): BunServer<Data>;
}

/** Bun's WebSocket client: the browser's, and what Bun adds to it. */
export interface BunWebSocket {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: (() => void) | null;
  onmessage: ((event: { data: string | Uint8Array }) => void) | null;
  onerror: ((event: { message?: string; error?: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(data: Uint8Array | string): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

interface BunGlobals {
  Bun?: BunApi;
  WebSocket: new (
    url: string,
    options: { protocols?: string[]; perMessageDeflate?: boolean; tls?: BunClientTls },
  ) => BunWebSocket;
}

const globals = globalThis as unknown as BunGlobals;

/** The global `Bun`, `undefined` elsewhere. */
export const bun: BunApi | undefined = globals.Bun;

/** Opens a WebSocket with Bun's client. */
export function openWebSocket(
  url: string,
  protocols: readonly string[],
  tls: BunClientTls | undefined,
): BunWebSocket {
  const options = { protocols: [...protocols], perMessageDeflate: false };
  return new globals.WebSocket(url, tls ? { ...options, tls } : options);
}
